"""Who is called with what, and in which order."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.training.loss_functions import OutputLoss, loss_function


def readable(value):
    """Return an id without the address of an object, or leave it to pytest."""
    return value[:30] if isinstance(value, str) else None


OUTPUTS, TARGETS = 2.0, 3.0


def order(objective, **options):
    """Return what a function gets: 'o' for outputs, 't' for targets."""
    seen = []
    call = loss_function(objective(seen), "probe", **options)
    call.call("o", "t")
    assert call.uses_targets is ("t" in seen[0])
    return "".join(seen[0])


def plain(seen):
    def f(a, b):
        seen.append((a, b))

    return f


def keras_style(seen):
    def f(y_true, y_pred):
        seen.append((y_true, y_pred))

    return f


def of_tensorflow(seen):
    def f(labels, logits, axis=-1):
        seen.append((labels, logits))

    return f


def told_by_the_second(seen):
    def f(wanted, y_pred):
        seen.append((wanted, y_pred))

    return f


def named(seen):
    def f(outputs, targets, scale=1.0):
        seen.append((outputs, targets))

    return f


def with_optional_targets(seen):
    def f(outputs, targets=None):
        seen.append((outputs, targets))

    return f


def alone(seen):
    def f(outputs):
        seen.append((outputs,))

    return f


def with_option(seen):
    def f(outputs, weight=0.1):
        seen.append((outputs,))
        assert weight == 0.1

    return f


def partial_option(seen):
    def f(outputs, weight):
        seen.append((outputs,))
        assert weight == 3

    return functools.partial(f, weight=3)


def partial_first(seen):
    def f(weight, outputs, targets):
        seen.append((outputs, targets))

    return functools.partial(f, 3)


def keyword_option(seen):
    def f(outputs, *, weight=1):
        seen.append((outputs,))

    return f


def variadic(seen):
    def f(*arguments):
        seen.append(arguments)

    return f


def decorated(seen):
    def f(outputs):
        seen.append((outputs,))

    @functools.wraps(f)
    def g(*args, **kwargs):
        return f(*args, **kwargs)

    return g


class Callable:
    def __init__(self, seen):
        self.seen = seen

    def __call__(self, outputs):
        self.seen.append((outputs,))

    def method(self, outputs, targets):
        self.seen.append((outputs, targets))


@pytest.mark.parametrize(
    "objective, expected",
    [
        (plain, "ot"),
        (keras_style, "to"),
        (of_tensorflow, "to"),
        (told_by_the_second, "to"),
        (named, "ot"),
        (with_optional_targets, "ot"),
        (alone, "o"),
        (with_option, "o"),
        (partial_option, "o"),
        (partial_first, "ot"),
        (keyword_option, "o"),
        (variadic, "ot"),
        (decorated, "o"),
        (Callable, "o"),
        (lambda seen: Callable(seen).method, "ot"),
    ],
)
def test_arguments_of_functions(objective, expected):
    assert order(objective) == expected
    # in Keras' interface only those change that do not tell
    silent = objective in (plain, variadic)
    assert order(objective, targets_first=True) == ("to" if silent else expected)


def test_functions_of_tensorflow_and_compiled_ones():
    assert not loss_function(tf.nn.l2_loss, "probe").uses_targets
    assert not loss_function(tf.reduce_mean, "probe").uses_targets
    assert loss_function(tf.math.squared_difference, "probe").uses_targets
    assert loss_function(tf.nn.softmax_cross_entropy_with_logits, "p").targets_first

    @tf.function
    def compiled(outputs):
        return tf.reduce_sum(outputs)

    assert not loss_function(compiled, "probe").uses_targets
    # no signature can be had of it
    assert loss_function(min, "probe").uses_targets


@pytest.mark.parametrize("targets_first", [False, True])
def test_objectives_and_losses_of_nengo_dl_in_both_interfaces(targets_first):
    outputs, targets = (
        tf.constant([[[1.0]], [[2.0]]]),
        tf.constant([[[2.0]], [[np.nan]]]),
    )
    # in the wrong order a missing target is a missing output
    for objective in (
        nengo_dl.obj.mse,
        nengo_dl.losses.nan_mse,
        "mse",
        lambda y_true, y_pred: nengo_dl.losses.nan_mse(y_true, y_pred),
    ):
        call = loss_function(objective, "probe", targets_first)
        assert float(call(outputs, targets)) == 0.5
    for objective in (nengo_dl.obj.Regularize(), nengo_dl.losses.Regularize()):
        call = loss_function(objective, "probe", targets_first)
        assert float(call(outputs, targets)) == 1.5
        assert call.per_output


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "objective",
    [
        "mae",
        "MeanAbsoluteError",
        keras.losses.MeanAbsoluteError(),
        keras.losses.MeanAbsoluteError(reduction=None),
        keras.losses.mean_absolute_error,
        functools.partial(keras.losses.mean_absolute_error),
    ],
    ids=readable,
)
def test_losses_of_keras_in_the_precision_of_the_outputs(objective, dtype):
    rng = np.random.RandomState(0)
    outputs, targets = rng.normal(size=(2, 4, 3, 5)).astype(dtype)
    call = loss_function(objective, "probe")
    value = call(tf.constant(outputs), tf.constant(targets))
    assert value.dtype == dtype
    rtol = 1e-6 if dtype == "float32" else 1e-15
    np.testing.assert_allclose(value, np.abs(outputs - targets).mean(), rtol=rtol)


def test_losses_that_are_sums():
    outputs, targets = tf.ones((4, 3, 2)), tf.zeros((4, 3, 2))
    loss = keras.losses.MeanSquaredError(reduction="sum")
    assert float(loss_function(loss, "probe")(outputs, targets)) == 12
    assert float(loss(targets, outputs)) == 12


def test_losses_whose_order_matters():
    outputs, targets = np.full((1, 1, 2), 0.5), np.array([[[0.0, 1.0]]])
    expected = -np.log(0.5)
    for objective in (
        "binary_crossentropy",
        keras.losses.BinaryCrossentropy(),
        keras.losses.binary_crossentropy,
    ):
        value = loss_function(objective, "probe")(outputs, targets)
        np.testing.assert_allclose(value, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "objective, size",
    [
        ("sparse_categorical_crossentropy", "class"),
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), "class"),
        (
            functools.partial(
                keras.losses.sparse_categorical_crossentropy, from_logits=True
            ),
            "class",
        ),
        ("categorical_crossentropy", "equal"),
        (keras.losses.CategoricalCrossentropy(), "equal"),
        ("mse", "equal"),
        (nengo_dl.losses.nan_mse, "equal"),
        (keras.losses.mean_absolute_error, "equal"),
        (functools.partial(keras.losses.huber, delta=2.0), "equal"),
        (nengo_dl.losses.Regularize(), "any"),
        (nengo_dl.obj.Regularize(), "any"),
        (keras.losses.CTC(), "any"),
        (lambda outputs, targets: tf.reduce_sum(outputs), "any"),
        (lambda outputs: tf.reduce_sum(outputs), "any"),
    ],
    ids=readable,
)
def test_which_sizes_targets_may_have(objective, size):
    call = loss_function(objective, "probe")
    assert call.target_size == size
    if size == "class":
        outputs = tf.constant(np.eye(3)[None] * 0.9 + 0.05)
        value = call(outputs, tf.constant([[[0.0], [1.0], [2.0]]]))
        assert value.shape == () and value.dtype == "float64"


def test_a_norm_needs_no_targets():
    outputs = tf.constant([[[3.0, 4.0]]])
    for reduction, expected in (("sum_over_batch_size", 5), ("sum", 5)):
        loss = nengo_dl.losses.Regularize(reduction=reduction)
        call = loss_function(loss, "probe")
        assert not call.uses_targets
        assert float(call(outputs, None)) == expected
        assert float(loss(None, outputs)) == expected


def test_equal_functions_are_equal():
    loss = keras.losses.Huber()

    def f(outputs):
        return outputs

    for objective in ("mse", "mae", loss, f, nengo_dl.obj.mse, Callable([]).__call__):
        first, second = (loss_function(objective, "p") for _ in range(2))
        assert first == second
        assert hash(first) == hash(second)
    assert loss_function("mae", "p") != loss_function("mse", "p")
    regularize = [nengo_dl.obj.Regularize(order) for order in (1, 1, 2)]
    first, second, other = (loss_function(r, "p") for r in regularize)
    assert first == second != other


def test_callable_objects_that_cannot_be_keys():
    class Unhashable:
        def __eq__(self, other):
            return True

        def __call__(self, outputs):
            return outputs

    one, two = Unhashable(), Unhashable()
    assert loss_function(one, "p") == loss_function(one, "p")
    assert loss_function(one, "p") != loss_function(two, "p")
    assert hash(loss_function(one, "p")) == hash(loss_function(one, "p"))
    assert loss_function(one, "p")("o", None) == "o"


@pytest.mark.parametrize(
    "objective, message",
    [
        ("nonsense", "'nonsense' for the probe: Keras has no loss of this name"),
        ("", "no loss of this name"),
        (3, "Got 3 for the probe. Expected a function"),
        ({"a": 1}, "Got {'a': 1}"),
        (keras.losses.Huber, r"write `Huber\(\)`"),
        (keras.metrics.MeanSquaredError(), r"compile\(metrics=...\)"),
        (lambda a, b, c: 0, "takes 3 arguments"),
        (lambda: 0, "takes no arguments"),
        (lambda outputs, *, weight: 0, "needs `weight=...`"),
    ],
    ids=readable,
)
def test_what_cannot_be_called(objective, message):
    with pytest.raises(ValidationError, match=message):
        loss_function(objective, "the probe")


# -- in Keras' interface


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "loss, expected",
    [
        ("mse", 1.0),
        ("MeanAbsoluteError", 1.0),
        (keras.losses.MeanSquaredError(reduction="sum"), 12.0),
        (keras.losses.huber, 0.5),
        (nengo_dl.losses.nan_mse, 1.0),
        (nengo_dl.obj.mse, 1.0),
        (nengo_dl.obj.Regularize(), np.sqrt(8)),
        (nengo_dl.losses.Regularize(), np.sqrt(8)),
        (lambda y_true, y_pred: y_pred - 2 * y_true, 0.0),
        (lambda a, b: b - 2 * a, 0.0),
        (lambda outputs, targets: outputs - 2 * targets, 0.0),
        (lambda outputs: tf.reduce_mean(outputs), 2.0),
    ],
    ids=readable,
)
def test_losses_for_keras(loss, expected, dtype):
    outputs, targets = np.full((4, 3, 2), 2.0, dtype), np.ones((4, 3, 2), dtype)
    value = OutputLoss(loss, dtype=dtype)(targets, outputs)
    assert value.dtype == dtype
    np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_keras_weights_samples_of_any_loss():
    outputs, targets = np.full((2, 1, 1), 2.0), np.array([[[1.0]], [[0.0]]])
    loss = OutputLoss("mse", dtype="float64")
    value = loss(targets, outputs, sample_weight=np.array([[1.0], [0.0]]))
    assert float(value) == 0.5


def test_losses_for_keras_keep_what_single_precision_would_lose():
    outputs, targets = np.ones((1, 1, 1)) + 1e-12, np.ones((1, 1, 1))
    for loss in (keras.losses.MeanAbsoluteError(), "mae"):
        value = float(OutputLoss(loss, dtype="float64")(targets, outputs))
        assert value == pytest.approx(1e-12, rel=1e-3)


def test_losses_for_keras_are_made_again_from_their_configuration():
    outputs, targets = np.full((4, 3, 2), 2.0), np.zeros((4, 3, 2))
    for loss in (
        "mae",
        keras.losses.MeanAbsoluteError(),
        nengo_dl.losses.Regularize(1),
    ):
        made = OutputLoss(loss, dtype="float64")
        again = keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(made)
        )
        assert isinstance(again, OutputLoss)
        assert float(again(targets, outputs)) == float(made(targets, outputs))


@pytest.mark.parametrize("value", [None, "text"])
def test_losses_that_return_no_number_name_themselves(value):
    def forgetful(y_true, y_pred):
        return value

    loss = OutputLoss(forgetful, where="<Probe of 'a'>")
    with pytest.raises(ValidationError, match=f"forgetful.*'a'.*returned {value!r}"):
        loss(tf.zeros((2, 1, 1)), tf.zeros((2, 1, 1)))


def test_losses_in_numpy_are_told_what_to_write():
    function = loss_function(lambda y: np.mean(y), "probe")
    run = tf.function(lambda y: function(y, None), autograph=False)
    with pytest.raises(ValidationError, match=r"calls NumPy.*keras\.ops"):
        run(tf.zeros((2, 1, 1)))
