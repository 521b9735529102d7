"""The part of each minibatch that a process reads; what others read is exchanged."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.distribution.replicas import Replicas
from nengo_dl.distribution.workers import Workers, lost_workers
from nengo_dl.user_code import warn_user

#: with these each process has a dataset of its own, in TensorFlow's words
_OWN = (
    tf.data.experimental.AutoShardPolicy.FILE,
    tf.data.experimental.AutoShardPolicy.OFF,
)

#: types that are exchanged as others, since no collective has them
_EXCHANGED = {"b": np.int32, "i": np.int64, "u": np.int64}


def share_of(replicas: Replicas | None) -> Share | None:
    """Return what divides the reading of data; None if there is one process."""
    if replicas is None or not replicas.crosses_processes:
        return None
    return Share(replicas)


@dataclass(frozen=True, eq=False)
class Share:
    """The rows of each minibatch that this process computes, and so has to read.

    Attributes
    ----------
    replicas : Replicas
        What divides the minibatch, between this process and others.
    """

    replicas: Replicas

    @property
    def rows(self) -> slice:
        """The rows of a minibatch that are those of this process."""
        return self.replicas.rows

    @property
    def n_rows(self) -> int:
        """How many these are."""
        return self.replicas.n_rows

    def among(self, n_items: int) -> np.ndarray:
        """Return which of the items of some minibatches are those of this process.

        Parameters
        ----------
        n_items : int
            Items of whole minibatches, one behind the other.

        Returns
        -------
        np.ndarray of bool, shape (n_items,)
        """
        places = np.arange(n_items) % self.replicas.minibatch_size
        return (places >= self.rows.start) & (places < self.rows.stop)

    def part_of(self, n_items: int) -> slice:
        """Return the items that this process looks at if all share the work.

        Parameters
        ----------
        n_items : int
            How many there are.
        """
        n_processes = self.replicas.minibatch_size // self.n_rows
        number = self.rows.start // self.n_rows
        return slice(
            number * n_items // n_processes, (number + 1) * n_items // n_processes
        )

    def all_agree(self, mine: bool) -> bool:
        """Return whether something is true in all processes, which all have to ask."""
        return bool(Workers(self.replicas).everyones(int(mine)).all())

    def gathered(self, arrays: Sequence[Any]) -> list[tf.Tensor]:
        """Return arrays with the rows of all processes, in one exchange for each type.

        All processes have to call it, with arrays of the same shapes.

        Parameters
        ----------
        arrays : sequence of tf.Tensor or np.ndarray, shape (n_rows, ...)
            The rows of this process.
        """
        with lost_workers():
            own = [tf.convert_to_tensor(array) for array in arrays]
            return list(self.replicas.gather_rows(own))

    def divides(self, dataset: tf.data.Dataset) -> bool:
        """Return whether each process is to read a dataset of its own.

        So it is if ``experimental_distribute.auto_shard_policy`` says that each has
        some of the files, or that the user has divided the dataset. Otherwise all yield
        the same minibatches, of which each process takes its rows.
        """
        options = dataset.options().experimental_distribute
        return options.auto_shard_policy in _OWN

    def of(self, dataset: tf.data.Dataset) -> Any:
        """Return what a process reads of a dataset, for one epoch after the other.

        Parameters
        ----------
        dataset : tf.data.Dataset
            Batches of the size of a whole minibatch. TensorFlow divides them, and gives
            each process some of the files if the dataset's options say so.
        """
        return self.replicas.strategy.experimental_distribute_dataset(dataset)

    def minibatches(self, own: Any) -> Iterator[Any]:
        """Yield whole minibatches, of which each process has read its rows.

        Parameters
        ----------
        own : tf.distribute.DistributedDataset
            What `of` returned.

        Raises
        ------
        ValidationError
            If already the first minibatch is not complete.

        Warns
        -----
        UserWarning
            If the processes come to their ends at different times, or with a minibatch
            that is not complete: the rest is left out.
        """
        part, workers = self.replicas.part, Workers(self.replicas)
        local = self.replicas.strategy.experimental_local_results
        remaining = iter(own)
        for number in count():
            with lost_workers():
                element = next(remaining, None)
            leaves = [local(leaf) for leaf in tf.nest.flatten(element)]
            sizes = {len(t) for values in leaves for t in values if t is not None}
            # 2: a whole part, 1: another number of items, 0: nothing
            mine = 2 if sizes == {part} else int(max(sizes, default=0) > 0)
            found = workers.everyones(mine)
            if found.min() < 2:
                if found.max() > 0 and number == 0:
                    raise self._wrong_size(sizes)
                if found.max() > 0:
                    warn_user(
                        "The parts of the dataset that the processes read are not "
                        "equally long, or not a multiple of the minibatch. The rest "
                        "was left out. Expected files with equal numbers of items",
                        UserWarning,
                    )
                return
            arrays = [
                _exchangeable(np.concatenate([value.numpy() for value in values]))
                for values in leaves
            ]
            whole = [tensor.numpy() for tensor in self.gathered(arrays)]
            yield tf.nest.pack_sequence_as(element, whole)

    def _wrong_size(self, sizes: Collection[int]) -> ValidationError:
        """Return the error that the first minibatch is none."""
        size, part = self.replicas.minibatch_size, self.replicas.part
        return ValidationError(
            "In the first minibatch of the dataset, divided by TensorFlow, there are "
            f"{max(sizes, default=0)} items for a replica of this process, and all "
            f"need {part}. Expected `dataset.batch({size}, drop_remainder=True)`, of "
            "at least as many files as there are processes if these are divided",
            attr="data",
        )


def _exchangeable(rows: np.ndarray) -> np.ndarray:
    """Return an array in a type that collectives have."""
    return rows.astype(_EXCHANGED.get(rows.dtype.kind, rows.dtype), copy=False)
