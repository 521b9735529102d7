"""Legendre Memory Units: recurrent networks with a memory that is not learned.

References
----------
A. R. Voelker, I. Kajić and C. Eliasmith, Legendre Memory Units: continuous-time
representation in recurrent neural networks, *NeurIPS*, 2019. Equations 1 and 2 are the
memory, 3 to 5 the rest.
"""

from __future__ import annotations

from typing import Any

import keras
import nengo
import numpy as np
import tensorflow as tf

from nengo_dl import config
from nengo_dl.dists import Glorot


def lmu(
    theta: int = 784,
    input_d: int = 1,
    native_nengo: bool = False,
    dtype: str = "float32",
    order: int = 256,
    n_units: int = 212,
    seed: int = 0,
) -> nengo.Network:
    """Return a Legendre Memory Unit with a window of some time steps.

    Parameters
    ----------
    theta : int
        Length of the window, in time steps.
    input_d : int
        Size of the input.
    native_nengo : bool
        Whether the unit consists of Nodes, neurons and Connections, and is shown a
        step of the input in each time step. Else it is a layer of Keras in a
        TensorNode, which is shown ``theta`` steps of input at once.
    dtype : str
        Type of all numbers.
    order : int
        Size of the memory: the number of polynomials that represent the window.
    n_units : int
        Hidden units.
    seed : int
        Of the weights.

    Returns
    -------
    nengo.Network

    Examples
    --------
    >>> from nengo_dl.benchmarks import lmu
    >>> net = lmu(10, 2, native_nengo=True, order=4, n_units=3)
    >>> net.n_neurons, net.all_probes[0].size_in
    (3, 3)
    """
    with nengo.Network(seed=seed) as net:
        config.configure_settings(dtype=dtype)
        if native_nengo:
            _native(theta, input_d, order, n_units)
        else:
            _as_layer(theta, input_d, order, n_units, dtype)
    return net


def memory_matrices(theta: int, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how the memory changes in a time step: ``m' = A m + B u``.

    Parameters
    ----------
    theta : int
        Length of the window, in time steps.
    order : int
        Number of polynomials.

    Returns
    -------
    a : np.ndarray, shape (order, order)
        Equation 1 for a step in which the input is held.
    b : np.ndarray, shape (order, 1)
        The same.
    """
    i, j = np.mgrid[:order, :order]
    scale = (2 * i + 1) / theta
    a = scale * np.where(i < j, -1, (-1.0) ** (i - j + 1))
    b = scale[:, :1] * (-1.0) ** i[:, :1]
    # the exponential of both together gives the integral over the step as well
    together = np.block([[a, b], [np.zeros((1, order + 1))]])
    exponential = tf.linalg.expm(together).numpy()
    return exponential[:order, :order], exponential[:order, order:]


def _native(theta: int, input_d: int, order: int, n_units: int) -> None:
    a, b = memory_matrices(theta, order)
    one_step = nengo.synapses.Lowpass(0)  # what is read is of the step before
    net = nengo.Network.context[-1]
    net.config[nengo.Connection].synapse = None
    net.config[nengo.Connection].transform = Glorot()
    stimulus = nengo.Node(nengo.processes.WhiteSignal(1.0, high=50), size_out=input_d)
    encoded = nengo.Node(size_in=1)
    memory = nengo.Node(size_in=order)
    hidden = nengo.Ensemble(
        n_units,
        1,
        neuron_type=nengo.Tanh(tau_ref=1),
        gain=nengo.dists.Choice([1.0]),
        bias=nengo.dists.Choice([0.0]),
    ).neurons
    nengo.Connection(stimulus, encoded)
    nengo.Connection(hidden, encoded, synapse=one_step)
    nengo.Connection(encoded, memory, transform=b)
    nengo.Connection(memory, memory, transform=a, synapse=one_step)
    nengo.Connection(stimulus, hidden)
    nengo.Connection(memory, hidden)
    nengo.Connection(hidden, hidden, synapse=one_step)
    nengo.Probe(hidden)


def _as_layer(theta: int, input_d: int, order: int, n_units: int, dtype: str) -> None:
    from nengo_dl.layers import Layer

    window = np.random.RandomState(0).uniform(-1, 1, size=theta * input_d)
    layer = keras.layers.RNN(Cell(theta, order, n_units, dtype=dtype), dtype=dtype)
    nengo.Probe(Layer(layer)(nengo.Node(window), shape_in=(theta, input_d)))


class Cell(keras.layers.Layer):
    """What a Legendre Memory Unit does in a time step, for `keras.layers.RNN`.

    Parameters
    ----------
    theta : int
        Length of the window, in time steps.
    order : int
        Size of the memory.
    n_units : int
        Hidden units.
    **options
        For `keras.layers.Layer`.
    """

    def __init__(self, theta: int, order: int, n_units: int, **options: Any) -> None:
        super().__init__(**options)
        self.theta, self.order, self.n_units = theta, order, n_units
        self.state_size = [n_units, order]
        self.output_size = n_units

    def build(self, shape: tuple[int, ...]) -> None:
        """Make the weights."""
        sizes = {"input": shape[-1], "hidden": self.n_units, "memory": self.order}
        self.encoders = [
            self.add_weight(shape=(sizes[name], 1), name=f"{name}_encoders")
            for name in ("input", "hidden")
        ]
        self.kernels = [
            self.add_weight(shape=(size, self.n_units), name=f"{name}_kernel")
            for name, size in sizes.items()
        ]
        a, b = memory_matrices(self.theta, self.order)
        self.a, self.b = a.T.astype(self.dtype), b.T.astype(self.dtype)

    def call(self, x: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        """Return the hidden units, and both states.

        Parameters
        ----------
        x : tf.Tensor, shape (batch, input_d)
            The input of the step.
        states : list of tf.Tensor, shapes (batch, n_units) and (batch, order)
            Hidden units and memory after the step before.
        """
        hidden, memory = states
        encoded = x @ self.encoders[0] + hidden @ self.encoders[1]
        memory = memory @ self.a + encoded @ self.b
        parts = zip((x, hidden, memory), self.kernels, strict=True)
        hidden = keras.ops.tanh(sum(part @ kernel for part, kernel in parts))
        return hidden, [hidden, memory]
