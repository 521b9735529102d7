"""Networks whose neurons compute functions, remember and select."""

from __future__ import annotations

import nengo
import numpy as np
from nengo.neurons import NeuronType


def two_ensembles(n_neurons: int = 100, seed: int = 0) -> nengo.Network:
    """Return a Node that feeds a chain of two ensembles: an ordinary small script."""
    with nengo.Network(seed=seed) as net:
        stimulus = nengo.Node(lambda t: np.sin(8 * t))
        first = nengo.Ensemble(n_neurons, 1)
        second = nengo.Ensemble(n_neurons, 1)
        nengo.Connection(stimulus, first)
        nengo.Connection(first, second, function=np.square)
        nengo.Probe(second, synapse=0.01)
    return net


def integrator(
    dimensions: int = 128,
    neurons_per_d: int = 100,
    neuron_type: NeuronType | None = None,
    seed: int = 0,
) -> nengo.Network:
    """Return ensembles that integrate a vector, one for each dimension.

    Parameters
    ----------
    dimensions : int
        Size of the vector.
    neurons_per_d : int
        Neurons of each ensemble.
    neuron_type : nengo.neurons.NeuronType, optional
        Their type; LIF by default.
    seed : int
        Of the network.

    Returns
    -------
    nengo.Network

    Examples
    --------
    >>> from nengo_dl.benchmarks import integrator
    >>> integrator(dimensions=4, neurons_per_d=10).n_neurons
    40
    """
    tau = 0.1
    with network(neuron_type, seed) as net:
        memory = nengo.networks.EnsembleArray(neurons_per_d, dimensions)
        stimulus = nengo.Node([0.1] * dimensions)
        nengo.Connection(stimulus, memory.input, transform=tau, synapse=tau)
        nengo.Connection(memory.output, memory.input, synapse=tau)
        nengo.Probe(memory.output, synapse=0.03)
    return net


def basal_ganglia(
    dimensions: int = 16,
    neurons_per_d: int = 100,
    neuron_type: NeuronType | None = None,
    seed: int = 0,
) -> nengo.Network:
    """Return Nengo's model of the basal ganglia, which selects the largest input.

    Parameters
    ----------
    dimensions : int
        Number of inputs.
    neurons_per_d : int
        Neurons of each ensemble.
    neuron_type : nengo.neurons.NeuronType, optional
        Their type; LIF by default.
    seed : int
        Of the network.

    Returns
    -------
    nengo.Network

    Examples
    --------
    >>> from nengo_dl.benchmarks import basal_ganglia
    >>> basal_ganglia(dimensions=3, neurons_per_d=10).n_neurons  # five nuclei
    150
    """
    with network(neuron_type, seed) as net:
        selector = nengo.networks.BasalGanglia(dimensions, neurons_per_d)
        utilities = np.linspace(0.2, 1, dimensions)
        nengo.Connection(nengo.Node(utilities), selector.input)
        nengo.Probe(selector.output, synapse=0.03)
    return net


def python_loop(n_neurons: int = 100, seed: int = 0) -> nengo.Network:
    """Return an ensemble in a closed loop with a Python function."""
    position = np.zeros(1)

    def environment(t: float, x: np.ndarray) -> np.ndarray:
        position[:] += 0.001 * (x - position)
        return np.sin(t) - position

    with nengo.Network(seed=seed) as net:
        world = nengo.Node(environment, size_in=1)
        controller = nengo.Ensemble(n_neurons, 1)
        nengo.Connection(world, controller)
        nengo.Connection(controller, world)
        nengo.Probe(controller, synapse=0.01)
    return net


def network(neuron_type: NeuronType | None, seed: int) -> nengo.Network:
    """Return an empty network with a type of neurons."""
    net = nengo.Network(seed=seed)
    net.config[nengo.Ensemble].neuron_type = neuron_type or nengo.LIF()
    return net
