"""Spikes forward, another derivative backward."""

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.builder.neurons import SimNeurons

import nengo_dl
from nengo_dl.graph.surrogate_neurons import SurrogateNeurons, with_surrogates
from nengo_dl.lowering.neurons.rate_equivalents import rate_equivalent
from nengo_dl.lowering.neurons.surrogate import has_surrogate
from nengo_dl.surrogates import Arctan, FastSigmoid, Triangular
from tests.helpers import rest_with_everything
from tests.program.forms import STEPS, Form

TYPES = [
    nengo.LIF(),
    nengo.AdaptiveLIF(amplitude=0.5),
    nengo.SpikingRectifiedLinear(),
    nengo.RegularSpiking(nengo.LIFRate()),
    nengo_dl.SpikingLeakyReLU(amplitude=0.3),
]
SURROGATES = [FastSigmoid(), Arctan(), Triangular(), "rate"]


@pytest.fixture
def jit(neuron_type, surrogate, request):
    """Whether XLA compiles a test: it takes most of the time, for each network."""
    first = (neuron_type, surrogate) == (TYPES[0], SURROGATES[0])
    return request.config.getoption("--everything") or first


def network(neuron_type, surrogate, **options):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(surrogate=surrogate)
        stimulus = nengo.Node(lambda t: np.sin(40 * t))
        a = nengo.Ensemble(10, 1, neuron_type=neuron_type, **options)
        nengo.Connection(stimulus, a, synapse=None)
        nengo.Connection(a, a, synapse=0.005)
        nengo.Probe(a.neurons)
        nengo.Probe(a, synapse=0.01)
    return net


def open_simulator(net):
    return nengo_dl.Simulator(net, dtype="float64", progress_bar=False)


@pytest.mark.parametrize("surrogate", rest_with_everything(SURROGATES), ids=str)
@pytest.mark.parametrize("neuron_type", TYPES, ids=str)
def test_forward_they_are_the_spiking_neurons(neuron_type, surrogate, jit):
    net = network(neuron_type, surrogate)
    with net:
        nengo_dl.configure_settings(jit_compile=jit)
    with open_simulator(net) as sim:
        outputs = Form(sim, training=True).run(jit)
        sim.run_steps(STEPS)
        assert np.any(sim.data[net.probes[0]])
        for probe, values in zip(net.probes, outputs, strict=True):
            np.testing.assert_allclose(values[0], sim.data[probe], atol=1e-12)


@pytest.mark.parametrize(
    "neuron_type, surrogate",
    [
        # each type with one of them, and each of them with one type
        pytest.param(
            *case, marks=() if case[0] is TYPES[0] or i < 5 else pytest.mark.everything
        )
        for i, case in enumerate(
            (neuron_type, surrogate)
            for surrogate in SURROGATES
            for neuron_type in TYPES
        )
    ],
    ids=str,
)
def test_gradients_arrive_and_are_finite(neuron_type, surrogate, jit):
    with open_simulator(network(neuron_type, surrogate)) as sim:
        form = Form(sim, training=True)

        @tf.function(jit_compile=jit, autograph=False)
        def slopes(params):
            with tf.GradientTape() as tape:
                tape.watch(params)
                total = tf.add_n([tf.reduce_sum(o) for o in form(params)])
            return tape.gradient(total, params, unconnected_gradients="zero")

        gradients = slopes(form.params)
        trained = [v.trainable for v in sim._runner.store.params]
    for gradient, is_trained in zip(gradients, trained, strict=True):
        assert np.all(np.isfinite(gradient))
        if is_trained:
            assert np.any(gradient)


def one_step(neuron_type, surrogate, j, voltage):
    """Return output, and its derivative by the current, of neurons in one step."""
    n = len(j)
    with nengo.Network() as net:
        nengo_dl.configure_settings(surrogate=surrogate)
        node = nengo.Node(np.asarray(j, float))
        a = nengo.Ensemble(
            n,
            1,
            neuron_type=neuron_type,
            gain=np.ones(n),
            bias=np.zeros(n),
        )
        nengo.Connection(node, a.neurons, synapse=None)
        nengo.Probe(a.neurons)
    with open_simulator(net) as sim:
        form = Form(sim, training=True)
        signal = sim.model.sig[a.neurons]["voltage"]
        store = sim._runner.store
        store.set_value(signal, np.asarray(voltage)[None])
        form.state = store.state
        (input_signal,) = (i.signal for i in form.inputs if i.node is node)
        x = form.series[input_signal]
        with tf.GradientTape() as tape:
            tape.watch(x)
            form.series[input_signal] = x
            (out,) = form()
            first = tf.reduce_sum(out[:, 0])
        return out[0, 0].numpy(), tape.gradient(first, x)[0, 0].numpy()


def test_the_derivative_is_that_of_the_surrogate():
    surrogate = Triangular(slope=0.7, scale=0.4)
    j, voltage = np.array([10.0, 30.0, 0.5]), np.array([0.3, 0.9, 0.1])
    out, slope = one_step(nengo.SpikingRectifiedLinear(), surrogate, j, voltage)
    passed = voltage + j * 0.001
    np.testing.assert_allclose(out, np.floor(passed) / 0.001)
    np.testing.assert_allclose(
        slope, surrogate.derivative(passed - 1) * 0.001 / 0.001, rtol=1e-10
    )


def test_the_derivative_of_lif_goes_through_the_membrane():
    surrogate = FastSigmoid(slope=3)
    j, voltage = np.array([2.0, 30.0, 0.5]), np.array([0.3, 0.9, 0.1])
    out, slope = one_step(nengo.LIF(), surrogate, j, voltage)
    gain = -np.expm1(-0.001 / 0.02)
    passed = voltage + (j - voltage) * gain
    np.testing.assert_allclose(out, (passed > 1) / 0.001)
    np.testing.assert_allclose(
        slope, surrogate.derivative(passed - 1) * gain / 0.001, rtol=1e-10
    )


def test_the_derivative_of_rates_is_that_of_the_rate_curve():
    j, voltage = np.array([2.0, 5.0, 0.5, 1.0]), np.array([0.3, 0.99, 0.1, 0.2])
    out, slope = one_step(nengo.LIF(), "rate", j, voltage)
    assert set(out) <= {0, 1000}
    rates = nengo.LIFRate()
    step = 1e-6
    numeric = (
        rates.rates((j + step)[:, None], 1, 0) - rates.rates((j - step)[:, None], 1, 0)
    ).ravel() / (2 * step)
    np.testing.assert_allclose(slope[:3], numeric[:3], rtol=1e-5, atol=1e-9)
    assert np.isfinite(slope[3])


def test_random_spikes_get_rates_because_they_have_no_voltage():
    ops = []
    for neuron_type in (nengo.PoissonSpiking(nengo.LIFRate()), nengo.LIF()):
        with nengo.Network() as net:
            nengo.Ensemble(5, 1, neuron_type=neuron_type)
        with open_simulator(net) as sim:
            ops += [op for op in sim.model.operators if isinstance(op, SimNeurons)]
    replaced = with_surrogates(ops, Arctan(), has_surrogate, rate_equivalent)
    kinds = {type(op.neurons).__name__: type(op) for op in replaced}
    assert kinds == {
        "LIFRate": SimNeurons,
        "PoissonSpiking": SimNeurons,
        "LIF": SurrogateNeurons,
    }
