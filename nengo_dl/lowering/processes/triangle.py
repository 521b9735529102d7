"""Triangle: a synapse whose response to an impulse falls off to zero along a line."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from nengo.builder.operator import Operator
from nengo.builder.processes import SimProcess
from nengo.builder.signal import Signal
from nengo.synapses import Triangle

from nengo_dl.graph.signals import initial_elements
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View


@register(SimProcess, Triangle)
@dataclass(frozen=True)
class LowerTriangle(Lowering):
    r"""Weigh the last ``n_taps`` inputs, the newest most, the oldest least.

    .. math:: y_t = \sum_{k=0}^{n-1} \frac{n - k}{n (n + 1) / 2} u_{t-k}

    The inputs are kept in a ring, as in Nengo: :math:`u_t`, divided by
    :math:`n (n + 1) / 2`, takes the place that moves on by one in each step. Nengo
    updates the sum, which is cheaper without a compiler, but lets rounding errors add
    up; here it is computed anew. A sum as output is therefore never read again, and
    where the output of the operator is kept anyway, Nengo's second copy is not.

    References
    ----------
    The documentation of `nengo.synapses.Triangle`.
    """

    u: View
    y: View
    ring: View
    place: View
    last: View | None
    mode: str

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return the number of inputs that are kept, and their size."""
        return op.mode, len(op.state["X"].initial_value), op.input.size, _kept(op)

    @classmethod
    def redundant(cls, op: Operator) -> Collection[Signal]:
        """Return the sum where the output holds the same numbers."""
        return (op.state["Y"],) if _kept(op) else ()

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        ops = group.ops
        count, size, n_taps = len(ops), ops[0].input.size, ops[0].state["X"].shape[0]

        def state(name: str, *shape: int) -> View:
            return context.view([op.state[name] for op in ops], (count, *shape))

        return cls(
            context.view([op.input for op in ops], (count, size)),
            context.view([op.output for op in ops], (count, size)),
            state("X", n_taps, size),
            state("Xi", 1),
            None if _kept(ops[0]) else state("Y", size),
            ops[0].mode,
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step.

        Shapes: u, y (batch, count, size); ring (batch, count, n_taps, size); place
        (batch, count, 1).
        """
        n_taps = self.ring.shape[-2]
        slope = 2 / (n_taps * (n_taps + 1))
        place = values.read(self.place) + 1
        place = tf.where(place < n_taps, place, tf.zeros_like(place))
        # steps since each place was filled; 0 is the one to be filled now. A count has
        # no derivative
        age = tf.stop_gradient(place) - tf.constant(np.arange(n_taps), values.dtype)
        age = tf.where(age < 0, age + n_taps, age)[..., None]
        u = values.read(self.u)[..., None, :] * slope
        ring = tf.where(age > 0, values.read(self.ring), u)
        y = tf.reduce_sum((n_taps - age) * ring, axis=-2)
        values.set(self.place, place)
        values.set(self.ring, ring)
        if self.last is not None:
            values.set(self.last, y)
        (values.inc if self.mode == "inc" else values.set)(self.y, y)


def _kept(op: SimProcess) -> bool:
    """Whether the output is kept from step to step, and begins as the sum does."""
    return op.mode == "update" and np.array_equal(
        initial_elements(op.state["Y"]), initial_elements(op.output)
    )
