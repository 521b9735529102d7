"""Keras models with spikes: how much accuracy the conversion takes.

The models are convolutional networks that are trained in Keras as usual, with nothing
that prepares them for spikes. `nengo_dl.Converter` replaces their rectified lines, with
firing rates that suit the training data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import nengo
import numpy as np

from nengo_dl.benchmarks.converted_accuracy import ConvertedAccuracy
from nengo_dl.benchmarks.digits import Digits
from nengo_dl.benchmarks.labelled import Labelled
from nengo_dl.benchmarks.signals import mnist1d
from nengo_dl.converter import Converter

#: seeds of training, firing rates of the most active neurons (Hz), time steps of 1 ms
SEEDS, TARGET_RATES, N_STEPS = range(5), (100.0, 200.0, 400.0), 100
#: time constant of all that leaves neurons (s)
SYNAPSE = 0.005


@dataclass(frozen=True)
class ConversionTask:
    """A data set, and a model that is trained on it.

    Attributes
    ----------
    load : callable
        Returns the data that belong to a seed.
    channels, kernels : sequence of int
        Of convolutions one after the other, each with rectified lines.
    strides : sequence of int
        By how much each of them moves.
    padding : str
        As in Keras.
    n_epochs, minibatch_size : int
        How it is trained.
    learning_rate : float
        Of Adam at the start; it goes down to 0 as a cosine does.
    dropout : float
        Share of features that are left out in training, before the last layer.
    """

    load: Callable[[int], Labelled]
    channels: Sequence[int]
    kernels: Sequence[int]
    strides: Sequence[int]
    padding: str
    n_epochs: int
    minibatch_size: int
    learning_rate: float
    dropout: float = 0.0

    def model(self, shape: Sequence[int]) -> keras.Sequential:
        """Return the model for inputs of a shape, before training."""
        convolution = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D}[len(shape) - 1]
        layers = [
            convolution(n, size, stride, self.padding, activation="relu")
            for n, size, stride in zip(
                self.channels, self.kernels, self.strides, strict=True
            )
        ]
        return keras.Sequential(
            [
                keras.Input(shape),
                *layers,
                keras.layers.Flatten(),
                keras.layers.Dropout(self.dropout),
                keras.layers.Dense(10),
            ]
        )

    def trained(self, data: Labelled, seed: int) -> keras.Sequential:
        """Return the model after training."""
        keras.utils.set_random_seed(seed)
        model = self.model(data.train.shape[1:])
        n_updates = self.n_epochs * -(-len(data.train) // self.minibatch_size)
        rate = keras.optimizers.schedules.CosineDecay(self.learning_rate, n_updates)
        model.compile(
            keras.optimizers.Adam(rate),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        model.fit(
            data.train,
            data.train_labels,
            self.minibatch_size,
            epochs=self.n_epochs,
            verbose=0,
        )
        return model


#: by name; for MNIST-1D the convolutions of its authors, with more channels
CONVERSIONS: Mapping[str, ConversionTask] = {
    "digits_cnn": ConversionTask(
        lambda seed: Digits.load(seed).labelled,
        channels=(16, 32),
        kernels=(3, 3),
        strides=(1, 2),
        padding="valid",
        n_epochs=60,
        minibatch_size=50,
        learning_rate=3e-3,
    ),
    "mnist1d_cnn": ConversionTask(
        lambda seed: mnist1d(),
        channels=(64, 64, 64),
        kernels=(5, 3, 3),
        strides=(2, 2, 2),
        padding="same",
        n_epochs=25,
        minibatch_size=100,
        learning_rate=5e-3,
        dropout=0.5,
    ),
}


def measure_conversion(
    task: ConversionTask,
    seed: int = 0,
    target_rates: Iterable[float] = TARGET_RATES,
    n_steps: int = N_STEPS,
) -> list[ConvertedAccuracy]:
    """Train a model in Keras, and run it with spikes.

    Parameters
    ----------
    task : ConversionTask
        Data and model.
    seed : int
        Of data where they are divided at random, weights, and order of items.
    target_rates : iterable of float
        Firing rates that the most active neurons are to have (Hz).
    n_steps : int
        Time steps of 1 ms for which each item is presented.

    Returns
    -------
    list of ConvertedAccuracy
        One for each rate, of the same model.
    """
    data = task.load(seed)
    model = task.trained(data, seed)
    _, accuracy = model.evaluate(data.test, data.test_labels, verbose=0)
    found = []
    for rate in target_rates:
        spikes, mean_rate = _spikes(model, data, seed, rate, n_steps)
        found.append(ConvertedAccuracy(seed, rate, float(accuracy), spikes, mean_rate))
    return found


def _spikes(
    model: Any, data: Labelled, seed: int, target_rate: float, n_steps: int
) -> tuple[dict[int, float], float]:
    """Return the accuracy by numbers of time steps, and the mean firing rate (Hz)."""
    converter = Converter(
        model,
        inference_only=True,
        swap_activations={"relu": nengo.SpikingRectifiedLinear()},
        scale_firing_rates="auto",
        sample_data=data.train,
        target_rate=target_rate,
        synapse=SYNAPSE,
    )
    converter.net.seed = seed
    report = converter.report(data.test, n_steps=n_steps, targets=data.test_labels)
    spiking = [row for row in report.layers if row.rates is not None]
    weights = [row.n_neurons for row in spiking]
    rates = [row.rates.mean for row in spiking if row.rates is not None]
    return report.accuracy, float(np.average(rates, weights=weights))
