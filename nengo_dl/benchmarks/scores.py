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
    settings, published : str
        What was done, and what others have reported.
    """

    values: Sequence[float]
    seconds: float
    settings: str
    published: str

    @property
    def mean(self) -> tuple[float, float]:
        """Mean and standard deviation over seeds."""
        return mean_and_spread(self.values)


def by_figure(
    runs: Sequence[Score], settings: str, published: str
) -> dict[str, ScoreOfSeeds]:
    """Return the figures of scores by their names.

    Parameters
    ----------
    runs : sequence of Score
        One for each seed.
    settings, published : str
        As for `ScoreOfSeeds`; they stand beside the first figure only.
    """
    seconds = fmean(run.seconds for run in runs)
    found: dict[str, ScoreOfSeeds] = {}
    for name in runs[0].figures:
        values = [run.figures[name] for run in runs]
        about = ("", "") if found else (settings, published)
        found[name] = ScoreOfSeeds(values, seconds, *about)
    return found
