"""The networks that the benchmarks run; also for use from Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nengo
import numpy as np


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


def random_ensembles(
    n_ensembles: int = 50, n_neurons: int = 100, density: float = 0.1, seed: int = 0
) -> nengo.Network:
    """Return ensembles of which each pair is connected with some probability."""
    rng = np.random.RandomState(seed)
    with nengo.Network(seed=seed) as net:
        ensembles = [nengo.Ensemble(n_neurons, 1) for _ in range(n_ensembles)]
        for pre in ensembles:
            for post in ensembles:
                if rng.uniform() < density:
                    nengo.Connection(pre, post)
        for ensemble in ensembles:
            nengo.Probe(ensemble)
    return net


def circular_convolution(
    dimensions: int = 64, n_neurons: int = 50, seed: int = 0
) -> nengo.Network:
    """Return Nengo's network that binds two vectors by circular convolution."""
    rng = np.random.RandomState(seed)
    with nengo.Network(seed=seed) as net:
        bind = nengo.networks.CircularConvolution(n_neurons, dimensions)
        for target in (bind.input_a, bind.input_b):
            vector = rng.randn(dimensions)
            nengo.Connection(nengo.Node(vector / np.linalg.norm(vector)), target)
        nengo.Probe(bind.output, synapse=0.03)
    return net


def integrator(
    dimensions: int = 128, n_neurons: int = 100, seed: int = 0
) -> nengo.Network:
    """Return ensembles that integrate a vector, one for each dimension."""
    tau = 0.1
    with nengo.Network(seed=seed) as net:
        memory = nengo.networks.EnsembleArray(n_neurons, dimensions)
        stimulus = nengo.Node([0.1] * dimensions)
        nengo.Connection(stimulus, memory.input, transform=tau, synapse=tau)
        nengo.Connection(memory.output, memory.input, synapse=tau)
        nengo.Probe(memory.output, synapse=0.03)
    return net


def basal_ganglia(dimensions: int = 16, seed: int = 0) -> nengo.Network:
    """Return Nengo's network that selects the largest of its inputs."""
    with nengo.Network(seed=seed) as net:
        selector = nengo.networks.BasalGanglia(dimensions)
        utilities = np.linspace(0.2, 1, dimensions)
        nengo.Connection(nengo.Node(utilities), selector.input)
        nengo.Probe(selector.output, synapse=0.03)
    return net


def pes(dimensions: int = 64, n_neurons: int = 20, seed: int = 0) -> nengo.Network:
    """Return an ensemble that learns to pass on a vector."""
    with nengo.Network(seed=seed) as net:
        stimulus = nengo.Node(np.linspace(-0.5, 0.5, dimensions))
        pre = nengo.Ensemble(n_neurons * dimensions, dimensions)
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


NETWORKS: dict[str, Callable[[], nengo.Network]] = {
    "two_ensembles": two_ensembles,
    "two_ensembles_1000": lambda: two_ensembles(1000),
    "basal_ganglia": basal_ganglia,
    "integrator": integrator,
    "circular_convolution": circular_convolution,
    "pes": pes,
    "random_ensembles": random_ensembles,
    "python_loop": python_loop,
}

#: settings of `measure` that some of them have of their own
SETTINGS: dict[str, dict[str, Any]] = {}

#: those that take seconds, not minutes
BY_DEFAULT = tuple(NETWORKS)
