"""Speed of training, beside TensorFlow code written by hand for the same networks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from nengo_dl.benchmarks.classifiers import (
    HIDDEN,
    SIZE_IN,
    SIZE_OUT,
    ByHand,
    classifier,
)
from nengo_dl.simulator import Simulator


@dataclass(frozen=True)
class Task:
    """A network and how it is trained.

    Attributes
    ----------
    n_steps : int
        Time steps of each item.
    minibatch_size : int
        Items in a minibatch.
    n_minibatches : int
        Steps of optimization in an epoch.
    recurrent : bool
        Whether the last hidden units are connected with each other.
    hidden : tuple of int
        Number of units in each hidden layer.
    settings : mapping
        For `nengo_dl.configure_settings`.
    """

    n_steps: int
    minibatch_size: int
    n_minibatches: int
    recurrent: bool = False
    hidden: tuple[int, ...] = (HIDDEN,)
    settings: Mapping[str, Any] | None = None


TASKS: dict[str, Task] = {
    "one_step": Task(1, 100, 100),
    "rates": Task(100, 50, 20),
    "recurrent_rates": Task(100, 50, 20, recurrent=True),
    "deep_rates": Task(50, 50, 20, hidden=(256,) * 4),
    "surrogate_spikes": Task(100, 50, 20, settings={"surrogate": "arctan"}),
}


@dataclass(frozen=True)
class TrainingTime:
    """Seconds that training takes.

    Attributes
    ----------
    first : float
        The first epoch, with everything that is compiled (s).
    step : float
        A step of optimization in steady state, here (s).
    by_hand : float
        The same in `ByHand`, always with rates (s).
    """

    first: float
    step: float
    by_hand: float

    @property
    def ratio(self) -> float:
        """How much longer than the code written by hand."""
        return self.step / self.by_hand


def measure_training(
    task: Task, repetitions: int = 5, n_epochs: int = 3, **options: Any
) -> TrainingTime:
    """Train a classifier here and by hand, in turn.

    Parameters
    ----------
    task : Task
        What to train.
    repetitions : int
        How often; the median counts.
    n_epochs : int
        Epochs in each repetition. Both shuffle the items for each.
    **options
        For `nengo_dl.Simulator`.
    """
    import keras

    rng = np.random.RandomState(0)
    n_items = task.minibatch_size * task.n_minibatches
    shape = (n_items, task.n_steps)
    x = rng.uniform(size=(*shape, SIZE_IN)).astype(np.float32)
    y = rng.uniform(size=(*shape, SIZE_OUT)).astype(np.float32)
    net, node, probe = classifier(
        task.n_steps, task.recurrent, hidden=task.hidden, **(task.settings or {})
    )
    by_hand = ByHand(
        task.n_steps,
        task.minibatch_size,
        task.recurrent,
        keras.optimizers.Adam(1e-3),
        task.hidden,
    )
    x_tensor, y_tensor = tf.constant(x), tf.constant(y)

    def epochs_by_hand(count: int) -> None:
        for _ in range(count):
            order = tf.constant(rng.permutation(n_items), tf.int32)
            by_hand.epoch(x_tensor, y_tensor, order).numpy()

    with Simulator(
        net, minibatch_size=task.minibatch_size, progress_bar=False, **options
    ) as sim:
        optimizer = keras.optimizers.Adam(1e-3)

        def epochs(count: int) -> None:
            sim.train(
                {node: x, probe: y}, optimizer, n_epochs=count, progress_bar=False
            )

        first = _seconds(epochs, 1)
        epochs_by_hand(1)
        epochs(1)  # now it knows how much to do in a call
        times = [
            (_seconds(epochs, n_epochs), _seconds(epochs_by_hand, n_epochs))
            for _ in range(repetitions)
        ]
    own, other = np.median(np.array(times), axis=0) / (n_epochs * task.n_minibatches)
    return TrainingTime(first, float(own), float(other))


def _seconds(action: Callable[[int], None], count: int) -> float:
    start = time.perf_counter()
    action(count)
    return time.perf_counter() - start
