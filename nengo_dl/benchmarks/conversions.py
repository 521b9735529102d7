"""Keras models with spikes: how much accuracy the conversion takes."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import nengo

from nengo_dl.benchmarks.digits import MINIBATCH_SIZE, Digits
from nengo_dl.converter import Converter


@dataclass(frozen=True)
class ConvertedAccuracy:
    """Shares of test images that are recognised, by a model and by spikes.

    Attributes
    ----------
    keras : float
        As the model was trained.
    spikes : float
        As a network of spiking neurons, at the end of the presentation.
    mean_rate : float
        Firing rate of all its neurons on average (Hz).
    """

    keras: float
    spikes: float
    mean_rate: float


def converted_digits(
    seed: int = 0, n_steps: int = 50, target_rate: float = 200.0
) -> ConvertedAccuracy:
    """Train a convolutional network in Keras, and run it with spikes.

    Parameters
    ----------
    seed : int
        Seed of the images' order, of weights and of neurons.
    n_steps : int
        Time steps of 1 ms for which each image is presented.
    target_rate : float
        Firing rate of the most active neurons (Hz).

    Returns
    -------
    ConvertedAccuracy
        For 400 images that were not trained.
    """
    digits = Digits.load(seed)
    train, test = digits.train_images[..., None], digits.test_images[..., None]
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.Conv2D(32, 3, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    model.fit(train, digits.train_labels.ravel(), MINIBATCH_SIZE, epochs=30, verbose=0)
    labels = digits.test_labels.ravel()
    _, accuracy = model.evaluate(test, labels, verbose=0)
    converter = Converter(
        model,
        swap_activations={"relu": nengo.SpikingRectifiedLinear()},
        scale_firing_rates="auto",
        sample_data=train,
        target_rate=target_rate,
        synapse=0.005,
    )
    converter.net.seed = seed
    report = converter.report(test, n_steps=n_steps, targets=labels)
    spiking = [row for row in report.layers if row.rates is not None]
    n_neurons = sum(row.n_neurons for row in spiking)
    return ConvertedAccuracy(
        float(accuracy),
        report.accuracy[n_steps],
        sum(row.rates.mean * row.n_neurons for row in spiking if row.rates) / n_neurons,
    )
