"""Losses, metrics and objectives with what XLA lacks run without it, with a warning."""

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import NengoWarning

import nengo_dl

X = np.random.RandomState(0).randn(8, 2, 1).astype("float32")


def in_python(y_true, y_pred):
    value = tf.py_function(
        lambda a, b: tf.reduce_mean((a - b) ** 2), [y_true, y_pred], tf.float32
    )
    return tf.ensure_shape(value, ())


def in_numpy(y_true, y_pred):
    value = tf.numpy_function(
        lambda a, b: np.float32(((a - b) ** 2).mean()), [y_true, y_pred], tf.float32
    )
    return tf.ensure_shape(value, ()) + 0 * tf.reduce_sum(y_pred)


def printing(y_true, y_pred):
    tf.print("seen", tf.reduce_mean(y_pred))
    return tf.reduce_mean(tf.square(y_true - y_pred))


def in_text(y_true, y_pred):
    text = tf.strings.as_string(y_pred)
    error = tf.strings.to_number(text) - y_true
    return tf.reduce_mean(tf.square(y_pred - y_true)) + 0 * tf.reduce_mean(error)


LOSSES = {
    in_python: "tf.py_function",
    in_numpy: "tf.numpy_function",
    printing: "tf.print",
    in_text: "tf.strings.as_string|StringToNumber",
}


@pytest.fixture
def sim():
    with nengo.Network(seed=0) as net:
        node, out = nengo.Node([0.0], label="node"), nengo.Node(size_in=1)
        nengo.Connection(node, out, transform=nengo_dl.dists.Glorot(), synapse=None)
        nengo.Probe(out, label="probe")
    with nengo_dl.Simulator(net, minibatch_size=4, seed=0, progress_bar=False) as sim:
        yield sim


def minibatches():
    for i in range(2):
        yield {"node": X[4 * i : 4 * i + 4]}, {"probe": X[4 * i : 4 * i + 4] ** 2}


def warned(log):
    return [str(w.message) for w in log if issubclass(w.category, NengoWarning)]


CALLS = {
    "fit": lambda sim: sim.fit(X, X**2, verbose=0),
    "validation": lambda sim: sim.fit(X, X**2, validation_data=(X, X**2), verbose=0),
    "generator": lambda sim: sim.fit(minibatches(), verbose=0),
    "evaluate": lambda sim: sim.evaluate(X, X**2, verbose=0),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("options", [{}, {"steps_per_execution": 2}])
@pytest.mark.parametrize("loss", [in_python, in_numpy])
def test_losses_of_keras(sim, loss, options, call, recwarn):
    sim.compile("sgd", loss=loss, **options)
    CALLS[call](sim)
    (warning,) = warned(recwarn)
    assert f"`{loss.__name__}` (test_without_xla.py, line" in warning
    assert LOSSES[loss] in warning and "jit_compile=False" in warning


@pytest.mark.parametrize("loss", LOSSES)
def test_objectives(sim, loss):
    data = {"node": X, "probe": X**2}
    for call in (
        lambda: sim.loss(data, objective={"probe": loss}),
        lambda: sim.run_batch(data, {"probe": loss})["probe"],
        lambda: sim.train(data, "sgd", objective={"probe": loss}),
    ):
        expected = ((sim.predict(X, verbose=0)[sim.model.probes[0]] - X**2) ** 2).mean()
        with pytest.warns(NengoWarning, match=LOSSES[loss]) as log:
            found = call()
        assert len(warned(log)) == 1
        assert np.isclose(np.mean(found), expected, rtol=0.1)


def test_metrics(sim, recwarn):
    sim.compile("sgd", loss="mse", metrics=[in_python])
    sim.fit(X, X**2, verbose=0)
    found = sim.evaluate(X, X**2, verbose=0)
    assert np.isclose(found["probe_in_python"], found["loss"], rtol=1e-4)
    (warning,) = warned(recwarn)
    assert "in_python" in warning


def test_no_warning_where_xla_was_not_asked_for(sim, recwarn):
    sim.compile(keras.optimizers.SGD(0.1), loss=in_python, jit_compile=False)
    sim.fit(X, X**2, verbose=0)
    sim.compile("sgd", loss="mse")
    sim.fit(X, X**2, verbose=0)
    assert not warned(recwarn)
    assert sim.keras_model.jit_compile


def test_errors_of_another_kind_stay_what_they_are(sim):
    def failing(y_true, y_pred):
        value = tf.py_function(lambda: 1 / 0, [], tf.float32)
        return tf.ensure_shape(value, ()) + tf.reduce_sum(y_pred)

    sim.compile("sgd", loss=failing)
    with (
        pytest.warns(NengoWarning, match="tf.py_function"),
        pytest.raises(tf.errors.OpError, match="ZeroDivisionError"),
    ):
        sim.fit(X, X**2, verbose=0)


def squared_twice(x):
    """Return the value to the power of 4, by a loop whose length nobody knows."""
    steps = 2 + tf.cast(0 * tf.reduce_sum(x), tf.int32)
    return tf.while_loop(
        lambda i, value: i < steps,
        lambda i, value: (i + 1, value * value),
        (tf.constant(0), x),
    )[1]


def of_loop(outputs):
    return tf.reduce_mean(squared_twice(outputs))


@pytest.mark.parametrize("call", ["fit", "train", "train objective", "check_gradients"])
def test_gradients_of_loops_of_unknown_length(call, recwarn):
    """XLA runs such a loop, and does not know how much to keep for the way back."""
    weights = []
    for jit_compile in (True, False):
        with nengo.Network(seed=0) as net:
            nengo_dl.configure_settings(jit_compile=jit_compile)
            node, out = nengo.Node([0.5]), nengo.Node(size_in=1)
            into = nengo.Connection(node, out, transform=[[0.9]], synapse=None)
            within = tf.identity if "objective" in call else squared_twice
            probe = nengo.Probe(nengo_dl.Layer(within)(out))
        with nengo_dl.Simulator(net, minibatch_size=4, progress_bar=False) as sim:
            if call == "fit":
                sim.compile("sgd", loss="mse")
                sim.fit(X, X**2, shuffle=False, verbose=0)
            elif call == "train":
                sim.train({node: X, probe: X**2}, "sgd", shuffle=False)
            elif call == "train objective":
                sim.train({node: X}, "sgd", objective={probe: of_loop}, shuffle=False)
            else:
                sim.check_gradients()
            weights.append(sim.data[into].weights.copy())
        assert len(warned(recwarn)) == 1
        assert "`tf.while_loop` without `maximum_iterations`" in warned(recwarn)[0]
    np.testing.assert_array_equal(*weights)
    assert (weights[0] != 0.9) == (call != "check_gradients")
