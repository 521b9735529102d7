"""Rates with a soft threshold, against 150 digits and against Nengo."""

from decimal import Decimal, localcontext
from itertools import product

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.builder.neurons import SimNeurons
from nengo.builder.signal import Signal

from nengo_dl.lowering.neurons.soft_lif import LowerSoftLIFRate, soft_lif_rates
from nengo_dl.lowering.registry import lowering_of
from nengo_dl.neurons import SoftLIFRate
from tests.helpers import assert_matches_nengo, rest_with_everything
from tests.lowering.neurons.populations import SOME_ARE_SILENT, add_ensemble

pytestmark = SOME_ARE_SILENT

CURRENTS = [-1e6, -100, -29, -1, 0, 0.9, 0.999, 1, 1 + 1e-6, 1.001, 1.03, 1.69, 2, 31]
CURRENTS += [100, 1e4, 1e6]
SIGMAS = [1e-3, 0.02, 1, 5]


def exact(j, sigma, tau_rc, tau_ref, amplitude):
    """Return the rate and its slope, in decimal arithmetic."""
    with localcontext() as context:
        context.prec = 150
        context.Emin, context.Emax = -(10**9), 10**9
        j, sigma, tau_rc, tau_ref, amplitude = (
            Decimal(float(value)) for value in (j, sigma, tau_rc, tau_ref, amplitude)
        )

        def rate(j):
            u = (j - 1) / sigma
            if u < -150:
                log = -sigma.ln() - u
            else:
                z = j - 1 if u > 150 else sigma * (1 + u.exp()).ln()
                log = (1 + 1 / z).ln()
            return amplitude / (tau_ref + tau_rc * log)

        h = sigma * Decimal("1e-12")
        return float(rate(j)), float((rate(j + h) - rate(j - h)) / (2 * h))


def with_gradient(currents, jit_compile, *parameters):
    """Return rates and their slopes for each current."""
    parameters = [np.asarray(p, currents.dtype) for p in parameters]

    @tf.function(jit_compile=jit_compile, autograph=False)
    def compute(j):
        with tf.GradientTape() as tape:
            tape.watch(j)
            rates = soft_lif_rates(j, *parameters)
        return rates, tape.gradient(rates, j)

    rates, gradient = compute(tf.constant(currents))
    assert rates.dtype == gradient.dtype == currents.dtype
    return rates.numpy(), gradient.numpy()


@pytest.mark.parametrize("jit_compile", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_and_gradients(dtype, jit_compile):
    combinations = list(product(CURRENTS, SIGMAS, [(0.02, 0.002, 1), (0.05, 0, 1000)]))
    j, sigma, rest = zip(*combinations, strict=True)
    # as they are in this precision
    j, sigma, *rest = (np.array(p, dtype) for p in (j, sigma, *zip(*rest, strict=True)))
    rates, gradient = with_gradient(j, jit_compile, sigma, *rest)
    expected = np.array([exact(*case) for case in zip(j, sigma, *rest, strict=True)])
    rtol = 1e-12 if dtype == "float64" else 3e-6
    np.testing.assert_allclose(rates, expected[:, 0], rtol)
    np.testing.assert_allclose(gradient, expected[:, 1], rtol, atol=1e-30)


@pytest.mark.parametrize("jit_compile", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_ever_leaves_the_finite_numbers(dtype, jit_compile):
    currents = np.array([-1e18, -1e6, 1 - 1e-7, 1, 1 + 1e-7, 1e6, 1e18], dtype)
    sigma = np.array([1e-40, 1e-20, 1e-9, 1e9], dtype)
    amplitude = np.array([1e-6, 1, 1e9], dtype)
    j, sigma, amplitude = np.meshgrid(currents, sigma, amplitude, indexing="ij")
    rates, gradient = with_gradient(j, jit_compile, sigma, 0.02, 0.002, amplitude)
    assert np.all(np.isfinite(rates))
    assert np.all(np.isfinite(gradient))
    assert np.all(np.diff(rates, axis=0) >= 0)
    assert np.all(gradient >= 0)
    assert np.all(gradient[3] > 0)


def test_hard_thresholds_are_those_of_lif():
    j = np.linspace(-5, 20, 999)
    expected = np.empty_like(j)
    nengo.LIFRate().step(0.001, j, expected)
    rates, gradient = with_gradient(j, True, 1e-14, 0.02, 0.002, 1)
    np.testing.assert_allclose(rates, expected, rtol=1e-9, atol=1e-8)
    assert np.all(gradient[j > 1.1] > 0)
    assert np.all(gradient[j < 0.9] < 1e-6)


TYPES = [
    SoftLIFRate(),
    SoftLIFRate(sigma=0.02, tau_rc=0.05, tau_ref=0.004, amplitude=2),
    SoftLIFRate(sigma=1e-9),
    nengo.RegularSpiking(SoftLIFRate(sigma=0.1)),
]


class Shifted(SoftLIFRate):
    def step(self, dt, J, output):
        super().step(dt, J - 1, output)


@pytest.mark.parametrize("neuron_type", rest_with_everything(TYPES[1::-1]), ids=str)
def test_one_population(neuron_type):
    with nengo.Network(seed=0) as net:
        add_ensemble(nengo.Node(lambda t: np.sin(100 * t)), neuron_type)
    assert_matches_nengo(net, rtol32=1e-5)


def test_populations_of_all_sizes_and_parameters_together():
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(lambda t: np.sin(100 * t))
        for i, neuron_type in enumerate([*TYPES, Shifted(), *TYPES]):
            add_ensemble(stimulus, neuron_type, 5 + i)
    results = assert_matches_nengo(net, rtol32=1e-5)
    assert not np.array_equal(results[0][:, :5], results[4][:, :5])


def test_runs_in_tensorflow_unless_somebody_changed_the_step():
    current, output = Signal(np.zeros(3)), Signal(np.zeros(3))
    assert lowering_of(SimNeurons(SoftLIFRate(), current, output)) is LowerSoftLIFRate
    assert not lowering_of(SimNeurons(Shifted(), current, output)).xla
