import nengo
import numpy as np
import pytest

from nengo_dl import Simulator
from tests.helpers import (
    assert_close,
    assert_matches_nengo,
    reference,
    rest_with_everything,
    simulate,
)


def learn(net, pre, post, target, learning_rate=1e-3, **options):
    with net:
        rule = nengo.PES(learning_rate=learning_rate, **options)
        connection = nengo.Connection(pre, post, learning_rule_type=rule)
        error = nengo.Node(size_in=post.size_in)
        nengo.Connection(post, error)
        nengo.Connection(target, error, transform=-1)
        nengo.Connection(error, connection.learning_rule)
        nengo.Probe(connection, "weights", sample_every=0.005)
        nengo.Probe(post, synapse=0.01)
    return connection


@pytest.mark.parametrize(
    "neuron_type", rest_with_everything([nengo.LIF(), nengo.LIFRate()]), ids=str
)
def test_one_rule(neuron_type):
    with nengo.Network(seed=0) as net:
        target = nengo.Node(lambda t: [np.sin(30 * t), 0.5])
        pre = nengo.Ensemble(20, 2, neuron_type=neuron_type)
        nengo.Connection(target, pre)
        post = nengo.Node(size_in=2)
    learn(net, pre, post, target)
    assert_matches_nengo(net, steps=100)


def test_rules_of_different_sizes_and_rates_merge():
    with nengo.Network(seed=0) as net:
        net.config[nengo.Ensemble].neuron_type = nengo.LIFRate()
        targets = [
            nengo.Node(lambda t, d=d: np.sin(30 * t + np.arange(d))) for d in (1, 2)
        ]
        for n, d, rate in ((10, 1, 1e-3), (10, 1, 1e-2), (15, 2, 1e-3), (15, 2, 1e-4)):
            pre = nengo.Ensemble(n, d)
            nengo.Connection(targets[d - 1], pre)
            learn(net, pre, nengo.Node(size_in=d), targets[d - 1], rate)
    assert_matches_nengo(net, steps=60)


def test_connections_onto_ensembles_and_between_neurons():
    with nengo.Network(seed=0) as net:
        net.config[nengo.Ensemble].neuron_type = nengo.LIFRate()
        target = nengo.Node(lambda t: np.sin(30 * t))
        pre, post = nengo.Ensemble(12, 1), nengo.Ensemble(10, 1)
        nengo.Connection(target, pre)
        learn(net, pre, post, target, pre_synapse=nengo.Alpha(0.01))
        other = nengo.Ensemble(10, 1)
        connection = nengo.Connection(
            pre.neurons,
            other.neurons,
            transform=np.zeros((10, 12)),
            learning_rule_type=nengo.PES(1e-3),
        )
        # the error has the dimensions of the ensemble, and is encoded like its input
        nengo.Connection(target, connection.learning_rule, transform=-1)
        nengo.Probe(connection, "weights", sample_every=0.01)
        nengo.Probe(other, synapse=0.01)
    assert_matches_nengo(net, steps=60, brief=True)


def learning_network():
    with nengo.Network(seed=0) as net:
        target = nengo.Node([0], label="target")
        pre = nengo.Ensemble(20, 1, neuron_type=nengo.LIFRate())
        nengo.Connection(target, pre)
        post = nengo.Node(size_in=1)
    return net, target, learn(net, pre, post, target, 1e-2)


def test_every_item_of_a_minibatch_learns_for_itself():
    net, target, connection = learning_network()
    data = np.tile(np.array([-1, 0.3, 1]).reshape(3, 1, 1), (1, 200, 1))
    with Simulator(net, dtype="float64", minibatch_size=3, progress_bar=False) as sim:
        sim.run_steps(200, data={target: data})
        weights = sim.data[connection].weights
        assert weights.shape == (3, 1, 20)
    for i in (0, 2):
        with Simulator(net, dtype="float64", progress_bar=False) as alone:
            alone.run_steps(200, data={target: data[i]})
            assert_close(weights[i], alone.data[connection].weights)
            for probe in net.probes:
                assert_close(sim.data[probe][i], alone.data[probe])
    assert not np.allclose(weights[0], weights[1])


def test_learned_weights_are_live_in_the_data():
    net, target, connection = learning_network()
    with net:
        p = nengo.Probe(connection, "weights")
    with Simulator(net, dtype="float64", progress_bar=False) as sim:
        initial = sim.data[connection].weights
        ones = np.ones((50, 1))
        sim.run_steps(50, data={target: ones})
        first = sim.data[connection].weights
        assert not np.allclose(first, initial)
        sim.run_steps(50, data={target: ones})
        second = sim.data[connection].weights
        assert not np.allclose(first, second)
        assert np.array_equal(second, sim.data[p][-1])
        assert np.array_equal(first, sim.data[p][49])
        assert not second.flags.writeable
        sim.reset()
        assert np.array_equal(sim.data[connection].weights, initial)


def test_weights_can_survive_a_reset():
    net, target, connection = learning_network()
    with Simulator(net, dtype="float64", progress_bar=False) as sim:
        sim.run_steps(50, data={target: np.ones((50, 1))})
        learned = sim.data[connection].weights
        sim.reset(include_trainable=False)
        assert np.array_equal(sim.data[connection].weights, learned)
        sim.reset()
        assert not np.array_equal(sim.data[connection].weights, learned)


def test_changes_apply_in_the_step_after():
    # so the first two samples of the weights show when the change arrives
    net, _, _ = learning_network()
    with net:
        p = nengo.Probe(net.all_connections[1], "weights", label="weights")
    expected = reference(net, 5)["weights"]
    assert_close(simulate(net, 5).data[p], expected, 1e-12)
