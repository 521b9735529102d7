"""Optimizers as users give them, and what they remember."""

import gc
import weakref

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.compat.tf1_optimizers import TF1Optimizer
from nengo_dl.training.optimizers import Optimizers, resolve
from tests.helpers import rest_with_everything


def readable(value):
    """Return an id without the address of an object, or leave it to pytest."""
    return value[:30] if isinstance(value, str) else None


v1 = tf.compat.v1.train

with nengo.Network():
    PROBE = nengo.Probe(nengo.Node([0]))


def variables(dtype=np.float64, n=2):
    return [
        tf.Variable(np.arange(1, 4, dtype=dtype) * (i + 1), name=f"block/{i}#0")
        for i in range(n)
    ]


def descend(optimizer, parameters, steps=1, jit_compile=True):
    """Take steps down the square of the parameters; return where they end."""

    @tf.function(jit_compile=jit_compile)
    def step():
        with tf.GradientTape() as tape:
            loss = sum(tf.reduce_sum(v * v) for v in parameters)
        optimizer.apply(tape.gradient(loss, parameters), parameters)

    for _ in range(steps):
        step()
    return np.array([v.numpy() for v in parameters])


def test_optimizers_of_keras_are_used_as_they_are():
    optimizer = keras.optimizers.Adam(0.1)
    assert resolve(optimizer) is optimizer
    parameters = variables()
    used = Optimizers().of(optimizer, parameters)
    assert used is optimizer
    assert used.built


@pytest.mark.parametrize(
    "name, cls",
    [("adam", keras.optimizers.Adam), ("SGD", keras.optimizers.SGD)],
)
def test_names(name, cls):
    assert type(resolve(name)) is cls


def test_optimizers_of_tensorflow_1_are_translated():
    optimizer = resolve(v1.AdamOptimizer(0.1))
    assert isinstance(optimizer, TF1Optimizer)
    assert optimizer.rule == "Adam"


class Momentum(v1.MomentumOptimizer):
    """May take other steps than its base class."""


@pytest.mark.parametrize(
    "given, message",
    [
        ({}, r"train\(data, optimizer\).*train\(inputs, targets, optimizer\)"),
        ({PROBE: 1}, r"<Probe.*in it.*train\(inputs, targets, optimizer\)"),
        (
            {"lr": 1},
            r"a dict as the optimizer, with lr in it. Expected an optim",
        ),
        ("adamant", "no optimizer 'adamant'.*'adam'"),
        (keras.optimizers.Adam, r"the class Adam .*`Adam\(\.\.\.\)`"),
        (v1.AdamOptimizer, "the class AdamOptimizer"),
        (Momentum(0.1, 0.9), "Momentum, an optimizer of TensorFlow 1, is not among"),
        (
            v1.ProximalGradientDescentOptimizer(0.1),
            "ProximalGradientDescentOptimizer.*RMSPropOptimizer",
        ),
        (None, "Got None as the optimizer.*FtrlOptimizer"),
        (0.1, "Got 0.1 as the optimizer"),
        (np.ones(3), "Got array.* as the optimizer"),
    ],
    ids=readable,
)
def test_what_is_not_an_optimizer(given, message):
    with pytest.raises(ValidationError, match=message):
        resolve(given)
    with pytest.raises(ValidationError, match=message):
        Optimizers().of(given, variables())


# -- memory


@pytest.mark.parametrize(
    "make",
    [lambda: keras.optimizers.SGD(0.1, 0.9), lambda: v1.MomentumOptimizer(0.1, 0.9)],
    ids=["keras", "tensorflow 1"],
)
def test_the_same_optimizer_goes_on_where_it_stopped(make):
    at_once = variables()
    descend(Optimizers().of(make(), at_once), at_once, steps=4)
    in_parts, optimizers, optimizer = variables(), Optimizers(), make()
    first = optimizers.of(optimizer, in_parts)
    descend(first, in_parts, steps=2)
    again = optimizers.of(optimizer, in_parts)
    assert again is first
    descend(again, in_parts, steps=2)
    np.testing.assert_array_equal(at_once, in_parts)
    # another one has no memory of it
    other = variables()
    descend(optimizers.of(make(), other), other, steps=2)
    assert not np.allclose(other, in_parts)


SHARED = {
    "adam": lambda: keras.optimizers.Adam(0.1, clipnorm=0.5, weight_decay=0.01),
    "tensorflow 1": lambda: v1.AdamOptimizer(0.1),
    "loss scale": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(0.1)
    ),
    "sgd": lambda: keras.optimizers.SGD(0.1, 0.9),
    "schedule": lambda: keras.optimizers.SGD(
        keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5), 0.9
    ),
    "function": lambda: keras.optimizers.SGD(lambda: tf.constant(0.1), 0.9),
}


@pytest.mark.parametrize("name", rest_with_everything([*SHARED], 2))
def test_one_optimizer_for_two_simulators(name):
    make = SHARED[name]
    expected = variables()
    descend(Optimizers().of(make(), expected), expected, steps=3)

    optimizer = make()
    owners = [(Optimizers(), variables()) for _ in range(2)]
    for _ in range(3):
        for optimizers, parameters in owners:
            descend(optimizers.of(optimizer, parameters), parameters)
    for _, parameters in owners:
        np.testing.assert_array_equal(parameters, expected)


def test_copies_follow_the_learning_rate_of_the_original():
    optimizer = keras.optimizers.SGD(0.1)
    Optimizers().of(optimizer, variables())
    optimizers, parameters = Optimizers(), variables()
    copy = optimizers.of(optimizer, parameters)
    assert copy is not optimizer
    optimizer.learning_rate = 0.25
    assert optimizers.of(optimizer, parameters) is copy
    assert float(copy.learning_rate) == 0.25


def test_optimizer_that_keras_uses_for_the_same_variables_is_shared():
    parameters = variables()
    wrapped = [
        keras.Variable(v, dtype="float64", name=f"v{i}")
        for i, v in enumerate(parameters)
    ]
    if wrapped[0].value is not parameters[0]:
        parameters = [v.value for v in wrapped]  # older releases of Keras copy
    optimizer = keras.optimizers.Adam(0.1)
    optimizer.build(wrapped)
    used = Optimizers().of(optimizer, parameters)
    assert used is optimizer
    assert np.all(descend(used, parameters) < variables())


def test_optimizer_that_cannot_be_copied():
    class Stubborn(keras.optimizers.SGD):
        def __init__(self, secret):
            super().__init__(0.1)

    optimizer = Stubborn(3)
    Optimizers().of(optimizer, variables())
    with pytest.raises(ValidationError, match="in use for another.*Make a new one"):
        Optimizers().of(optimizer, variables())


def test_names_stand_for_new_optimizers_that_need_no_new_trace():
    optimizers, parameters = Optimizers(), variables()
    first = optimizers.of("adam", parameters)
    after = descend(first, parameters, steps=3)
    for variable, value in zip(parameters, variables(), strict=True):
        variable.assign(value)
    again = optimizers.of("adam", parameters)
    assert again is first
    assert int(again.iterations) == 0
    np.testing.assert_array_equal(descend(again, parameters, steps=3), after)


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.optimizers.Adam(0.1),
        lambda: (
            keras.optimizers.ScheduleFreeAdamW(0.1)
            if hasattr(keras.optimizers, "ScheduleFreeAdamW")
            else keras.optimizers.Nadam(0.1)
        ),
        lambda: v1.RMSPropOptimizer(0.1),
        lambda: v1.AdamOptimizer(0.1),
    ],
    ids=["adam", "slots from values", "tensorflow 1", "powers"],
)
def test_reset_lets_all_optimizers_forget(make):
    optimizers, parameters, optimizer = Optimizers(), variables(), make()
    after = descend(optimizers.of(optimizer, parameters), parameters, steps=3)
    optimizers.reset()
    for variable, value in zip(parameters, variables(), strict=True):
        variable.assign(value)
    used = optimizers.of(optimizer, parameters)
    np.testing.assert_array_equal(descend(used, parameters, steps=3), after)


def test_reset_keeps_the_learning_rate():
    optimizers, parameters = Optimizers(), variables()
    optimizer = keras.optimizers.Adam(0.1)
    optimizers.of(optimizer, parameters)
    optimizer.learning_rate = 0.5
    optimizers.reset()
    assert float(optimizer.learning_rate) == 0.5


@pytest.mark.parametrize(
    "make",
    [lambda: keras.optimizers.Adam(0.1), lambda: v1.AdamOptimizer(0.1)],
    ids=["keras", "tensorflow 1"],
)
def test_nothing_keeps_an_optimizer_alive(make):
    optimizers, parameters, optimizer = Optimizers(), variables(), make()
    optimizers.of(optimizer, parameters)
    alive = weakref.ref(optimizer)
    del optimizer
    gc.collect()
    assert alive() is None
    assert not optimizers._copies and not list(optimizers._start)


# -- options of Keras


def test_slots_have_one_name_for_tensorflow_which_keeps_each_name():
    names = set()
    for _ in range(2):
        optimizer = keras.optimizers.Adam(0.1)
        own = {id(v) for v in optimizer.variables}
        Optimizers().of(optimizer, variables())
        slots = [v for v in optimizer.variables if id(v) not in own]
        names |= {v.value.name for v in slots}
        assert len({v.path for v in optimizer.variables}) == 6
    assert len(names) == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "given",
    ["adam", "sgd", "rmsprop", v1.FtrlOptimizer(0.1), v1.AdamOptimizer(0.1)],
    ids=readable,
)
def test_slots_have_the_precision_of_the_variables(given, dtype):
    optimizer = Optimizers().of(given, variables(dtype))
    slots = [v for v in optimizer.variables if tuple(v.shape) == (3,)]
    assert slots or given == "sgd"
    assert {v.dtype for v in slots} <= {dtype}
    paths = [v.path for v in optimizer.variables]
    assert len(set(paths)) == len(paths)


@pytest.mark.parametrize(
    "options",
    [
        {"clipnorm": 0.1},
        {"global_clipnorm": 0.1},
        {"clipvalue": 0.1},
        {"weight_decay": 0.1},
        {"use_ema": True, "ema_overwrite_frequency": 2},
        {"gradient_accumulation_steps": 2},
        {"loss_scale_factor": 4.0},
    ],
    ids=lambda options: next(iter(options)),
)
def test_options_of_keras_keep_working_in_compiled_steps(options):
    compiled, plain, ordinary = variables(), variables(), variables()
    for parameters, jit_compile in ((compiled, True), (plain, False)):
        optimizer = keras.optimizers.SGD(0.1, **options)
        used = Optimizers().of(optimizer, parameters)
        descend(used, parameters, 4, jit_compile)
    descend(keras.optimizers.SGD(0.1), ordinary, 4)
    np.testing.assert_allclose(compiled, plain, rtol=1e-12)
    assert not np.allclose(compiled, ordinary)


def test_schedules_follow_the_steps():
    parameters = [tf.Variable([1.0])]
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.25, 0.125])
    used = Optimizers().of(keras.optimizers.SGD(schedule), parameters)
    path = [float(descend(used, parameters)[0, 0]) for _ in range(3)]
    # the gradient is 2 v
    assert path == [0.5, 0.375, 0.28125]
