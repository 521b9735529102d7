import logging
from itertools import product

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.builder.signal import Signal

import nengo_dl
from nengo_dl.graph.roles import Role
from nengo_dl.plan.layout import Block
from nengo_dl.program.loop import loop_shape
from tests.helpers import assert_close, configured, reference, simulate

rare = pytest.mark.everything


def network(python=False, sample_every=None):
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(lambda t: np.sin(50 * t))
        a = nengo.Ensemble(10, 1, neuron_type=nengo.LIFRate())
        nengo.Connection(stimulus, a)
        if python:
            nengo.Connection(a, nengo.Node(lambda t, x: None, size_in=1))
        nengo.Probe(a, synapse=0.01, sample_every=sample_every)
        nengo.Probe(stimulus)
    return net


def test_no_reshape_is_traced_that_changes_nothing(monkeypatch):
    original = tf.reshape
    changes = []

    def recorded(tensor, shape, name=None):
        result = original(tensor, shape, name)
        changes.append(result.shape != tensor.shape)
        return result

    with nengo.Network(seed=0) as net:
        # of a size of its own: equal models share what was traced for one of them
        a = nengo.Ensemble(23, 1)
        nengo.Connection(nengo.Node([0.5]), a)
        nengo.Connection(a, a, synapse=0.1)
        nengo.Probe(a, synapse=0.01)
    monkeypatch.setattr(tf, "reshape", recorded)
    simulate(net, 1)
    assert changes
    assert all(changes)


def test_equal_state_has_one_shape_in_the_loop():
    vector, matrix = Signal(np.zeros(5)), Signal(np.zeros((1, 5)))

    def shape(role, *signals):
        return loop_shape(Block("block", role, "f", False, signals))

    assert shape(Role.STATE, vector) == shape(Role.STATE, matrix) == (5,)
    assert shape(Role.STATE, vector, Signal(np.zeros(5))) == (2, 5)
    assert shape(Role.STATE, Signal(np.zeros(1))) == (1,)
    # weights are changed by products of their own shape
    assert shape(Role.ONLINE, matrix) == (1, 1, 5)


@pytest.mark.parametrize(
    "python, jit, sample_every",
    [
        (False, True, 0.003),
        (True, False, 0.003),
        (True, True, None),
        *(
            pytest.param(*case, marks=rare)
            for case in (
                (False, True, None),
                (True, True, 0.003),
                (True, False, None),
                (False, False, None),
                (False, False, 0.003),
            )
        ),
    ],
)
def test_one_trace_serves_every_number_of_steps(python, jit, sample_every):
    net = network(python, sample_every)
    with configured(net, jit_compile=jit):
        sim = nengo_dl.Simulator(net, dtype="float64", progress_bar=False)
    with sim:
        sim.run(0.1)
        sim.step()
        sim.run(1.0)
        sim.step()
        assert sim._program.traces == 1
        assert sim.n_steps == 1102
    for probe, expected in zip(net.probes, reference(net, 1102).values(), strict=True):
        assert_close(sim.data[probe], expected)


@pytest.mark.parametrize("first", ["steps", "run"])
def test_single_steps_round_as_long_runs_do(first, monkeypatch):
    """To the last bit, whichever trace they run in: a spike would move otherwise."""
    monkeypatch.setattr("nengo_dl.simulation.runner.MANY_CALLS", 2)
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(lambda t: np.sin(50 * t))
        a = nengo.Ensemble(30, 2)
        nengo.Connection(stimulus, a[0])
        nengo.Connection(a, a, synapse=0.1)
        probes = [nengo.Probe(a), nengo.Probe(a.neurons)]
    recorded = []
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        for several in (first == "steps", first == "run"):
            sim.reset()
            if several:
                for _ in range(60):
                    sim.step()
            else:
                sim.run_steps(60)
            recorded.append([sim.data[probe] for probe in probes])
        assert sim._program.traces == 2
    for one, other in zip(*recorded, strict=True):
        assert np.any(one)
        assert np.array_equal(one, other)


def test_runs_that_are_longer_than_the_buffers(monkeypatch):
    net = network()
    expected = reference(net, 50)
    monkeypatch.setattr("nengo_dl.program.program.MAX_CAPACITY", 16)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        assert sim._program.capacity() == 16
        sim.run_steps(33)
        sim.run_steps(1)
        sim.run_steps(16)
        assert sim._program.traces == 1
    for probe, values in zip(net.probes, expected.values(), strict=True):
        assert_close(sim.data[probe], values)


def test_buffers_of_large_models_hold_fewer_steps():
    with nengo.Network() as net:
        p = nengo.Probe(nengo.Node(np.ones(10_000)))
    with nengo_dl.Simulator(net, minibatch_size=8, progress_bar=False) as sim:
        assert 1 <= sim._program.capacity() < 100
        sim.run_steps(sim._program.capacity() + 1)
        n_steps = sim.n_steps
    assert sim.data[p].shape == (8, n_steps, 10_000)
    assert np.all(sim.data[p] == 1)


@pytest.mark.parametrize(
    "jit, python, unroll",
    [
        # only without XLA and Python is the loop unrolled
        pytest.param(*case, marks=() if not any(case[:2]) or case[2] == 5 else rare)
        for case in product([False, True], [False, True], [1, 2, 5, 20])
    ],
)
def test_unrolling_runs_exactly_the_steps_that_were_asked_for(unroll, python, jit):
    net = network(python, sample_every=0.002)
    options = {"dtype": "float64", "progress_bar": False}
    with configured(net, jit_compile=jit):
        sim = nengo_dl.Simulator(net, unroll_simulation=unroll, **options)
    with sim:
        sim.run_steps(17)
        assert sim.n_steps == 17
        assert sim.unroll == unroll
        assert sim._program.unrolled == (1 if jit or python else unroll)
    for probe, expected in zip(net.probes, reference(net, 17).values(), strict=True):
        assert_close(sim.data[probe], expected)


def test_unrolling_longer_than_the_buffers(monkeypatch):
    monkeypatch.setattr("nengo_dl.program.program.MAX_CAPACITY", 4)
    net = network()
    with configured(net, jit_compile=False):
        sim = simulate(net, 9, unroll_simulation=6)
    for probe, expected in zip(net.probes, reference(net, 9).values(), strict=True):
        assert_close(sim.data[probe], expected)


@pytest.mark.parametrize("python", [False, True])
def test_only_models_with_python_in_the_loop_call_python(python):
    with nengo_dl.Simulator(network(python), progress_bar=False) as sim:
        assert sim._program.calls_python is python


def test_blocks_have_the_type_of_the_simulation():
    for dtype in ("float32", "float64"):
        with nengo_dl.Simulator(network(), dtype=dtype, progress_bar=False) as sim:
            sim.run_steps(2)
            program, store = sim._program, sim._runner.store
            assert program.dtype == dtype
            assert {p.dtype.name for p in store.params} == {dtype}
            kinds = [program.layout.blocks[i].kind for i in program.layout.carried()]
            for kind, state in zip(kinds, store.state, strict=True):
                assert state.dtype == ("int64" if kind == "i" else dtype)
        assert sim.data[sim.model.probes[0]].dtype == dtype


def test_carried_blocks_are_those_of_state_and_learning():
    with nengo_dl.Simulator(network(), progress_bar=False) as sim:
        layout = sim._program.layout
        assert sorted(layout.carried()) == sorted(
            layout.of_role(Role.STATE) + layout.of_role(Role.ONLINE)
        )


def test_many_simulators_in_one_process_log_nothing(caplog, recwarn):
    net = network()
    with caplog.at_level(logging.WARNING), configured(net, jit_compile=False):
        for _ in range(8):
            simulate(net, 1)
    assert not [record.getMessage()[:200] for record in caplog.records]
    assert not [str(warning.message)[:200] for warning in recwarn]
