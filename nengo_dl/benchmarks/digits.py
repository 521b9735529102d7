"""Handwritten digits: how well trained networks do, as rates and as spikes.

The 1,797 real images of 8 x 8 pixels are those that scikit-learn ships.

References
----------
E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine
Learning Repository, 1998.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import nengo
import numpy as np
import tensorflow as tf

from nengo_dl import config, dists
from nengo_dl.benchmarks.labelled import Labelled
from nengo_dl.neurons import LeakyReLU
from nengo_dl.simulator import Simulator

#: images for training and for tests; a seed decides which. 47 are left over
N_TRAIN, N_TEST = 1350, 400
MINIBATCH_SIZE = 50


@dataclass(frozen=True)
class Digits:
    """Images and their classes.

    Attributes
    ----------
    train_images, test_images : np.ndarray, shape (n_items, 8, 8)
        Brightness from 0 to 1.
    train_labels, test_labels : np.ndarray, shape (n_items, 1, 1)
        0 to 9, with axes for time steps and size.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray

    @classmethod
    def load(cls, seed: int = 0) -> Digits:
        """Return the images, divided at random.

        Raises
        ------
        ImportError
            If scikit-learn is not installed; it says how to install it.
        """
        try:
            from sklearn.datasets import load_digits  # type: ignore[import-untyped]
        except ImportError as error:
            raise ImportError(
                "The handwritten digits come with scikit-learn, which cannot be "
                "imported. Install it with `pip install scikit-learn`"
            ) from error

        images, labels = load_digits(return_X_y=True)
        order = np.random.RandomState(seed).permutation(len(images))
        images = images[order].reshape(-1, 8, 8) / 16
        labels = labels[order].reshape(-1, 1, 1)
        train, test = slice(0, N_TRAIN), slice(N_TRAIN, N_TRAIN + N_TEST)
        return cls(images[train], labels[train], images[test], labels[test])

    @property
    def labelled(self) -> Labelled:
        """The same as Keras takes it: images have a channel, labels one axis."""
        return Labelled(
            self.train_images[..., None],
            self.train_labels.ravel(),
            self.test_images[..., None],
            self.test_labels.ravel(),
        )


@dataclass(frozen=True)
class Accuracy:
    """Shares of test images that are recognised.

    Attributes
    ----------
    rates : float
        With firing rates, as trained.
    spikes : float
        With spikes over 100 steps, and a synapse on the output.
    """

    rates: float
    spikes: float


def spiking_classifier(
    n_hidden: int = 256,
    n_epochs: int = 60,
    n_steps: int = 100,
    seed: int = 0,
    data: Labelled | None = None,
) -> Accuracy:
    """Train LIF neurons as rates, and let them spike.

    Parameters
    ----------
    n_hidden : int
        Number of neurons.
    n_epochs : int
        How often each training image is shown.
    n_steps : int
        Time steps (of 1 ms) that each test image is shown to spiking neurons.
    seed : int
        Of network, training and division of the images.
    data : Labelled, optional
        Other items than the digits, in ten classes.
    """
    data = Digits.load(seed).labelled if data is None else data
    x = data.train.reshape(len(data.train), 1, -1)
    test = data.test.reshape(len(data.test), 1, -1)
    with nengo.Network(seed=seed) as net:
        config.configure_settings(dtype="float32")
        net.config[nengo.Connection].synapse = None
        net.config[nengo.Connection].transform = dists.Glorot()
        image = nengo.Node(np.zeros(x.shape[-1]), label="image")
        # rates of about 100 Hz from the start, and outputs of about 1
        hidden = nengo.Ensemble(
            n_hidden,
            1,
            neuron_type=nengo.LIF(amplitude=0.01),
            gain=nengo.dists.Choice([3.0]),
            bias=nengo.dists.Choice([2.0]),
        ).neurons
        output = nengo.Node(size_in=10)
        nengo.Connection(image, hidden)
        nengo.Connection(hidden, output)
        now = nengo.Probe(output, label="now")
        smooth = nengo.Probe(output, synapse=0.05, label="smooth")
    with Simulator(
        net, minibatch_size=MINIBATCH_SIZE, seed=seed, progress_bar=False
    ) as sim:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        sim.compile(keras.optimizers.Adam(2e-3), loss={now: loss})
        labels = data.train_labels[:, None, None]
        sim.fit(x, {now: labels}, epochs=n_epochs, verbose=0)
        rates = sim.loss(
            {image: test, now: np.eye(10)[data.test_labels[:, None]]},
            {now: share_of_errors},
            training=True,
            progress_bar=False,
        )
        # a view: of 10,000 images of MNIST, 100 steps would take 3 GB
        shown = np.broadcast_to(test, (len(test), n_steps, test.shape[-1]))
        spikes = sim.predict(shown, verbose=0)[smooth][:, -1].argmax(axis=-1)
    right = spikes == data.test_labels
    return Accuracy(1 - float(rates), float(right.mean()))


def surrogate_classifier(
    n_hidden: int = 128, n_epochs: int = 30, n_steps: int = 25, seed: int = 0
) -> float:
    """Train LIF neurons with their spikes.

    Parameters
    ----------
    n_hidden : int
        Number of neurons.
    n_epochs : int
        How often each training image is shown.
    n_steps : int
        Time steps (of 1 ms) for which an image is shown, in training and in the test.
    seed : int
        Of network, training and division of the images.

    Returns
    -------
    float
        The share of test images that spikes recognise in the last time step.
    """
    data = Digits.load(seed)
    with nengo.Network(seed=seed) as net:
        config.configure_settings(
            dtype="float32", keep_history=False, surrogate="arctan"
        )
        net.config[nengo.Connection].synapse = None
        net.config[nengo.Connection].transform = dists.Glorot()
        image = nengo.Node(np.zeros(64), label="image")
        hidden = nengo.Ensemble(
            n_hidden,
            1,
            neuron_type=nengo.LIF(amplitude=0.01),
            gain=nengo.dists.Choice([6.0]),
            bias=nengo.dists.Choice([2.0]),
        ).neurons
        output = nengo.Node(size_in=10)
        nengo.Connection(image, hidden)
        nengo.Connection(hidden, output)
        smooth = nengo.Probe(output, synapse=0.01, label="smooth")
    train, test = (
        np.broadcast_to(images.reshape(-1, 1, 64), (len(images), n_steps, 64))
        for images in (data.train_images, data.test_images)
    )
    return _recognised(net, smooth, train, test, data, n_epochs, seed)


def recurrent_classifier(
    n_hidden: int = 128,
    n_epochs: int = 60,
    seed: int = 0,
    order: np.ndarray | None = None,
) -> float:
    """Train a recurrent network that sees one row of pixels after the other.

    Parameters
    ----------
    n_hidden : int
        Number of rate neurons.
    n_epochs : int
        How often each training image is shown.
    seed : int
        Of network, training and division of the images.
    order : np.ndarray, shape (64,), optional
        In which order the pixels come; by default row by row.

    Returns
    -------
    float
        The share of test images that it recognises after the last row.
    """
    digits = Digits.load(seed)
    order = np.arange(64) if order is None else order
    train, test = (
        images.reshape(-1, 64)[:, order].reshape(-1, 8, 8)
        for images in (digits.train_images, digits.test_images)
    )
    with nengo.Network(seed=seed) as net:
        config.configure_settings(dtype="float32", keep_history=False)
        net.config[nengo.Connection].synapse = None
        net.config[nengo.Connection].transform = dists.Glorot()
        row = nengo.Node(np.zeros(8), label="row")
        hidden = nengo.Ensemble(
            n_hidden,
            1,
            neuron_type=LeakyReLU(),
            gain=nengo.dists.Choice([1.0]),
            bias=nengo.dists.Choice([0.0]),
        ).neurons
        output = nengo.Node(size_in=10)
        nengo.Connection(row, hidden)
        # what the neurons were in the step before, and half of what it was before that
        synapse = nengo.LinearFilter([1], [1, -0.5], analog=False)
        nengo.Connection(
            hidden, hidden, transform=0.5 * np.eye(n_hidden), synapse=synapse
        )
        nengo.Connection(hidden, output)
        probe = nengo.Probe(output, label="class")
    return _recognised(net, probe, train, test, digits, n_epochs, seed)


def _recognised(
    net: nengo.Network,
    probe: nengo.Probe,
    train: np.ndarray,
    test: np.ndarray,
    digits: Digits,
    n_epochs: int,
    seed: int,
) -> float:
    """Train a network; return the share of test images that it recognises at last."""
    with Simulator(
        net, minibatch_size=MINIBATCH_SIZE, seed=seed, progress_bar=False
    ) as sim:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        sim.compile(keras.optimizers.Adam(2e-3), loss={probe: loss})
        sim.fit(train, {probe: digits.train_labels}, epochs=n_epochs, verbose=0)
        answers = sim.predict(test, verbose=0)[probe][:, -1].argmax(axis=-1)
    return float(np.mean(answers == digits.test_labels[:, 0, 0]))


def share_of_errors(outputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Return the share of outputs whose largest element is not that of the targets."""
    wrong = tf.argmax(outputs, -1) != tf.argmax(targets, -1)
    return tf.reduce_mean(tf.cast(wrong, outputs.dtype))
