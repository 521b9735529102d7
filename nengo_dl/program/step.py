"""One time step: the lowered groups in the plan's order."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from nengo_dl.lowering.registry import Lowering
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.layout import View
from nengo_dl.program.xla import cut, run_compiled


class Step:
    """The lowerings of a plan as one pure computation on `SignalValues`.

    Parameters
    ----------
    lowerings : sequence of Lowering
        In the plan's order.
    recorded : sequence of View
        What is read when the step is complete.
    carried : sequence of int
        Blocks that go on to the next step.
    by_segments : bool
        Whether stretches that need no Python are compiled each by itself; otherwise the
        whole step is traced in line, and compiled with the loop or not at all.
    """

    def __init__(
        self,
        lowerings: Sequence[Lowering],
        recorded: Sequence[View],
        carried: Sequence[int],
        by_segments: bool,
    ) -> None:
        self.lowerings = tuple(lowerings)
        self.segments = cut(lowerings) if by_segments else ()
        self.views = tuple(v for lowering in lowerings for v in lowering.views)
        self._later: list[frozenset[int]] = []
        needed = frozenset(carried).union(*(view.blocks for view in recorded))
        for segment in reversed(self.segments):
            self._later.insert(0, needed)
            needed |= segment.blocks

    def build(self, values: SignalValues) -> None:
        """Trace the step."""
        if not self.segments:
            _trace(self.lowerings, values)
        for segment, later in zip(self.segments, self._later, strict=True):
            if segment.xla:
                run_compiled(_trace, segment, values, later)
            else:
                _trace(segment.lowerings, values)


def _trace(lowerings: Sequence[Lowering], values: SignalValues) -> None:
    for lowering in lowerings:
        with tf.name_scope(type(lowering).__name__.lstrip("_")):
            lowering.build_step(values)
