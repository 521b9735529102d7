"""The processes that train together: what they agree on, and who writes files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from nengo.exceptions import SimulationError, ValidationError

from nengo_dl.distribution.replicas import Replicas

#: errors of TensorFlow that the end of another process leads to
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.UnknownError,
)


class LostWorkerError(SimulationError):
    """Another process has failed, or has ended: nobody waits for this one."""


#: what a process says in the place of a number, when an error ends its work
_FAILED = -(2**62)


@dataclass(frozen=True, eq=False)
class Workers:
    """The processes of a strategy; one alone, if there is no strategy.

    Attributes
    ----------
    replicas : Replicas or None
        What the simulators in them divide their minibatches with.
    """

    replicas: Replicas | None

    @property
    def several(self) -> bool:
        """Whether there are other processes."""
        return self.replicas is not None and self.replicas.crosses_processes

    @property
    def chief(self) -> bool:
        """Whether this is the process that writes files."""
        return self.replicas is None or bool(
            self.replicas.strategy.extended.should_checkpoint
        )

    def agree(self, number: int) -> int:
        """Return the number that the first of the processes has."""
        return int(self.everyones(number)[0]) if self.several else number

    def any_of_all(self, mine: bool) -> bool:
        """Return whether something is true in any of the processes."""
        return bool(self.everyones(int(mine)).any()) if self.several else mine

    def wait_for_all(self) -> None:
        """Go on when all processes have come here."""
        self.agree(0)

    @contextmanager
    def failing_together(self) -> Iterator[None]:
        """Let an error in this process end what all are doing.

        For code of users, such as callbacks, behind which all processes meet: the
        others would wait for this one forever, or go on with less than they should.

        Raises
        ------
        SimulationError
            In the other processes, where they meet this one next; the error itself is
            raised here.
        """
        try:
            yield
        except LostWorkerError:
            raise
        except Exception:
            if self.several:
                # another process may have ended meanwhile
                with suppress(LostWorkerError):
                    self.everyones(_FAILED)
            raise

    @contextmanager
    def all_or_none(self) -> Iterator[None]:
        """Wait for all processes behind some code, and go on if it failed in none."""
        with self.failing_together():
            yield
        self.wait_for_all()

    def by_chief(self, write: Callable[[], None]) -> None:
        """Let one process write a file; all go on when it is complete.

        It begins when all are here: others may still read what was in the file.

        Parameters
        ----------
        write : callable
            Writes it.

        Raises
        ------
        SimulationError
            In the other processes, if it could not be written; the error itself is
            raised where it is written.
        """
        self.wait_for_all()
        problem: Exception | None = None
        if self.chief:
            try:
                write()
            except Exception as error:
                problem = error
        done = self.agree(int(problem is None))
        if problem is not None:
            raise problem
        if not done:
            raise SimulationError(
                "The process that writes files for all could not write this one; its "
                "own error says why"
            )

    def check_same(self, arrays: Iterable[np.ndarray]) -> None:
        """Refuse to go on if the processes have different models.

        Parameters
        ----------
        arrays : iterable of np.ndarray
            The values that their models begin with.

        Raises
        ------
        ValidationError
            If they differ.
        """
        if not self.several:
            return
        digest = hashlib.blake2b(digest_size=7)
        for array in arrays:
            digest.update(repr((array.shape, array.dtype.str)).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        mine = int.from_bytes(digest.digest(), "big")
        if len(set(self.everyones(mine).tolist())) > 1:
            raise ValidationError(
                "The processes of the strategy have built models with different "
                "parameters. Expected the same in each: a network with a seed, "
                "`nengo.Network(seed=0)`, built by the same code from the same data",
                attr="network",
            )

    def everyones(self, number: int) -> np.ndarray:
        """Return the numbers of all processes, once for each of their replicas.

        Raises
        ------
        SimulationError
            If another process has failed, or has ended.
        """
        assert self.replicas is not None
        with lost_workers():
            found = self.replicas.gather_numbers(tf.constant(number, tf.int64)).numpy()
        if number != _FAILED and (found == _FAILED).any():
            raise LostWorkerError(
                "An error in another process of the strategy has ended the work that "
                "they divide between them; that process says which. Mend it there, and "
                "start all processes again"
            )
        return found


@contextmanager
def lost_workers() -> Iterator[None]:
    """Say in words of ours that another process has ended in the middle of the work.

    Raises
    ------
    SimulationError
        If TensorFlow says so. No value of this process is good for going on.
    """
    try:
        yield
    except _LOST as error:
        text = str(error)
        if "ollective" not in text or "expected type" in text:
            raise
        raise LostWorkerError(
            "Another process of the strategy has ended, or cannot be reached, so the "
            "work that is divided between them cannot go on. Start all processes "
            "again, and load what was saved last (`load_params`, or "
            f"keras.callbacks.BackupAndRestore in `fit`). TensorFlow says: {text:.300}"
        ) from error
