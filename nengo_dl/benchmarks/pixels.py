"""MNIST, pixel by pixel in a random order (psMNIST): the published Legendre memory.

Each step shows one of 784 pixels; after the last one the network says which digit it
was. Neighbours in the picture are far from each other in time, since all pictures have
their pixels in one random order, so that the network has to remember all of them.

References
----------
A. R. Voelker, I. Kajić and C. Eliasmith, Legendre Memory Units: continuous-time
representation in recurrent neural networks, *NeurIPS*, 2019. Section 3.2 has this task,
97.15 % of the test images, and the sizes that are the defaults here.
"""

from __future__ import annotations

from functools import cache

import keras
import nengo
import numpy as np

from nengo_dl import config
from nengo_dl.benchmarks.digits import share_of_errors
from nengo_dl.benchmarks.labelled import Labelled
from nengo_dl.benchmarks.lmu import memory_matrices
from nengo_dl.dists import Glorot
from nengo_dl.simulator import Simulator

MINIBATCH_SIZE = 100


@cache
def mnist_images() -> Labelled:
    """Return the handwritten digits of MNIST: 60,000 to train, 10,000 to test.

    Keras downloads them (11 MB) when they are asked for the first time, and keeps them
    in the folder ``~/.keras/datasets``, or ``$KERAS_HOME/datasets``.

    Returns
    -------
    Labelled
        Images of shape (28, 28, 1) in single precision, brightness from 0 to 1.

    Raises
    ------
    ConnectionError
        If they are not there, and cannot be downloaded.
    """
    try:
        train, test = keras.datasets.mnist.load_data()
    except Exception as error:  # Keras raises a plain Exception
        raise ConnectionError(
            f"Keras cannot download the images of MNIST: {error}. Connect the machine "
            "to the internet, or copy the file mnist.npz of a machine that has it to "
            "~/.keras/datasets"
        ) from error
    images = [(x[..., None] / 255).astype(np.float32) for x, _ in (train, test)]
    labels = [y.astype(np.int64) for _, y in (train, test)]
    return Labelled(images[0], labels[0], images[1], labels[1])


class PixelNetwork(nengo.Network):
    """A Legendre Memory Unit that says at the end of a picture what it shows.

    The memory sees the pixels, and neurons (hyperbolic tangents) see the memory.
    Weights from pixels to neurons, among neurons, and from neurons and memory to the
    memory start at 0, as in the publication. Biases are at the neurons here, and at the
    outputs there.

    Parameters
    ----------
    n_pixels : int
        Steps of a picture, which is also the window of the memory.
    order : int
        Size of the memory.
    n_units : int
        Number of neurons.
    n_classes : int
        Number of outputs.
    seed : int
        Of the weights.

    Attributes
    ----------
    pixel : nengo.Node
        Presents a pixel in each step.
    answer : nengo.Probe
        Outputs in the last step.
    """

    def __init__(
        self,
        n_pixels: int = 784,
        order: int = 256,
        n_units: int = 212,
        n_classes: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        with self:
            config.configure_settings(
                dtype="float32", keep_history=False, trainable=None
            )
            self.config[nengo.Connection].synapse = None
            self.pixel = nengo.Node([0], label="pixel")
            encoded = nengo.Node(size_in=1, label="encoded")
            memory = nengo.Node(size_in=order, label="memory")
            units = nengo.Ensemble(
                n_units,
                1,
                neuron_type=nengo.Tanh(tau_ref=1),
                gain=nengo.dists.Choice([1.0]),
                bias=nengo.dists.Choice([0.0]),
            ).neurons
            output = nengo.Node(size_in=n_classes, label="output")

            again, into = memory_matrices(n_pixels, order)
            keeps = nengo.Connection(memory, memory, transform=again, synapse=0)
            enters = nengo.Connection(encoded, memory, transform=into)
            for connection in (keeps, enters):
                self.config[connection].trainable = False

            unknown = np.zeros((n_units, 1))
            nengo.Connection(self.pixel, encoded, transform=np.ones((1, 1)))
            nengo.Connection(units, encoded, transform=unknown.T, synapse=0)
            nengo.Connection(memory, encoded, transform=np.zeros((1, order)), synapse=0)
            nengo.Connection(self.pixel, units, transform=unknown)
            nengo.Connection(memory, units, transform=Glorot())
            nengo.Connection(
                units, units, transform=np.zeros((n_units, n_units)), synapse=0
            )
            nengo.Connection(units, output, transform=Glorot())
            self.answer = nengo.Probe(output, label="answer")


def psmnist_lmu(
    seed: int = 0, n_epochs: int = 10, data: Labelled | None = None
) -> dict[str, float]:
    """Train a Legendre Memory Unit on the pixels of MNIST in a random order.

    Parameters
    ----------
    seed : int
        Of weights and order of items. The order of pixels is the same for all seeds.
    n_epochs : int
        How often each training image is seen.
    data : Labelled, optional
        Other images than those of MNIST.

    Returns
    -------
    dict of {str: float}
        ``rates (%)``, the share of test images that are recognised.

    Raises
    ------
    ConnectionError
        If MNIST is not there, and cannot be downloaded.
    """
    data = mnist_images() if data is None else data
    n_pixels = int(np.prod(data.train.shape[1:]))
    order = np.random.RandomState(0).permutation(n_pixels)
    train, test = (
        images.reshape(len(images), n_pixels, 1)[:, order]
        for images in (data.train, data.test)
    )
    net = PixelNetwork(n_pixels, seed=seed)
    with Simulator(
        net, minibatch_size=MINIBATCH_SIZE, seed=seed, progress_bar=False
    ) as sim:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        sim.compile(keras.optimizers.Adam(), loss={net.answer: loss})
        labels = data.train_labels[:, None, None]
        sim.fit({net.pixel: train}, {net.answer: labels}, epochs=n_epochs, verbose=0)
        wanted = np.eye(net.answer.size_in)[data.test_labels[:, None]]
        wrong = sim.loss(
            {net.pixel: test, net.answer: wanted},
            {net.answer: share_of_errors},
            training=True,
            progress_bar=False,
        )
    return {"rates (%)": 100 * (1 - float(wrong))}
