"""Neuron types of this package, as Nengo sees them."""

import copy
import pickle

import nengo
import numpy as np
import pytest
from nengo.exceptions import ReadonlyError, ValidationError

from nengo_dl import LeakyReLU, LimitedReLU, SoftLIFRate, SpikingLeakyReLU
from nengo_dl.neurons import Heaviside

TYPES = [
    SoftLIFRate(),
    SoftLIFRate(sigma=0.05, tau_rc=0.03, tau_ref=0.001, amplitude=0.5),
    LeakyReLU(),
    LeakyReLU(negative_slope=0.1, amplitude=2),
    Heaviside(),
    Heaviside(amplitude=0.5),
    LimitedReLU(),
    LimitedReLU(limit=1000, amplitude=0.5),
    SpikingLeakyReLU(),
    SpikingLeakyReLU(negative_slope=0.5, amplitude=0.5),
]


def step(neuron_type, currents):
    """Return the output for currents, of types without state."""
    currents = np.asarray(currents)
    output = np.full_like(currents, np.nan)
    neuron_type.step(0.001, currents, output)
    return output


@pytest.mark.parametrize("neuron_type", TYPES, ids=str)
def test_are_values_that_do_not_change(neuron_type):
    assert eval(repr(neuron_type)) == neuron_type
    assert copy.deepcopy(neuron_type) == neuron_type
    assert pickle.loads(pickle.dumps(neuron_type)) == neuron_type
    assert hash(pickle.loads(pickle.dumps(neuron_type))) == hash(neuron_type)
    with pytest.raises(ReadonlyError):
        neuron_type.amplitude = 3
    assert neuron_type != type(neuron_type)(amplitude=17)


def test_first_argument_is_what_the_type_adds():
    assert SoftLIFRate(0.3).sigma == 0.3
    assert LimitedReLU(0.2).limit == 0.2
    assert LeakyReLU(0.2).negative_slope == SpikingLeakyReLU(0.2).negative_slope == 0.2


@pytest.mark.parametrize("sigma", [0, -1, None, "wide"])
def test_width_of_the_threshold_is_positive(sigma):
    with pytest.raises(ValidationError, match="SoftLIFRate.sigma"):
        SoftLIFRate(sigma=sigma)


def test_slope_is_a_number():
    with pytest.raises(ValidationError, match="LeakyReLU.negative_slope"):
        LeakyReLU(negative_slope="steep")
    with pytest.raises(ValidationError, match="'adaptation' not recognized"):
        SpikingLeakyReLU(initial_state={"adaptation": [0]})


@pytest.mark.parametrize("limit", [0, -1, None, "low"])
def test_limit_is_positive(limit):
    with pytest.raises(ValidationError, match=r"LimitedReLU\.limit"):
        LimitedReLU(limit)


def test_what_nengo_asks_about_a_type():
    for neuron_type in TYPES:
        assert neuron_type.spiking == isinstance(neuron_type, SpikingLeakyReLU)
        assert neuron_type.negative == isinstance(neuron_type, LeakyReLU)
    assert SoftLIFRate().probeable == LeakyReLU().probeable == ("output",)
    assert SpikingLeakyReLU().probeable == ("output", "voltage")


def test_soft_rates_by_their_equation():
    j = np.linspace(-5, 20, 1001)
    z = 0.5 * np.log1p(np.exp((j - 1) / 0.5))
    expected = 3 / (0.004 + 0.05 * np.log1p(1 / z))
    neuron_type = SoftLIFRate(sigma=0.5, tau_rc=0.05, tau_ref=0.004, amplitude=3)
    np.testing.assert_allclose(step(neuron_type, j), expected, rtol=1e-12)


def test_soft_rates_become_those_of_lif_as_the_threshold_hardens():
    j = np.linspace(-5, 20, 999)
    hard = step(nengo.LIFRate(), j)
    errors = [
        np.abs(step(SoftLIFRate(sigma=sigma), j) - hard).max()
        for sigma in (1, 0.1, 1e-2, 1e-3, 1e-5)
    ]
    assert np.all(np.diff(errors) < 0)
    # everywhere but at the threshold itself, where LIF rates have no slope
    away = np.abs(j - 1) > 1e-2
    assert np.abs(step(SoftLIFRate(sigma=1e-5), j) - hard)[away].max() < 0.06
    assert np.abs(step(SoftLIFRate(sigma=1e-12), j) - hard)[away].max() < 1e-7
    far = j > 1.1
    np.testing.assert_allclose(
        step(SoftLIFRate(sigma=1e-3), j)[far], hard[far], rtol=1e-12
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sigma", [1e-30, 1e-3, 1, 100])
def test_soft_rates_of_any_current(sigma, dtype):
    j = np.array([-np.inf, -1e30, -1e4, 0, 1, 1.5, 1e4, 1e30, np.inf], dtype=dtype)
    rates = step(SoftLIFRate(sigma=sigma), j)
    assert rates.dtype == dtype
    assert np.all(np.diff(rates) >= 0)
    assert rates[0] == 0
    assert rates[-1] == pytest.approx(500)
    assert np.all(rates[4:] > 0)


def test_soft_rates_have_the_gains_and_biases_of_lif():
    max_rates, intercepts = np.linspace(200, 400, 7), np.linspace(-0.9, 0.9, 7)
    soft, hard = SoftLIFRate(), nengo.LIFRate()
    gain, bias = soft.gain_bias(max_rates, intercepts)
    np.testing.assert_array_equal((gain, bias), hard.gain_bias(max_rates, intercepts))
    np.testing.assert_array_equal(
        soft.max_rates_intercepts(gain, bias), hard.max_rates_intercepts(gain, bias)
    )
    above = soft.rates(1, gain, bias)[0] - max_rates
    assert np.all(above > -1e-9)
    assert 0.01 < above[0] < 0.1  # Hz, of 200


def test_leaky_rates_by_their_equation():
    j = np.array([-200.0, -1, 0, 1, 200])
    expected = np.array([-40, -0.2, 0, 2, 400])
    np.testing.assert_allclose(step(LeakyReLU(0.1, amplitude=2), j), expected)
    np.testing.assert_array_equal(
        step(LeakyReLU(0), j), step(nengo.RectifiedLinear(), j)
    )


@pytest.mark.parametrize("neuron_type", TYPES, ids=str)
def test_rates_are_what_neurons_fire_at(neuron_type):
    n_neurons, x, dt = 8, 0.4, 0.001
    gain, bias = neuron_type.gain_bias(
        np.linspace(50, 200, 8), np.linspace(-0.9, 0.9, 8)
    )
    rates = neuron_type.rates([x], gain, bias)
    assert rates.shape == (1, n_neurons)
    state = neuron_type.make_state(n_neurons, rng=np.random.RandomState(0))
    output, total = np.empty(n_neurons), np.zeros(n_neurons)
    for _ in range(2000):
        neuron_type.step(dt, gain * x + bias, output, **state)
        total += output * dt
    # a voltage may go from nearly 1 to nearly -1, or back
    tolerance = 2 if neuron_type.spiking else 1e-9
    assert np.all(np.abs(total - 2 * rates[0]) < tolerance * neuron_type.amplitude)
    assert (rates < 0).any() == neuron_type.negative


def test_spikes_of_both_signs_and_several_at_once():
    neuron_type = SpikingLeakyReLU(negative_slope=0.5, amplitude=0.1)
    j = np.array([600.0, -600, 2700, -2700])
    output, voltage = np.empty(4), np.zeros(4)
    outputs = []
    for _ in range(4):
        neuron_type.step(0.001, j, output, voltage)
        outputs.append(output / 100)
    np.testing.assert_allclose(
        np.transpose(outputs),
        [[0, 1, 0, 1], [0, 0, 0, -1], [2, 3, 3, 2], [-1, -1, -2, -1]],
        atol=1e-12,
    )


@pytest.mark.parametrize("neuron_type", TYPES, ids=str)
def test_ensembles_represent_values_in_nengo(neuron_type):
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(lambda t: np.sin(4 * np.pi * t))
        ensemble = nengo.Ensemble(100, 1, neuron_type=neuron_type)
        nengo.Connection(stimulus, ensemble, synapse=None)
        expected = nengo.Probe(stimulus, synapse=0.01)
        p = nengo.Probe(ensemble, synapse=0.01)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run(0.5)
    error = np.sqrt(np.mean((sim.data[p] - sim.data[expected]) ** 2))
    assert error < 0.03
