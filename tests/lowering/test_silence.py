"""Operators whose input never changes, and so has no batch axis."""

import nengo
import numpy as np
import pytest
import scipy.sparse
from nengo.builder.neurons import SimNeurons
from nengo.builder.signal import Signal

from tests.helpers import assert_matches_nengo
from tests.operators import assert_operators_match, random_signal

SYNAPSES = [
    None,
    0,
    0.01,
    nengo.LinearFilter([2], [1]),
    nengo.Alpha(0.01),
    nengo.LinearFilter([0.02, 0], [0.02, 1]),
    nengo.LinearFilter([1], [0.02, 1], method="bilinear"),
    nengo.synapses.Triangle(0.004),
]
TRANSFORMS = {
    "none": 1,
    "scalar": 2.0,
    "vector": [1, 2, 3],
    "matrix": np.arange(9).reshape(3, 3),
    "sparse": nengo.Sparse((3, 3), init=scipy.sparse.eye(3, format="csr")),
    "convolution": nengo.Convolution(1, (5, 1), kernel_size=(3,), strides=(1,)),
}


def silent(size):
    """A Node that passes on what nobody gives it."""
    return nengo.Node(size_in=size)


def assert_synapses_match(synapses):
    with nengo.Network(seed=0) as net:
        labels = []
        for synapse in synapses:
            sink = nengo.Node(size_in=3)
            nengo.Connection(silent(3), sink, synapse=synapse)
            labels += [f"sink of {synapse}", f"filtered by {synapse}"]
            nengo.Probe(sink, label=labels[-2])
            nengo.Probe(sink, synapse=synapse, label=labels[-1])
    assert_matches_nengo(net, steps=3, silent=labels)


def test_synapses_of_all_forms_together():
    assert_synapses_match(SYNAPSES)


@pytest.mark.everything
@pytest.mark.parametrize("synapse", SYNAPSES, ids=str)
def test_synapses(synapse):
    assert_synapses_match([synapse])


TARGETS = ["node", "ensemble", "neurons"]


@pytest.mark.parametrize(
    "transform, target",
    [
        # each transform with one target, and each target with two of them
        pytest.param(name, target, marks=() if i % 3 == k else pytest.mark.everything)
        for i, name in enumerate(TRANSFORMS)
        for k, target in enumerate(TARGETS)
    ],
)
def test_transforms(transform, target):
    with nengo.Network(seed=0) as net:
        ensemble = nengo.Ensemble(3, 3, neuron_type=nengo.LIFRate())
        targets = {"node": nengo.Node(size_in=3), "ensemble": ensemble}
        sink = targets.get(target, ensemble.neurons)
        source = silent(5 if transform == "convolution" else 3)
        nengo.Connection(source, sink, transform=TRANSFORMS[transform], synapse=None)
        nengo.Probe(sink, label="sink")
        nengo.Probe(ensemble.neurons, label="neurons")
    assert_matches_nengo(
        net,
        steps=3,
        dtypes=("float64",),
        minibatch=(None, 2),
        silent=("sink", "neurons"),
        brief=True,
    )


@pytest.mark.parametrize("rule", [nengo.PES(), nengo.RLS(), nengo.Voja()], ids=str)
def test_learning_signals(rule):
    with nengo.Network(seed=0) as net:
        a, b = (nengo.Ensemble(5, 2, neuron_type=nengo.LIFRate()) for _ in range(2))
        nengo.Connection(silent(2), a)
        connection = nengo.Connection(a, b, learning_rule_type=rule)
        size = connection.learning_rule.size_in
        nengo.Connection(silent(size), connection.learning_rule, synapse=None)
        nengo.Probe(connection, "weights")
        nengo.Probe(b, "scaled_encoders")
    assert_matches_nengo(net, steps=5, brief=True)


def test_functions():
    with nengo.Network(seed=0) as net:
        node = nengo.Node(lambda t, x: x + t, size_in=2)
        nengo.Connection(silent(2), node, synapse=None)
        nengo.Probe(node)
        direct = nengo.Ensemble(1, 2, neuron_type=nengo.Direct())
        nengo.Connection(silent(2), direct, synapse=None)
        sink = nengo.Node(size_in=1)
        nengo.Connection(direct, sink, function=lambda x: x[0] + 1)
        nengo.Probe(sink)
    assert_matches_nengo(net, brief=True)


@pytest.mark.parametrize(
    "neuron_type",
    [
        nengo.RectifiedLinear(),
        nengo.Sigmoid(),
        nengo.LIFRate(),
        nengo.LIF(),
        nengo.SpikingRectifiedLinear(),
        nengo.AdaptiveLIF(),
    ],
    ids=lambda t: type(t).__name__,
)
def test_currents(neuron_type):
    rng = np.random.RandomState(0)
    current = Signal(np.linspace(-1, 900, 4))
    output = random_signal(rng, 4)
    state = {name: Signal(np.zeros(4), name=name) for name in neuron_type.state}
    operators = [SimNeurons(neuron_type, current, output, state)]
    assert_operators_match(operators, [output], steps=5)


@pytest.mark.parametrize("sample_every", [None, 0.002])
def test_probes(sample_every):
    with nengo.Network(seed=0) as net:
        ensemble = nengo.Ensemble(4, 2)
        nengo.Probe(ensemble, "scaled_encoders", sample_every=sample_every)
        nengo.Probe(silent(2), sample_every=sample_every, label="silent")
    assert_matches_nengo(net, silent=("silent",), brief=True)
