"""Keys of equal code over equal values."""

import functools
import gc
import math
import weakref
from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf

from nengo_dl import losses
from nengo_dl.program.value_keys import known_by_value, value_key

FACTOR = 2.0


def scaled(factor, array=None):
    return lambda x: factor * x + (0 if array is None else array.sum())


def recursive(x, depth=3):
    return x if depth == 0 else recursive(x, depth - 1)


@dataclass
class Changeable:
    value: int = 0


class Method:
    def loss(self, outputs):
        return outputs


@pytest.mark.parametrize(
    "make",
    [
        lambda: scaled(2.0),
        lambda: scaled(2.0, np.arange(3)),
        lambda: scaled(tf.constant([1.0, 2.0])),
        lambda: functools.partial(scaled(1), y=(1, ("a", None, 2.5))),
        lambda: keras.losses.Huber(0.5),
        lambda: keras.losses.CategoricalCrossentropy(from_logits=True),
        lambda: keras.metrics.MeanSquaredError(),
        lambda: keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5),
        lambda: losses.nan_mse,
        lambda: recursive,
        lambda: tf.reduce_mean,
        lambda: np.float32(math.pi),
        lambda: ["text", b"bytes", 1, 1.5, None, np.dtype("f4"), tf.float32, np.sum],
    ],
)
def test_equal_values_have_equal_keys_known_by_value(make):
    first, second = value_key(make()), value_key(make())
    assert first == second
    assert hash(first) == hash(second)
    assert known_by_value(first)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (scaled(2.0), scaled(3.0)),
        (scaled(2.0), scaled(2)),
        (scaled(1, np.arange(3)), scaled(1, np.arange(4))),
        (scaled(1, np.zeros(3)), scaled(1, np.zeros(3, "f4"))),
        (lambda x: x + 1, lambda x: x + 2),
        (lambda x, y=1: x, lambda x, y=2: x),
        (keras.losses.Huber(0.5), keras.losses.Huber(1.0)),
        (keras.losses.MeanSquaredError(), keras.losses.MeanAbsoluteError()),
        (keras.losses.MeanSquaredError(), keras.losses.MeanSquaredError("sum")),
        (0.0, -0.0),
        (1, True),
        ([1, [2]], [1, 2]),
        (tf.reduce_mean, tf.reduce_sum),
    ],
)
def test_other_values_have_other_keys(one, other):
    assert value_key(one) != value_key(other)


def test_functions_of_one_name_within_objects_of_keras_differ():
    def make(factor):
        def function(y_true, y_pred):
            return factor * (y_pred - y_true)

        return keras.metrics.MeanMetricWrapper(function)

    assert value_key(make(1)) == value_key(make(1))
    assert value_key(make(1)) != value_key(make(2))


def test_global_names_count(monkeypatch):
    def function(x):
        return FACTOR * x

    before = value_key(function)
    monkeypatch.setitem(globals(), "FACTOR", 3.0)
    assert value_key(function) != before


@pytest.mark.parametrize(
    "make",
    [
        object,
        Method,
        Changeable,
        lambda: Method().loss,
        lambda: tf.Variable(1.0),
        lambda: [].append,
    ],
)
def test_what_is_not_known_is_only_equal_to_itself(make):
    one, other = make(), make()
    assert value_key(one) != value_key(other)
    assert value_key(one) == value_key(one)
    assert not known_by_value(value_key([one]))
    assert not known_by_value(value_key(lambda: one))


def test_lists_that_a_function_may_write_into_are_equal_to_themselves_alone():
    def writer(target, option=None):
        return lambda x: target.append(x)

    one, other = [], []
    assert value_key(writer(one)) == value_key(writer(one))
    assert value_key(writer(one)) != value_key(writer(other))
    before = value_key(writer(one))
    one.append(1)
    assert value_key(writer(one)) != before
    # what is not part of a function is compared by value
    assert value_key([one]) == value_key([[1]])


def test_objects_may_stand_for_their_places():
    one, other = object(), object()
    assert value_key([one], {one: 0}) == value_key([other], {other: 0})
    assert value_key([one], {one: 0}) != value_key([one], {one: 1})
    assert known_by_value(value_key([one], {one: 0}))


def test_a_key_keeps_what_it_holds():
    class Held:
        pass

    reference = weakref.ref(held := Held())
    key = value_key([held])
    del held
    gc.collect()
    assert reference() is not None
    del key
    gc.collect()
    assert reference() is None
