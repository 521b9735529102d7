"""Losses in Keras' way, against NumPy and within Keras itself."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.losses import Regularize, nan_mse
from nengo_dl.losses.outputs import norms
from tests.helpers import rest_with_everything

#: Types, with and without XLA
WAYS = [("float32", True), ("float64", False), ("float32", False), ("float64", True)]
ORDERS = [2, 1, 0.5, 3, np.inf]

everywhere = pytest.mark.parametrize(
    "dtype, jit_compile", rest_with_everything(WAYS, 2, together=True)
)


def with_gradient(function, values, dtype, jit_compile):
    """Return what a function of outputs returns, and the gradient of its mean."""

    @tf.function(jit_compile=jit_compile, autograph=False)
    def compute(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            result = function(x)
            mean = tf.reduce_mean(result)
        return result, tape.gradient(mean, x)

    results = compute(tf.constant(values, dtype))
    assert all(result.dtype == dtype for result in results)
    return [result.numpy() for result in results]


def numeric_gradient(function, x, h=1e-6):
    """Return the gradient of a function of an array, element by element."""
    gradient = np.empty_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = h
        gradient[i] = (function(x + step) - function(x - step)) / (2 * h)
    return gradient


def outputs_and_targets():
    rng = np.random.RandomState(0)
    outputs, targets = rng.normal(size=(2, 4, 3, 2))
    targets[0, :, 0] = np.nan
    targets[2] = np.nan
    return outputs, targets


@everywhere
def test_squared_errors_leave_out_missing_targets(dtype, jit_compile):
    outputs, targets = outputs_and_targets()
    error = np.where(np.isnan(targets), 0, outputs - targets)
    loss, gradient = with_gradient(
        lambda y: nan_mse(targets, y), outputs, dtype, jit_compile
    )
    np.testing.assert_allclose(loss, np.mean(error**2, axis=-1), rtol=1e-5)
    # missing targets are counted: the mean is one over all 24 elements
    np.testing.assert_allclose(gradient, 2 * error / 24, rtol=1e-5)
    assert np.all(gradient[2] == 0)


@everywhere
def test_without_missing_targets_it_is_the_mean_squared_error(dtype, jit_compile):
    outputs, _ = outputs_and_targets()
    targets = np.ones(outputs.shape, int)
    loss, _ = with_gradient(lambda y: nan_mse(targets, y), outputs, dtype, jit_compile)
    expected = keras.losses.mean_squared_error(targets.astype(float), outputs)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_targets_that_are_all_missing_cost_nothing():
    targets = np.full((2, 3, 4), np.nan)
    assert np.all(nan_mse(targets, np.ones((2, 3, 4))) == 0)


@pytest.mark.parametrize("shape", [(4, 1, 2), (4, 3, 1), (3, 2), (5, 3, 2)])
def test_targets_are_not_broadcast(shape):
    outputs, _ = outputs_and_targets()
    with pytest.raises(ValidationError) as error:
        nan_mse(np.zeros(shape), outputs)
    assert f"(4, 3, 2); got {shape}" in str(error.value)


@everywhere
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("axis", [None, 0, -1])
def test_norms(axis, order, dtype, jit_compile):
    x = np.random.RandomState(0).normal(size=(2, 3, 4, 5))

    def expected(x):
        if axis is None:
            return np.linalg.norm(x.reshape(2, 3, 20), order, axis=-1)
        along = 2 if axis == 0 else 3
        return np.linalg.norm(x, order, axis=along).mean(axis=-1)

    values, gradient = with_gradient(
        lambda x: norms(x, order, axis), x, dtype, jit_compile
    )
    np.testing.assert_allclose(values, expected(x), rtol=1e-5)
    numeric = numeric_gradient(lambda x: expected(x).mean(), x)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-3, atol=1e-6)


@everywhere
@pytest.mark.parametrize("order", ORDERS)
def test_norms_of_nothing_have_no_gradient(order, dtype, jit_compile):
    x = np.zeros((2, 1, 3))
    x[1, 0, 1] = -2  # a single element, for which all norms are equal
    values, gradient = with_gradient(lambda x: norms(x, order), x, dtype, jit_compile)
    np.testing.assert_allclose(values, [[0], [2]])
    np.testing.assert_allclose(gradient, [[[0, 0, 0]], [[0, -0.5, 0]]])


@everywhere
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1e-31, 1e30])
def test_norms_neither_vanish_nor_overflow(size, order, dtype, jit_compile):
    pattern = np.array([[[3.0, -4.0, 1e-6]]])
    expected, direction = with_gradient(
        lambda x: norms(x, order), pattern, "float64", False
    )
    values, gradient = with_gradient(
        lambda x: norms(x, order), size * pattern, dtype, jit_compile
    )
    np.testing.assert_allclose(values / size, expected, rtol=1e-5)
    np.testing.assert_allclose(gradient, direction, rtol=1e-4, atol=1e-12)


@everywhere
@pytest.mark.parametrize("order", ORDERS)
def test_norms_of_what_is_no_number_are_no_number(order, dtype, jit_compile):
    x = [[[np.nan, 1.0]], [[np.inf, 1.0]], [[1.0, 0.0]]]
    values, _ = with_gradient(lambda x: norms(x, order), x, dtype, jit_compile)
    np.testing.assert_array_equal(values, [[np.nan], [np.inf], [1]])


def test_regularization_is_the_mean_norm_whatever_the_targets():
    outputs, targets = outputs_and_targets()
    for loss, expected in (
        (Regularize(), np.linalg.norm(outputs, axis=-1).mean()),
        (Regularize(order=1), np.abs(outputs).sum(axis=-1).mean()),
        (Regularize(order=np.inf, axis=0), np.abs(outputs).max(axis=-1).mean()),
        (Regularize(reduction="sum"), np.linalg.norm(outputs, axis=-1).sum()),
    ):
        assert float(loss(targets, outputs)) == pytest.approx(expected, rel=1e-5)
    assert Regularize(dtype="float64")(targets, outputs).dtype == "float64"


def test_regularization_heeds_weights_of_items():
    outputs, targets = outputs_and_targets()
    weights = np.array([1.0, 0, 2, 0])
    expected = (np.linalg.norm(outputs, axis=-1) * weights[:, None]).mean()
    found = Regularize()(targets, outputs, sample_weight=np.tile(weights[:, None], 3))
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "arguments, name",
    [
        ({"order": 0}, "order"),
        ({"order": -1}, "order"),
        ({"order": np.nan}, "order"),
        ({"order": True}, "order"),
        ({"order": "fat"}, "order"),
        ({"order": None}, "order"),
        ({"axis": 0.5}, "axis"),
        ({"axis": (0, 1)}, "axis"),
        ({"axis": True}, "axis"),
    ],
)
def test_there_are_not_all_norms(arguments, name):
    ((_, value),) = arguments.items()
    with pytest.raises(ValidationError) as error:
        Regularize(**arguments)
    assert str(error.value).startswith(name)
    assert repr(value) in str(error.value)


@pytest.mark.parametrize("axis", [1, -2, 5])
def test_there_are_not_all_axes(axis):
    with pytest.raises(ValidationError, match=rf"an axis {axis}.*\(4, 3, 2\)"):
        Regularize(axis=axis)(np.zeros(1), np.ones((4, 3, 2)))
    with pytest.raises(ValidationError, match=r"with axes.*\(4, 3\)"):
        norms(np.ones((4, 3)))


@pytest.mark.parametrize("order", [*ORDERS, "euclidean"])
def test_keras_can_write_losses_down(order):
    loss = Regularize(order=order, axis=-1, name="rates", reduction="sum")
    copy = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(copy) is Regularize
    assert copy.get_config() == loss.get_config()
    assert copy.order == loss.order == (2 if order == "euclidean" else order)
    assert keras.losses.deserialize(keras.losses.serialize(nan_mse)) is nan_mse


def test_training_with_keras(tmp_path):
    rng = np.random.RandomState(0)
    x = rng.normal(size=(64, 5, 3))
    y = x @ rng.normal(size=(3, 2))
    y_known = y.copy()
    y[::2, :, 0] = np.nan
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5, 3))
    outputs = keras.layers.Dense(2, name="fit")(inputs)
    model = keras.Model(
        inputs, {"fit": outputs, "small": keras.layers.Identity(name="small")(outputs)}
    )
    model.compile(
        keras.optimizers.Adam(0.05),
        loss={"fit": nan_mse, "small": Regularize()},
        loss_weights={"fit": 1.0, "small": 1e-4},
        jit_compile=False,
    )
    targets = {"fit": y, "small": np.zeros((64, 5, 1))}
    model.fit(x, targets, epochs=60, batch_size=16, verbose=0)
    found = model.predict(x, verbose=0)["fit"]
    assert np.abs(found - y_known).max() < 0.01
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(x, targets, verbose=0) == pytest.approx(
        model.evaluate(x, targets, verbose=0)
    )
