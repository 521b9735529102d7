"""Simulators as pickles and copies: the same simulation, going its own way."""

import copy
import pickle

import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl.plan.noop import noop_planner


def network(**settings):
    with nengo.Network(seed=0) as net:
        if settings:
            nengo_dl.configure_settings(**settings)
        noise = nengo.Node(nengo.processes.WhiteNoise(), size_out=1, label="noise")
        signal = nengo.Node(nengo.processes.WhiteSignal(0.05, high=100))
        pre, post = nengo.Ensemble(20, 1), nengo.Ensemble(20, 1)
        pre.noise = nengo.processes.FilteredNoise()
        nengo.Connection(noise, pre, transform=0.1)
        nengo.Connection(signal, pre)
        connection = nengo.Connection(
            pre, post, learning_rule_type=nengo.PES(1e-3), label="learned"
        )
        nengo.Connection(post, connection.learning_rule)
        for target in (noise, pre.neurons, post):
            nengo.Probe(target)
        nengo.Probe(connection, "weights", sample_every=0.003)
    return net


def simulator(net=None, **options):
    options = {"seed": 3, "progress_bar": False, **options}
    return nengo_dl.Simulator(network() if net is None else net, **options)


def samples(sim):
    return [np.array(sim.data[probe]) for probe in sim.model.probes]


def assert_same(one, other):
    assert one.n_steps == other.n_steps
    for ours, theirs in zip(samples(one), samples(other), strict=True):
        assert np.array_equal(ours, theirs)


WAYS = {
    "pickle": lambda sim: pickle.loads(pickle.dumps(sim)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dtype": "float64", "minibatch_size": 2, "unroll_simulation": 3},
    ],
)
def test_a_copy_goes_on_where_the_simulator_was(way, options):
    with simulator(**options) as sim:
        sim.run_steps(25)
        with WAYS[way](sim) as other:
            assert_same(sim, other)
            for name in ("seed", "dt", "unroll", "minibatch_size", "progress_bar"):
                assert getattr(other, name) == getattr(sim, name), name
            sim.run_steps(20)
            assert other.n_steps == 25
            other.run_steps(20)
            assert_same(sim, other)
            # and they have nothing in common
            other.reset()
            other.run_steps(7)
            assert sim.n_steps == 45
            sim.reset()
            sim.run_steps(7)
            assert_same(sim, other)


def test_before_the_first_step():
    with simulator() as sim, pickle.loads(pickle.dumps(sim)) as other:
        sim.run_steps(5)
        other.run_steps(5)
        assert_same(sim, other)


def test_streams_that_did_not_begin_anew_with_time():
    with simulator() as sim:
        sim.run_steps(25)
        sim.reset(include_processes=False)
        sim.run_steps(5)
        with pickle.loads(pickle.dumps(sim)) as other:
            for one in (sim, other):
                one.run_steps(5)
            assert_same(sim, other)


def test_presented_data_leave_streams_where_they_are():
    net = network()
    noise = net.nodes[0]
    with simulator(net) as sim:
        sim.run_steps(5)
        sim.run_steps(4, data={noise: np.ones((4, 1))})
        with pickle.loads(pickle.dumps(sim)) as other:
            for one in (sim, other):
                one.run_steps(5)
            assert_same(sim, other)


def test_a_new_seed_is_kept():
    with simulator() as sim:
        sim.reset(seed=7)
        sim.run_steps(5)
        with pickle.loads(pickle.dumps(sim)) as other:
            assert other.seed == 7
            for one in (sim, other):
                one.run_steps(5)
            assert_same(sim, other)


def test_settings_of_the_network_are_kept():
    net = network(dtype="float64", jit_compile=False, planner=noop_planner)
    with simulator(net) as sim, pickle.loads(pickle.dumps(sim)) as other:
        assert other._program.dtype.name == "float64"
        assert not other._program.jit_compile
        assert len(other._program.plan) == len(sim._program.plan)


def test_what_was_learned_is_kept():
    net = network()
    connection = net.connections[2]
    assert connection.label == "learned"
    with simulator(net) as sim:
        initial = sim.data[connection].weights
        sim.run_steps(20)
        learned = sim.data[connection].weights
        assert not np.allclose(initial, learned)
        with copy.copy(sim) as other:
            assert np.array_equal(other.data[connection].weights, learned)


def test_closed_simulators_stay_closed():
    with simulator() as sim:
        sim.run_steps(8)
    other = pickle.loads(pickle.dumps(sim))
    assert other.closed
    assert_same(sim, other)
    with pytest.raises(nengo.exceptions.SimulatorClosed):
        other.step()


def test_functions_of_users_have_to_be_picklable():
    with nengo.Network() as net:
        nengo.Probe(nengo.Node(lambda t: t))
    with simulator(net) as sim, pytest.raises((AttributeError, pickle.PicklingError)):
        pickle.dumps(sim)


def test_the_pickle_holds_no_tensorflow():
    with simulator() as sim:
        sim.run_steps(3)
        content = pickle.dumps(sim)
    assert b"tensorflow" not in content
