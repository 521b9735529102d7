"""Large weights that learn, which are written part by part."""

import nengo
import numpy as np
import pytest
from nengo.builder import Signal

import nengo_dl
from nengo_dl.graph.roles import Role
from nengo_dl.lowering.in_place import parts_of
from nengo_dl.plan.layout import Block
from tests.helpers import rest_with_everything


def pes(n_connections):
    with nengo.Network(seed=0) as net:
        pre = nengo.Ensemble(640, 64, neuron_type=nengo.LIFRate())
        nengo.Connection(nengo.Node(np.linspace(-0.5, 0.5, 64)), pre)
        for _ in range(n_connections):
            post = nengo.Node(size_in=128 // n_connections)
            learned = nengo.Connection(
                pre,
                post,
                function=lambda x, n=post.size_in: np.zeros(n),
                learning_rule_type=nengo.PES(1e-4),
            )
            error = nengo.Node(np.linspace(-1, 1, post.size_in))
            nengo.Connection(error, learned.learning_rule)
            nengo.Probe(post)
            nengo.Probe(learned, "weights", sample_every=0.002)
    return net


def between_neurons(rule):
    with nengo.Network(seed=0) as net:
        pre = nengo.Ensemble(320, 1, neuron_type=nengo.LIFRate())
        post = nengo.Ensemble(300, 1, neuron_type=nengo.LIFRate())
        nengo.Connection(nengo.Node([0.5]), pre)
        learned = nengo.Connection(
            pre.neurons,
            post.neurons,
            transform=np.full((300, 320), 1e-3),
            learning_rule_type=rule,
        )
        nengo.Probe(post.neurons)
        nengo.Probe(learned, "weights", sample_every=0.002)
    return net


CASES = {
    "PES": lambda: pes(1),
    "two PES": lambda: pes(2),
    "Oja": lambda: between_neurons(nengo.Oja()),
    "BCM": lambda: between_neurons(nengo.BCM()),
}


@pytest.mark.parametrize("case", rest_with_everything(list(CASES), 3))
def test_weights_in_parts_learn_as_in_nengo(case):
    net = CASES[case]()
    with nengo.Simulator(net, progress_bar=False) as reference:
        reference.run(0.02)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        # in parts, and one of the steps by itself
        assert sim._program.step.parts
        sim.run_steps(19)
        sim.step()
    for probe in net.probes:
        expected = reference.data[probe]
        scale = np.abs(expected).max()
        assert scale > 0
        np.testing.assert_allclose(sim.data[probe], expected, atol=2e-5 * scale)


def test_where_they_are_written_as_a_whole():
    net = pes(1)
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        assert not sim._program.step.parts
    with net:
        nengo_dl.configure_settings(jit_compile=False)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        assert not sim._program.step.parts


def test_how_many_parts():
    def parts(*shape, role=Role.ONLINE, count=1):
        signals = tuple(Signal(np.zeros(shape)) for _ in range(count))
        return parts_of(Block("weights", role, "f", False, signals), 4)

    assert parts(64, 1280) == (2, 32, 1280)
    assert parts(33, 1280, count=2) == (2, 33, 1280)
    assert parts(64, 900) is None  # XLA leaves it whole
    assert parts(67, 1280) is None  # no equal parts
    assert parts(6400, 1280) is None  # threads pay
    assert parts(81920) is None  # no matrix
    assert parts(64, 1280, role=Role.STATE) is None
