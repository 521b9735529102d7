"""Networks that learn while they run."""

from __future__ import annotations

import nengo
import numpy as np
from nengo.neurons import NeuronType

from nengo_dl.benchmarks.dynamics import network


def pes(
    dimensions: int = 64,
    neurons_per_d: int = 20,
    neuron_type: NeuronType | None = None,
    seed: int = 0,
) -> nengo.Network:
    """Return an ensemble that learns to pass on a vector.

    Parameters
    ----------
    dimensions : int
        Size of the vector.
    neurons_per_d : int
        The ensemble has as many neurons for each dimension.
    neuron_type : nengo.neurons.NeuronType, optional
        Their type; LIF by default.
    seed : int
        Of the network.

    Returns
    -------
    nengo.Network

    Examples
    --------
    >>> from nengo_dl.benchmarks import pes
    >>> pes(dimensions=4, neurons_per_d=10).n_neurons
    40
    """
    with network(neuron_type, seed) as net:
        stimulus = nengo.Node(np.linspace(-0.5, 0.5, dimensions))
        pre = nengo.Ensemble(neurons_per_d * dimensions, dimensions)
        post = nengo.Node(size_in=dimensions)
        error = nengo.Node(size_in=dimensions)
        nengo.Connection(stimulus, pre)
        learned = nengo.Connection(
            pre, post, function=np.zeros_like, learning_rule_type=nengo.PES(1e-4)
        )
        nengo.Connection(post, error)
        nengo.Connection(stimulus, error, transform=-1)
        nengo.Connection(error, learned.learning_rule)
        nengo.Probe(post, synapse=0.03)
    return net
