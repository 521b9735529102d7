"""Steps forward, surrogates backward."""

import numpy as np
import pytest
import tensorflow as tf

from nengo_dl.lowering.neurons.spike import count, fire
from nengo_dl.surrogates import Arctan, FastSigmoid, Triangular

SURROGATES = [FastSigmoid(), Arctan(scale=0.5), Triangular(slope=0.4)]
EVERYWHERE = [
    pytest.mark.parametrize("jit_compile", [True, False]),
    pytest.mark.parametrize("dtype", ["float32", "float64"]),
]
pytestmark = EVERYWHERE


def with_gradient(function, values, dtype, jit_compile, upstream=3):
    @tf.function(jit_compile=jit_compile, autograph=False)
    def compute(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            result = function(x)
        return result, tape.gradient(result, x, tf.fill(x.shape, x[0] * 0 + upstream))

    results = compute(tf.constant(values, dtype))
    assert all(result.dtype == dtype for result in results)
    return [result.numpy() for result in results]


@pytest.mark.parametrize("surrogate", SURROGATES, ids=str)
def test_firing(surrogate, dtype, jit_compile):
    x = np.array([-1e15, -2, -0.3, -1e-7, 0, 1e-7, 0.3, 2, 1e15], dtype)
    spikes, gradient = with_gradient(
        lambda x: fire(x, surrogate), x, dtype, jit_compile
    )
    assert spikes.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1]
    np.testing.assert_allclose(gradient, 3 * surrogate.derivative(x), rtol=1e-5)
    assert gradient.max() == pytest.approx(3 * surrogate.scale)


@pytest.mark.parametrize("surrogate", SURROGATES, ids=str)
def test_counting(surrogate, dtype, jit_compile):
    v = np.array([-2.75, -1, -0.5, 0, 0.25, 0.75, 1, 1.25, 1.75, 2, 7.125, 1e15])
    counts, gradient = with_gradient(
        lambda v: count(v, surrogate), v, dtype, jit_compile
    )
    np.testing.assert_array_equal(counts, np.trunc(v.astype(dtype)))
    # from the nearest whole number but 0
    distance = [-0.25, 0, -0.5, -1, -0.75, -0.25, 0, 0.25, -0.25, 0, 0.125, 0]
    expected = 3 * surrogate.derivative(np.array(distance, dtype))
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)


def test_counting_down(dtype, jit_compile):
    surrogate = Triangular(slope=0.4)
    v = np.array([-2.75, -1, -0.75, -0.25, 0, 0.25, 0.75, 1.25, 7.125])
    counts, gradient = with_gradient(
        lambda v: count(v, surrogate, down=True), v, dtype, jit_compile
    )
    np.testing.assert_array_equal(counts, np.floor(v))
    distance = [-0.25, 0, -0.25, 0.25, -1, -0.75, -0.25, 0.25, 0.125]
    expected = 3 * surrogate.derivative(np.array(distance, dtype))
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)


def test_gradients_flow_through_time(dtype, jit_compile):
    """An integrator over three steps, by hand and in a loop."""
    surrogate, steps, decay = Triangular(slope=0.25), 3, 0.5

    def last_spike(j):
        def step(i, v, _):
            v = decay * v + j
            spikes = fire(v - 1, surrogate)
            return i + 1, v - spikes, spikes

        state = (tf.constant(0), tf.zeros_like(j), tf.zeros_like(j))
        return tf.while_loop(
            lambda i, *_: i < steps, step, state, maximum_iterations=steps
        )[2]

    j = np.array([0.1, 0.7, 1.5, 2.5], dtype)
    spikes, gradient = with_gradient(last_spike, j, dtype, jit_compile, upstream=1)
    v = dv = np.zeros_like(j)
    for _ in range(steps):
        v, dv = decay * v + j, decay * dv + 1
        fired, slope = (v > 1).astype(dtype), surrogate.derivative(v - 1)
        last, dlast = fired, slope * dv
        v, dv = v - fired, dv - dlast
    np.testing.assert_array_equal(spikes, last)
    np.testing.assert_allclose(gradient, dlast, rtol=1e-5)
    assert 0 < last.sum() < 4
