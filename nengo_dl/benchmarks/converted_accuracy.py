"""How well converted models do: what is measured, apart from what measures it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any


@dataclass(frozen=True)
class ConvertedAccuracy:
    """Shares of test items that are recognised, by a model and by spikes.

    Attributes
    ----------
    seed : int
        Of data where they are divided at random, weights, and order of items.
    target_rate : float
        Firing rate that the most active neurons were to have (Hz).
    keras : float
        As the model was trained.
    spikes : mapping of int to float
        As a network of spiking neurons, by the number of time steps of 1 ms.
    mean_rate : float
        Firing rate of all its neurons on average (Hz).
    """

    seed: int
    target_rate: float
    keras: float
    spikes: Mapping[int, float]
    mean_rate: float

    @classmethod
    def of(cls, spikes: Mapping[Any, float], **values: Any) -> ConvertedAccuracy:
        """Return what was written as JSON, where all keys are text."""
        return cls(spikes={int(n): part for n, part in spikes.items()}, **values)

    def lost(self, n_steps: int) -> float:
        """Return the share that spikes do not recognise, and the model does."""
        return self.keras - self.spikes[n_steps]


@dataclass(frozen=True)
class OfSeeds:
    """Conversions with one firing rate, of models that differ by their seeds.

    Attributes
    ----------
    runs : sequence of ConvertedAccuracy
        One for each seed.
    """

    runs: Sequence[ConvertedAccuracy]

    @classmethod
    def by_rate(cls, runs: Iterable[ConvertedAccuracy]) -> dict[float, OfSeeds]:
        """Return runs by the firing rate of the most active neurons (Hz)."""
        found: dict[float, list[ConvertedAccuracy]] = {}
        for run in runs:
            found.setdefault(run.target_rate, []).append(run)
        return {rate: cls(found[rate]) for rate in sorted(found)}

    @property
    def steps(self) -> list[int]:
        """For which numbers of time steps there are accuracies."""
        return list(self.runs[0].spikes)

    @property
    def keras(self) -> tuple[float, float]:
        """Mean and standard deviation of the models' accuracy."""
        return mean_and_spread([run.keras for run in self.runs])

    def spikes(self, n_steps: int) -> tuple[float, float]:
        """Return mean and standard deviation of the spikes' accuracy."""
        return mean_and_spread([run.spikes[n_steps] for run in self.runs])

    def most_lost(self, n_steps: int) -> float:
        """Return the share that spikes do not recognise in the worst case."""
        return max(run.lost(n_steps) for run in self.runs)

    @property
    def mean_rate(self) -> float:
        """Firing rate of all neurons on average (Hz)."""
        return fmean(run.mean_rate for run in self.runs)


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the standard deviation of values."""
    return fmean(values), pstdev(values)
