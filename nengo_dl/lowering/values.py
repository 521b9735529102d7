"""The values of all blocks while one time step is being traced.

Within a step each block is an ordered list of disjoint pieces that cover it: a set
replaces pieces, a read slices or concatenates them, an increment adds to them. Nothing
is scattered into a wide array, which was measured 6.5 times slower under XLA and 29
times slower as a plain graph.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from nengo.builder.signal import Signal

from nengo_dl.lowering.in_place import add_in_parts
from nengo_dl.lowering.indexing import (
    MAX_SLICES,
    Stretch,
    accumulate,
    expand,
    for_all_items,
    reshaped,
    row_length,
    select,
    sort_targets,
    stretch,
    take_rows,
)
from nengo_dl.plan.layout import DerivedView, SignalLayout, View

#: of blocks that take turns in a view, up to so many times its elements are copied, to
#: be read by one gather; where groups have nearly all of their blocks, once would do
MOST_COPIED = 4


@dataclass(frozen=True, eq=False)
class Piece:
    """Elements ``start`` to ``stop`` of a block.

    ``value`` is a tensor of shape (batch or 1, stop - start); of shape (stop - start,)
    where the block has no batch axis; or one number that all the elements have. A Reset
    leaves a number, so that the increment after it is a plain write.
    """

    start: int
    stop: int
    value: tf.Tensor | float


class SignalValues:
    """Read, set and increment views of blocks in the course of one time step.

    Parameters
    ----------
    layout : SignalLayout
        Where the views live.
    blocks : mapping of int to tf.Tensor
        Values at the beginning of the step: shape (size,) for parameters, (batch, size)
        for everything else. Blocks that are written before they are read may be left
        out.
    minibatch_size : int or tf.Tensor
        Number of items in the batch; a tensor if it is not known while this is traced.
    dtype : tf.DType
        Floating point type of the simulation.

    Examples
    --------
    `Lowering.build_step` gets it. Here two vectors are stored in one block:

    >>> import numpy as np, tensorflow as tf
    >>> from nengo.builder import Signal
    >>> from nengo_dl.graph.roles import Role
    >>> from nengo_dl.lowering import SignalValues
    >>> from nengo_dl.plan.layout import Block, SignalLayout
    >>> x, y = Signal(np.zeros(2)), Signal(np.zeros(3))
    >>> block = Block("example#0", Role.STATE, "f", False, (x, y))
    >>> layout = SignalLayout((block,), {x: (0, 0), y: (0, 2)})
    >>> values = SignalValues(layout, {0: tf.zeros((1, 5))}, 1, tf.float32)
    >>> view = layout.view([y])
    >>> values.set(view, tf.ones((1, 1, 3)))
    >>> values.inc(view, tf.ones((1, 1, 3)))
    >>> values.block(0).numpy()
    array([[0., 0., 2., 2., 2.]], dtype=float32)
    """

    def __init__(
        self,
        layout: SignalLayout,
        blocks: Mapping[int, tf.Tensor],
        minibatch_size: int | tf.Tensor,
        dtype: tf.DType,
    ) -> None:
        self.layout = layout
        self.minibatch_size = minibatch_size
        self.dtype = dtype
        #: new values of parameters that training changes without a gradient: averages
        #: over minibatches. They count from the next minibatch on
        self.adapted: dict[Signal, tf.Tensor] = {}
        #: state before the last operation of the step; see `Lowering.postponed`
        self.postponed: dict[View, tf.Tensor] = {}
        #: the shapes of blocks that are written part by part; see `add_in_parts`
        self.parts: Mapping[int, tuple[int, int, int]] = {}
        self._invariant: dict[View, tf.Tensor] = {}
        self._pieces: dict[int, list[Piece]] = {
            i: [Piece(0, block.size, blocks.get(i, 0.0))]
            for i, block in enumerate(layout.blocks)
        }

    # -- the three verbs of a step

    def read(self, view: View) -> tf.Tensor:
        """Return the current values of ``view``.

        Returns
        -------
        tf.Tensor, shape (batch,) + view.shape, or view.shape if it is not batched
            The batch axis has length 1 while all items of the batch are equal. Of a
            `DerivedView`, what its function returns.
        """
        if view in self._invariant:
            return self._invariant[view]
        by_block = _by_block(view)
        windows = _windows(by_block)
        size = sum(high - low for low, high in windows.values())
        # not for a few elements of large blocks, all of which would be copied
        if len(by_block) > MAX_SLICES and size <= MOST_COPIED * view.size:
            flat = self._read_mixed(by_block, windows)
        else:
            parts = []
            for block, stretches in by_block:
                low = min(start for start, _ in stretches)
                high = max(stop for _, stop in stretches)
                places = [(a - low, b - low) for a, b in stretches]
                parts.append(select(self._covering(block, low, high), places))
            aligned = self._align(parts)
            flat = parts[0] if len(parts) == 1 else tf.concat(aligned, axis=-1)
        shape = (flat.shape[0], *view.shape) if view.batched else view.shape
        value = reshaped(flat, shape)
        return view.function(value) if isinstance(view, DerivedView) else value

    def set(self, view: View, value: tf.Tensor) -> None:
        """Replace the values of ``view``.

        Shapes are as `read` returns them; the batch axis may be missing where all items
        get the same.
        """
        self._write(view, value, increment=False)

    def inc(self, view: View, value: tf.Tensor) -> None:
        """Add to the values of ``view``; places that it names twice get both."""
        self._write(view, value, increment=True)

    def inc_outer(self, view: View, left: tf.Tensor, right: tf.Tensor) -> None:
        """Add the outer products of vectors to matrices.

        Parameters
        ----------
        view : View
            The matrices, of shape (count, rows, columns).
        left, right : tf.Tensor, shape (batch, count, rows) and (batch, count, columns)
            The vectors.
        """
        for block in {run.block for run in view.runs} & self.parts.keys():
            if view.size == self.layout.blocks[block].size and left.shape[1] == 1:
                # multiplied in the shape of the parts: XLA copies what it must reshape
                parts, rows, columns = self.parts[block]
                product = tf.reshape(left, (parts, rows, 1)) * tf.reshape(
                    right, (columns,)
                )
                self.inc(view, tf.reshape(product, (1, *view.shape)))
                return
        self.inc(view, left[..., :, None] * right[..., None, :])

    def fill(self, view: View, number: float) -> None:
        """Give every element of ``view`` the same value."""
        number = float(number)
        for block, stretches in _by_block(view):
            for start, stop in _joined(stretches):
                # what is written before it is read begins as zeros anyway
                if not all(
                    isinstance(piece.value, float) and piece.value == number
                    for piece in self._touched(block, start, stop)
                ):
                    self._replace(block, Piece(start, stop, number))

    # -- crossing the boundaries of a step or of a segment

    def hoist(self, views: Iterable[View]) -> None:
        """Read views of parameters now, outside of the loop, once for all steps."""
        for view in views:
            if not view.batched and view not in self._invariant:
                self._invariant[view] = self.read(view)

    def give(self, values: Mapping[View, tf.Tensor]) -> None:
        """Take over what `read` gave for views of parameters elsewhere."""
        self._invariant.update(values)

    def begin_step(
        self,
        state: Mapping[int, tf.Tensor],
        inputs: Mapping[int, tf.Tensor],
        minibatch_size: int | tf.Tensor | None = None,
    ) -> SignalValues:
        """Return the values at the beginning of a step, for another batch if given."""
        size = self.minibatch_size if minibatch_size is None else minibatch_size
        step = SignalValues(self.layout, {}, size, self.dtype)
        step._invariant, step.parts = self._invariant, self.parts
        step._pieces.update(
            {
                i: p
                for i, p in self._pieces.items()
                if not self.layout.blocks[i].role.batched
            }
        )
        for i, value in {**state, **inputs}.items():
            step._pieces[i] = [Piece(0, self.layout.blocks[i].size, value)]
        return step

    def block(self, i: int) -> tf.Tensor:
        """Return all of a block, shape (batch, size): what goes round the loop."""
        value = self._covering(i, 0, self.layout.blocks[i].size)
        return for_all_items(value, self.minibatch_size)

    def pack(self, blocks: Iterable[int]) -> tuple[list[tf.Tensor], list]:
        """Return the tensors of some blocks and, apart, what they are pieces of."""
        tensors: list[tf.Tensor] = []
        structure = []
        for i in blocks:
            for piece in self._pieces[i]:
                is_tensor = not isinstance(piece.value, float)
                structure.append((i, piece.start, piece.stop, is_tensor or piece.value))
                if is_tensor:
                    tensors.append(piece.value)
        return tensors, structure

    def unpack(self, tensors: Sequence[tf.Tensor], structure: list) -> None:
        """Take over blocks that `pack` took apart."""
        remaining = iter(tensors)
        renewed: dict[int, list[Piece]] = {}
        for i, start, stop, value in structure:
            content = next(remaining) if value is True else value
            renewed.setdefault(i, []).append(Piece(start, stop, content))
        self._pieces.update(renewed)

    # -- pieces

    def _covering(self, block: int, low: int, high: int) -> tf.Tensor:
        """Return elements ``low`` to ``high`` of a block as one tensor."""
        parts = []
        for piece in self._touched(block, low, high):
            start, stop = max(piece.start, low), min(piece.stop, high)
            parts.append(self._cut(block, piece, start, stop))
        if not parts:  # a filter without state has a state of no elements
            return self._cut(block, Piece(low, high, 0.0), low, high)
        parts = self._align(parts)
        return parts[0] if len(parts) == 1 else tf.concat(parts, axis=-1)

    def _cut(self, block: int, piece: Piece, start: int, stop: int) -> tf.Tensor:
        if isinstance(piece.value, float):
            info = self.layout.blocks[block]
            dtype = self.dtype if info.kind == "f" else tf.int64
            shape = (1, stop - start) if info.role.batched else (stop - start,)
            return tf.fill(shape, tf.cast(piece.value, dtype))
        if (start, stop) == (piece.start, piece.stop):
            return piece.value
        return stretch(piece.value, start - piece.start, stop - piece.start)

    def _replace(self, block: int, new: Piece) -> None:
        """Put a piece in the place of what was there."""
        pieces = self._pieces[block]
        first, last = self._reach(block, new.start, new.stop)
        kept = []
        for piece in pieces[first:last]:
            for start, stop in ((piece.start, new.start), (new.stop, piece.stop)):
                if start < stop:
                    number = isinstance(piece.value, float)
                    rest = (
                        piece.value if number else self._cut(block, piece, start, stop)
                    )
                    kept.append(Piece(start, stop, rest))
        kept.append(new)
        pieces[first:last] = sorted(kept, key=_start)

    def _reach(self, block: int, start: int, stop: int) -> tuple[int, int]:
        """Return which pieces have elements of a stretch: the first, and one more."""
        pieces = self._pieces[block]
        first = bisect.bisect_right(pieces, start, key=_start)
        first -= first > 0 and pieces[first - 1].stop > start
        return first, bisect.bisect_left(pieces, stop, lo=first, key=_start)

    def _touched(self, block: int, start: int, stop: int) -> list[Piece]:
        """Return the pieces that have elements of a stretch."""
        first, last = self._reach(block, start, stop)
        return self._pieces[block][first:last]

    def _align(self, parts: list[tf.Tensor]) -> list[tf.Tensor]:
        """Give all parts the batch axis of the largest, for concatenation."""
        batches = {part.shape[0] for part in parts if part.shape.rank == 2}
        if len(batches) <= 1:
            return parts
        batch = self.minibatch_size if None in batches else max(batches)
        return [tf.broadcast_to(part, (batch, part.shape[-1])) for part in parts]

    def _read_mixed(
        self,
        by_block: list[tuple[int, list[Stretch]]],
        windows: Mapping[int, Stretch],
    ) -> tf.Tensor:
        """Return stretches of blocks that take turns: all between, then one gather."""
        parts: list[tf.Tensor] = []
        offsets: dict[int, int] = {}
        size = 0
        for block, (low, high) in windows.items():
            parts.append(self._covering(block, low, high))
            offsets[block] = size - low
            size += high - low
        places = [
            (offsets[block] + start, offsets[block] + stop)
            for block, stretches in by_block
            for start, stop in stretches
        ]
        return select(tf.concat(self._align(parts), axis=-1), places)

    def _write(self, view: View, value: tf.Tensor, increment: bool) -> None:
        if view.batched and value.shape.rank == len(view.shape):
            value = value[None]  # computed from parameters only
        lead = (value.shape[0],) if view.batched else ()
        flat = reshaped(value, (*lead, view.size))
        for block, sources, targets in _destinations(view):
            part = select(flat, sources)
            if increment:
                part, targets = accumulate(part, targets)
            part, targets = sort_targets(part, targets)
            if len(targets) > MAX_SLICES:
                part, targets = self._cover(block, part, targets, increment)
            offset = 0
            for start, stop in targets:
                new = (
                    stretch(part, offset, offset + stop - start)
                    if len(targets) > 1
                    else part
                )
                offset += stop - start
                if increment:
                    self._increment(block, start, stop, new)
                else:
                    self._replace(block, Piece(start, stop, new))

    def _increment(self, block: int, start: int, stop: int, value: tf.Tensor) -> None:
        """Add ``value`` to a stretch: piece by piece, unless there are too many."""
        touched = self._touched(block, start, stop)
        if block in self.parts and stop - start == self.layout.blocks[block].size:
            whole = self._covering(block, start, stop)
            total = add_in_parts(whole, value, self.parts[block])
            self._replace(block, Piece(start, stop, total))
            return
        if len(touched) > MAX_SLICES:
            # each write would leave more pieces behind, and more to do for the next
            total = self._covering(block, start, stop) + value
            self._replace(block, Piece(start, stop, total))
            return
        for piece in touched:
            low, high = max(piece.start, start), min(piece.stop, stop)
            part = select(value, [(low - start, high - start)])
            if not (isinstance(piece.value, float) and piece.value == 0.0):
                part = self._cut(block, piece, low, high) + part
            self._replace(block, Piece(low, high, part))

    def _cover(
        self, block: int, value: tf.Tensor, targets: list[Stretch], increment: bool
    ) -> tuple[tf.Tensor, list[Stretch]]:
        """Turn many small writes into one of everything between first and last.

        What lies between the targets keeps its value: it is incremented by zero, or set
        to what it was.
        """
        low, high = targets[0][0], targets[-1][1]
        places = [(start - low, stop - low) for start, stop in targets]
        row = row_length(places)
        count = value.shape[-1] // row
        # by default row i comes from behind the written values: from the one row of
        # zeros, or from the block's own row i
        index = np.full((high - low) // row, count, dtype=np.int32)
        if not increment:
            index += np.arange(len(index), dtype=np.int32)
        index[expand(places, row)] = np.arange(count, dtype=np.int32)
        if increment:
            rest = tf.zeros_like(stretch(value, 0, row))
        else:
            rest = self._covering(block, low, high)
        parts = self._align([value, rest])
        return take_rows(tf.concat(parts, -1), index, row), [(low, high)]


def _start(piece: Piece) -> int:
    return piece.start


def _joined(stretches: list[Stretch]) -> list[Stretch]:
    """Return the stretches in order, neighbours as one; none may overlap."""
    joined: list[Stretch] = []
    for start, stop in sorted(stretches):
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined


def _windows(by_block: list[tuple[int, list[Stretch]]]) -> dict[int, Stretch]:
    """Return from where to where in each block there are stretches of a view."""
    found: dict[int, Stretch] = {}
    for block, stretches in by_block:
        low, high = found.get(block, stretches[0])
        found[block] = (
            min(low, *(start for start, _ in stretches)),
            max(high, *(stop for _, stop in stretches)),
        )
    return found


def _destinations(view: View) -> list[tuple[int, list[Stretch], list[Stretch]]]:
    """Return blocks, what each gets of the values for a view, and where to.

    A block occurs several times if it takes turns with others, unless that is often:
    then all that it gets is put together first.
    """
    found: list[tuple[int, list[Stretch], list[Stretch]]] = []
    done = 0
    for block, targets in _by_block(view):
        length = sum(stop - start for start, stop in targets)
        found.append((block, [(done, done + length)], targets))
        done += length
    if len(found) <= MAX_SLICES:
        return found
    together: dict[int, tuple[list[Stretch], list[Stretch]]] = {}
    for block, sources, targets in found:
        own = together.setdefault(block, ([], []))
        own[0].extend(sources)
        own[1].extend(targets)
    return [(block, *own) for block, own in together.items()]


def _by_block(view: View) -> list[tuple[int, list[Stretch]]]:
    """Return the stretches of a view, those that follow in one block together."""
    result: list[tuple[int, list[Stretch]]] = []
    for run in view.runs:
        if not result or result[-1][0] != run.block:
            result.append((run.block, []))
        result[-1][1].append((run.start, run.stop))
    return result
