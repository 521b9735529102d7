"""Neurons whose time constants or gains are parameters.

References
----------
N. Perez-Nieves, V. C. H. Leung, P. L. Dragotti and D. F. M. Goodman, "Neural
heterogeneity promotes robust learning", Nature Communications 12:5791, 2021: time
constants of membranes as parameters of training.
C. Eliasmith and C. H. Anderson, *Neural Engineering*, MIT Press, 2003, chapter 4: gains
of neurons.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal

from nengo_dl.graph.trained_attributes import ScaleCurrents, TrainedNeurons
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.logarithms import exponential
from nengo_dl.lowering.registry import (
    Lowering,
    lower,
    lowering_of,
    merge_kind,
    register,
)
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import DerivedView, View


@register(TrainedNeurons)
@dataclass(frozen=True)
class LowerTrainedNeurons(Lowering):
    r"""Compute what the neurons' own lowering does, with parameters for constants.

    .. math:: \tau = \tau_0 e^{w - \ln \tau_0}

    takes the place of each constant :math:`\tau_0` that trains, for its parameter
    :math:`w`.
    """

    neurons: Any
    trained: dict[str, DerivedView]

    @property
    def views(self) -> tuple[View, ...]:
        """All views of the neurons, and those of the logarithms."""
        return (*self.neurons.views, *self.trained.values())

    @property
    def postponed(self) -> Mapping[View, Callable[[tf.Tensor], tf.Tensor]]:
        """Return what the neurons leave to the next step."""
        return self.neurons.postponed

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return what the neurons must have in common, and what of them trains."""
        kind = merge_kind(op.op)
        names = tuple(s.attribute for s in op.logarithms)
        return None if kind is None else (kind, names)

    @classmethod
    def carries(cls, op: Operator) -> Collection[Signal]:
        """Return the state variables."""
        return lowering_of(op.op).carries(op.op)

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        ops = group.ops
        sizes = [op.J.size for op in ops]
        columns = zip(*(op.logarithms for op in ops), strict=True)
        return cls(
            lower(OpGroup(tuple(op.op for op in ops)), context),
            {
                signals[0].attribute: exponential(signals, context, sizes)
                for signals in columns
            },
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        others = {name: values.read(view) for name, view in self.trained.items()}
        self.neurons.with_constants(others).build_step(values)


@register(ScaleCurrents)
@dataclass(frozen=True)
class LowerScaleCurrents(Lowering):
    r"""Multiply currents by factors: :math:`J \leftarrow e^w J`."""

    unscaled: View
    currents: View
    factors: DerivedView

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return a constant: all populations merge."""
        return "currents"

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        ops = group.ops
        shape = (sum(op.currents.size for op in ops),)
        return cls(
            context.view([op.unscaled for op in ops], shape),
            context.view([op.currents for op in ops], shape),
            exponential([op.logarithm for op in ops], context),
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        factors = values.read(self.factors)
        values.set(self.currents, values.read(self.unscaled) * factors)
