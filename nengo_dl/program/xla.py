"""What XLA compiles: the whole loop, or the stretches between Python calls.

XLA cannot compile a call of Python. A step that has some is cut into segments; the loop
is then TensorFlow's own and each segment a compiled function in it. Measured per step:
about 10 us for each segment and 13 us for each Python call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import tensorflow as tf

from nengo_dl.lowering.registry import Lowering
from nengo_dl.lowering.values import SignalValues


@dataclass(frozen=True)
class Segment:
    """Neighbours in the plan that XLA can compile together, or that call Python."""

    xla: bool
    lowerings: tuple[Lowering, ...]

    @property
    def blocks(self) -> frozenset[int]:
        """The blocks that it touches."""
        return frozenset(
            block
            for lowering in self.lowerings
            for view in lowering.views
            for block in view.blocks
        )


def cut(lowerings: Sequence[Lowering]) -> tuple[Segment, ...]:
    """Cut a plan wherever compiled code and Python meet."""
    return tuple(
        Segment(xla, tuple(members))
        for xla, members in groupby(lowerings, key=lambda lowering: lowering.xla)
    )


def run_compiled(
    trace: Callable[[Sequence[Lowering], SignalValues], None],
    segment: Segment,
    values: SignalValues,
    later: frozenset[int],
) -> None:
    """Trace a segment as a compiled function of its own and apply it to ``values``.

    Only blocks that the segment touches go in, and only those that somebody needs later
    come out: each tensor that crosses costs time in every step.
    """
    blocks = sorted(segment.blocks)
    entering, structure = values.pack(blocks)
    leaving: list = []

    @tf.function(jit_compile=True)
    def compiled(*tensors: tf.Tensor) -> list[tf.Tensor]:
        inner = values.begin_step({}, {})
        inner.unpack(tensors, structure)
        before = {i: inner.pieces(i) for i in blocks}
        trace(segment.lowerings, inner)
        changed = [i for i in blocks if i in later and inner.pieces(i) != before[i]]
        result, outgoing = inner.pack(changed)
        leaving[:] = outgoing
        return result

    results = compiled(*entering)
    values.unpack(results, leaving)
