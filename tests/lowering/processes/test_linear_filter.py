import nengo
import numpy as np
import pytest
from nengo.builder.processes import SimProcess

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

FILTERS = {
    "gain": nengo.LinearFilter([2], [1]),
    "gain of a fraction": nengo.LinearFilter([3], [4]),
    "lowpass": nengo.Lowpass(0.01),
    "lowpass with another time constant": nengo.Lowpass(0.03),
    "lowpass so fast that it is a gain": nengo.Lowpass(1e-5),
    "delay of one step": nengo.Lowpass(0),
    "alpha": nengo.Alpha(0.01),
    "alpha with another time constant": nengo.Alpha(0.02),
    "alpha so fast that it is a gain": nengo.Alpha(1e-5),
    "lowpass as a linear filter": nengo.LinearFilter([1], [0.02, 1]),
    "highpass": nengo.LinearFilter([0.02, 0], [0.02, 1]),
    "second order, with passthrough": nengo.LinearFilter([1e-4, 0, 1], [1e-4, 0.02, 1]),
    "third order": nengo.LinearFilter([1], [1e-6, 3e-4, 0.03, 1]),
    "euler": nengo.LinearFilter([1], [0.02, 1], method="euler"),
    "bilinear": nengo.LinearFilter([1], [0.02, 1], method="bilinear"),
    "second order, euler": nengo.LinearFilter([1], [1e-4, 0.02, 1], method="euler"),
    "discrete, one state": nengo.LinearFilter([0.5], [1, -0.5], analog=False),
    "discrete, passthrough": nengo.LinearFilter([1, 0.5], [1, -0.5], analog=False),
    "discrete, second order": nengo.LinearFilter([0.1], [1, -1.2, 0.3], analog=False),
    "discrete gain": nengo.LinearFilter([0.5], [1], analog=False),
    "discrete moving average": nengo.LinearFilter([1, 1, 1], [3, 0, 0], analog=False),
}


def stimulus(size=2):
    return nengo.Node(lambda t: np.sin(100 * t + np.arange(size)))


def test_synapses_of_all_forms_at_once():
    with nengo.Network(seed=0) as net:
        source = stimulus()
        for label, synapse in FILTERS.items():
            sink = nengo.Node(size_in=2)
            nengo.Connection(source, sink, synapse=synapse)
            nengo.Probe(sink, label=label)
            nengo.Probe(source, synapse=synapse, label=f"probe through {label}")
    assert_matches_nengo(net, steps=40, unroll=(1, 2))


ALONE = ["lowpass", "third order", "gain", "alpha", "highpass", "discrete, passthrough"]


@pytest.mark.parametrize("label", rest_with_everything(ALONE, 2))
def test_synapse_of_one_form_alone(label):
    with nengo.Network(seed=0) as net:
        sink = nengo.Node(size_in=3)
        nengo.Connection(stimulus(3), sink, synapse=FILTERS[label])
        nengo.Probe(sink)
    assert_matches_nengo(net)


def test_filters_as_output_of_nodes():
    with nengo.Network(seed=0) as net:
        source = stimulus()
        for label, synapse in FILTERS.items():
            node = nengo.Node(synapse, size_in=2, size_out=2)
            nengo.Connection(source, node, synapse=None)
            nengo.Probe(node, label=label)
    assert_matches_nengo(net, steps=40, brief=True)


def test_forms_are_those_of_nengo():
    # what this file claims to cover
    with nengo.Network() as net:
        for synapse in FILTERS.values():
            nengo.Connection(stimulus(), nengo.Node(size_in=2), synapse=synapse)
    with nengo.Simulator(net, progress_bar=False) as sim:
        steps = set()
        for op in sim.model.operators:
            if isinstance(op, SimProcess):
                state = {k: np.array(s.initial_value) for k, s in op.state.items()}
                step = op.process.make_step((2,), (2,), 0.001, None, state)
                steps.add(type(step).__name__)
    assert steps == {"NoX", "OneX", "NoD", "General"}


def test_filters_of_different_sizes_merge():
    with nengo.Network(seed=0) as net:
        for size in (1, 3, 3, 5):
            for synapse in (nengo.Lowpass(0.01 * size), nengo.Alpha(0.01)):
                nengo.Probe(stimulus(size), synapse=synapse)
    assert_matches_nengo(net)


def test_filters_of_one_order_merge_whatever_their_time_constants():
    filters = [nengo.Alpha(0.01 * (1 + i)) for i in range(5)]
    filters += [FILTERS["third order"], nengo.LinearFilter([2], [1e-6, 2e-4, 0.02, 1])]
    passing = [nengo.LinearFilter([tau, 0], [tau, 1]) for tau in (0.01, 0.02)]
    with nengo.Network(seed=0) as net:
        for synapse in (*filters, *passing):
            nengo.Probe(stimulus(), synapse=synapse, label=str(synapse))
    assert_matches_nengo(net)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        groups = [g for g in sim._program.plan if isinstance(g.ops[0], SimProcess)]
        assert sorted(len(group.ops) for group in groups) == [2, 2, 5]


def test_filters_in_recurrent_connections():
    with nengo.Network(seed=0) as net:
        a = nengo.Node(size_in=2)
        nengo.Connection(stimulus(), a, synapse=nengo.Alpha(0.005))
        for synapse in (0, 0.05, nengo.Alpha(0.1), FILTERS["third order"]):
            nengo.Connection(a, a, transform=[[0, -0.3], [0.3, 0]], synapse=synapse)
        nengo.Probe(a)
    assert_matches_nengo(net)


def test_filters_of_weights_with_two_axes():
    # probed weights are a matrix that goes through the probe's synapse
    with nengo.Network(seed=0) as net:
        a = nengo.Ensemble(10, 2, neuron_type=nengo.LIFRate())
        b = nengo.Node(size_in=2)
        connection = nengo.Connection(a, b, learning_rule_type=nengo.PES())
        nengo.Connection(b, connection.learning_rule, transform=-1)
        for synapse in (
            0.01,
            nengo.Alpha(0.01),
            FILTERS["third order"],
            FILTERS["gain"],
        ):
            nengo.Probe(connection, "weights", synapse=synapse)
    assert_matches_nengo(net, brief=True)


@pytest.mark.parametrize("dt", [0.0005, 0.01])
def test_other_time_steps(dt):
    with nengo.Network(seed=0) as net:
        source = stimulus()
        for label in ("lowpass", "alpha", "third order", "highpass"):
            nengo.Probe(source, synapse=FILTERS[label], label=label)
    with nengo.Simulator(net, dt=dt, progress_bar=False) as expected:
        expected.run_steps(20)
    sim = simulate(net, 20, dt=dt)
    for probe in net.probes:
        assert_close(sim.data[probe], expected.data[probe], what=probe.label)


def test_state_goes_on_over_runs_and_chunks(monkeypatch):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        source = stimulus()
        for label, synapse in FILTERS.items():
            nengo.Probe(source, synapse=synapse, label=label)
    expected = reference(net, 23)
    monkeypatch.setattr("nengo_dl.program.program.MAX_CAPACITY", 5)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        for steps in (1, 4, 13, 5):
            sim.run_steps(steps)
    for probe in net.probes:
        assert_close(sim.data[probe], expected[probe.label], what=probe.label)


@pytest.mark.parametrize(
    "shape", rest_with_everything([(2, 3, 2), (2, 3), (), (3,)]), ids=str
)
def test_signals_of_any_shape(shape):
    assert_filters_any_signal(FILTERS.values(), shape)


@pytest.mark.parametrize(
    "shape", rest_with_everything([(), (2, 3), (3,), (2, 3, 2)]), ids=str
)
def test_signals_of_any_shape_that_are_set(shape):
    assert_filters_any_signal(FILTERS.values(), shape, "set")


@pytest.mark.parametrize(
    "label",
    rest_with_everything(
        ["lowpass", "discrete, passthrough", "gain", "alpha", "highpass"], 2
    ),
)
def test_filters_of_matrices_alone_and_with_others_of_their_kind(label):
    assert_filters_any_signal([FILTERS[label]], (2, 3))
    assert_filters_any_signal([FILTERS[label]] * 3, (2, 3))


@pytest.mark.parametrize("shape", rest_with_everything([(2, 3, 2), (), (3,)]), ids=str)
def test_increments_of_signals_of_any_shape(shape):
    # the others return one axis too many, which Nengo cannot add
    labels = ("gain", "lowpass", "alpha", "third order", "discrete, second order")
    assert_filters_any_signal([FILTERS[label] for label in labels], shape, "inc")


def test_filters_of_weights_with_any_number_of_axes():
    with nengo.Network(seed=0) as net:
        net.config[nengo.Ensemble].neuron_type = nengo.LIFRate()
        kernels = nengo.Convolution(
            2, (6, 1), kernel_size=(3,), strides=(1,), init=nengo.dists.Gaussian(0, 1)
        )
        images = nengo.Convolution(2, (4, 4, 1), init=nengo.dists.Gaussian(0, 1))
        for size, transform in (
            (2, 2.5),
            (3, [1, 2, 3]),
            (3, np.arange(9).reshape(3, 3)),
            (6, kernels),
            (16, images),
        ):
            size_out = getattr(getattr(transform, "output_shape", None), "size", size)
            connection = nengo.Connection(
                stimulus(size), nengo.Node(size_in=size_out), transform=transform
            )
            for synapse in (0.01, nengo.Alpha(0.01), FILTERS["highpass"]):
                nengo.Probe(connection, "weights", synapse=synapse)
    assert_matches_nengo(net, minibatch=(None, 2), brief=True)


@pytest.mark.parametrize("label", ALONE)
@pytest.mark.parametrize("jit", rest_with_everything([False, True]))
def test_derivatives(label, jit):
    assert_derivatives_match(FILTERS[label], (2,), jit=jit)


def test_derivatives_of_matrices():
    assert_derivatives_match(FILTERS["alpha"], (2, 2), steps=3)
