"""Filters for all steps at once are filters step by step."""

import nengo
import numpy as np
import pytest
import tensorflow as tf

from nengo_dl.lowering.processes.filter_series import run_blocks
from nengo_dl.lowering.processes.linear_filter import state_space
from nengo_dl.program.tensor_float import multiply_in_float32
from tests.helpers import assert_close

SYNAPSES = {
    "lowpass": nengo.Lowpass(0.005),
    "alpha": nengo.Alpha(0.01),
    "passthrough": nengo.LinearFilter([0.01, 2], [0.02, 1]),
    "third order": nengo.LinearFilter([1, 2], [1e-6, 3e-4, 0.02, 1]),
    "discrete": nengo.LinearFilter([0.3, 0.1], [1, -0.5, 0.2], analog=False),
    "integrator": nengo.LinearFilter([1], [1, 0]),
}


def step_by_step(system, u, x):
    """The same recurrence, in NumPy."""
    a, b, c, d = system
    outputs = []
    for t in range(u.shape[1]):
        new = np.einsum("kl,bln->bkn", a, x) + b[:, 0][None, :, None] * u[:, None, t]
        source = x if np.any(d) else new
        outputs.append(np.einsum("k,bkn->bn", c[0], source) + d.item() * u[:, t])
        x = new
    return np.stack(outputs, axis=1), x


@pytest.mark.parametrize("n_steps", [1, 2, 3, 10, 37, 100])
@pytest.mark.parametrize("name", SYNAPSES)
def test_blocks_are_steps(name, n_steps):
    rng = np.random.RandomState(0)
    system = state_space(SYNAPSES[name], 0.001)
    u = rng.uniform(-1, 1, (2, n_steps, 3))
    x = rng.uniform(-1, 1, (2, len(system[0]), 3))
    for ours, expected in zip(
        run_blocks(system, tf.constant(u), tf.constant(x)),
        step_by_step(system, u, x),
        strict=True,
    ):
        assert_close(ours.numpy(), expected, rtol=1e-10)


def test_gradients_go_back_through_all_steps():
    rng = np.random.RandomState(1)
    system = state_space(SYNAPSES["alpha"], 0.001)
    u, x = rng.uniform(-1, 1, (1, 23, 2)), rng.uniform(-1, 1, (1, 2, 2))
    weights = rng.uniform(-1, 1, u.shape)
    u_var, x_var = tf.Variable(u), tf.Variable(x)
    with tf.GradientTape() as tape:
        y, end = run_blocks(system, u_var, x_var)
        total = tf.reduce_sum(y * weights) + tf.reduce_sum(end)
    for gradient, given in zip(
        tape.gradient(total, [u_var, x_var]), (u, x), strict=True
    ):
        direction = rng.uniform(-1, 1, given.shape)
        # everything is linear: a large step is exact
        moved = {id(given): given + direction}
        y, end = step_by_step(system, moved.get(id(u), u), moved.get(id(x), x))
        change = np.sum(y * weights) + np.sum(end) - total.numpy()
        assert np.sum(gradient.numpy() * direction) == pytest.approx(change, rel=1e-9)


def test_single_precision():
    multiply_in_float32()
    rng = np.random.RandomState(2)
    system = state_space(SYNAPSES["lowpass"], 0.001)
    u, x = rng.uniform(-1, 1, (2, 400, 3)), np.zeros((2, 1, 3))
    y, _ = run_blocks(system, tf.constant(u, tf.float32), tf.constant(x, tf.float32))
    assert y.dtype == tf.float32
    np.testing.assert_allclose(y, step_by_step(system, u, x)[0], rtol=0, atol=1e-6)
