"""Losses, metrics and their weights in all forms, and with mistakes."""

import keras
import nengo
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.inputs.arrays import Side
from nengo_dl.inputs.names import io_names
from nengo_dl.keras_model.arguments import resolve

with nengo.Network() as NET:
    NODE = nengo.Node([0, 0])
    P, Q = nengo.Probe(NODE, label="p"), nengo.Probe(NODE, label="q")
with nengo.Network():
    FOREIGN = nengo.Probe(nengo.Node(0), label="foreign")

NAMES = io_names((NODE,), (P, Q))
TWO = Side(nengo.Probe, (P, Q), NAMES)
ONE = Side(nengo.Probe, (P,), NAMES)


def mine(y_true, y_pred):
    return tf.reduce_mean(abs(y_true - y_pred), axis=-1)


def test_one_loss_for_all():
    found = resolve(TWO, "mse", loss_weights=2)
    assert found.losses == {P: "mse", Q: "mse"} and found.for_all
    assert found.weights == {P: 2, Q: 2}
    assert not found.metrics and not found.measured


@pytest.mark.parametrize("loss", [{P: "mse", "q": mine}, ["mse", mine], ("mse", mine)])
def test_losses_by_probe_and_in_order(loss):
    found = resolve(TWO, loss, loss_weights={Q: 3})
    assert found.losses == {P: "mse", Q: mine} and not found.for_all
    arguments = found.arguments((P, Q), NAMES, "float64")
    assert list(arguments["loss"]) == ["p", "q"]
    assert arguments["loss_weights"] == {"p": 1.0, "q": 3.0}
    assert all(loss.dtype == "float64" for loss in arguments["loss"].values())
    only = found.arguments((Q,), NAMES, "float64")
    assert list(only["loss"]) == list(only["loss_weights"]) == ["q"]


def test_none_is_not_trained():
    for loss in ([None, "mse"], {P: None, Q: "mse"}):
        assert resolve(TWO, loss).losses == {Q: "mse"}
    assert resolve(TWO).losses == {}


@pytest.mark.parametrize(
    "metrics, expected",
    [
        ("mae", (["mae"], ["mae"])),
        (["mae"], (["mae"], ["mae"])),
        (["mae", "mse", "accuracy"], (["mae", "mse", "accuracy"],) * 2),
        (["mae", "mse"], (["mae"], ["mse"])),
        ([["mae", "mse"], None], (["mae", "mse"], None)),
        ({Q: "mae"}, (None, ["mae"])),
        ({"p": ["mae", "mse"], Q: []}, (["mae", "mse"], None)),
    ],
)
def test_metrics(metrics, expected):
    found = resolve(TWO, "mse", metrics=metrics)
    assert (found.metrics.get(P), found.metrics.get(Q)) == expected
    assert resolve(TWO, weighted_metrics=metrics).weighted_metrics == found.metrics


def test_metrics_of_one_probe():
    assert resolve(ONE, metrics=["mae", "mse"]).metrics == {P: ["mae", "mse"]}
    assert resolve(ONE, metrics=[["mae", "mse"]]).metrics == {P: ["mae", "mse"]}


def test_each_output_has_metric_objects_of_its_own():
    metric = keras.metrics.TopKCategoricalAccuracy(k=3)
    found = resolve(TWO, metrics=metric).metrics
    assert found[P] == [metric] and found[Q] != [metric]
    assert found[Q][0].get_config() == metric.get_config()


def test_metrics_may_have_either_order_of_arguments():
    def error(outputs, targets):
        return tf.reduce_sum(outputs - 2 * targets)

    for metric, expected in ((error, -3), (mine, 1), (lambda x: tf.reduce_sum(x), 1)):
        (measure,) = resolve(ONE, metrics=metric).metrics[P]
        assert measure(tf.constant([2.0]), tf.constant([1.0])).numpy() == expected
        assert measure.__name__ in ("error", "mine", "lambda")


def test_what_targets_have_to_look_like():
    found = resolve(
        TWO,
        {P: "mse", Q: nengo_dl.losses.Regularize()},
        metrics={P: "mae"},
    )
    assert found.uses_targets(P) and not found.uses_targets(Q)
    assert found.target_size(P) == "equal" and found.target_size(Q) == "any"
    for loss, size, needs_all in (
        ("mae", "equal", True),
        ("mse", "equal", True),
        (keras.losses.Huber(), "equal", True),
        (keras.losses.mean_squared_error, "equal", True),
        (nengo_dl.losses.nan_mse, "equal", False),
        ("sparse_categorical_crossentropy", "class", True),
        (keras.losses.SparseCategoricalCrossentropy(), "class", True),
        ("crossentropy", "class", True),
        (mine, "any", False),
        (lambda y_pred: tf.reduce_sum(y_pred), "any", False),
    ):
        assert resolve(ONE, loss).target_size(P) == size, loss
        assert resolve(ONE, loss).needs_all(P) == needs_all, loss
    for metric, size in (
        ("mae", "equal"),
        (keras.metrics.MeanSquaredError(), "equal"),
        ("accuracy", "class"),
        (keras.metrics.SparseCategoricalAccuracy(), "class"),
        (mine, "class"),
    ):
        found = resolve(ONE, "sparse_categorical_crossentropy", metrics=metric)
        assert found.target_size(P) == size, metric
    assert not resolve(ONE, lambda y_pred: tf.reduce_sum(y_pred)).uses_targets(P)
    # a metric needs them
    assert resolve(ONE, lambda y_pred: y_pred, metrics="mae").uses_targets(P)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"loss": ["mse"]}, r"loss: Got a list of 1 for 2 Probes: .*'p'"),
        ({"loss": {"up": "mse"}}, "loss: no Probe has the label 'up'"),
        ({"loss": {FOREIGN: "mse"}}, "loss: .*foreign.*not part of"),
        ({"loss": {(P, Q): "mse"}}, "loss: Got a tuple as a key.*one output"),
        ({"loss": "no such loss"}, "loss: .*Keras has no loss of this name"),
        ({"loss": 3}, "loss: Got 3 for .*p"),
        ({"loss": lambda a, b, c: a}, "loss: .*it takes 3 arguments"),
        ({"loss": keras.losses.Huber}, r"loss: .*write `Huber\(\)`"),
        ({"loss": {P: "mse"}, "loss_weights": {Q: 1}}, "loss_weights: .*q.* no loss"),
        ({"loss": "mse", "loss_weights": [1]}, "loss_weights: .*list of 1"),
        ({"metrics": [["mae"], None, None]}, "metrics: Got a list of 3 for 2"),
        ({"metrics": {NODE: "mae"}}, "metrics: .*Node"),
        ({"metrics": 0.5}, "metrics: Got 0.5 for .*p"),
        ({"metrics": "no such metric"}, "metrics: .*Keras has no metric of this name"),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(ValidationError, match=message):
        resolve(TWO, **arguments)
