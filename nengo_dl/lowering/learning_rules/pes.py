"""Prescribed error sensitivity: SimPES, or what it is rewritten to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from nengo.builder.learning_rules import SimPES
from nengo.builder.signal import Signal

from nengo_dl.graph.simplify.factor_pes import Keep, PESInc
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View


@register(SimPES)
@dataclass(frozen=True)
class LowerPES(Lowering):
    r"""Change decoders against the error.

    .. math:: \Delta\omega_{ij} = -\frac{\kappa\,\Delta t}{n} e_i a_j

    with the learning rate :math:`\kappa`, the number of presynaptic neurons :math:`n`,
    the error :math:`e` and the filtered presynaptic activity :math:`a`. The change is
    applied in the following time step, as in Nengo.

    References
    ----------
    D. MacNeil and C. Eliasmith, "Fine-tuning and the stability of recurrent neural
    networks", PLoS ONE 6(9), 2011.
    """

    activity: View
    error: View
    delta: View
    rate: np.ndarray

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        ops = group.ops
        return cls(
            context.view([op.pre_filtered for op in ops]),
            context.view([op.error for op in ops]),
            context.view([op.delta for op in ops]),
            _rates(ops, [op.pre_filtered for op in ops], context),
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        values.set(
            self.delta,
            _change(values.read(self.error), values.read(self.activity), self.rate),
        )


@register(PESInc)
@dataclass(frozen=True)
class LowerPESInc(Lowering):
    r"""Change decoders against the error of the step before.

    .. math:: \omega_{ij} \leftarrow \omega_{ij} - \frac{\kappa\,\Delta t}{n} e_i a_j

    Here the product is never in memory, only the decoders are.

    References
    ----------
    As for `LowerPES`.
    """

    error: View
    activity: View
    target: View
    rate: np.ndarray

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        ops = group.ops
        activities = [op.reads[1] for op in ops]
        return cls(
            context.view([op.reads[0] for op in ops]),
            context.view(activities),
            context.view([op.incs[0] for op in ops]),
            _rates(ops, activities, context),
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        error = values.read(self.error) * self.rate[:, None]
        values.inc_outer(self.target, error, values.read(self.activity))


@register(Keep)
@dataclass(frozen=True)
class LowerKeep(Lowering):
    r"""Keep values for the next step: :math:`y_{n+1} \leftarrow x_n`.

    References
    ----------
    The definition is that of `nengo_dl.graph.simplify.factor_pes.Keep`.
    """

    sources: tuple[View, ...]
    targets: tuple[View, ...]

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        return cls(
            tuple(
                context.view(list(slot))
                for slot in zip(*(op.reads for op in group.ops), strict=True)
            ),
            tuple(
                context.view(list(slot))
                for slot in zip(*(op.updates for op in group.ops), strict=True)
            ),
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        for source, target in zip(self.sources, self.targets, strict=True):
            values.set(target, values.read(source))


def _rates(ops: Sequence[Any], activities: list[Signal], context: Context) -> Any:
    r"""Return :math:`-\kappa\,\Delta t / n` for each operator, shape (count,)."""
    rates = [
        -op.learning_rate * context.dt / activity.size
        for op, activity in zip(ops, activities, strict=True)
    ]
    return np.asarray(rates, dtype=context.dtype)


def _change(error: tf.Tensor, activity: tf.Tensor, rate: np.ndarray) -> tf.Tensor:
    """Return the change of decoders, shape (batch, count, rows, n)."""
    return (error * rate[:, None])[..., :, None] * activity[..., None, :]
