"""Small networks that can be exported."""

import nengo
import numpy as np
import tensorflow as tf

import nengo_dl


def two_layers():
    """Return a recurrent network with most of what Nengo's users write."""
    with nengo.Network(seed=0) as net:
        net.x = nengo.Node(np.zeros(2), label="x")
        constant = nengo.Node([0.3])
        a = nengo.Ensemble(30, 2, label="a")
        b = nengo.Ensemble(20, 2, neuron_type=nengo.AdaptiveLIF(), label="b")
        nengo.Connection(net.x, a)
        nengo.Connection(constant, a[0], synapse=None)
        nengo.Connection(a, b, synapse=nengo.Alpha(0.01))
        nengo.Connection(b, a, transform=0.3)
        weights = np.random.RandomState(0).uniform(-1e-3, 1e-3, (20, 30))
        nengo.Connection(a.neurons, b.neurons, transform=weights)
        net.decoded = nengo.Probe(b, synapse=0.05, label="decoded")
        net.spikes = nengo.Probe(a.neurons, label="spikes")
        net.last = nengo.Probe(a, synapse=0.02, label="last")
        nengo_dl.configure_settings(keep_history=True)
        net.config[net.last].keep_history = False
    return net


def classifier():
    """Return two layers of spiking neurons, with matrices that are worth 8 bits."""
    rng = np.random.RandomState(0)
    with nengo.Network(seed=0) as net:
        x = nengo.Node(np.zeros(64), label="x")
        layers = [
            nengo.Ensemble(n, 1, gain=np.ones(n), bias=np.zeros(n)).neurons
            for n in (128, 64)
        ]
        out = nengo.Node(size_in=10)
        weights = [rng.uniform(-a, a, s) for a, s in WEIGHTS]
        nengo.Connection(x, layers[0], transform=weights[0], synapse=None)
        nengo.Connection(*layers, transform=weights[1], synapse=0.005)
        nengo.Connection(layers[1], out, transform=weights[2], synapse=0.005)
        nengo.Probe(out, synapse=0.02, label="y")
        nengo.Probe(layers[1], label="spikes")
    return net


#: largest weight and shape of each matrix of the classifier
WEIGHTS = ((1.5, (128, 64)), (0.02, (64, 128)), (0.01, (10, 64)))


def data_of(net, n_items, n_steps):
    """Return values for the Nodes without inputs, by Node."""
    rng = np.random.RandomState(1)
    return {
        node: rng.uniform(-1, 1, (n_items, n_steps, node.size_out)).astype(np.float32)
        for node in net.all_nodes
        if node.size_in == 0 and node.size_out and node.label != "tensors"
    }


def _between(connect, n_neurons=20, **options):
    """Return a function that makes a network: a Node, two ensembles, a Probe."""

    def make():
        with nengo.Network(seed=1) as net:
            x = nengo.Node([0.0], label="x")
            a = nengo.Ensemble(n_neurons, 1, label="a", **options)
            b = nengo.Ensemble(n_neurons, 1, label="b")
            nengo.Connection(x, a, synapse=None)
            nengo.Probe(b, synapse=0.01)
            nengo.Probe(a.neurons, synapse=0.01)
            connect(a, b)
        return net

    return make


def _rule(rule, **options):
    def connect(a, b):
        connection = nengo.Connection(a, b, learning_rule_type=rule, **options)
        if isinstance(rule, nengo.PES | nengo.RLS):
            nengo.Connection(a, connection.learning_rule)
        nengo.Probe(connection, "weights")

    return _between(connect)


def _convolution():
    with nengo.Network(seed=1) as net:
        x = nengo.Node(np.zeros(36), label="image")
        convolution = nengo.Convolution(3, (6, 6, 1), kernel_size=(3, 3))
        ones = np.ones(48)
        a = nengo.Ensemble(48, 1, gain=ones, bias=ones)
        nengo.Connection(x, a.neurons, transform=convolution, synapse=None)
        nengo.Probe(a.neurons, synapse=0.01)
        more = nengo.Node(size_in=2 * 16)
        convolution = nengo.Convolution(8, (4, 4, 3), strides=(2, 2), padding="same")
        nengo.Connection(a.neurons, more, transform=convolution)
        nengo.Probe(more)
    return net


def _tanh(t, x):
    return tf.tanh(x)


def _tensor_node():
    with nengo.Network(seed=1) as net:
        x = nengo.Node([0.1, 0.2], label="x")
        layer = nengo_dl.TensorNode(_tanh, shape_in=(2,), label="tensors")
        nengo.Connection(x, layer, synapse=None)
        nengo.Probe(layer)
    return net


def _sparse():
    def connect(a, b):
        rng = np.random.RandomState(0)
        places = np.stack([rng.permutation(20), rng.permutation(20)], 1)
        sparse = nengo.Sparse((20, 20), indices=places, init=rng.uniform(0, 1e-2, 20))
        nengo.Connection(a.neurons, b.neurons, transform=sparse)

    return _between(connect)


def _trained_attributes():
    """Return a network all of whose attributes are parameters."""
    with nengo.Network(seed=1) as net:
        x = nengo.Node([0.0], label="x")
        a = nengo.Ensemble(20, 1, neuron_type=nengo.AdaptiveLIF(), label="a")
        b = nengo.Ensemble(10, 1, neuron_type=nengo.LIFRate(), label="b")
        filtered = nengo.LinearFilter([1, 30], [0.0004, 0.03, 1])
        nengo.Connection(x, a, synapse=nengo_dl.Delay(2, longest=0.006))
        nengo.Connection(a, b, synapse=filtered)
        nengo.Connection(a, b, synapse=nengo.Alpha(0.01))
        nengo.Probe(b, synapse=0.01)
        nengo.Probe(a.neurons, synapse=0.01)
        nengo_dl.configure_settings(trainable=ATTRIBUTES)
    return net


#: all that trains
ATTRIBUTES = ["weights", "bias", "gain"]
ATTRIBUTES += ["tau_rc", "tau_ref", "tau_n", "inc_n", "tau", "delay"]


def _many(a, b):
    """Connect in many ways, so that operators are merged and signals cut."""
    nengo.Connection(a, b, function=lambda x: x**2)
    for i in range(10):
        nengo.Connection(a.neurons[i : i + 2], b.neurons[2 * i], transform=[[1e-3] * 2])
    nengo.Connection(b.neurons[::-2], a.neurons[::2], transform=1e-3)


def _connect(a, b):
    nengo.Connection(a, b)


def _synapse(synapse):
    return _between(lambda a, b: nengo.Connection(a, b, synapse=synapse))


def _neurons(neuron_type):
    return _between(_connect, neuron_type=neuron_type)


MATRIX = {
    "many": _between(_many),
    "trained attributes": _trained_attributes,
    "PES": _rule(nengo.PES(1e-3)),
    "convolution": _convolution,
    "sparse": _sparse(),
    "tensor node": _tensor_node,
    "BCM": _rule(nengo.BCM(1e-9), solver=nengo.solvers.LstsqL2(weights=True)),
    "Oja": _rule(nengo.Oja(1e-6), solver=nengo.solvers.LstsqL2(weights=True)),
    "Voja": _rule(nengo.Voja(1e-3)),
    "RLS": _rule(nengo.RLS(1e-3)),
    "no synapse": _synapse(None),
    "Triangle": _synapse(nengo.synapses.Triangle(0.005)),
    "LinearFilter": _synapse(nengo.LinearFilter([1], [0.0001, 0.02, 1])),
    **{
        type(neurons).__name__: _neurons(neurons)
        for neurons in (
            nengo.LIFRate(),
            nengo.AdaptiveLIFRate(),
            nengo.RectifiedLinear(),
            nengo.SpikingRectifiedLinear(),
            nengo.Sigmoid(),
            nengo.Tanh(),
            nengo.Izhikevich(),
            nengo.RegularSpiking(nengo.Sigmoid()),
            nengo_dl.SoftLIFRate(),
        )
    },
}
