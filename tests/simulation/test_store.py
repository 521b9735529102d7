import nengo
import numpy as np
import pytest

import nengo_dl
from tests.helpers import assert_close


@pytest.fixture
def net():
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(0.5)
        a = nengo.Ensemble(10, 2, label="a")
        b = nengo.Ensemble(8, 1, label="b")
        nengo.Connection(stimulus, a[0])
        nengo.Connection(a, b, function=lambda x: x[0], learning_rule_type=nengo.PES())
        nengo.Probe(b)
    return net


@pytest.mark.parametrize("minibatch_size", [None, 3])
def test_values_start_as_they_were_built(net, minibatch_size):
    with nengo_dl.Simulator(
        net, dtype="float64", minibatch_size=minibatch_size, progress_bar=False
    ) as sim:
        for signal in sim.model.sig[net.ensembles[0]].values():
            value = sim._runner.store.value(signal)
            expected = np.broadcast_to(signal.initial_value, value.shape)
            assert np.array_equal(value, expected)
            assert value.shape[value.ndim - signal.ndim :] == signal.shape


def test_state_changes_and_returns(net):
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        voltage = sim.model.sig[net.ensembles[0].neurons]["voltage"]
        sim.run_steps(20)
        changed = sim._runner.store.value(voltage)
        assert changed.shape == (1, 10)
        assert not np.array_equal(changed[0], voltage.initial_value)
        sim.reset()
        assert np.array_equal(
            sim._runner.store.value(voltage)[0], voltage.initial_value
        )


def test_values_can_be_set(net):
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        bias = sim.model.sig[net.ensembles[0].neurons]["bias"]
        voltage = sim.model.sig[net.ensembles[0].neurons]["voltage"]
        others = sim._runner.store.value(
            sim.model.sig[net.ensembles[1].neurons]["bias"]
        )
        sim._runner.store.set_value(bias, np.arange(10.0))
        sim._runner.store.set_value(voltage, np.full((1, 10), 0.25))
        assert np.array_equal(sim._runner.store.value(bias), np.arange(10.0))
        assert np.all(sim._runner.store.value(voltage) == 0.25)
        unchanged = sim._runner.store.value(
            sim.model.sig[net.ensembles[1].neurons]["bias"]
        )
        assert np.array_equal(unchanged, others)
        # they show, and they count
        assert np.array_equal(sim.data[net.ensembles[0]].bias, np.arange(10.0))
        before = sim._runner.store.value(voltage)
        sim.step()
        assert not np.allclose(sim._runner.store.value(voltage), before)
        sim.reset(include_trainable=False)
        assert np.array_equal(sim._runner.store.value(bias), np.arange(10.0))
        sim.reset()
        assert np.array_equal(sim._runner.store.value(bias), bias.initial_value)


def test_changed_parameters_are_what_the_simulation_uses(net):
    with nengo.Network(seed=0) as net:
        sink = nengo.Node(size_in=1)
        connection = nengo.Connection(nengo.Node(2), sink, transform=3, synapse=None)
        p = nengo.Probe(sink)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        sim.run_steps(1)
        sim._runner.store.set_value(sim.model.sig[connection]["weights"], np.array(5.0))
        sim.run_steps(1)
    assert sim.data[p].ravel().tolist() == [6, 10]


def test_parameters_reach_operators_that_run_in_python():
    rng = np.random.RandomState(0)
    with nengo.Network(seed=0) as net:
        sink = nengo.Node(size_in=4)
        transform = nengo.Convolution(1, (6, 1), kernel_size=(3,), strides=(1,))
        connection = nengo.Connection(
            nengo.Node(np.arange(6.0)), sink, transform=transform, synapse=None
        )
        p = nengo.Probe(sink)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        weights = sim.model.sig[connection]["weights"]
        value = rng.rand(*weights.shape)
        sim._runner.store.set_value(weights, value)
        sim.run_steps(1)
    expected = [np.dot(value.ravel(), np.arange(i, i + 3.0)) for i in range(4)]
    assert_close(sim.data[p][0], np.array(expected))
