"""Small networks and data for tests of training in Keras' way."""

from contextlib import contextmanager

import nengo
import numpy as np

import nengo_dl

BATCH = 4


def feed_forward(jit_compile=False, **settings):
    """A network without memory, of two outputs; XLA only where it matters."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(
            dtype="float64", jit_compile=jit_compile, **settings
        )
        net.config[nengo.Connection].synapse = None
        net.config[nengo.Ensemble].neuron_type = nengo.RectifiedLinear()
        stimulus = nengo.Node([0, 0], label="in")
        a = nengo.Ensemble(12, 2, label="a", seed=1)
        b = nengo.Ensemble(8, 1, label="b", seed=2)
        nengo.Connection(stimulus, a)
        nengo.Connection(a, b, function=lambda x: x[0] * x[1], seed=3)
        nengo.Probe(b, label="out")
        nengo.Probe(a, label="mid")
    return net


def with_memory(jit_compile=False, neuron_type=None, **settings):
    """A network of spiking neurons and synapses, of one output; XLA as above."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(
            dtype="float64", jit_compile=jit_compile, **settings
        )
        stimulus = nengo.Node([0, 0], label="in")
        neurons = nengo.LIF() if neuron_type is None else neuron_type
        a = nengo.Ensemble(12, 2, label="a", seed=1, neuron_type=neurons)
        nengo.Connection(stimulus, a, synapse=None)
        nengo.Connection(a, a, synapse=0.01, seed=2)
        nengo.Probe(a, label="out", synapse=0.005)
    return net


def data(n_items=12, n_steps=1, seed=0):
    """Pairs of numbers, their products, and the pairs again."""
    x = np.random.RandomState(seed).uniform(-1, 1, (n_items, n_steps, 2))
    return x, x[..., :1] * x[..., 1:]


@contextmanager
def simulator(net, minibatch_size=BATCH, seed=0, **options):
    """A simulator that shows no progress."""
    with nengo_dl.Simulator(
        net, minibatch_size=minibatch_size, seed=seed, progress_bar=False, **options
    ) as sim:
        yield sim


def parameters(sim):
    """All parameters, as arrays."""
    return [variable.numpy() for variable in sim.keras_model.variables]


def assert_same(ours, expected, tolerance=1e-12):
    """Compare lists of arrays, of the same shapes."""
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)
