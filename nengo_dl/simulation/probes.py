"""What the probes have recorded so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import nengo
import numpy as np

from nengo_dl.program.recording import Recording


class ProbeStore:
    """Keep the samples of each probe, chunk by chunk.

    Parameters
    ----------
    recordings : sequence of Recording
        What is kept of each probe.
    minibatched : bool
        Whether the data have a batch axis.
    """

    def __init__(self, recordings: Sequence[Recording], minibatched: bool) -> None:
        self._recordings = {r.probe: r for r in recordings}
        self.minibatched = minibatched
        self._chunks: dict[nengo.Probe, list[np.ndarray]] = {}
        self.clear()

    def __contains__(self, probe: object) -> bool:
        return probe in self._recordings

    @property
    def probes(self) -> list[nengo.Probe]:
        """All probes of the model."""
        return list(self._recordings)

    def clear(self, probe: nengo.Probe | None = None) -> None:
        """Forget all samples, or those of one Probe."""
        if probe is not None:
            self._chunks[probe] = []
        else:
            self._chunks = {probe: [] for probe in self._recordings}

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
        for (probe, recording), buffer in zip(
            self._recordings.items(), rows, strict=True
        ):
            count = n_steps
            if recording.period != 1:
                count = int(recording.kept(first_step, n_steps).sum())
            if count == 0:
                continue
            if not recording.keep_history:
                self._chunks[probe].clear()
                count = 1
            # a copy, so that the whole buffer does not live as long as its samples
            self._chunks[probe].append(recording.presented(np.array(buffer[:count])))

    def snapshot(self) -> dict[nengo.Probe, np.ndarray]:
        """Return all samples, shape (n_samples, batch, *shape) each."""
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
