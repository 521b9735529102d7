"""Networks that bind, remember and recognise vectors."""

from __future__ import annotations

import nengo
import numpy as np
from nengo.neurons import NeuronType

from nengo_dl.benchmarks.dynamics import network


def cconv(
    dimensions: int = 64,
    neurons_per_d: int = 50,
    neuron_type: NeuronType | None = None,
    seed: int = 0,
) -> nengo.Network:
    """Return Nengo's network for the circular convolution of two vectors.

    Parameters
    ----------
    dimensions : int
        Size of the vectors.
    neurons_per_d : int
        Neurons of each ensemble.
    neuron_type : nengo.neurons.NeuronType, optional
        Their type; LIF by default.
    seed : int
        Of network and vectors.

    Returns
    -------
    nengo.Network

    Examples
    --------
    >>> from nengo_dl.benchmarks import cconv
    >>> len(cconv(dimensions=4, neurons_per_d=10).all_probes)
    1
    """
    with network(neuron_type, seed) as net:
        bind = nengo.networks.CircularConvolution(neurons_per_d, dimensions)
        for target, vector in zip(
            (bind.input_a, bind.input_b), unit_vectors(2, dimensions, seed), strict=True
        ):
            nengo.Connection(nengo.Node(vector), target)
        nengo.Probe(bind.output, synapse=0.03)
    return net


def spa_memory(
    dimensions: int = 64,
    neurons_per_d: int = 50,
    neuron_type: NeuronType | None = None,
    n_pairs: int = 4,
    seed: int = 0,
) -> nengo.Network:
    """Return a memory of pairs of roles and fillers that can be asked for a filler.

    Each pair is shown for 0.2 s: the two vectors are bound by circular convolution, and
    added to what a memory with a recurrent connection holds. All the time, the content
    of the memory is unbound with the first role, and the answer cleaned up: of all
    fillers, the most similar one comes out.

    Parameters
    ----------
    dimensions : int
        Size of the vectors.
    neurons_per_d : int
        Neurons of each ensemble.
    neuron_type : nengo.neurons.NeuronType, optional
        Their type; LIF by default.
    n_pairs : int
        How many pairs are shown, in circles.
    seed : int
        Of network and vectors.

    Returns
    -------
    nengo.Network
        Its probes record the content of the memory and the filler that is recognised.

    References
    ----------
    C. Eliasmith, *How to Build a Brain*, Oxford University Press, 2013, chapter 4.

    Examples
    --------
    >>> from nengo_dl.benchmarks import spa_memory
    >>> [p.size_in for p in spa_memory(dimensions=4, neurons_per_d=10).all_probes]
    [4, 4]
    """
    vectors = unit_vectors(2 * n_pairs, dimensions, seed)
    roles, fillers = vectors[:n_pairs], vectors[n_pairs:]
    tau, shown_for = 0.1, 0.2  # s
    with network(neuron_type, seed) as net:
        bind = nengo.networks.CircularConvolution(neurons_per_d, dimensions)
        memory = nengo.networks.EnsembleArray(neurons_per_d, dimensions)
        unbind = nengo.networks.CircularConvolution(
            neurons_per_d, dimensions, invert_b=True
        )
        clean_up = nengo.networks.AssociativeMemory(fillers, n_neurons=neurons_per_d)

        for shown, target in ((roles, bind.input_a), (fillers, bind.input_b)):
            presented = nengo.processes.PresentInput(shown, presentation_time=shown_for)
            nengo.Connection(nengo.Node(presented), target)
        # a vector is in the memory with its own length when its time is over
        write = tau / shown_for
        nengo.Connection(bind.output, memory.input, transform=write, synapse=tau)
        nengo.Connection(memory.output, memory.input, synapse=tau)
        nengo.Connection(memory.output, unbind.input_a)
        nengo.Connection(nengo.Node(roles[0]), unbind.input_b)
        nengo.Connection(unbind.output, clean_up.input)

        nengo.Probe(memory.output, synapse=0.03, label="memory")
        nengo.Probe(clean_up.output, synapse=0.03, label="filler")
    return net


def unit_vectors(count: int, dimensions: int, seed: int) -> np.ndarray:
    """Return vectors of length 1 in random directions, shape (count, dimensions)."""
    vectors = np.random.RandomState(seed).randn(count, dimensions)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
