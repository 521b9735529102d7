"""SimProbe: marks a signal as probed, and computes nothing."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from nengo.builder.operator import Operator
from nengo.builder.probe import SimProbe

from nengo_dl.lowering.context import Context
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup


@register(SimProbe)
@dataclass(frozen=True)
class LowerSimProbe(Lowering):
    r"""Do nothing: :math:`x \leftarrow x`.

    Probes are sampled when the step is complete, after all updates.

    References
    ----------
    The definition is that of ``nengo.builder.probe.SimProbe``.
    """

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return a constant: shapes do not matter."""
        return "probe"

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        return cls()

    def build_step(self, values: SignalValues) -> None:
        """Add nothing to the step."""
