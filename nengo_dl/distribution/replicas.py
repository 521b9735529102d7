"""A minibatch divided between replicas: its parts are computed, results are gathered.

This is the one place that divides minibatches. Everything else, losses, metrics,
optimizers, state and samples, has whole minibatches: each process computes the same
with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import tensorflow as tf

Tensors = Sequence[tf.Tensor]

#: bytes of whole arrays, up to which they are gathered as a sum of parts between zeros:
#: twice the bytes, but no collective of its own, or one instead of two, since
#: TensorFlow's own gathering asks for the shapes first, which are known here
AS_SUM = 2**20

#: types that are added up between processes without a change
_ADDED = (tf.float32, tf.float64, tf.int32, tf.int64)


@dataclass(frozen=True, eq=False)
class Replicas:
    """The devices that share the work on a minibatch, in this process and in others.

    Attributes
    ----------
    strategy : tf.distribute.Strategy
        TensorFlow's engine, which knows the devices and carries values between them.
    minibatch_size : int
        Items of a whole minibatch, a multiple of the number of replicas.
    rows : slice
        The rows of each minibatch that this process computes, and so has to read.
    """

    strategy: tf.distribute.Strategy
    minibatch_size: int
    rows: slice = field(init=False)

    def __post_init__(self) -> None:
        context, part = tf.distribute.get_replica_context, self.part

        @traced  # without it, TensorFlow warns
        def numbers_of_replicas() -> Any:
            return self.strategy.run(
                lambda: tf.identity(context().replica_id_in_sync_group)
            )

        numbers = numbers_of_replicas()
        own = [int(n) for n in self.strategy.experimental_local_results(numbers)]
        rows = slice(min(own) * part, (max(own) + 1) * part)
        object.__setattr__(self, "rows", rows)

    @property
    def count(self) -> int:
        """How many devices there are, in all processes together."""
        return int(self.strategy.num_replicas_in_sync)

    @property
    def part(self) -> int:
        """Items that each replica computes."""
        return self.minibatch_size // self.count

    @property
    def crosses_processes(self) -> bool:
        """Whether some of them belong to other processes."""
        return self.count > len(self.strategy.extended.worker_devices)

    @property
    def n_rows(self) -> int:
        """How many rows of each minibatch this process computes."""
        return self.rows.stop - self.rows.start

    # -- called eagerly; traced once, since a simulator has one such object

    @cached_property
    def gather_rows(self) -> Callable[[list[tf.Tensor]], list[tf.Tensor]]:
        """Gathers tensors of whole minibatches, of which each process has its rows."""

        @traced
        def gather_rows(own: list[tf.Tensor]) -> list[tf.Tensor]:
            return self.gathered(self.strategy.run(lambda: self.of_local(own)))

        return gather_rows

    @cached_property
    def gather_numbers(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """Gathers a number of each process, once for each of its replicas."""

        @traced
        def gather_numbers(mine: tf.Tensor) -> tf.Tensor:
            own = self.strategy.run(
                lambda: self._between_zeros(tf.reshape(mine, (1, 1)))
            )
            return tf.reshape(self.strategy.reduce("SUM", own, axis=None), (-1,))

        return gather_numbers

    # -- in TensorFlow, while a graph is traced

    def reduced(
        self,
        function: Callable[..., Tensors],
        shared: Tensors,
        items: Tensors,
        local: Tensors,
        n_summed: int,
    ) -> list[tf.Tensor]:
        """Compute a function part by part, and reduce all that comes out at once.

        There is one collective for each type, whatever comes out of the function:
        losses and gradients are added up, and what has a row for each item is added to
        the zeros of the other parts, unless that is much: then it is gathered by
        itself. There are no gradients of what is returned.

        Parameters
        ----------
        function, shared, items, local
            As for `divided.run`.
        n_summed : int
            How many of the tensors that come first in the results are sums over items.

        Returns
        -------
        list of tf.Tensor
            The sums over all parts; behind them, shape (minibatch_size, ...), what
            there is for each item.
        """

        def compute() -> list[tf.Tensor]:
            found = list(
                function(*shared, *self.of_whole(items), *self.of_local(local))
            )
            of_items = found[n_summed:]
            if not _is_much(of_items, self.count):
                of_items = list(map(self._between_zeros, of_items))
            return [*found[:n_summed], *of_items]

        found = self.strategy.run(compute)
        of_items = found[n_summed:]
        firsts = [self.strategy.experimental_local_results(v)[0] for v in of_items]
        if any(first.shape[0] != self.minibatch_size for first in firsts):
            return [*self.summed(found[:n_summed]), *self.gathered(of_items)]
        return self.summed(found)

    def of_whole(self, tensors: Tensors) -> list[tf.Tensor]:
        """Return the part of this replica, of tensors of a whole minibatch."""
        return self._part_of(tensors, 0)

    def of_local(self, tensors: Tensors) -> list[tf.Tensor]:
        """Return the part of this replica, of tensors with the process's rows alone."""
        if self.n_rows == self.part:
            return list(tensors)
        return self._part_of(tensors, self.rows.start)

    def _part_of(self, tensors: Tensors, begin: int) -> list[tf.Tensor]:
        """Return the part of this replica, of tensors that begin with some row."""
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        first = tf.cast(number, tf.int32) * self.part - begin
        return [
            tf.slice(t, [first, *[0] * (len(t.shape) - 1)], [self.part, *t.shape[1:]])
            for t in tensors
        ]

    def _between_zeros(self, part: tf.Tensor) -> tf.Tensor:
        """Return the rows of this replica, among zeros for those of all others."""
        n_rows = part.shape[0]
        first = tf.distribute.get_replica_context().replica_id_in_sync_group
        first = tf.cast(first, tf.int32) * n_rows
        rows = [first, (self.count - 1) * n_rows - first]
        whole = tf.pad(part, [rows, *[[0, 0]] * (len(part.shape) - 1)])
        return tf.ensure_shape(whole, (self.count * n_rows, *part.shape[1:]))

    def whole(self, values: Sequence[Any], n_summed: int) -> list[tf.Tensor]:
        """Return sums over replicas of the first values, others as a whole."""
        return [*self.summed(values[:n_summed]), *self.gathered(values[n_summed:])]

    def gathered(self, parts: Sequence[Any]) -> list[tf.Tensor]:
        """Return whole tensors, given their parts by replica."""

        def gather(packed: Any) -> tf.Tensor:
            (first, *_) = self.strategy.experimental_local_results(packed)
            added = self.crosses_processes and first.dtype in _ADDED
            if not added or _is_much([first], self.count):
                return self.strategy.gather(packed, axis=0)
            packed = self.strategy.run(self._between_zeros, args=(packed,))
            return self.strategy.reduce("SUM", packed, axis=None)

        return self._packed(parts, gather, self.part, self.minibatch_size)

    def summed(self, values: Sequence[Any]) -> list[tf.Tensor]:
        """Return the sums of tensors over all replicas."""

        def add(packed: Any) -> tf.Tensor:
            return self.strategy.reduce("SUM", packed, axis=None)

        return self._packed(values, add, 1, 1)

    def _packed(
        self,
        values: Sequence[Any],
        exchange: Callable[[Any], tf.Tensor],
        rows: int,
        rows_after: int,
    ) -> list[tf.Tensor]:
        """Exchange many tensors between replicas as one for each type.

        Parameters
        ----------
        values : sequence of tf.Tensor or tf.distribute.DistributedValues
            The tensors, by replica.
        exchange : callable
            Does it with one matrix.
        rows, rows_after : int
            Rows of this matrix, before and afterwards.
        """
        firsts = [self.strategy.experimental_local_results(v)[0] for v in values]
        found: list[Any] = [None] * len(values)
        for dtype in dict.fromkeys(t.dtype for t in firsts):
            numbers = [i for i, t in enumerate(firsts) if t.dtype == dtype]

            widths = [firsts[i].shape.num_elements() // rows for i in numbers]
            packed = self.strategy.run(
                partial(_matrix, rows, widths), args=tuple(values[i] for i in numbers)
            )
            pieces = tf.split(exchange(packed), widths, axis=1)
            for i, piece in zip(numbers, pieces, strict=True):
                shape = list(firsts[i].shape)
                if rows != rows_after:
                    shape[0] = rows_after
                found[i] = tf.reshape(piece, shape)
        return found


def traced(function: Callable[..., Any]) -> Any:
    """Return a `tf.function`.

    TensorFlow counts how often some code is traced, and would warn of the fifth
    simulator; each partial function counts for itself.
    """
    return tf.function(partial(function), autograph=False)


def _matrix(rows: int, widths: Sequence[int], *tensors: tf.Tensor) -> tf.Tensor:
    """Return tensors side by side in one matrix."""
    pairs = zip(tensors, widths, strict=True)
    return tf.concat([tf.reshape(t, (rows, width)) for t, width in pairs], axis=1)


def _is_much(parts: Tensors, count: int) -> bool:
    """Return whether so many of such parts are too many bytes to be sent twice."""
    n_bytes = sum(part.shape.num_elements() * part.dtype.size for part in parts)
    return n_bytes * count > AS_SUM
