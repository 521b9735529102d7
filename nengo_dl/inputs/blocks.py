"""Data that may be larger than memory: read in pieces, handed over in blocks.

Small data become tensors once, before the first minibatch. Large data stay where they
are, in a memory-mapped file for example; the items of some minibatches at a time are
read into a block, the next one by another thread while a block is computed with.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from nengo_dl.distribution.shares import Share
from nengo_dl.inputs.memory import aligned_zeros, as_tensor
from nengo_dl.inputs.pieces import PIECE, is_large, let_go
from nengo_dl.program.calling import to_tensor

T = TypeVar("T")

#: bytes of a block; there are up to three at a time: computed with, ready, and read
BLOCK = 2**26

#: bytes of an item from which on NumPy copies items one by one as fast as many at once
_LONG_ROW = 2**13

_END = object()


def ahead(items: Iterator[T]) -> Generator[T]:
    """Yield the members of an iterator, each made by another thread in advance.

    Parameters
    ----------
    items : iterator
        At most one more is taken from it than the caller has asked for.
    """
    with ThreadPoolExecutor(1, "nengo_dl-ahead") as pool:
        waiting: Any = pool.submit(next, items, _END)
        while (item := waiting.result()) is not _END:
            waiting = pool.submit(next, items, _END)
            yield item


def rows_of(array: np.ndarray, chosen: Any) -> np.ndarray:
    """Return some rows of an array, by slice or by number.

    What is read of a file does not stay in memory.
    """
    rows = array[chosen]
    if not isinstance(chosen, slice):
        let_go(array)
    return rows


@dataclass(frozen=True)
class Block:
    """Some minibatches as tensors.

    Attributes
    ----------
    arrays : list of tf.Tensor, shape (n_items, ...)
        Of each array the items.
    order : np.ndarray, shape (n_items,)
        Which of them belong to the first minibatch, to the second, and so on.
    n_minibatches : int
        How many there are. Items behind them have no meaning.
    """

    arrays: list[tf.Tensor]
    order: np.ndarray
    n_minibatches: int


class Blocks:
    """The items of some arrays as tensors: all at once, or block by block if large.

    Parameters
    ----------
    arrays : sequence of np.ndarray, shape (n_items, ...)
        Real numbers of any type.
    dtype : tf.DType
        Type of the tensors.
    n_items, minibatch_size : int
        How many items there are, and in a minibatch.
    device : str or None
        Where the tensors are.
    share : Share, optional
        What divides reading between processes.
    n_local : int
        How many of the arrays, the first ones, no other process asks for: of these
        each reads the rows that it computes, and there are no others. Of large arrays,
        the rows of the rest are read so, too, and exchanged.

    Attributes
    ----------
    n_items : int
        Items of a block.
    """

    def __init__(
        self,
        arrays: Sequence[np.ndarray],
        dtype: tf.DType,
        n_items: int,
        minibatch_size: int,
        device: str | None,
        share: Share | None = None,
        n_local: int = 0,
    ) -> None:
        self._arrays, self._dtype, self._device = arrays, dtype, device
        self._share, self._n_local = share, n_local
        self._batch = minibatch_size
        self.n_items = n_items
        #: what is not read block by block, if all of that is
        self._whole: list[tf.Tensor] | None = None
        if is_large(arrays, dtype.as_numpy_dtype):
            row = sum(array[:1].size for array in arrays) * dtype.size
            count = max(1, BLOCK // (row * minibatch_size))
            self.n_items = min(n_items, count * minibatch_size)
        else:
            first = 0 if share is None else n_local
            self._whole = [as_tensor(array, dtype) for array in arrays[first:]]

    @property
    def specs(self) -> list[tf.TensorSpec]:
        """Shape and type of the tensors of a block."""
        return [
            tf.TensorSpec((count, *array.shape[1:]), self._dtype)
            for count, array in zip(self._counts, self._arrays, strict=True)
        ]

    @property
    def _counts(self) -> list[int]:
        """How many items of a block there are of each array."""
        n_local = 0 if self._share is None else self._n_local
        n_others = len(self._arrays) - n_local
        return [self._n_read] * n_local + [self.n_items] * n_others

    @property
    def _n_read(self) -> int:
        """How many items of a block this process reads."""
        if self._share is None:
            return self.n_items
        return self.n_items // self._batch * self._share.n_rows

    def in_order(self, order: np.ndarray) -> Generator[Block]:
        """Yield blocks with the items of the first minibatches, of the next, and so on.

        Parameters
        ----------
        order : np.ndarray, shape (n_items,)
            Numbers of the items, each once.
        """
        if self._whole is not None:
            n_local = 0 if self._share is None else self._n_local
            local = self._of_local(self._arrays[:n_local], order)
            yield Block([*local, *self._whole], order, len(order) // self._batch)
        elif len(order):
            starts = range(0, len(order), self.n_items)
            parts = (order[start : start + self.n_items] for start in starts)
            # here, not ahead: processes exchange everything in the same order
            with closing(ahead(map(self._block, parts))) as blocks:
                yield from map(self._exchanged, blocks)

    def _exchanged(self, block: Block) -> Block:
        """Return a block with what other processes have read, where that is needed."""
        n_local = self._n_local
        if self._share is None or n_local == len(block.arrays):
            return block
        shapes = [tuple(array.shape[1:]) for array in block.arrays[n_local:]]
        by_minibatch = [
            tf.reshape(array, (-1, self._share.n_rows, *shape))
            for array, shape in zip(block.arrays[n_local:], shapes, strict=True)
        ]
        found = self._share.gathered([_swapped(array) for array in by_minibatch])
        whole = [
            tf.reshape(_swapped(array), (self.n_items, *shape))
            for array, shape in zip(found, shapes, strict=True)
        ]
        return replace(block, arrays=[*block.arrays[:n_local], *whole])

    def _of_local(
        self, arrays: Sequence[np.ndarray], chosen: np.ndarray
    ) -> list[tf.Tensor]:
        with tf.device(self._device):
            return [self._read(array, chosen) for array in arrays]

    def _block(self, chosen: np.ndarray) -> Block:
        tensors = self._of_local(self._arrays, chosen)
        order = np.arange(self.n_items)
        return Block(tensors, order, len(chosen) // self._batch)

    def _read(self, array: np.ndarray, chosen: np.ndarray) -> tf.Tensor:
        """Return some items, and zeros behind them, as a tensor.

        If several processes read, they are those that this one computes.
        """
        if self._share is not None:
            chosen = chosen[self._share.among(len(chosen))]
        rows = aligned_zeros(
            (self._n_read, *array.shape[1:]), self._dtype.as_numpy_dtype
        )
        # a file is read faster from front to back
        places = np.argsort(chosen, kind="stable")
        step = max(1, PIECE // max(array[:1].nbytes, 1))
        for start in range(0, len(places), step):
            part = places[start : start + step]
            wanted = chosen[part]
            first, last = wanted[0], wanted[-1]
            if last - first == len(wanted) - 1:
                rows[part] = array[first : last + 1]
            elif array[:1].nbytes < _LONG_ROW:
                rows[part] = array[wanted]
            else:  # one copy instead of two
                for place, number in zip(part, wanted, strict=True):
                    rows[place] = array[number]
            let_go(array)
        return to_tensor(rows, self._dtype)

    # -- in TensorFlow

    def minibatch(
        self, tensors: Sequence[tf.Tensor], order: tf.Tensor, number: tf.Tensor
    ) -> list[tf.Tensor]:
        """Return one minibatch of a block.

        Parameters
        ----------
        tensors : sequence of tf.Tensor
            The arrays of the block.
        order : tf.Tensor, shape (n_items,)
            Its order.
        number : tf.Tensor
            Which minibatch.

        Returns
        -------
        list of tf.Tensor, shape (minibatch_size, ...)
            Of the arrays that no other process asks for, the rows that this process
            computes.
        """
        begin = number * self._batch
        chosen = tf.slice(order, [begin], [self._batch])
        if self._share is None:
            return [tf.gather(tensor, chosen) for tensor in tensors]
        n_rows, n_local = self._share.n_rows, self._n_local
        # in order: what is no copy where memory is aligned
        first = number * n_rows
        found = [
            tf.slice(t, [first, *[0] * (len(t.shape) - 1)], [n_rows, *t.shape[1:]])
            for t in tensors[:n_local]
        ]
        return [*found, *(tf.gather(tensor, chosen) for tensor in tensors[n_local:])]


def _swapped(array: tf.Tensor) -> tf.Tensor:
    """Return an array with its first two axes exchanged."""
    return tf.transpose(array, (1, 0, *range(2, len(array.shape))))
