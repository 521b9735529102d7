"""TimeUpdate: ``step += 1``, ``time = step * dt``."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass

import tensorflow as tf
from nengo.builder.operator import Operator, TimeUpdate
from nengo.builder.signal import Signal

from nengo_dl.lowering.context import Context
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View


@register(TimeUpdate)
@dataclass(frozen=True)
class LowerTimeUpdate(Lowering):
    r"""Count the steps: :math:`n \leftarrow n + 1`, :math:`t = n\,\Delta t`.

    The product is taken in double precision whatever the simulation's own, because
    32-bit multiples of 0.001 drift off the grid that Processes look themselves up on.

    References
    ----------
    The definition is that of ``nengo.builder.operator.TimeUpdate``.
    """

    step: View
    time: View
    dt: float

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return None: a model has one clock."""
        return None

    @classmethod
    def carries(cls, op: Operator) -> Collection[Signal]:
        """Return the counter of steps."""
        return (op.step,)

    @property
    def counts(self) -> tuple[View, ...]:
        """Return the counter of steps."""
        return (self.step,)

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        (op,) = group.ops
        return cls(
            context.view([op.step], (1,)), context.view([op.time], (1,)), context.dt
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        step = values.read(self.step) + 1
        values.set(self.step, step)
        time = tf.cast(step, tf.float64) * self.dt
        values.set(self.time, tf.cast(time, values.dtype))
