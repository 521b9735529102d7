"""Copy: ``dst[i] = src[j]`` or ``dst[i] += src[j]``."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from nengo.builder.operator import Copy, Operator
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError

from nengo_dl.graph.signals import describe
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View


@register(Copy)
@dataclass(frozen=True)
class LowerCopy(Lowering):
    r"""Copy elements, or add them: :math:`y_i \leftarrow [y_i +]\; x_j`.

    Index lists become part of the views, so a merged group of plain, sliced and indexed
    copies still is one read and one write. Indices that repeat in an increment add up.

    References
    ----------
    The definition is that of ``nengo.builder.operator.Copy``.
    """

    source: View
    target: View
    increment: bool

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return whether elements are set or incremented; shapes do not matter.

        Except where a value is broadcast to a larger target: those stay alone.
        """
        return (
            op.inc
            if _length(op.src, op.src_slice) == _length(op.dst, op.dst_slice)
            else None
        )

    @classmethod
    def carries(cls, op: Operator) -> Collection[Signal]:
        """Return the target if only some of its elements are set."""
        return () if op.inc or op.dst_slice is None else (op.dst,)

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        if all(map(_is_plain, group.ops)):
            length = sum(op.src.size for op in group.ops)
            return cls(
                context.view([op.src for op in group.ops], (length,)),
                context.view([op.dst for op in group.ops], (length,)),
                group.ops[0].inc,
            )
        sources, targets = [], []
        for op in group.ops:
            source = _elements(op.src, op.src_slice)
            target = _elements(op.dst, op.dst_slice)
            if not op.inc and len(np.unique(target)) < target.size:
                raise BuildError(
                    f"{describe(op)}: `dst_slice` repeats an index, and only "
                    "increments may do so"
                )
            if source.size != target.size:
                source = np.broadcast_to(source, target.shape)
            sources.append(source)
            targets.append(target)
        return cls(
            _view(context, [op.src for op in group.ops], sources),
            _view(context, [op.dst for op in group.ops], targets),
            group.ops[0].inc,
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        value = values.read(self.source)
        (values.inc if self.increment else values.set)(self.target, value)


def _is_plain(op: Copy) -> bool:
    """Whether all elements are copied, each to its own place."""
    return op.src_slice is op.dst_slice is None and op.src.size == op.dst.size


def _length(signal: Signal, index: Any) -> int:
    return signal.size if index is None else _elements(signal, index).size


def _elements(signal: Signal, index: Any) -> np.ndarray:
    """Return the row-major numbers of the elements that ``signal[index]`` selects."""
    numbers = np.arange(signal.size).reshape(signal.shape)
    return numbers if index is None else numbers[index]


def _view(context: Context, signals: list[Signal], elements: list[np.ndarray]) -> View:
    """Return the view of some elements of each signal, flat."""
    whole = all(
        e.size == s.size and np.array_equal(e.ravel(), np.arange(s.size))
        for s, e in zip(signals, elements, strict=True)
    )
    if whole:
        return context.view(signals, (sum(s.size for s in signals),))

    def offsets() -> Iterator[np.ndarray]:
        before = 0
        for signal, numbers in zip(signals, elements, strict=True):
            yield numbers.ravel() + before
            before += signal.size

    return context.view(signals, None).take(np.concatenate(list(offsets())))
