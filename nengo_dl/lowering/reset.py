"""Reset: ``dst = value``."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from nengo.builder.operator import Operator, Reset

from nengo_dl.lowering.context import Context
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View


@register(Reset)
@dataclass(frozen=True)
class LowerReset(Lowering):
    r"""Give signals a constant value: :math:`y \leftarrow c`.

    Costs nothing for :math:`c = 0`: the number is noted, and the first increment that
    follows becomes a plain write.

    References
    ----------
    The definition is that of ``nengo.builder.operator.Reset``.
    """

    target: View
    number: float

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return the constant; shapes do not matter."""
        return op.value

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        target = context.view([op.dst for op in group.ops])
        return cls(target, group.ops[0].value)

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        values.fill(self.target, self.number)
