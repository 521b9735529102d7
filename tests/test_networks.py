"""Whole models, as users write them."""

import nengo
import nengo.spa
import numpy as np
import pytest

from tests.helpers import assert_matches_nengo, rest_with_everything, simulate


@pytest.mark.parametrize("full", rest_with_everything([False, True]))
def test_communication_channel(full):
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(lambda t: np.sin(20 * t))
        a, b = nengo.Ensemble(40, 1), nengo.Ensemble(30, 1)
        nengo.Connection(stimulus, a)
        nengo.Connection(a, b, function=np.square)
        nengo.Probe(b, synapse=0.02)
        nengo.Probe(a.neurons)
    assert_matches_nengo(net, steps=100, full=full)


def test_direct_mode():
    with nengo.Network(seed=0) as net:
        net.config[nengo.Ensemble].neuron_type = nengo.Direct()
        stimulus = nengo.Node(lambda t: [np.sin(20 * t), np.cos(20 * t)])
        a, b = nengo.Ensemble(1, 2), nengo.Ensemble(1, 1, radius=2)
        nengo.Connection(stimulus, a)
        nengo.Connection(a, b, function=lambda x: x[0] * x[1])
        nengo.Connection(a[::-1], a, transform=0.5, synapse=0.1)
        nengo.Connection(b, b, function=np.tanh, synapse=0.05)
        nengo.Probe(a)
        nengo.Probe(b, synapse=0.01)
    assert_matches_nengo(net)


def test_direct_mode_next_to_neurons():
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(lambda t: np.sin(20 * t))
        a = nengo.Ensemble(20, 1)
        b = nengo.Ensemble(1, 1, neuron_type=nengo.Direct())
        nengo.Connection(stimulus, a)
        nengo.Connection(a, b, function=np.square)
        nengo.Connection(b, a, transform=-0.2)
        nengo.Probe(b)
    assert_matches_nengo(net, steps=60, rtol32=1e-2)


def test_ensemble_arrays():
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(lambda t: np.sin(20 * t + np.arange(6)))
        array = nengo.networks.EnsembleArray(15, 3, ens_dimensions=2)
        array.add_neuron_output()
        array.add_neuron_input()
        square = array.add_output("square", np.square)
        nengo.Connection(stimulus, array.input)
        nengo.Connection(square, array.input, transform=-0.1)
        nengo.Connection(
            nengo.Node([0.1]), array.neuron_input, transform=np.ones((45, 1))
        )
        nengo.Probe(array.output, synapse=0.01)
        nengo.Probe(array.neuron_output[::5])
    assert_matches_nengo(net, steps=60)


def test_circular_convolution():
    with nengo.Network(seed=0) as net:
        net.config[nengo.Ensemble].neuron_type = nengo.LIFRate()
        product = nengo.networks.CircularConvolution(10, dimensions=4)
        a = nengo.Node(lambda t: np.sin(20 * t + np.arange(4)))
        nengo.Connection(a, product.input_a)
        nengo.Connection(nengo.Node([0.5, -0.2, 0.1, 1]), product.input_b)
        nengo.Probe(product.output, synapse=0.01)
    assert_matches_nengo(net)


def test_basal_ganglia():
    with nengo.Network(seed=0) as net:
        ganglia = nengo.networks.BasalGanglia(3, n_neurons_per_ensemble=20)
        thalamus = nengo.networks.Thalamus(3, n_neurons_per_ensemble=10)
        nengo.Connection(nengo.Node([0.8, 0.2, 0.5]), ganglia.input)
        nengo.Connection(ganglia.output, thalamus.input)
        nengo.Probe(thalamus.output, synapse=0.01)
    assert_matches_nengo(net, steps=50, dtypes=("float64",), minibatch=(None,))


@pytest.mark.filterwarnings("ignore:The nengo.spa module is deprecated")
def test_semantic_pointers():
    with nengo.spa.SPA(seed=0) as net:
        net.state = nengo.spa.State(16, neurons_per_dimension=10)
        net.stimulus = nengo.spa.Input(state="A + B * C")
        nengo.Probe(net.state.output, synapse=0.01)
    assert_matches_nengo(net, steps=15, dtypes=("float64",), minibatch=(None,))


def test_networks_in_networks_with_everything():
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(nengo.processes.WhiteSignal(0.1, high=50, seed=0))
        with nengo.Network() as inner:
            relay = nengo.Node(size_in=1)
            with nengo.Network():
                a = nengo.Ensemble(20, 1, neuron_type=nengo.AdaptiveLIF())
                b = nengo.Ensemble(20, 1, noise=nengo.processes.WhiteNoise(seed=1))
                nengo.Connection(relay, a)
                nengo.Connection(a, b, synapse=nengo.Alpha(0.01))
                nengo.Connection(b.neurons[:5], a.neurons[-5:], transform=1e-4)
                nengo.Probe(b, synapse=0.01)
        assert len(inner.networks) == 1
        nengo.Connection(stimulus, relay, synapse=None)
        out = nengo.Node(lambda t, x: x**3, size_in=1)
        nengo.Connection(b, out)
        nengo.Probe(out, synapse=0.01)
    assert_matches_nengo(net, steps=60, rtol32=1e-2)


@pytest.mark.parametrize(
    "planner, simplifications",
    rest_with_everything(
        [
            ("greedy", "default"),
            ("noop", "none"),
            ("greedy", "none"),
            ("noop", "default"),
        ],
        2,
        together=True,
    ),
)
def test_results_do_not_depend_on_plans_and_rewrites(planner, simplifications):
    from nengo_dl.graph.simplify import default_simplifications
    from nengo_dl.plan.greedy import greedy_planner
    from nengo_dl.plan.noop import noop_planner

    rewrites = list(default_simplifications) if simplifications == "default" else []
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(lambda t: [np.sin(20 * t), np.cos(20 * t)])
        constant = nengo.Node([0, 1])
        a = nengo.Ensemble(20, 2)
        b = nengo.Ensemble(15, 1, neuron_type=nengo.SpikingRectifiedLinear())
        unused = nengo.Ensemble(10, 1, neuron_type=nengo.LIFRate())
        nengo.Connection(stimulus, a)
        nengo.Connection(constant, a, transform=0)
        nengo.Connection(constant, a[::-1], transform=[[1, 0], [0, 1]])
        learned = nengo.Connection(
            a, b, function=lambda x: x[0] * x[1], learning_rule_type=nengo.PES()
        )
        nengo.Connection(b, learned.learning_rule, synapse=0.01)
        nengo.Connection(a.neurons[::2], b.neurons[[0, 0, 1] + [2] * 7], transform=1e-4)
        for ensemble in (a, b, unused):
            nengo.Probe(ensemble, synapse=0.02)
            nengo.Probe(ensemble.neurons)
    assert_matches_nengo(
        net,
        steps=40,
        dtypes=("float64",),
        minibatch=(None, 2),
        planner=greedy_planner if planner == "greedy" else noop_planner,
        simplifications=rewrites,
    )


def test_network_without_anything_to_compute():
    with nengo.Network(seed=0) as net:
        nengo.Probe(nengo.Node(1.5))
        nengo.Ensemble(5, 1)
        nengo.Node(size_in=2)
    assert_matches_nengo(net, steps=3)


@pytest.mark.parametrize("function", [None, lambda t: None])
def test_networks_without_signals(function):
    with nengo.Network() as net:
        if function is not None:
            nengo.Node(function)
    for items in (None, 2):
        assert simulate(net, 3, minibatch_size=items).n_steps == 3


def test_many_steps_and_rarely_sampled():
    with nengo.Network(seed=0) as net:
        a = nengo.Node(size_in=1)
        nengo.Connection(nengo.Node(lambda t: np.sin(t)), a, synapse=0.1)
        nengo.Probe(a, sample_every=0.25)
    assert_matches_nengo(
        net, steps=2600, dtypes=("float64", "float32"), minibatch=(None,)
    )
