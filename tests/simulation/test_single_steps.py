"""``step()``, which prepares once what is the same in each step."""

import pickle

import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulationError, SimulatorClosed

import nengo_dl
from nengo_dl.program import callback
from nengo_dl.simulation import runner, step_rows

STEPS = 40


def number(t):
    return np.sin(50 * t)


def vector(t):
    return [t, 1 - t]


def nothing(t):
    return None


def product(x):
    return x[0] * x[1]


def surroundings(t, x):
    return [x[0] + t, -x[1]]


def network(python=False):
    """Return all kinds of inputs, and Probes that keep all samples or some."""
    with nengo.Network(seed=0) as net:
        net.constant = nengo.Node([0.5, -0.25])
        single = nengo.Node(number)
        pair = nengo.Node(vector)
        noise = nengo.Node(nengo.processes.WhiteNoise(seed=1))
        nengo.Node(nothing)
        a = nengo.Ensemble(20, 2)
        b = nengo.Ensemble(20, 1, noise=nengo.processes.WhiteNoise(scale=False))
        nengo.Connection(net.constant, a)
        nengo.Connection(pair, a, synapse=None)
        nengo.Connection(single, b)
        nengo.Connection(noise, b)
        nengo.Connection(a, b, function=product)
        if python:
            world = nengo.Node(surroundings, size_in=2)
            nengo.Connection(a, world, synapse=0.01)
            nengo.Connection(world, a, synapse=0.01)
            nengo.Probe(world)
        nengo.Probe(a, synapse=0.01)
        nengo.Probe(b, synapse=0.01, sample_every=0.003)
        nengo.Probe(single, sample_every=0.0025)
        nengo.Probe(b.neurons)
        nengo.Probe(noise)
    return net


def simulated(net, **kwargs):
    return nengo_dl.Simulator(net, dtype="float64", progress_bar=False, **kwargs)


def compare(sim, expected, net):
    assert sim.n_steps == expected.n_steps
    # those of a simulator that was pickled are others
    for own, probe in zip(sim.model.toplevel.probes, net.probes, strict=True):
        assert sim.data[own].shape == expected.data[probe].shape
        assert np.allclose(sim.data[own], expected.data[probe], rtol=1e-9, atol=1e-9)


@pytest.fixture(scope="module", params=[False, True], ids=["compiled", "python"])
def net(request):
    return network(request.param)


@pytest.fixture(scope="module")
def expected(net):
    with nengo.Simulator(net, optimize=False, progress_bar=False) as sim:
        sim.run_steps(STEPS)
    return sim


@pytest.mark.parametrize("rows", [1, 7, 256])
def test_steps_are_those_of_a_run(net, expected, rows, monkeypatch):
    monkeypatch.setattr(step_rows, "STEPS", rows)
    with simulated(net) as sim:
        for _ in range(STEPS):
            sim.step()
        assert sim._runner._single is not None
        compare(sim, expected, net)


def test_steps_go_on_from_all_else_and_back(net, expected):
    with simulated(net) as sim:
        sim.step()
        sim.step()
        sim.run_steps(5)
        sim.step()
        assert len(sim.data[net.probes[0]]) == 8
        sim.step()
        sim.run_steps(3, stateful=False)
        sim.clear_probes()
        sim.reset()
        for _ in range(10):
            sim.step()
        kept = pickle.dumps(sim)
        for _ in range(6):
            sim.step()
    with pickle.loads(kept) as sim:
        assert sim.n_steps == 10
        for _ in range(10):
            sim.step()
        sim.run_steps(10)
        for _ in range(10):
            sim.step()
        compare(sim, expected, net)


def test_data_of_one_step_are_not_left_for_the_next(net):
    with simulated(net) as sim, simulated(net) as other:
        for i in range(6):
            own = {net.constant: np.full((1, 2), 2.0 + i)} if i % 2 else None
            sim.step(own)
            other.run_steps(1, own)
        compare(sim, other, net)


@pytest.mark.parametrize("minibatch_size", [None, 3])
def test_items_of_a_minibatch(net, minibatch_size):
    with (
        simulated(net, minibatch_size=minibatch_size, seed=4) as sim,
        simulated(net, minibatch_size=minibatch_size, seed=4) as other,
    ):
        for _ in range(12):
            sim.step()
        other.run_steps(12)
        compare(sim, other, net)


def test_the_last_sample_is_the_only_one():
    net = network()
    with net:
        nengo_dl.configure_settings(keep_history=False)
    with simulated(net) as sim:
        with simulated(net) as other:
            other.run_steps(12)
        for _ in range(12):
            sim.step()
        compare(sim, other, net)


def test_large_samples_are_not_collected():
    with nengo.Network() as net:
        node = nengo.Node(np.zeros(step_rows.BYTES // 4 + 1))
        probe = nengo.Probe(node)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        for _ in range(4):
            sim.step()
        assert len(sim._runner.probes._steps.arrays[0]) == 1
        assert sim.data[probe].shape == (4, step_rows.BYTES // 4 + 1)


@pytest.mark.parametrize(
    "result",
    [ValueError("mine"), None, np.nan, "text", [1.0, 2.0], 1e300, 1j, [1j], [[1.0]]],
)
@pytest.mark.parametrize("size_in", [0, 1])
def test_a_step_that_fails_has_not_been(result, size_in):
    bad = [False]

    def function(t, *x):
        if bad[0] and isinstance(result, Exception):
            raise result
        return result if bad[0] else t

    with nengo.Network(seed=0) as net:
        noise = nengo.Node(nengo.processes.WhiteNoise(seed=1))
        node = nengo.Node(function, size_in=size_in)
        if size_in:
            nengo.Connection(noise, node)
        net.a, net.b = nengo.Probe(node), nengo.Probe(noise)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        with nengo_dl.Simulator(net, progress_bar=False) as other:
            other.run_steps(6)
        for failing in (False, False, True, True, False, False, True, False, False):
            bad[0] = failing
            if failing:
                with pytest.raises(SimulationError):
                    sim.step()
                with pytest.raises(SimulationError):
                    sim.run_steps(5)
            else:
                sim.step()
        compare(sim, other, net)


def test_functions_may_ask_for_the_time_and_not_run():
    asked = []

    def function(t):
        asked.append(sim.n_steps)
        with pytest.raises(SimulationError, match="in the middle"):
            sim.step()
        return t

    with nengo.Network() as net:
        nengo.Probe(nengo.Node(function, size_out=1))
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        for _ in range(3):
            sim.step()
    assert asked == [0, 1, 2]
    with pytest.raises(SimulatorClosed):
        sim.step()


def test_a_function_may_return_the_same_array_each_time():
    array = np.zeros(2)

    def function(t):
        array[:] = t
        return array

    with nengo.Network() as net:
        probe = nengo.Probe(nengo.Node(function))
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        for _ in range(3):
            sim.step()
    assert np.allclose(sim.data[probe][:, 0], [0.001, 0.002, 0.003])


@pytest.mark.parametrize("calls", [callback.available(None), False])
def test_another_form_after_many_calls(net, expected, monkeypatch, calls):
    monkeypatch.setattr(runner, "MANY_CALLS", 5)
    monkeypatch.setattr("nengo_dl.program.program.available", lambda _: calls)
    with simulated(net) as sim:
        sim.run_steps(STEPS - 12)
        for _ in range(12):
            sim.step()
        compare(sim, expected, net)
