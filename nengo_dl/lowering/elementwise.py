"""ElementwiseInc: ``Y += A * X`` with broadcasting."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf
from nengo.builder.operator import ElementwiseInc

from nengo_dl.lowering.context import Context
from nengo_dl.lowering.indexing import item_count
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View


@register(ElementwiseInc)
@dataclass(frozen=True)
class LowerElementwiseInc(Lowering):
    r"""Add products: :math:`y \leftarrow y + a \circ x`, broadcast as in NumPy.

    References
    ----------
    The definition is that of ``nengo.builder.operator.ElementwiseInc``.
    """

    a: View
    x: View
    y: View

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        a, x, y = (
            context.view([getattr(op, name) for op in group.ops]) for name in "AXY"
        )
        rank = max(len(view.shape) for view in (a, x, y))

        def pad(view: View) -> View:
            # NumPy adds missing axes in front; the axis of operators stays first
            count, *shape = view.shape
            return view.reshape(count, *[1] * (rank - 1 - len(shape)), *shape)

        return cls(pad(a), pad(x), pad(y))

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        product = values.read(self.a) * values.read(self.x)
        if not (self.a.batched or self.x.batched):
            product = product[None]
        shape = (item_count(product), *self.y.shape)
        values.inc(self.y, tf.broadcast_to(product, shape))
