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
    settings : str
        What is done, for readers of the table.
    published : str
        What others have reported for the same data; may be empty.
    downloads : bool
        Whether the data come from the network. Such tasks are done by name only.
    """

    run: Callable[[int], Mapping[str, float]]
    settings: str
    published: str = ""
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

_MNIST1D = "Greydanus and Kobak 2020"

TASKS: Mapping[str, ScoredTask] = {
    "digits": ScoredTask(
        _digits, "256 LIF neurons, trained as rates; spikes for 100 ms"
    ),
    "digits_surrogate": ScoredTask(
        lambda seed: {"spikes (%)": 100 * surrogate_classifier(seed=seed)},
        "128 LIF neurons, trained with spikes for 25 ms, 30 epochs",
    ),
    "digits_rows": ScoredTask(
        lambda seed: {"rates (%)": 100 * recurrent_classifier(seed=seed)},
        "128 recurrent neurons see a row of 8 pixels in each step",
    ),
    "digits_permuted": ScoredTask(
        lambda seed: {"rates (%)": 100 * recurrent_classifier(seed=seed, order=_ORDER)},
        "the same with all pixels in a random order",
    ),
    "mnist1d_mlp": ScoredTask(
        _mlp,
        "256 LIF neurons see all 40 values; spikes for 100 ms",
        f"multilayer perceptron 68 % ({_MNIST1D})",
    ),
    "mnist1d_lmu": ScoredTask(
        mnist1d_lmu,
        "Legendre memory, 384 integrate-and-fire neurons; items are moved round in "
        "training; 60 epochs; spikes for 10 ms per value",
        f"GRU 91 %, convolutions 94 % ({_MNIST1D})",
    ),
    "digits_fewer_bits": ScoredTask(
        lambda seed: fewer_bits(Digits.load(seed).labelled, seed),
        "two layers of 128 LIF rate neurons; losses are scaled for float16; 30 epochs",
    ),
    "mnist1d_fewer_bits": ScoredTask(
        lambda seed: fewer_bits(mnist1d().standardised(), seed), "the same"
    ),
    "spa_capacity": ScoredTask(
        capacity, "pairs of symbols of 32 dimensions in one memory of spiking neurons"
    ),
    "adaptive_control": ScoredTask(
        adaptive_control,
        "100 pendulums of different weight at once, 200 neurons with PES each, 8 s",
    ),
    "mnist": ScoredTask(
        _mnist,
        "256 LIF neurons, trained as rates, 20 epochs; spikes for 100 ms",
        "perceptron of 300 units 95.3 % (LeCun et al. 1998)",
        downloads=True,
    ),
    "psmnist_lmu": ScoredTask(
        psmnist_lmu,
        "Legendre Memory Unit of 256 numbers and 212 units, 10 epochs",
        "the same 97.15 % (Voelker et al. 2019)",
        downloads=True,
    ),
}


def measure_score(task: ScoredTask, seed: int = 0) -> Score:
    """Return what a task comes to with a seed, and how long it takes."""
    start = time.perf_counter()
    figures = {name: float(value) for name, value in task.run(seed).items()}
    return Score(seed, figures, time.perf_counter() - start)
