"""Static rearrangements along the last axis, as few wide TensorFlow operations.

All index patterns are known when the model is built, so each is planned in NumPy and
becomes slices where it can, otherwise one gather of rows, otherwise one gather of
elements. XLA compiles a scatter on a CPU to a serial loop, so sums over repeated
targets are gathers too: every target collects its sources, padded to a power of two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

#: more stretches than this become one gather: each slice is an operation to compile,
#: while a gather costs about 1 ns per element
MAX_SLICES = 8

Stretch = tuple[int, int]


def row_length(stretches: Sequence[Stretch]) -> int:
    """Return the longest row of which every stretch is a whole number."""
    return int(np.gcd.reduce([n for start, stop in stretches for n in (start, stop)]))


def expand(stretches: Sequence[Stretch], row: int = 1) -> np.ndarray:
    """Return the numbers of the rows that the stretches cover, in their order."""
    if not stretches:
        return np.zeros(0, dtype=np.int32)
    return np.concatenate(
        [
            np.arange(start // row, stop // row, dtype=np.int32)
            for start, stop in stretches
        ]
    )


def select(source: tf.Tensor, stretches: Sequence[Stretch]) -> tf.Tensor:
    """Return the given stretches of the last axis of ``source``, one after the other.

    Parameters
    ----------
    source : tf.Tensor, shape (..., n)
        What to read from.
    stretches : sequence of (int, int)
        Starts and stops within the last axis.

    Returns
    -------
    tf.Tensor, shape (..., total length)
        The selected elements.
    """
    size = source.shape[-1]
    if list(stretches) == [(0, size)]:
        return source
    if len(stretches) <= MAX_SLICES:
        parts = [stretch(source, start, stop) for start, stop in stretches]
        return parts[0] if len(parts) == 1 else tf.concat(parts, axis=-1)
    row = int(np.gcd(row_length(stretches), size))
    return take_rows(source, expand(stretches, row), row)


def take_rows(source: tf.Tensor, index: np.ndarray, row: int) -> tf.Tensor:
    """Return rows of the last axis of ``source``, one after the other.

    Parameters
    ----------
    source : tf.Tensor, shape (..., n)
        What to read from.
    index : np.ndarray of int32, shape (count,)
        The numbers of the rows.
    row : int
        The length of a row.
    """
    if row == 1:
        return tf.gather(source, index, axis=-1)
    lead = source.shape[:-1]
    rows = reshaped(source, (*lead, source.shape[-1] // row, row))
    return reshaped(tf.gather(rows, index, axis=-2), (*lead, len(index) * row))


def stretch(source: tf.Tensor, start: int, stop: int) -> tf.Tensor:
    """Return a stretch of the last axis.

    That is ``source[..., start:stop]``, which takes half as long again to trace.
    """
    lead = source.shape.rank - 1
    return tf.slice(source, [0] * lead + [start], [-1] * lead + [stop - start])


def reshaped(value: tf.Tensor, shape: Sequence[int | None]) -> tf.Tensor:
    """Return a tensor in another shape; the tensor itself if that is its own.

    XLA drops a reshape that changes nothing, but to trace one takes 0.3 ms, and two in
    three of the reshapes of a time step are such.

    Parameters
    ----------
    value : tf.Tensor, shape (batch, ...)
        Any tensor.
    shape : sequence of int or None
        None for an axis of items whose length is not known while this is traced.
    """
    if value.shape.as_list() == list(shape):
        return value
    if None in shape:
        # -1 says nothing where there are no elements
        items = item_count(value) if 0 in shape else -1
        shape = [items if length is None else length for length in shape]
    return tf.reshape(value, shape)


def item_count(value: tf.Tensor) -> int | tf.Tensor:
    """Return the length of the first axis: a tensor if it is not known yet."""
    known = value.shape[0]
    return tf.shape(value)[0] if known is None else known


def for_all_items(value: tf.Tensor, n_items: int | tf.Tensor) -> tf.Tensor:
    """Return a tensor with a row for each item of the batch.

    Parameters
    ----------
    value : tf.Tensor, shape (n_items or 1, ...)
        One row stands for all items.
    n_items : int or tf.Tensor
        How many items; a tensor if that is not known while this is traced.
    """
    known = None if tf.is_tensor(n_items) else n_items
    if value.shape[0] == known:
        return value
    return tf.broadcast_to(value, (n_items, *value.shape[1:]))


def accumulate(
    value: tf.Tensor, stretches: Sequence[Stretch]
) -> tuple[tf.Tensor, list[Stretch]]:
    """Sum the parts of ``value`` that have the same target.

    Parameters
    ----------
    value : tf.Tensor, shape (..., total length)
        Increments, one after the other.
    stretches : sequence of (int, int)
        The target of each; they may overlap.

    Returns
    -------
    value : tf.Tensor, shape (..., length of the distinct targets)
        The sums.
    stretches : list of (int, int)
        Their targets, each once.
    """
    row = row_length(stretches)
    targets = expand(stretches, row)
    unique, inverse, counts = np.unique(
        targets, return_inverse=True, return_counts=True
    )
    if len(unique) == len(targets):
        return value, list(stretches)
    lead = value.shape[:-1]
    rows = reshaped(value, (*lead, len(targets), row))
    # a row of zeros stands in for the sources that a padded target does not have
    rows = tf.concat([rows, tf.zeros_like(rows[..., :1, :])], axis=-2)
    by_target = np.argsort(inverse, kind="stable")
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    width = 1 << np.ceil(np.log2(counts)).astype(int)
    sums, order = [], []
    for w in np.unique(width):
        members = np.flatnonzero(width == w)
        sources = np.full((len(members), w), len(targets), dtype=np.int32)
        for k in range(w):
            has = counts[members] > k
            sources[has, k] = by_target[first[members[has]] + k]
        gathered = tf.gather(rows, sources.ravel(), axis=-2)
        gathered = reshaped(gathered, (*lead, len(members), w, row))
        # flat, so that XLA finds the parts in their concatenation again
        total = tf.reduce_sum(gathered, axis=-2)
        sums.append(reshaped(total, (*lead, len(members) * row)))
        order.append(members)
    total = sums[0] if len(sums) == 1 else tf.concat(sums, axis=-1)
    numbers = unique[np.concatenate(order)]
    merged = [(int(t) * row, (int(t) + 1) * row) for t in numbers]
    return total, merged


def sort_targets(
    value: tf.Tensor, stretches: Sequence[Stretch]
) -> tuple[tf.Tensor, list[Stretch]]:
    """Bring ``value`` into the order of its targets, and join what then continues.

    Parameters
    ----------
    value : tf.Tensor, shape (..., total length)
        What to write, one target after the other.
    stretches : sequence of (int, int)
        The targets, disjoint.
    """
    starts = np.array([start for start, _ in stretches])
    if np.any(np.diff(starts) < 0):
        lengths = np.array([stop - start for start, stop in stretches])
        ends = np.cumsum(lengths)
        order = np.argsort(starts, kind="stable")
        value = select(
            value, _join([(int(ends[i] - lengths[i]), int(ends[i])) for i in order])
        )
        stretches = [stretches[i] for i in order]
    return value, _join(stretches)


def _join(stretches: Sequence[Stretch]) -> list[Stretch]:
    joined: list[Stretch] = []
    for start, stop in stretches:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined
