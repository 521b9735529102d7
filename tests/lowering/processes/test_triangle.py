import nengo
import numpy as np
import pytest
from nengo.synapses import Triangle

import nengo_dl
from tests.helpers import (
    assert_close,
    assert_matches_nengo,
    reference,
    rest_with_everything,
    simulate,
)
from tests.lowering.processes.filters import (
    assert_derivatives_match,
    assert_filters_any_signal,
)
from tests.lowering.processes.test_linear_filter import stimulus

#: 1, 1, 3, 7 and 21 taps
LENGTHS = [0, 0.0004, 0.002, 0.006, 0.02]


@pytest.mark.parametrize("length", rest_with_everything(LENGTHS[::-1], 1))
def test_synapse_of_one_length_alone(length):
    with nengo.Network(seed=0) as net:
        sink = nengo.Node(size_in=3)
        nengo.Connection(stimulus(3), sink, synapse=Triangle(length))
        nengo.Probe(sink)
    assert_matches_nengo(net, steps=50)


def test_synapses_of_several_lengths_sizes_and_places_together():
    with nengo.Network(seed=0) as net:
        for length in (0.002, 0.006):
            for size in (2, 3):
                source, sink = stimulus(size), nengo.Node(size_in=size)
                nengo.Connection(source, sink, synapse=Triangle(length))
                nengo.Connection(sink[0], sink[1], synapse=Triangle(length))
                nengo.Probe(sink)
                nengo.Probe(source, synapse=Triangle(length))
                node = nengo.Node(Triangle(length), size_in=size, size_out=size)
                nengo.Connection(source, node, synapse=None)
                nengo.Probe(node, synapse=0.01)
    assert_matches_nengo(net, steps=30)


def test_no_python_runs_in_the_loop_and_equal_lengths_merge():
    with nengo.Network(seed=0) as net:
        source = stimulus()
        for length in (0.006, 0.0061, 0.01):  # two of them have 7 taps
            nengo.Probe(source, synapse=Triangle(length))
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        assert not sim._program.calls_python
        groups = [g for g in sim._program.plan if g.name == "SimProcess.Triangle"]
    assert sorted(len(group.ops) for group in groups) == [1, 2]


def test_response_to_an_impulse_is_a_triangle():
    with nengo.Network() as net:
        source = nengo.Node(lambda t: float(t < 0.0015))
        p = nengo.Probe(source, synapse=Triangle(0.004))
    response = simulate(net, 9).data[p].ravel()
    assert_close(response, np.array([0, 5, 4, 3, 2, 1, 0, 0, 0]) / 15, 1e-14)


def test_recurrent_connections():
    with nengo.Network(seed=0) as net:
        a = nengo.Node(size_in=2)
        nengo.Connection(stimulus(), a, synapse=None)
        nengo.Connection(a, a, transform=[[0, -0.3], [0.3, 0]], synapse=Triangle(0.005))
        ensemble = nengo.Ensemble(20, 2)
        nengo.Connection(a, ensemble, synapse=Triangle(0.003))
        nengo.Connection(ensemble, ensemble, synapse=Triangle(0.05))
        nengo.Probe(a)
        nengo.Probe(ensemble, synapse=Triangle(0.01))
    assert_matches_nengo(net, steps=80)


@pytest.mark.parametrize("dt", [0.0005, 0.003])
def test_other_time_steps(dt):
    with nengo.Network(seed=0) as net:
        p = nengo.Probe(stimulus(), synapse=Triangle(0.01))
    with nengo.Simulator(net, dt=dt, progress_bar=False) as expected:
        expected.run_steps(50)
    assert_close(simulate(net, 50, dt=dt).data[p], expected.data[p])


def test_rounding_errors_do_not_add_up_in_32_bits():
    with nengo.Network(seed=0) as net:
        source = nengo.Node(lambda t: 1000.0 * (t < 5))
        p = nengo.Probe(source, synapse=Triangle(0.0103), sample_every=0.1)
    values = simulate(net, 6000, dtype="float32").data[p].ravel()
    assert_close(values[:50], np.full(50, 1000.0, "float32"), 1e-6)
    # the last input that was not zero has left the ring
    assert not values[50:].any()


def test_state_goes_on_over_runs_and_chunks_and_begins_anew(monkeypatch):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        source = stimulus()
        for length in LENGTHS:
            nengo.Probe(source, synapse=Triangle(length), label=str(length))
    expected = reference(net, 43)
    monkeypatch.setattr("nengo_dl.program.program.MAX_CAPACITY", 5)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        for seed in (None, 3):
            for steps in (1, 24, 13, 5):
                sim.run_steps(steps)
            for probe in net.probes:
                assert_close(sim.data[probe], expected[probe.label], what=probe.label)
            sim.reset(seed=seed)


@pytest.mark.parametrize("as_node", [False, True])
def test_state_is_that_of_nengo(as_node):
    with nengo.Network(seed=0) as net:
        synapse = Triangle(0.004)
        if as_node:
            node = nengo.Node(synapse, size_in=2, size_out=2)
            nengo.Connection(stimulus(), node, synapse=None)
            nengo.Probe(node)
        else:
            nengo.Probe(stimulus(), synapse=synapse)
    with (
        nengo.Simulator(net, progress_bar=False) as expected,
        nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim,
    ):
        for _ in range(3):
            expected.run_steps(4)
            sim.run_steps(4)
            signals = [
                next(m.sig[p] for p in m.sig if isinstance(p, Triangle))
                for m in (expected.model, sim.model)
            ]
            # without a copy of its own, the sum is in the output
            names = ["_state_X", "_state_Xi", *(["_state_Y"] if as_node else [])]
            for name in names:
                assert_close(
                    np.array(sim.signals[signals[1][name]]),
                    np.array(expected.signals[signals[0][name]]),
                    what=name,
                )


SHAPES = [(2, 3, 2), (), (3,), (2, 3)]


@pytest.mark.parametrize("mode", ["update", "set", "inc"])
@pytest.mark.parametrize("shape", rest_with_everything(SHAPES), ids=str)
def test_signals_of_any_shape(shape, mode):
    assert_filters_any_signal([Triangle(0.003)], shape, mode)


@pytest.mark.parametrize("shape", rest_with_everything(SHAPES), ids=str)
def test_signals_of_any_shape_and_several_lengths(shape):
    assert_filters_any_signal([Triangle(0.003), Triangle(0.003), Triangle(0.0)], shape)


@pytest.mark.parametrize("jit", rest_with_everything([False, True]))
@pytest.mark.parametrize("shape", [(), (2,)], ids=str)
def test_derivatives(shape, jit):
    assert_derivatives_match(Triangle(0.002), shape, jit=jit)
