import nengo
import numpy as np
import pytest

from tests.helpers import assert_matches_nengo, rest_with_everything, simulate


def probe_everything(obj, **options):
    for name in obj.probeable:
        nengo.Probe(obj, name, label=f"{type(obj).__name__} {name}", **options)


@pytest.mark.parametrize("sample_every", rest_with_everything([0.003, None]))
def test_every_attribute_of_every_object(sample_every):
    with nengo.Network(seed=0) as net:
        node = nengo.Node(lambda t: np.sin(100 * t))
        ensemble = nengo.Ensemble(20, 1, neuron_type=nengo.LIF())
        connection = nengo.Connection(node, ensemble)
        out = nengo.Connection(ensemble, nengo.Node(size_in=1), synapse=0.02)
        probe_everything(node, sample_every=sample_every)
        probe_everything(ensemble, sample_every=sample_every)
        probe_everything(ensemble.neurons, sample_every=sample_every)
        nengo.Probe(connection, "output", sample_every=sample_every)
        nengo.Probe(connection, "input", sample_every=sample_every)
        probe_everything(out, sample_every=sample_every)
    assert len(net.probes) >= 12
    assert_matches_nengo(net, steps=31, unroll=(1, 2))


@pytest.mark.parametrize(
    "rule, pre, post",
    [
        (nengo.PES(learning_rate=1e-2), "a", "b"),
        (nengo.RLS(learning_rate=1e-2), "a", "b"),
        (nengo.Voja(learning_rate=1e-2), "a", "b"),
        (nengo.BCM(learning_rate=1e-7), "a.neurons", "b.neurons"),
        (nengo.Oja(learning_rate=1e-4), "a.neurons", "b.neurons"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else None,
)
def test_every_attribute_of_learning_rules(rule, pre, post):
    with nengo.Network(seed=0) as net:
        node = nengo.Node(lambda t: np.sin(100 * t) + 0.5)
        a = nengo.Ensemble(8, 1, neuron_type=nengo.LIFRate())
        b = nengo.Ensemble(7, 1, neuron_type=nengo.LIFRate())
        nengo.Connection(node, a)
        nengo.Connection(node, b)
        ends = {"a": a, "b": b, "a.neurons": a.neurons, "b.neurons": b.neurons}
        transform = np.full((7, 8), 0.01) if "neurons" in pre else 1
        connection = nengo.Connection(
            ends[pre], ends[post], transform=transform, learning_rule_type=rule
        )
        if connection.learning_rule.size_in:
            nengo.Connection(node, connection.learning_rule)
        probe_everything(connection.learning_rule)
        nengo.Probe(connection, "weights", label="weights", sample_every=0.005)
        nengo.Probe(b, "scaled_encoders", label="encoders")
    assert_matches_nengo(net, brief=True)


@pytest.mark.parametrize(
    "sample_every", rest_with_everything([0.0025, 0.0005, 0.0049, 0.001, 0.02], 3)
)
def test_sampling_intervals(sample_every):
    with nengo.Network(seed=0) as net:
        node = nengo.Node(lambda t: [t, 1])
        nengo.Probe(node, sample_every=sample_every, label="sampled")
        nengo.Probe(node)
    assert_matches_nengo(net, steps=43, dtypes=("float64",), minibatch=(None, 2))


def test_interval_longer_than_the_run():
    with nengo.Network() as net:
        p = nengo.Probe(nengo.Node(lambda t: t), sample_every=0.5)
    sim = simulate(net, 43)
    assert len(sim.data[p]) == 0


def test_several_probes_of_one_signal_and_slices():
    with nengo.Network(seed=0) as net:
        node = nengo.Node(lambda t: [t, np.sin(t), np.cos(t)])
        for part in (node, node[1], node[::-1], node[[2, 0]]):
            nengo.Probe(part)
            nengo.Probe(part, synapse=0.01, sample_every=0.002)
    assert_matches_nengo(net)


def test_probe_of_a_solved_connection_with_weights():
    with nengo.Network(seed=0) as net:
        a, b = (nengo.Ensemble(6, 1, neuron_type=nengo.LIFRate()) for _ in range(2))
        solver = nengo.solvers.LstsqL2(weights=True)
        connection = nengo.Connection(a, b, solver=solver)
        nengo.Probe(connection, "weights")
        nengo.Probe(connection, "output", synapse=0.01)
        nengo.Probe(a, solver=nengo.solvers.Lstsq())
    assert_matches_nengo(net, brief=True)
