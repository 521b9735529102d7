"""A minibatch divided between replicas: its parts are computed, results are gathered.

This is the one place that divides minibatches. Everything else, losses, metrics,
optimizers, state and samples, has whole minibatches: each process computes the same
with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import tensorflow as tf

Tensors = Sequence[tf.Tensor]

#: what gradients are wanted of: nothing, parameters, or state and inputs of items, too
Gradients = Literal["none", "params", "all"]


@dataclass(frozen=True, eq=False)
class Replicas:
    """The devices that share the work on a minibatch, in this process and in others.

    Attributes
    ----------
    strategy : tf.distribute.Strategy
        TensorFlow's engine, which knows the devices and carries values between them.
    minibatch_size : int
        Items of a whole minibatch, a multiple of the number of replicas.
    """

    strategy: tf.distribute.Strategy
    minibatch_size: int

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

    # -- in TensorFlow, while a graph is traced

    def run(
        self,
        function: Callable[..., Tensors],
        shared: Tensors,
        items: Tensors,
        n_outputs: int,
        gradients: Gradients = "none",
    ) -> list[tf.Tensor]:
        """Compute a function of a minibatch part by part, and gather what comes out.

        Gradients are summed over the replicas by one collective for each type, for all
        of ``shared`` together; so are the outputs gathered.

        Parameters
        ----------
        function : callable
            ``function(*shared, *items)`` of one part, compiled by XLA or not; returns
            tensors of shape (part, ...).
        shared : sequence of tf.Tensor
            What is the same for all items: parameters.
        items : sequence of tf.Tensor, shape (minibatch_size, ...)
            What each item has of its own.
        n_outputs : int
            How many of the tensors that come first in the results are wanted.
        gradients : {"none", "params", "all"}
            What gradients will be asked for: of ``shared`` alone, or of ``items``, too.

        Returns
        -------
        list of tf.Tensor, shape (minibatch_size, ...)
            What the function returns.
        """
        if gradients == "none":
            parts = self.strategy.run(
                lambda: list(function(*shared, *self.own_rows(items)))[:n_outputs]
            )
            return self.gathered(parts)
        return self._differentiable(function, shared, items, n_outputs, gradients)

    def _differentiable(
        self,
        function: Callable[..., Tensors],
        shared: Tensors,
        items: Tensors,
        n_outputs: int,
        gradients: Gradients,
    ) -> list[tf.Tensor]:
        n_shared = len(shared)
        of_items = gradients == "all"

        @tf.custom_gradient
        def run(*flat: tf.Tensor) -> tuple[list[tf.Tensor], Callable]:
            forward: dict[int, tuple] = {}

            def compute() -> list[tf.Tensor]:
                own = [*flat[:n_shared], *self.own_rows(flat[n_shared:])]
                with tf.GradientTape(watch_accessed_variables=False) as tape:
                    wanted = _floats(own if of_items else own[:n_shared])
                    tape.watch(wanted)
                    found = list(function(*own))[:n_outputs]
                forward[_key()] = (tape, wanted, found)
                return found

            outputs = self.gathered(self.strategy.run(compute))

            def backward(*upstream: tf.Tensor) -> list[tf.Tensor | None]:
                def compute() -> tuple[list[tf.Tensor], list[tf.Tensor]]:
                    tape, wanted, found = forward[_key()]
                    pairs = zip(found, upstream, strict=True)
                    known = [(y, up) for y, up in pairs if y.dtype.is_floating]
                    slopes = tape.gradient(
                        [y for y, _ in known],
                        wanted,
                        self.own_rows([up for _, up in known]),
                        unconnected_gradients=tf.UnconnectedGradients.ZERO,
                    )
                    n_params = len(_floats(flat[:n_shared]))
                    return slopes[:n_params], slopes[n_params:]

                params, own = self.strategy.run(compute)
                found = iter([*self.summed(params), *self.gathered(own)])
                known = flat if of_items else flat[:n_shared]
                slopes = [next(found) if t.dtype.is_floating else None for t in known]
                return [*slopes, *[None] * (len(flat) - len(known))]

            return outputs, backward

        found = run(*shared, *items)
        return list(found) if isinstance(found, list | tuple) else [found]

    def own_rows(self, whole: Tensors) -> list[tf.Tensor]:
        """Return the part of some tensors that this replica has."""
        context = tf.distribute.get_replica_context()
        first = tf.cast(context.replica_id_in_sync_group, tf.int32) * self.part
        return [
            tf.slice(t, [first, *[0] * (len(t.shape) - 1)], [self.part, *t.shape[1:]])
            for t in whole
        ]

    def gathered(self, parts: Sequence[Any]) -> list[tf.Tensor]:
        """Return whole tensors, given their parts by replica."""

        def gather(packed: Any) -> tf.Tensor:
            return self.strategy.gather(packed, axis=0)

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


def _matrix(rows: int, widths: Sequence[int], *tensors: tf.Tensor) -> tf.Tensor:
    """Return tensors side by side in one matrix."""
    pairs = zip(tensors, widths, strict=True)
    return tf.concat([tf.reshape(t, (rows, width)) for t, width in pairs], axis=1)


def _floats(tensors: Tensors) -> list[tf.Tensor]:
    return [t for t in tensors if t.dtype.is_floating]


def _key() -> int:
    """Return what tells the replicas of this process apart while they are traced."""
    context = tf.distribute.get_replica_context()
    return int(tf.get_static_value(context.replica_id_in_sync_group))
