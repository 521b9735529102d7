"""How well networks do: what is measured, apart from what measures it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from nengo_dl.benchmarks.converted_accuracy import mean_and_spread


@dataclass(frozen=True)
class Score:
    """What one training, or simulation, with one seed has come to.

    Attributes
    ----------
    seed : int
        Of the data where they are divided at random, weights, and order of items.
    figures : mapping of str to float
        Values by their names, which have the unit in brackets.
    seconds : float
        How long it took (s).
    """

    seed: int
    figures: Mapping[str, float]
    seconds: float


@dataclass(frozen=True)
class ScoreOfSeeds:
    """One figure of scores that differ by their seeds.

    Attributes
    ----------
    values : sequence of float
        One for each seed.
    seconds : float
        Mean time of a seed, for all of its figures (s).
    """

    values: Sequence[float]
    seconds: float

    @property
    def mean(self) -> tuple[float, float]:
        """Mean and standard deviation over seeds."""
        return mean_and_spread(self.values)


def by_figure(runs: Sequence[Score]) -> dict[str, ScoreOfSeeds]:
    """Return the figures of scores by their names.

    Parameters
    ----------
    runs : sequence of Score
        One for each seed.
    """
    seconds = fmean(run.seconds for run in runs)
    found: dict[str, ScoreOfSeeds] = {}
    for name in runs[0].figures:
        values = [run.figures[name] for run in runs]
        found[name] = ScoreOfSeeds(values, seconds)
    return found
