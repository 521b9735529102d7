"""What each probe keeps, as a value: which steps, how many rows, in which buffer."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import nengo
import numpy as np
from nengo.builder.signal import Signal

from nengo_dl.graph.signals import coordinates
from nengo_dl.plan.layout import View, together

#: steps that are looked at together
_PART = 2**20
#: samples of so many elements, items included, may share a buffer with others: what a
#: buffer of its own costs, some 20 ms of compilation and a microsecond in each step, is
#: then more than what it takes to put them one behind the other
SMALL_SAMPLE = 1024


@dataclass(frozen=True)
class Recording:
    """Which samples of one Probe are kept, and where in its buffer.

    The host says for each step which row of the buffer it goes to. A step that is not
    kept goes to the row that the next kept one will overwrite, so the loop needs no
    condition and memory grows with what is kept, not with what is simulated.

    Attributes
    ----------
    probe : nengo.Probe
        The probe.
    view : View
        Where its values are at the end of a step.
    period : float
        Steps from one sample to the next: ``sample_every / dt``, or 1.
    keep_history : bool
        False keeps the last sample only.
    signal : Signal or None
        What the probe sees, if it is not plain floating point numbers.
    """

    probe: nengo.Probe
    view: View
    period: float = 1.0
    keep_history: bool = True
    signal: Signal | None = None

    def presented(self, rows: np.ndarray) -> np.ndarray:
        """Return rows of the buffer in the shape that ``sim.data`` shows.

        Whole numbers have the type that they have in Nengo. A sparse matrix, of which
        the loop knows the stored elements only, becomes an array with all of them.
        """
        if self.signal is None:
            return rows
        if self.signal.dtype.kind in "iu":
            rows = rows.astype(self.signal.dtype)
        if not self.signal.sparse:
            return rows
        row, column, _ = coordinates(self.signal)
        dense = np.zeros((*rows.shape[:-1], *self.signal.shape), rows.dtype)
        np.add.at(dense, (..., row, column), rows)  # type: ignore[arg-type]
        return dense

    @property
    def every_step(self) -> bool:
        """Whether step i simply goes to row i."""
        return self.period == 1 and self.keep_history

    def capacity(self, n_steps: int) -> int:
        """Return the rows that a buffer needs for ``n_steps`` steps."""
        if not self.keep_history:
            return 2
        if self.period == 1:
            return n_steps
        # one row more than samples: where the steps behind the last sample go
        return math.ceil(n_steps / max(self.period, 1)) + 1

    def kept(self, first_step: int, n_steps: int) -> np.ndarray:
        """Return which steps behind ``first_step`` are sampled, as in Nengo."""
        steps = np.arange(first_step + 1, first_step + n_steps + 1)
        return steps % self.period < 1

    def count(self, first_step: int, n_steps: int) -> int:
        """Return how many steps behind ``first_step`` are sampled."""
        if self.period == 1:
            return n_steps
        parts = range(0, n_steps, _PART)
        return sum(
            int(self.kept(first_step + done, min(_PART, n_steps - done)).sum())
            for done in parts
        )

    def rows(self, first_step: int, n_steps: int, total: int) -> np.ndarray:
        """Return the row for each step of a chunk, shape (total,), int32.

        Steps behind ``n_steps`` do not run; their rows do not matter.
        """
        kept = self.kept(first_step, n_steps)
        rows = np.zeros(total, dtype=np.int32)
        if self.keep_history:
            rows[:n_steps] = np.cumsum(kept) - kept
        else:
            rows[:n_steps] = np.where(kept, 0, 1)
        return rows


@dataclass(frozen=True, eq=False)
class Buffer:
    """Where the loop over time writes the samples of one or several Probes.

    Attributes
    ----------
    numbers : tuple of int
        Which recordings.
    first : Recording
        One of them. All keep the same steps.
    view : View
        Where their values are at the end of a step: those of the first one in its own
        shape, or all of them one behind the other.
    parts : tuple of (int, int)
        The stretch of that which each of them has, in the order of ``numbers``.
    """

    numbers: tuple[int, ...]
    first: Recording
    view: View
    parts: tuple[tuple[int, int], ...]

    @classmethod
    def shared(cls, numbers: Sequence[int], recordings: Sequence[Recording]) -> Buffer:
        """Return a buffer for some recordings of one period and type."""
        views = [recordings[i].view for i in numbers]
        first = recordings[numbers[0]]
        if len(numbers) == 1:
            return cls(tuple(numbers), first, first.view, ((0, first.view.size),))
        return cls(tuple(numbers), first, *together(views))


def in_buffers(
    recordings: Sequence[Recording], kinds: Iterable[Hashable], n_items: int
) -> tuple[Buffer, ...]:
    """Divide recordings among buffers.

    Parameters
    ----------
    recordings : sequence of Recording
        All of a model.
    kinds : iterable of Hashable
        The type of the samples of each.
    n_items : int
        Items of a minibatch.

    Returns
    -------
    tuple of Buffer
        One for all small ones that keep the same steps; one for each of the others.
    """
    members: dict[Hashable, list[int]] = {}
    for i, (own, kind) in enumerate(zip(recordings, kinds, strict=True)):
        small = own.view.batched and 0 < own.view.size * n_items <= SMALL_SAMPLE
        key = (kind, own.period, own.keep_history) if small else i
        members.setdefault(key, []).append(i)
    return tuple(Buffer.shared(numbers, recordings) for numbers in members.values())


def by_recording(
    buffers: Sequence[Buffer], arrays: Sequence[np.ndarray], views: Sequence[View]
) -> list[np.ndarray]:
    """Return what each recording has in the buffers' arrays.

    Parameters
    ----------
    buffers : sequence of Buffer
        All of a loop.
    arrays : sequence of np.ndarray, shape (capacity, batch, *shape)
        What has been written to each.
    views : sequence of View
        Of each recording.

    Returns
    -------
    list of np.ndarray, shape (capacity, batch, *probe shape)
        Views of the arrays.
    """
    found = {}
    for buffer, array in zip(buffers, arrays, strict=True):
        for i, (start, stop) in zip(buffer.numbers, buffer.parts, strict=True):
            lead = array.shape[:2]
            flat = array if len(buffer.numbers) == 1 else array[..., start:stop]
            found[i] = flat.reshape(*lead, *views[i].shape)
    return [found[i] for i in range(len(views))]
