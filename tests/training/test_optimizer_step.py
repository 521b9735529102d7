"""Steps of optimizers as graphs: their numbers are inputs, all else is as in Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nengo_dl.training.optimizer_step import OptimizerStep
from nengo_dl.training.optimizers import Optimizers

opt = keras.optimizers


class Halving(keras.optimizers.SGD):
    """An optimizer of the user's."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient / 2, variable, learning_rate)


def variables(dtype="float32"):
    sizes = {"first": 5, "second": 3}
    return [
        tf.Variable(np.linspace(-1, 2, n).astype(dtype), name=name)
        for name, n in sizes.items()
    ]


def prepared(make):
    parameters = variables()
    return OptimizerStep(Optimizers().of(make(), parameters), parameters), parameters


def descend(apply, parameters, jit_compile):
    @tf.function(jit_compile=jit_compile)
    def run():
        for _ in tf.range(4):
            with tf.GradientTape() as tape:
                loss = sum(tf.reduce_sum((v - 0.3) ** 2 * v) for v in parameters)
            apply(tape.gradient(loss, parameters), parameters)

    run()
    return [v.numpy() for v in parameters]


CASES = {
    "sgd": [lambda v: opt.SGD(0.1, momentum=v, nesterov=True)],
    "adam": [lambda v: opt.Adam(0.1, beta_1=v, beta_2=0.99 * v, epsilon=v / 100)],
    "clip": [lambda v: opt.Adam(0.1, clipnorm=v, weight_decay=v / 9)],
    "rmsprop": [lambda v: opt.RMSprop(0.1, rho=v, momentum=v / 2, centered=True)],
    "more": [
        lambda v: opt.SGD(0.1, clipvalue=v),
        lambda v: opt.SGD(0.1, global_clipnorm=v),
        lambda v: opt.SGD(0.1, use_ema=True, ema_momentum=v),
        lambda v: opt.AdamW(0.1, weight_decay=v),
        lambda v: opt.Adam(0.1, beta_2=v, amsgrad=True),
        lambda v: opt.Adagrad(0.1, epsilon=v / 1000),
        lambda v: opt.Adadelta(0.1, rho=v),
        lambda v: opt.Adamax(0.1, beta_2=v),
        lambda v: opt.Nadam(0.1, beta_1=v),
        # its steps have one length, and the same directions for both numbers
        lambda v: opt.Lion(0.1, beta_1=v, weight_decay=v),
        lambda v: opt.Lamb(0.1, beta_1=v),
        lambda v: opt.Ftrl(0.1, l1_regularization_strength=v / 10),
    ],
}


@pytest.mark.parametrize(
    "jit_compile",
    [False, pytest.param(True, marks=pytest.mark.everything)],
    ids=["TensorFlow", "XLA"],
)
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, id=name, marks=[pytest.mark.everything] * (name == "more"))
        for name, group in CASES.items()
        for make in group
    ],
)
def test_equal_to_the_steps_of_keras_with_one_key_for_all_numbers(make, jit_compile):
    """To the last bit; XLA may round otherwise where it knows a number beforehand."""
    keys, ends = set(), []
    for value in (0.9, 0.4):
        step, parameters = prepared(lambda value=value: make(value))
        ordinary, same = make(value), variables()
        ordinary.build(same)
        keys.add(step.key)
        ends.append(descend(step, parameters, jit_compile))
        expected = descend(ordinary.apply, same, jit_compile)
        tolerance = {"rtol": 1e-5, "atol": 1e-7} if jit_compile else {"rtol": 0}
        for ours, theirs in zip(ends[-1], expected, strict=True):
            np.testing.assert_allclose(ours, theirs, **tolerance)
    assert len(keys) == 1
    # averages of the weights leave these alone
    is_same = np.array_equal(np.hstack(ends[0]), np.hstack(ends[1]))
    assert is_same == ordinary.use_ema


@pytest.mark.parametrize(
    "first, second",
    [
        (lambda: opt.SGD(0.1), lambda: opt.SGD(0.1, momentum=0.9)),
        (lambda: opt.SGD(momentum=0.9), lambda: opt.SGD(momentum=0.9, nesterov=True)),
        (lambda: opt.Adam(), lambda: opt.Adam(amsgrad=True)),
        (lambda: opt.Adam(), lambda: opt.Adam(clipnorm=1.5)),
        (lambda: opt.Adam(clipnorm=1.5), lambda: opt.Adam(clipvalue=1.5)),
        (lambda: opt.Adam(), lambda: opt.Nadam()),
        # XLA computes powers with some constant exponents in another way
        (lambda: opt.Adafactor(), lambda: opt.Adafactor(beta_2_decay=-0.5)),
        # functions within a graph have new names each time
        (
            lambda: opt.Adam(gradient_accumulation_steps=2),
            lambda: opt.Adam(gradient_accumulation_steps=2, beta_1=0.5),
        ),
        (lambda: Halving(momentum=0.9), lambda: Halving(momentum=0.9)),
    ],
)
def test_what_is_computed_in_another_way_has_another_key(first, second):
    assert prepared(first)[0].key != prepared(second)[0].key


def test_whoever_calls_the_optimizer_takes_the_step():
    parameters = variables()
    adam = opt.Adam(0.1, beta_1=0.8)
    step = OptimizerStep(Optimizers().of(adam, parameters), parameters)
    with step.in_place():
        assert adam.apply is step
        descend(
            lambda grads, held: adam.apply_gradients(zip(grads, held, strict=True)),
            parameters,
            False,
        )
    assert adam.apply is not step
    assert int(adam.iterations) == 4
