"""The optimizers of TensorFlow 1, beside what takes their place."""

import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.compat.tf1_optimizers import RULES, TYPES, translate
from nengo_dl.training.optimizers import Optimizers, resolve
from tests.helpers import rest_with_everything

v1 = tf.compat.v1.train

SHAPES = ((5,), (3, 2), ())

OPTIMIZERS = {
    "descent": lambda: v1.GradientDescentOptimizer(0.1),
    "momentum": lambda: v1.MomentumOptimizer(0.1, 0.9),
    "nesterov": lambda: v1.MomentumOptimizer(0.1, 0.9, use_nesterov=True),
    "adam": lambda: v1.AdamOptimizer(),
    "adam with its own numbers": lambda: v1.AdamOptimizer(0.1, 0.8, 0.95, 1e-3),
    "rmsprop": lambda: v1.RMSPropOptimizer(0.01),
    "rmsprop with momentum": lambda: v1.RMSPropOptimizer(0.01, 0.7, 0.5, 1e-2),
    "centered": lambda: v1.RMSPropOptimizer(0.01, 0.8, 0.3, centered=True),
    "adagrad": lambda: v1.AdagradOptimizer(0.1),
    "adagrad from elsewhere": lambda: v1.AdagradOptimizer(0.1, 0.3),
    "adadelta": lambda: v1.AdadeltaOptimizer(),
    "adadelta with its own numbers": lambda: v1.AdadeltaOptimizer(1.0, 0.8, 1e-3),
    "ftrl": lambda: v1.FtrlOptimizer(0.1),
    "ftrl with penalties": lambda: v1.FtrlOptimizer(0.1, -0.7, 0.2, 0.01, 0.02),
    "ftrl with beta": lambda: v1.FtrlOptimizer(0.1, beta=0.3),
    "ftrl that shrinks": lambda: v1.FtrlOptimizer(
        0.1, l2_shrinkage_regularization_strength=0.1
    ),
}

#: XLA compiles some of them in single precision, too
everywhere = pytest.mark.parametrize(
    "jit_compile", rest_with_everything([False, True]), ids=["no xla", "xla"]
)


def gradients(steps, dtype=np.float64):
    rng = np.random.RandomState(0)
    return [
        [np.asarray(rng.normal(size=shape), dtype) for shape in SHAPES]
        for _ in range(steps)
    ]


def start(dtype=np.float64):
    rng = np.random.RandomState(1)
    return [np.asarray(rng.normal(size=shape), dtype) for shape in SHAPES]


def in_tensorflow_1(make, steps, dtype=np.float64):
    """Take steps in a graph and a session, as TensorFlow 1 has it."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [
            tf.compat.v1.get_variable(f"v{i}", initializer=tf.constant(value))
            for i, value in enumerate(start(dtype))
        ]
        feeds = [tf.compat.v1.placeholder(dtype, shape) for shape in SHAPES]
        step = make().apply_gradients(zip(feeds, variables, strict=True))
        session.run(tf.compat.v1.global_variables_initializer())
        path = []
        for values in gradients(steps, dtype):
            session.run(step, dict(zip(feeds, values, strict=True)))
            path.append(session.run(variables))
    return path


def translated(optimizer, steps, jit_compile, dtype=np.float64, between=None):
    """Take the same steps with what `Optimizers` makes of an optimizer."""
    variables = [
        tf.Variable(value, name=f"v{i}") for i, value in enumerate(start(dtype))
    ]
    optimizers = Optimizers()
    used = optimizers.of(optimizer, variables)

    @tf.function(jit_compile=jit_compile)
    def step(values):
        used.apply(values, variables)

    path = []
    for values in gradients(steps, dtype):
        step([tf.constant(value) for value in values])
        path.append([variable.numpy() for variable in variables])
        if between is not None:
            between()
            assert optimizers.of(optimizer, variables) is used
    assert step.experimental_get_tracing_count() == 1
    return path


def assert_same_path(path, expected, tolerance=1e-12):
    assert len(path) == len(expected) > 0
    for ours, theirs in zip(path, expected, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    # and something has happened
    assert all(np.all(a != b) for a, b in zip(path[0], path[-1], strict=True))


@everywhere
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_translated_optimizers_take_the_same_steps(name, jit_compile):
    make = OPTIMIZERS[name]
    expected = in_tensorflow_1(make, 6)
    assert_same_path(translated(make(), 6, jit_compile), expected)


@pytest.mark.parametrize("name", ["adam", "centered", "ftrl with beta"])
def test_translated_optimizers_in_single_precision(name):
    make = OPTIMIZERS[name]
    expected = in_tensorflow_1(make, 6, np.float32)
    assert_same_path(translated(make(), 6, True, np.float32), expected, 1e-5)


def test_every_optimizer_and_every_rule_is_tested():
    made = [make() for make in OPTIMIZERS.values()]
    assert {type(optimizer) for optimizer in made} == set(TYPES)
    assert {translate(optimizer).rule for optimizer in made} == set(RULES)


def test_numbers_keep_the_precision_that_tensorflow_1_gives_them():
    for rate in (0.1, np.float64(0.1), np.float32(0.1), tf.constant(0.1, tf.float64)):
        # a tensor belongs to its graph, so it cannot be given to both
        value = rate.numpy() if tf.is_tensor(rate) else rate
        expected = in_tensorflow_1(lambda v=value: v1.MomentumOptimizer(v, v), 3)
        found = translated(v1.MomentumOptimizer(rate, rate), 3, True)
        assert_same_path(found, expected)


def test_whole_numbers_as_learning_rates():
    expected = in_tensorflow_1(lambda: v1.GradientDescentOptimizer(1), 2)
    assert_same_path(translated(v1.GradientDescentOptimizer(1), 2, True), expected)


# -- hyper-parameters that change


def halved_each_step():
    """Return what GradientDescent does with 0.1, 0.05, 0.025, ..."""
    values, path = start(), []
    for step, slopes in enumerate(gradients(4)):
        rate = np.float64(np.float32(0.1)) / 2**step
        values = [v - rate * g for v, g in zip(values, slopes, strict=True)]
        path.append(values)
    return path


@everywhere
def test_learning_rate_in_a_variable_is_read_in_every_step(jit_compile):
    rate = tf.Variable(0.1)
    path = translated(
        v1.GradientDescentOptimizer(rate),
        4,
        jit_compile,
        between=lambda: rate.assign(rate / 2),
    )
    assert_same_path(path, halved_each_step())


def test_function_that_returns_a_tensor_is_part_of_the_step():
    count = tf.Variable(0)
    # TensorFlow 1 returns a function where there is no graph
    rate = v1.exponential_decay(0.1, count, 1, 0.5)
    assert callable(rate)
    path = translated(
        v1.GradientDescentOptimizer(rate), 4, True, between=lambda: count.assign_add(1)
    )
    assert_same_path(path, halved_each_step(), 1e-7)


def test_function_that_returns_a_number_is_called_for_each_training():
    rates = [0.1]
    path = translated(
        v1.GradientDescentOptimizer(lambda: rates[-1]),
        4,
        True,
        between=lambda: rates.append(rates[-1] / 2),
    )
    assert_same_path(path, halved_each_step())


def test_other_numbers_may_be_functions_too():
    numbers = {"momentum": lambda: 0.9, "decay": lambda: tf.constant(0.7)}
    expected = in_tensorflow_1(
        lambda: v1.RMSPropOptimizer(0.1, momentum=0.9, decay=0.7), 3
    )
    assert_same_path(translated(v1.RMSPropOptimizer(0.1, **numbers), 3, True), expected)


@pytest.mark.parametrize(
    "rate",
    [0.1, np.float64(0.1), lambda: 0.1, tf.Variable(0.1)],
    ids=["number", "64 bits", "function", "variable"],
)
def test_learning_rate_that_a_callback_sets(rate):
    optimizer = resolve(v1.GradientDescentOptimizer(rate))
    assert float(optimizer.learning_rate) == pytest.approx(0.1)
    if callable(rate):
        with pytest.raises(TypeError, match="cannot be set"):
            optimizer.learning_rate = 0.5
        return
    variable = tf.Variable([1.0, 2.0])
    optimizer.build([variable])

    @tf.function(jit_compile=True)
    def step():
        optimizer.apply([tf.ones(2)], [variable])

    step()
    optimizer.learning_rate = 0.5
    step()
    np.testing.assert_allclose(variable, [0.4, 1.4], rtol=1e-6)


def test_tensors_of_a_graph_have_no_value():
    with tf.Graph().as_default():
        rate = tf.constant(0.1) * 2
    with pytest.raises(ValidationError, match="learning_rate.*with a value"):
        resolve(v1.GradientDescentOptimizer(rate))
    with pytest.raises(ValidationError, match="momentum.*Expected a number"):
        resolve(v1.MomentumOptimizer(0.1, momentum="large"))


def test_optimizers_are_made_again_from_their_configuration():
    for name, make in OPTIMIZERS.items():
        optimizer = translate(make())
        again = type(optimizer).from_config(optimizer.get_config())
        assert again.get_config() == optimizer.get_config()
        if name in ("nesterov", "adam", "adagrad from elsewhere"):
            expected = translated(make(), 3, False)
            assert_same_path(translated(again, 3, False), expected)
