"""Classifiers of images that run with spikes."""

from __future__ import annotations

import nengo
import numpy as np

from nengo_dl.benchmarks.classifiers import classifier
from nengo_dl.dists import Glorot

#: a picture of one channel
SHAPE = (28, 28, 1)
N_CLASSES = 10
#: channels of the two convolutions; kernels are of 3 x 3 and move by 2
CHANNELS = (8, 16)


def mlp(seed: int = 0) -> nengo.Network:
    """Return layers of 784, 128 and 10 units, of which the middle one spikes."""
    net, node, _ = classifier(n_steps=2, seed=seed)
    node.output = _image(seed).ravel()
    return net


def mnist(use_tensor_layer: bool = True, seed: int = 0) -> nengo.Network:
    """Return a convolutional classifier of images of 28 x 28 pixels, untrained.

    Two convolutions with LIF neurons behind each, and a dense layer.

    Parameters
    ----------
    use_tensor_layer : bool
        Whether convolutions and the dense layer are layers of Keras in TensorNodes.
        Else they are Nengo's Connections, and the network also runs in Nengo.
    seed : int
        Of weights and image.

    Returns
    -------
    nengo.Network

    Examples
    --------
    >>> from nengo_dl.benchmarks import mnist
    >>> net = mnist(use_tensor_layer=False)
    >>> [ensemble.n_neurons for ensemble in net.all_ensembles]
    [1352, 576]
    """
    with nengo.Network(seed=seed) as net:
        net.config[nengo.Connection].synapse = None
        net.config[nengo.Ensemble].gain = nengo.dists.Choice([3.0])
        net.config[nengo.Ensemble].bias = nengo.dists.Choice([1.0])
        net.config[nengo.Ensemble].neuron_type = nengo.LIF(amplitude=0.01)
        image = nengo.Node(_image(seed).ravel(), label="image")
        output = (_of_keras if use_tensor_layer else _of_nengo)(image)
        nengo.Probe(output, synapse=0.1)
    return net


def _of_keras(image: nengo.Node) -> nengo.Node:
    import keras

    from nengo_dl.layers import Layer

    x, shape = image, SHAPE
    for channels in CHANNELS:
        x = Layer(keras.layers.Conv2D(channels, 3, strides=2))(x, shape_in=shape)
        shape = x.shape_out
        x = Layer(nengo.LIF(amplitude=0.01))(x)
    return Layer(keras.layers.Dense(N_CLASSES))(x)


def _of_nengo(image: nengo.Node) -> nengo.Node:
    x, shape = image, SHAPE
    for channels in CHANNELS:
        transform = nengo.Convolution(
            channels, shape, strides=(2, 2), init=Glorot(), kernel_size=(3, 3)
        )
        shape = transform.output_shape.shape
        layer = nengo.Ensemble(transform.output_shape.size, 1)
        nengo.Connection(x, layer.neurons, transform=transform)
        x = layer.neurons
    output = nengo.Node(size_in=N_CLASSES)
    nengo.Connection(x, output, transform=Glorot())
    return output


def _image(seed: int) -> np.ndarray:
    return np.random.RandomState(seed).uniform(size=SHAPE)
