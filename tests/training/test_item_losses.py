"""Losses that are computed for some items at a time add up to that of the whole."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import nengo_dl
from nengo_dl.training.item_losses import over_items
from nengo_dl.training.loss_functions import OutputLoss, loss_function

BATCH, N_STEPS, SIZE = 6, 4, 3
RNG = np.random.RandomState(0)
OUTPUTS = RNG.uniform(0.1, 0.9, size=(BATCH, N_STEPS, SIZE))
TARGETS = np.eye(SIZE)[RNG.randint(SIZE, size=(BATCH, N_STEPS))]
CLASSES = RNG.randint(SIZE, size=(BATCH, N_STEPS, 1)).astype(float)


def given(loss):
    name = getattr(loss, "name", str(loss))
    return CLASSES if "sparse_categorical" in name else TARGETS


def name_of(loss):
    """Return a name of a loss that is the same in each process."""
    return re.sub(" at 0x[0-9a-f]+", "", str(loss))


class MyLoss(keras.losses.MeanSquaredError):
    def call(self, y_true, y_pred):
        return y_pred - tf.reduce_mean(y_pred)


DIVIDED = {
    "mse": "mean",
    "mean_absolute_error": "mean",
    "sparse_categorical_crossentropy": "mean",
    keras.losses.mean_squared_logarithmic_error: "mean",
    nengo_dl.losses.nan_mse: "mean",
    nengo_dl.obj.mse: "mean",
    nengo_dl.obj.Regularize(axis=0): "mean",
    nengo_dl.losses.Regularize(): "mean",
    nengo_dl.losses.TargetRate((200, 300), percentile=50): "mean",
    nengo_dl.losses.SpikeCount(): "mean",
    nengo_dl.losses.FirstSpikeCrossentropy(): "mean",
    keras.losses.Huber(delta=0.1): "mean",
    keras.losses.Huber(reduction="sum"): "sum",
    keras.losses.BinaryCrossentropy(label_smoothing=0.1): "mean",
    keras.losses.CategoricalFocalCrossentropy(): "mean",
    keras.losses.CosineSimilarity(): "mean",
    keras.losses.KLDivergence(reduction="mean"): "mean",
    keras.losses.SparseCategoricalCrossentropy(): "mean",
}
WHOLE = [
    lambda outputs, targets: tf.reduce_mean((outputs - targets) ** 2),
    keras.losses.Dice(),
    keras.losses.Tversky(),
    keras.losses.CosineSimilarity(axis=0),
    keras.losses.SparseCategoricalCrossentropy(ignore_class=1),
    MyLoss(),
]


@pytest.mark.parametrize("loss", DIVIDED, ids=name_of)
def test_losses_that_are_divided_are_sums_of_their_parts(loss):
    found, targets = loss_function(loss, "probe"), given(loss)
    assert over_items(found) == DIVIDED[loss]
    parts = [
        float(found(tf.constant(OUTPUTS[rows]), tf.constant(targets[rows])))
        for rows in (slice(2), slice(2, 4), slice(4, 6))
    ]
    factor = 1 / 3 if DIVIDED[loss] == "mean" else 1
    whole = float(found(tf.constant(OUTPUTS), tf.constant(targets)))
    np.testing.assert_allclose(sum(parts) * factor, whole, rtol=1e-12)


@pytest.mark.parametrize("loss", DIVIDED, ids=name_of)
def test_keras_losses_are_too_with_weights_of_samples(loss):
    own, targets = OutputLoss(loss, dtype="float64"), given(loss)
    assert over_items(own) == DIVIDED[loss]
    of_items = tf.convert_to_tensor(own.call(targets, tf.constant(OUTPUTS)))
    weights = RNG.uniform(size=of_items.shape) if of_items.shape.rank else None

    def value(rows):
        return float(
            own(
                tf.constant(targets[rows]),
                tf.constant(OUTPUTS[rows]),
                None if weights is None else weights[rows],
            )
        )

    parts = [value(rows) for rows in (slice(3), slice(3, 6))]
    factor = 1 / 2 if DIVIDED[loss] == "mean" else 1
    np.testing.assert_allclose(sum(parts) * factor, value(slice(None)), rtol=1e-12)


@pytest.mark.parametrize("loss", WHOLE, ids=name_of)
def test_losses_about_all_items_and_functions_of_users_are_not_divided(loss):
    assert over_items(loss_function(loss, "probe")) is None
    assert over_items(OutputLoss(loss, dtype="float64")) is None
    reduced = keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")
    assert over_items(OutputLoss(reduced, dtype="float64")) is None
