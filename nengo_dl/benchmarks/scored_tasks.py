"""Tasks that are scored: how many items are recognised, how far a controller is off."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nengo_dl.benchmarks.capacity import capacity
from nengo_dl.benchmarks.control import adaptive_control
from nengo_dl.benchmarks.digits import (
    Digits,
    recurrent_classifier,
    spiking_classifier,
    surrogate_classifier,
)
from nengo_dl.benchmarks.fewer_bits import fewer_bits
from nengo_dl.benchmarks.pixels import mnist_images, psmnist_lmu
from nengo_dl.benchmarks.scores import Score
from nengo_dl.benchmarks.sequences import mnist1d_lmu
from nengo_dl.benchmarks.signals import mnist1d


@dataclass(frozen=True)
class ScoredTask:
    """Something that is done with several seeds.

    Attributes
    ----------
    run : callable
        Takes a seed, and returns figures by their names.
    downloads : bool
        Whether the data come from the network. Such tasks are done by name only.
    """

    run: Callable[[int], Mapping[str, float]]
    downloads: bool = False


def _digits(seed: int) -> dict[str, float]:
    found = spiking_classifier(seed=seed)
    return {"rates (%)": 100 * found.rates, "spikes (%)": 100 * found.spikes}


def _mlp(seed: int) -> dict[str, float]:
    found = spiking_classifier(n_epochs=30, seed=seed, data=mnist1d().standardised())
    return {"rates (%)": 100 * found.rates, "spikes (%)": 100 * found.spikes}


def _mnist(seed: int) -> dict[str, float]:
    found = spiking_classifier(n_epochs=20, seed=seed, data=mnist_images())
    return {"rates (%)": 100 * found.rates, "spikes (%)": 100 * found.spikes}


#: a fixed order of the 64 pixels, the same for all seeds
_ORDER = np.random.RandomState(0).permutation(64)

#: ``docs/scores.rst`` says how each of them is set, and what others have published
TASKS: Mapping[str, ScoredTask] = {
    "digits": ScoredTask(_digits),
    "digits_surrogate": ScoredTask(
        lambda seed: {"spikes (%)": 100 * surrogate_classifier(seed=seed)}
    ),
    "digits_rows": ScoredTask(
        lambda seed: {"rates (%)": 100 * recurrent_classifier(seed=seed)}
    ),
    "digits_permuted": ScoredTask(
        lambda seed: {"rates (%)": 100 * recurrent_classifier(seed=seed, order=_ORDER)}
    ),
    "mnist1d_mlp": ScoredTask(_mlp),
    "mnist1d_lmu": ScoredTask(mnist1d_lmu),
    "digits_fewer_bits": ScoredTask(
        lambda seed: fewer_bits(Digits.load(seed).labelled, seed)
    ),
    "mnist1d_fewer_bits": ScoredTask(
        lambda seed: fewer_bits(mnist1d().standardised(), seed)
    ),
    "spa_capacity": ScoredTask(capacity),
    "adaptive_control": ScoredTask(adaptive_control),
    "mnist": ScoredTask(_mnist, downloads=True),
    "psmnist_lmu": ScoredTask(psmnist_lmu, downloads=True),
}


def measure_score(task: ScoredTask, seed: int = 0) -> Score:
    """Return what a task comes to with a seed, and how long it takes."""
    start = time.perf_counter()
    figures = {name: float(value) for name, value in task.run(seed).items()}
    return Score(seed, figures, time.perf_counter() - start)
