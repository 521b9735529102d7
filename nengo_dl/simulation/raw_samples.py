"""``sim.data.raw``: samples step by step, as other programs read and remove them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import nengo
import numpy as np

if TYPE_CHECKING:
    from nengo_dl.simulation.probes import ProbeStore


class RawSamples(Sequence):
    """The samples of one Probe, which can be removed.

    Parameters
    ----------
    probes : ProbeStore
        The samples of all Probes.
    probe : nengo.Probe
        Which of them.
    """

    def __init__(self, probes: ProbeStore, probe: nengo.Probe) -> None:
        self._probes = probes
        self._probe = probe

    def _steps(self) -> np.ndarray:
        """Return the samples, shape (n_samples, ...)."""
        samples = self._probes.data(self._probe)
        batched = self._probes.minibatched and samples.size
        return samples.swapaxes(0, 1) if batched else samples

    def __len__(self) -> int:
        return len(self._steps())

    def __getitem__(self, index: Any) -> Any:
        found = self._steps()[index]
        return list(found) if isinstance(index, slice) else found

    def __delitem__(self, index: Any) -> None:
        if index != slice(None):
            raise IndexError(f"Only all samples can be removed, by `[:]`; got {index}")
        self._probes.clear(self._probe)


class RawData(Mapping):
    """Map Probes to their samples step by step, everything else to what it is.

    Parameters
    ----------
    data : SimulationData
        What a simulator records and learns.
    probes : ProbeStore
        The samples.
    """

    def __init__(self, data: Mapping, probes: ProbeStore) -> None:
        self._data = data
        self._probes = probes

    def __getitem__(self, obj: Any) -> Any:
        if obj in self._probes:
            return RawSamples(self._probes, obj)
        return self._data[obj]

    def __iter__(self) -> Iterator:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)
