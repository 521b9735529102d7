"""What the probes have recorded so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import nengo
import numpy as np
import tensorflow as tf

from nengo_dl.program.recording import Buffer, Recording, by_recording
from nengo_dl.simulation.out_arrays import check_form, write
from nengo_dl.simulation.step_rows import StepRows

#: takes the number of the step before a single one, and what a loop has written in it
#: to each of its buffers, shape (rows, batch, *shape)
Record = Callable[[int, Sequence[tf.Tensor]], None]


class ProbeStore:
    """Keep the samples of each probe, chunk by chunk.

    Parameters
    ----------
    recordings : sequence of Recording
        What is kept of each probe.
    minibatched : bool
        Whether the data have a batch axis.
    minibatch_size : int
        How long it is.
    """

    def __init__(
        self, recordings: Sequence[Recording], minibatched: bool, minibatch_size: int
    ) -> None:
        self._recordings = {r.probe: r for r in recordings}
        self.minibatched, self.minibatch_size = minibatched, minibatch_size
        self._chunks: dict[nengo.Probe, list[np.ndarray]] = {}
        #: where samples are written instead, and how many were
        self._out: dict[nengo.Probe, Any] = {}
        self._n_written: dict[nengo.Probe, int] = {}
        #: samples of single steps
        self._steps: StepRows | None = None
        self.clear()

    def __contains__(self, probe: object) -> bool:
        return probe in self._recordings

    @property
    def probes(self) -> list[nengo.Probe]:
        """All probes of the model."""
        return list(self._recordings)

    def clear(self, probe: nengo.Probe | None = None) -> None:
        """Forget all samples, or those of one Probe."""
        self._settle()
        if probe is not None:
            self._chunks[probe] = []
        else:
            self._chunks = {probe: [] for probe in self._recordings}

    @contextmanager
    def writing(
        self, out: Mapping[nengo.Probe, Any], first_step: int, n_steps: int, dtype: Any
    ) -> Iterator[None]:
        """Write samples of some Probes into arrays as they come, and keep none.

        Parameters
        ----------
        out : mapping of Probe to object, shape (n_samples, *shape) or (batch, ...)
            The arrays, of the shape that `data` would have.
        first_step, n_steps : int
            Number of the step before the first, and how many will run.
        dtype : dtype_like
            Floating point type of the simulation.

        Raises
        ------
        ValidationError
            If an array does not have this shape; nothing is written then.
        """
        self._settle()
        for probe, target in out.items():
            own = self._recordings[probe]
            sample = own.presented(np.zeros((1, 1, *own.view.shape), dtype))
            count = own.count(first_step, n_steps) if own.keep_history else 1
            shape = (count, *sample.shape[2:])
            if self.minibatched:
                shape = (self.minibatch_size, *shape)
            check_form(probe, target, shape, sample.dtype, int(self.minibatched))
        self._out, self._n_written = dict(out), dict.fromkeys(out, 0)
        try:
            yield
        finally:
            self._out = {}

    def bind(self, buffers: Sequence[Buffer]) -> Record:
        """Return what adds the samples of a single step.

        Parameters
        ----------
        buffers : sequence of Buffer
            Those of the loop.
        """
        self._settle()
        rows = self._steps = StepRows(buffers)

        def add(first_step: int, outputs: Sequence[tf.Tensor]) -> None:
            if not rows.add(first_step, outputs):
                self._settle()
                rows.begin(first_step, outputs)

        return add

    def _settle(self) -> None:
        """Store what there is of single steps."""
        rows = self._steps
        if rows is not None and rows.n_steps:
            views = [recording.view for recording in self._recordings.values()]
            samples = by_recording(rows.buffers, rows.arrays, views)
            first_step, n_steps = rows.first_step, rows.n_steps
            rows.clear()
            self.append(first_step, n_steps, samples)

    def append(self, first_step: int, n_steps: int, rows: Sequence[np.ndarray]) -> None:
        """Add the rows of a chunk.

        Parameters
        ----------
        first_step : int
            Number of the step before the chunk.
        n_steps : int
            Steps that ran.
        rows : sequence of np.ndarray, shape (capacity, batch, *shape)
            The buffer of each recording.
        """
        self._settle()
        for (probe, recording), buffer in zip(
            self._recordings.items(), rows, strict=True
        ):
            count = recording.count(first_step, n_steps)
            if count == 0:
                continue
            if not recording.keep_history:
                count = 1
            # a copy, so that the whole buffer does not live as long as its samples
            samples = recording.presented(np.array(buffer[:count]))
            if probe in self._out:
                self._write(probe, samples, recording.keep_history)
                continue
            if not recording.keep_history:
                self._chunks[probe].clear()
            self._chunks[probe].append(samples)

    def _write(self, probe: nengo.Probe, samples: np.ndarray, goes_on: bool) -> None:
        """Write samples, shape (n_samples, batch, *shape), behind those before them."""
        start = self._n_written[probe] if goes_on else 0
        stop = self._n_written[probe] = start + len(samples)
        if self.minibatched:
            place = (slice(None), slice(start, stop))
            write(self._out[probe], place, samples.swapaxes(0, 1))
        else:
            write(self._out[probe], slice(start, stop), samples[:, 0])

    def snapshot(self) -> dict[nengo.Probe, np.ndarray]:
        """Return all samples, shape (n_samples, batch, *shape) each."""
        self._settle()
        return {p: np.concatenate(c) for p, c in self._chunks.items() if c}

    def restore(self, samples: Mapping[nengo.Probe, np.ndarray]) -> None:
        """Return to the samples of a `snapshot`."""
        self.clear()
        for probe, values in samples.items():
            self._chunks[probe].append(values)

    def data(self, probe: nengo.Probe) -> np.ndarray:
        """Return the samples of a probe, read-only.

        Returns
        -------
        np.ndarray, shape (n_samples, *shape) or (batch, n_samples, *shape)
            Empty, shape (0,), before the first sample.
        """
        self._settle()
        chunks = self._chunks[probe]
        if not chunks:
            empty = np.zeros(0)
            empty.flags.writeable = False
            return empty
        if len(chunks) > 1:
            chunks[:] = [np.concatenate(chunks)]
        samples = chunks[0]
        samples = samples.swapaxes(0, 1) if self.minibatched else samples[:, 0]
        samples.flags.writeable = False
        return samples
