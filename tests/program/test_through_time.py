"""The differentiable form of a model computes what its simulation does."""

import nengo
import numpy as np
import pytest
import tensorflow as tf

import nengo_dl
from tests.helpers import assert_close, configured, rest_with_everything
from tests.program.forms import STEPS, Form
from tests.random_networks.generator import generate


def assert_equals_simulation(net, minibatch_size=None, jit=False):
    options = {"dtype": "float64", "seed": 1, "progress_bar": False}
    with configured(net, jit_compile=jit):
        sim = nengo_dl.Simulator(net, minibatch_size=minibatch_size, **options)
    with sim:
        outputs = Form(sim).run(jit)
        sim.run_steps(STEPS)
        for probe, values in zip(sim.model.probes, outputs, strict=True):
            expected = sim.data[probe]
            if minibatch_size is None:
                expected = expected[None]
            if probe.sample_every is None:
                assert_close(values, expected, rtol=1e-9)
            else:
                period = probe.sample_every / sim.dt
                kept = np.arange(1, STEPS + 1) % period < 1
                assert_close(values[:, kept], expected, rtol=1e-9)


def recurrent():
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(lambda t: [np.sin(40 * t), 0.3])
        a = nengo.Ensemble(12, 2, neuron_type=nengo.LIFRate())
        b = nengo.Ensemble(12, 1)
        nengo.Connection(stimulus, a, synapse=None)
        nengo.Connection(a, b, function=lambda x: x[0] * x[1], synapse=None)
        nengo.Connection(b, b, synapse=0.01)
        nengo.Connection(a.neurons, b.neurons, transform=nengo_dl.dists.Glorot())
        for target, options in (
            (stimulus, {}),
            (a, {}),
            (a.neurons, {}),
            (b, {"synapse": 0.01}),
            (b, {"synapse": nengo.Alpha(0.01)}),
            (b.neurons, {"attr": "voltage"}),
            (b.neurons, {"attr": "input"}),
            (b.neurons[2:5], {}),
            (b, {"attr": "scaled_encoders"}),
        ):
            nengo.Probe(target, **options)
    return net


@pytest.mark.parametrize("minibatch_size", rest_with_everything([3, None]))
def test_recurrent_network(minibatch_size):
    assert_equals_simulation(recurrent(), minibatch_size, jit=True)


def test_what_needs_no_loop_is_outside_of_it():
    with nengo_dl.Simulator(recurrent(), dtype="float64", progress_bar=False) as sim:
        form = Form(sim).form
    assert all(len(part.plan) for part in (form.before, form.loop, form.after))
    with nengo.Network() as net:
        net.config[nengo.Connection].synapse = None
        net.config[nengo.Ensemble].neuron_type = nengo.LIF()
        node, a, b = nengo.Node(0.5), nengo.Ensemble(9, 1), nengo.Ensemble(8, 1)
        nengo.Connection(node, a)
        nengo.Connection(a, b)
        nengo.Probe(b)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        # without memory there is no loop at all, and rates have no memory
        assert not Form(sim, training=True).form.loop.plan
        assert Form(sim, training=False).form.loop.plan


def test_only_what_the_probes_depend_on():
    net = recurrent()
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        form = Form(sim, probes=[net.probes[1]])
        assert not form.form.loop.plan
        (values,) = form.run()
        sim.run_steps(STEPS)
        assert_close(values, sim.data[net.probes[1]][None])


@pytest.mark.parametrize(
    "rule", [nengo.PES(1e-3), nengo.Voja(learning_rate=0.1)], ids=str
)
def test_learning_goes_on_within_an_item(rule):
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(lambda t: np.sin(40 * t))
        a, b = nengo.Ensemble(10, 1), nengo.Ensemble(10, 1)
        nengo.Connection(stimulus, a)
        learned = nengo.Connection(a, b, learning_rule_type=rule)
        if isinstance(rule, nengo.PES):
            nengo.Connection(b, learned.learning_rule)
        nengo.Probe(b, synapse=0.01)
        nengo.Probe(learned, "weights", sample_every=0.002)
    assert_equals_simulation(net, 2)


def test_python_in_the_loop():
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(lambda t: np.sin(40 * t))
        square = nengo.Node(lambda t, x: x**2 + t, size_in=1)
        a = nengo.Ensemble(10, 1)
        nengo.Connection(stimulus, square, synapse=None)
        nengo.Connection(square, a)
        nengo.Probe(a, synapse=0.01)
        nengo.Probe(square)
    assert_equals_simulation(net, 2)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", rest_with_everything(range(500, 508), 2))
def test_random_network(seed):
    net = generate(seed).build()
    with net:
        nengo_dl.configure_settings(nengo_random_draws=True)
    assert_equals_simulation(net, None if seed % 2 else 2)


def smooth(neuron_type, synapse):
    """A network whose output changes smoothly with all its parameters."""
    with nengo.Network(seed=1) as net:
        net.config[nengo.Ensemble].neuron_type = neuron_type
        net.config[nengo.Ensemble].max_rates = nengo.dists.Choice([100])
        net.config[nengo.Ensemble].intercepts = nengo.dists.Uniform(-1, -0.5)
        stimulus = nengo.Node(lambda t: [np.sin(40 * t), 0.3])
        a, b = nengo.Ensemble(8, 2), nengo.Ensemble(7, 1)
        nengo.Connection(stimulus, a, synapse=None)
        nengo.Connection(a, b, function=lambda x: x[0] * x[1], synapse=synapse)
        nengo.Connection(b, b, synapse=0.005)
        nengo.Connection(a.neurons, b.neurons, transform=nengo_dl.dists.Glorot(0.01))
        nengo.Probe(b, synapse=nengo.Alpha(0.005))
        nengo.Probe(b.neurons)
        nengo.Probe(a)
    return net


rare = pytest.mark.everything


@pytest.mark.parametrize(
    ("neuron_type", "synapse"),
    [
        pytest.param(nengo.LIF(), 0.005, marks=rare),
        pytest.param(nengo.LIF(), None, marks=rare),
        pytest.param(nengo.Tanh(), None, marks=rare),
        pytest.param(nengo.RegularSpiking(nengo.LIFRate()), 0.005, marks=rare),
        (nengo.AdaptiveLIF(inc_n=0.001), None),
    ],
    ids=str,
)
def test_gradients_are_the_slopes_of_the_outputs(neuron_type, synapse):
    rng = np.random.RandomState(0)
    with nengo_dl.Simulator(
        smooth(neuron_type, synapse),
        dtype="float64",
        minibatch_size=2,
        progress_bar=False,
    ) as sim:
        form = Form(sim, training=True)
        trainable = [v.trainable for v in sim._runner.store.params]
    assert sum(trainable) >= 3
    weights = [rng.randn(2, STEPS, n) for n in (1, 7, 2)]

    @tf.function(jit_compile=True, autograph=False)
    def total(params):
        outputs = form(params)
        return tf.add_n(
            [tf.reduce_sum(w * o) for w, o in zip(weights, outputs, strict=True)]
        )

    @tf.function(jit_compile=True, autograph=False)
    def slopes(params):
        with tf.GradientTape() as tape:
            tape.watch(params)
            value = total(params)
        return tape.gradient(value, params, unconnected_gradients="zero")

    gradients = slopes(form.params)
    for i, param in enumerate(form.params):
        if not trainable[i]:
            continue
        direction, step = rng.randn(*param.shape), 1e-6
        sides = []
        for sign in (1, -1):
            moved = list(form.params)
            moved[i] = param + sign * step * direction
            sides.append(total(moved).numpy())
        numeric = (sides[0] - sides[1]) / (2 * step)
        analytic = float(tf.reduce_sum(gradients[i] * direction))
        assert analytic == pytest.approx(numeric, rel=1e-4, abs=1e-4)
        assert analytic != 0
