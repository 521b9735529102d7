"""Objectives in the way of ``train``: the losses, with outputs first."""

import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.objectives import Regularize, mse
from tests.helpers import printed_by
from tests.test_losses import everywhere, outputs_and_targets, with_gradient


@everywhere
def test_outputs_come_first_and_targets_may_be_missing(dtype, jit_compile):
    outputs, targets = outputs_and_targets()
    error = np.where(np.isnan(targets), 0, outputs - targets)
    loss, gradient = with_gradient(
        lambda y: mse(y, targets), outputs, dtype, jit_compile
    )
    assert loss.shape == ()
    np.testing.assert_allclose(loss, np.mean(error**2), rtol=1e-5)
    np.testing.assert_allclose(gradient, 2 * error / error.size, rtol=1e-5)
    # in the wrong order missing targets would be missing outputs
    assert np.isnan(mse(targets, outputs))


def test_targets_have_the_shape_of_the_outputs():
    with pytest.raises(ValidationError, match=r"\(4, 3, 2\); got \(4, 3, 1\)"):
        mse(np.zeros((4, 3, 2)), np.zeros((4, 3, 1)))


@everywhere
@pytest.mark.parametrize("weight", [None, 0.1])
def test_regularization_takes_outputs_only(weight, dtype, jit_compile):
    outputs, _ = outputs_and_targets()
    loss, gradient = with_gradient(
        Regularize(weight=weight), outputs, dtype, jit_compile
    )
    lengths = np.linalg.norm(outputs, axis=-1, keepdims=True)
    factor = 1 if weight is None else weight
    assert loss.shape == ()
    np.testing.assert_allclose(loss, factor * lengths.mean(), rtol=1e-5)
    np.testing.assert_allclose(
        gradient, factor * outputs / lengths / lengths.size, rtol=1e-5
    )


def test_regularization_of_weights_along_one_axis():
    weights = np.random.RandomState(0).normal(size=(2, 3, 4, 5))
    for axis in (0, 1):
        expected = np.linalg.norm(weights, 1, axis=axis + 2).mean()
        found = Regularize(1, axis)(tf.constant(weights))
        assert float(found) == pytest.approx(expected)


def test_regularization_is_a_value():
    assert Regularize() == Regularize(2, None, None) != Regularize(1)
    assert eval(repr(Regularize(1, 0, 0.5))) == Regularize(1, 0, 0.5)
    with pytest.raises(ValidationError, match="order"):
        Regularize(order=0)
    with pytest.raises(ValidationError, match="an axis 1"):
        Regularize(axis=1)(np.ones((4, 3, 2)))


def test_two_faces_of_one_loss():
    outputs, targets = outputs_and_targets()
    keras_loss = nengo_dl.losses.Regularize(3, dtype="float64")(targets, outputs)
    assert float(Regularize(3)(outputs)) == pytest.approx(float(keras_loss))
    mean = np.mean(nengo_dl.losses.nan_mse(targets, outputs))
    assert float(mse(outputs, targets)) == pytest.approx(mean)


def test_names_at_package_level_wait_for_tensorflow():
    program = """
import sys
import nengo_dl
names = ("SoftLIFRate", "LeakyReLU", "SpikingLeakyReLU", "dists", "neurons")
for name in (*names, "surrogates", "configure_settings"):
    assert name in nengo_dl.__all__
    getattr(nengo_dl, name)
import nengo_dl.graph.simplify, nengo_dl.plan
assert "tensorflow" not in sys.modules and "keras" not in sys.modules
nengo_dl.lowering.register, nengo_dl.lowering.NumPyOperator
assert nengo_dl.obj is nengo_dl.objectives
assert nengo_dl.obj.mse and nengo_dl.losses.nan_mse
assert "tensorflow" in sys.modules
try:
    nengo_dl.nothing
except AttributeError as error:
    assert "nengo_dl" in str(error) and "nothing" in str(error)
else:
    raise AssertionError
"""
    printed_by(program)  # fails if the program does
