import numpy as np
import pytest
import tensorflow as tf

from nengo_dl.program.adjoint import scan

N = 7


def step(constants, state, row, impure):
    """A small recurrent network, with all that a step can have."""
    w, scale = constants
    x, count = state
    u, number = row
    x = tf.tanh(x @ w + scale * u) * tf.cast(number, x.dtype)
    return [x, count + 1], [x * x, tf.cast(count, tf.int64)]


def arguments(seed=0):
    rng = np.random.RandomState(seed)
    constants = [tf.constant(rng.randn(3, 3)), tf.constant(rng.randn(), tf.float64)]
    state = [tf.constant(rng.randn(2, 3)), tf.constant([5, 6], tf.int64)]
    series = [tf.constant(rng.randn(N, 2, 3)), tf.range(1, N + 1)]
    return constants, state, series


def by_hand(constants, state, series):
    outputs = []
    for i in range(N):
        state, out = step(constants, state, [s[i] for s in series], None)
        outputs.append(out)
    return state, [tf.stack(column) for column in zip(*outputs, strict=True)]


@pytest.mark.parametrize("jit", [True, False])
def test_values_and_gradients_are_those_of_the_steps_one_by_one(jit):
    given = arguments()
    sources = [*given[0], given[1][0], given[2][0]]
    weights = tf.constant(np.random.RandomState(1).randn(N, 2, 3))

    def loss_and_gradients(run):
        @tf.function(jit_compile=jit, autograph=False)
        def compute():
            with tf.GradientTape() as tape:
                tape.watch(sources)
                state, outputs = run(*given)
                loss = tf.reduce_sum(outputs[0] * weights) + tf.reduce_sum(state[0])
            return state, outputs, tape.gradient(loss, sources)

        return tf.nest.flatten(compute())

    expected = loss_and_gradients(by_hand)
    found = loss_and_gradients(lambda *a: scan(step, *a, N))
    assert len(found) == len(expected) == 8
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_what_nobody_asks_for_has_no_part_in_the_gradient():
    constants, state, series = arguments()
    with tf.GradientTape() as tape:
        tape.watch(constants)
        final, _ = scan(step, constants, state, series, N)
        loss = tf.reduce_sum(final[0])
    with tf.GradientTape() as other:
        other.watch(constants)
        loss_by_hand = tf.reduce_sum(by_hand(constants, state, series)[0][0])
    np.testing.assert_allclose(loss, loss_by_hand)
    for ours, theirs in zip(
        tape.gradient(loss, constants),
        other.gradient(loss_by_hand, constants),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_python_is_called_on_the_way_forward_only():
    calls = []

    def python(x):
        calls.append(np.array(x))
        return np.float64(len(calls)) * x

    def impure_step(constants, state, row, impure):
        def call():
            result = tf.numpy_function(python, [state[0]], tf.float64)
            result.set_shape(state[0].shape)
            return [result]

        (noise,) = impure(call, 1)
        x = state[0] * constants[0] + noise
        return [x], [x]

    w, start = tf.constant(0.5, tf.float64), tf.constant([1.0, 2.0], tf.float64)

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(w)
            final, outputs = scan(impure_step, [w], [start], [], 3)
            loss = tf.reduce_sum(final[0])
        return final[0], outputs[0], tape.gradient(loss, w)

    final, outputs, slope = gradient()
    assert len(calls) == 3
    assert np.array_equal(calls[0], start)
    np.testing.assert_allclose(outputs[-1], final)
    # x' = w x + noise, with the noise that was drawn on the way forward
    x, dx = np.array(start), np.zeros(2)
    for i in range(3):
        x, dx = 0.5 * x + (i + 1) * x, x + 0.5 * dx
    np.testing.assert_allclose(final, x)
    np.testing.assert_allclose(slope, dx.sum())


def test_the_way_back_keeps_state_only():
    """The history of a step's intermediate values is not part of the graph."""

    def wide(constants, state, row, impure):
        inner = tf.tanh(state[0][:, None] * tf.ones((1, 1000), tf.float64))
        return [tf.reduce_mean(inner, 1) * constants[0]], []

    @tf.function
    def gradient(w):
        with tf.GradientTape() as tape:
            tape.watch(w)
            final, _ = scan(wide, [w], [tf.ones(2, tf.float64)], [], 4)
        return tape.gradient(final[0], w)

    graph = gradient.get_concrete_function(tf.TensorSpec((), tf.float64)).graph
    loops = [
        op for op in graph.get_operations() if op.type in ("While", "StatelessWhile")
    ]
    assert loops
    shapes = [tuple(t.shape) for op in loops for t in op.outputs if t.shape.rank]
    assert shapes and all(1000 not in shape for shape in shapes)
    assert np.isfinite(gradient(tf.constant(1.0, tf.float64)))
