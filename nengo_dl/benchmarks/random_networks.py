"""Networks whose structure is random."""

from __future__ import annotations

import nengo
import numpy as np
from nengo.neurons import NeuronType

from nengo_dl.benchmarks.dynamics import network

#: ensembles of which something is recorded in the large model
N_PROBES = 10


def random_network(
    dimensions: int = 1,
    neurons_per_d: int = 100,
    neuron_type: NeuronType | None = None,
    n_ensembles: int = 50,
    connections_per_ensemble: int = 5,
    seed: int = 0,
) -> nengo.Network:
    """Return ensembles of which each is connected to some others, chosen at random.

    Parameters
    ----------
    dimensions : int
        Dimensions of each ensemble.
    neurons_per_d : int
        Each ensemble has as many neurons for each dimension.
    neuron_type : nengo.neurons.NeuronType, optional
        Their type; LIF by default.
    n_ensembles, connections_per_ensemble : int
        Number of ensembles, and of connections that leave each of them.
    seed : int
        Of network and structure.

    Returns
    -------
    nengo.Network

    Raises
    ------
    ValueError
        If there are fewer ensembles than connections that leave each of them.

    Examples
    --------
    >>> from nengo_dl.benchmarks import random_network
    >>> len(random_network(n_ensembles=4, connections_per_ensemble=2).connections)
    8
    """
    rng = np.random.RandomState(seed)
    if connections_per_ensemble > n_ensembles:
        raise ValueError(
            f"{connections_per_ensemble} connections cannot lead from an ensemble to "
            f"as many of {n_ensembles}; give a smaller connections_per_ensemble"
        )
    with network(neuron_type, seed) as net:
        ensembles = [
            nengo.Ensemble(neurons_per_d * dimensions, dimensions)
            for _ in range(n_ensembles)
        ]
        for pre in ensembles:
            for i in rng.choice(n_ensembles, connections_per_ensemble, replace=False):
                nengo.Connection(pre, ensembles[i])
        for ensemble in ensembles:
            nengo.Probe(ensemble)
    return net


def spaun(
    dimensions: int = 1,
    n_ensembles: int = 20_000,
    n_connections: int = 90_000,
    n_neurons: int = 50,
    seed: int = 0,
) -> nengo.Network:
    """Return a network of random structure that is as large as Spaun.

    Gains, biases, encoders and decoders are given, so that Nengo's builder solves for
    nothing; what takes time is the number of objects. It needs minutes to build, and
    gigabytes of memory.

    Parameters
    ----------
    dimensions : int
        Dimensions of each ensemble.
    n_ensembles, n_connections : int
        Number of ensembles, and of connections between them.
    n_neurons : int
        Neurons of each ensemble.
    seed : int
        Of all that is random.

    Returns
    -------
    nengo.Network

    References
    ----------
    C. Eliasmith et al., A large-scale model of the functioning brain, *Science* 338,
    2012. Only the size is that of the model described there.

    Examples
    --------
    >>> from nengo_dl.benchmarks import spaun
    >>> spaun(n_ensembles=20, n_connections=90).n_neurons
    1000
    """
    rng = np.random.RandomState(seed)
    points = np.zeros((1, dimensions))
    decoders = nengo.solvers.NoSolver(
        rng.uniform(-1, 1, size=(n_neurons, dimensions)) * 1e-3
    )

    def encoders() -> np.ndarray:
        vectors = rng.randn(n_neurons, dimensions)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    with nengo.Network(seed=seed) as net:
        ensembles = [
            nengo.Ensemble(
                n_neurons,
                dimensions,
                gain=rng.uniform(0.5, 2, n_neurons),
                bias=rng.uniform(0.6, 1.6, n_neurons),
                encoders=encoders(),
                eval_points=points,
            )
            for _ in range(n_ensembles)
        ]
        for pre, post in rng.randint(n_ensembles, size=(n_connections, 2)):
            nengo.Connection(
                ensembles[pre],
                ensembles[post],
                solver=decoders,
                eval_points=points,
                synapse=0.005,
            )
        for ensemble in ensembles[:N_PROBES]:
            nengo.Probe(ensemble, solver=decoders, synapse=0.01)
    return net
