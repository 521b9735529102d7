"""The Keras model of a simulator, called by hand."""

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import NengoException, SimulatorClosed, ValidationError

import nengo_dl

X = np.random.RandomState(0).uniform(size=(2, 5, 1)).astype(np.float32)


def network():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        net.a, net.b = nengo.Node([0.25], label="A a"), nengo.Node([0.5])
        both = nengo.Node(size_in=1)
        nengo.Connection(net.a, both, synapse=None)
        nengo.Connection(net.b, both, transform=2, synapse=None)
        net.p = nengo.Probe(both, label="p")
    return net


def test_forms_of_inputs():
    net = network()
    n_steps = np.full((2, 1), 5)
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        model = sim.keras_model
        for inputs in (
            [X, 3 * X, n_steps],
            (tf.constant(X), tf.constant(3 * X), tf.constant(n_steps)),
            [X, 3 * X],
            {"A_a": X, "node": 3 * X, "n_steps": n_steps},
            {net.a: X, net.b: 3 * X},
            {"A a": X, net.b: tf.constant(3 * X), "n_steps": n_steps},
        ):
            for training in (False, True):
                outputs = model(inputs, training=training)
                np.testing.assert_allclose(outputs["p"], 7 * X, rtol=1e-6)
        for inputs in (X, [X], [X, n_steps], {"A_a": X}):
            np.testing.assert_allclose(model(inputs)["p"], X + 1, rtol=1e-6)
        for inputs in (n_steps, [n_steps], {"n_steps": n_steps}):
            np.testing.assert_allclose(model(inputs)["p"], np.full((2, 5, 1), 1.25))


def test_inputs_that_do_not_fit():
    net = network()
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        model = sim.keras_model
        for inputs, message in (
            ([X, X, X], "Got 3 arrays for 2 input Nodes: .*A_a"),
            ({"c": X}, "c"),
            ({net.p: X}, "Expected an input Node"),
            ([X, np.full((2, 1), 4)], "Got n_steps=4, and data for 'A_a' of 5 steps"),
            ([np.array([[4], [5]])], r"same number of steps .* got \[4, 5\]"),
            ({"n_steps": [[0], [0]]}, "n_steps: Expected a whole number of at least 1"),
        ):
            with pytest.raises(ValidationError, match=message):
                model(inputs)


@pytest.mark.parametrize(
    "shape", [(1, 5, 1), (3, 5, 1), (4, 5, 1), (2, 5, 2), (2, 5), (2, 5, 1, 1)]
)
def test_data_that_are_no_minibatch(shape):
    # TensorFlow would repeat one item for all, or say something about a reshape
    data, net = np.zeros(shape, np.float32), network()
    n_steps = np.full((shape[0], 1), 5)
    x = {"A_a": data, "n_steps": n_steps}
    message = r"inputs: Data for <Node 'A a'> have shape .*expected \(2, n_steps, 1\)"
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        model = sim.keras_model
        model.compile("sgd", {"p": "mse"})
        for call in (
            lambda: model({"A_a": data}),
            lambda: model([data, n_steps], training=True),
            lambda: model.predict_on_batch(x),
            lambda: model.test_on_batch(x, {"p": np.zeros((shape[0], 5, 1))}),
        ):
            with pytest.raises(ValidationError, match=message):
                call()


def test_items_that_are_left_over():
    x = {"A_a": np.zeros((3, 5, 1)), "n_steps": np.full((3, 1), 5)}
    with nengo_dl.Simulator(network(), minibatch_size=2, progress_bar=False) as sim:
        with pytest.raises(ValidationError, match=r"shape \(1, 5, 1\).*batch_size=2"):
            sim.keras_model.predict(x, batch_size=2, verbose=0)
        none = {name: values[:0] for name, values in x.items()}
        with pytest.raises(ValidationError, match="without items"):
            sim.keras_model.predict(none, batch_size=2, verbose=0)


def test_numbers_beyond_precision():
    data = np.full((2, 5, 1), 1e39)
    with nengo_dl.Simulator(network(), minibatch_size=2, progress_bar=False) as sim:
        for inputs in ({"A_a": data}, [tf.constant(data)]):
            with pytest.raises(ValidationError, match=r"'A_a' contain .* float32"):
                sim.keras_model(inputs)


def test_the_keras_model_within_a_function_of_tensorflow():
    x = {"A_a": X, "n_steps": np.full((2, 1), 5)}
    with nengo_dl.Simulator(network(), minibatch_size=2, progress_bar=False) as sim:
        model = sim.keras_model
        model.compile("sgd", {"p": "mse"})
        for call in (
            lambda: model.predict_on_batch(x),
            lambda: model.test_on_batch(x, {"p": X}),
        ):
            with pytest.raises(NengoException, match="Keras model within a `tf.func"):
                tf.function(call, autograph=False)()


def test_weights_of_a_file_that_is_not_there(tmp_path):
    path = str(tmp_path / "none.weights.h5")
    with (
        nengo_dl.Simulator(network(), minibatch_size=2, progress_bar=False) as sim,
        pytest.raises(ValidationError, match=r"filepath: There is no file .*none"),
    ):
        sim.keras_model.load_weights(path)


def test_names_of_weights_have_no_addresses():
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        a, b = nengo.Ensemble(3, 1), nengo.Ensemble(3, 1)
        nengo.Connection(a.neurons, b.neurons, transform=np.ones((3, 3)))
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        names = [weight.name for weight in sim.keras_model.weights]
    assert names and not any(" at 0x" in name for name in names)


def test_the_keras_model_of_a_closed_simulator():
    x = {"A_a": X, "n_steps": np.full((2, 1), 5)}
    with nengo_dl.Simulator(network(), minibatch_size=2, progress_bar=False) as sim:
        model = sim.keras_model
        model(X)
    for call in (lambda: model(X), lambda: model.predict(x, batch_size=2)):
        with pytest.raises(SimulatorClosed, match="Cannot use the Keras model"):
            call()


@pytest.mark.parametrize("values", [[[[1.0], [2.0]], [[1.0]]], {1, 2}, None, "text"])
def test_what_is_no_tensor_is_refused_for_that(values):
    with nengo_dl.Simulator(network(), minibatch_size=2, progress_bar=False) as sim:
        for inputs in ({"A_a": values}, [values, X]):
            with pytest.raises(ValidationError, match="'A_a' are no tensor of real"):
                sim.keras_model(inputs)
