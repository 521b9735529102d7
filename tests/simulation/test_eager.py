"""Eager execution: what needs it says so, what can do without works."""

import copy
import os
import pickle
import subprocess
import sys
import tempfile

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import SimulationError

import nengo_dl

X = np.linspace(-1, 1, 8, dtype="float32").reshape(4, 2, 1)


def with_weights(sim, call):
    """Call ``call(path)`` with the name of a file of weights."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "own.weights.h5")
        if tf.executing_eagerly():
            sim.keras_model.save_weights(path)
        call(path)


CALLS = {
    "run_steps": lambda sim: sim.run_steps(2),
    "step": lambda sim: sim.step(),
    "run": lambda sim: sim.run(0.002),
    "predict": lambda sim: sim.predict(X, verbose=0),
    "predict_on_batch": lambda sim: sim.predict_on_batch(X[:2]),
    "fit": lambda sim: sim.fit(X, {"rates": X}, verbose=0),
    "stateful fit": lambda sim: sim.fit(X, {"rates": X}, stateful=True, verbose=0),
    "evaluate": lambda sim: sim.evaluate(X, {"rates": X}, verbose=0),
    "train": lambda sim: sim.train({"node": X, "rates": X}, "sgd"),
    "loss": lambda sim: sim.loss({"node": X, "rates": X}),
    "run_batch": lambda sim: sim.run_batch({"node": X}, {"rates": None}),
    "check_gradients": lambda sim: sim.check_gradients(["rates"], n_steps=2, atol=1e3),
    "data": lambda sim: sim.data[sim.model.toplevel.ensembles[0]].bias,
    "get_nengo_params": lambda sim: sim.get_nengo_params(sim.model.toplevel.ensembles),
    "reset": lambda sim: sim.reset(),
    "clear_probes": lambda sim: sim.clear_probes(),
    "get_weights": lambda sim: sim.keras_model.get_weights(),
    "get_state_tree": lambda sim: sim.keras_model.get_state_tree("numpy_array"),
    "set_weights": lambda sim: sim.keras_model.set_weights(
        [np.ones(own.shape, "float32") for own in sim.keras_model.weights]
    ),
    "save_weights": lambda sim: with_weights(sim, sim.keras_model.save_weights),
    "load_weights": lambda sim: with_weights(sim, sim.keras_model.load_weights),
    "copy": lambda sim: copy.copy(sim).close(),
    "deepcopy": lambda sim: copy.deepcopy(sim).close(),
    "pickle": lambda sim: pickle.loads(pickle.dumps(sim)).close(),
    "a new one": lambda sim: nengo_dl.Simulator(None, model=sim.model).close(),
}


def doubled(t, x):
    return 2 * x


@pytest.fixture(scope="module")
def sim():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node, twice = nengo.Node([0.5], label="node"), nengo.Node(doubled, size_in=1)
        ensemble = nengo.Ensemble(5, 1, neuron_type=nengo.RectifiedLinear())
        nengo.Connection(node, ensemble, synapse=None)
        nengo.Connection(node, twice, synapse=None)
        nengo.Probe(ensemble, label="rates"), nengo.Probe(twice, label="twice")
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.compile(keras.optimizers.SGD(0.01), loss={"rates": "mse"})
        yield sim


@pytest.mark.parametrize("call", CALLS)
def test_within_a_gradient_tape(sim, call):
    with tf.GradientTape() as tape:
        variable = tf.Variable(3.0)
        CALLS[call](sim)
        square = variable**2
    assert tape.gradient(square, variable) == 6


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("autograph", [True, False])
def test_within_a_tf_function(sim, call, autograph):
    before = sim.n_steps

    @tf.function(autograph=autograph)
    def function():
        CALLS[call](sim)
        return tf.constant(0)

    with pytest.raises(SimulationError, match=r"tf.function.*sim.function\(\)"):
        function()
    assert sim.n_steps == before


@pytest.mark.parametrize("call", CALLS)
def test_within_a_graph(sim, call):
    with (
        pytest.raises(SimulationError, match=r"tf.Graph.*disable_eager_execution"),
        tf.Graph().as_default(),
    ):
        CALLS[call](sim)


@pytest.mark.parametrize("call", CALLS)
def test_functions_that_run_eagerly(sim, call):
    tf.config.run_functions_eagerly(True)
    try:
        CALLS[call](sim)
    finally:
        tf.config.run_functions_eagerly(False)


def test_functions_of_the_network_are_for_graphs(sim):
    @tf.function
    def function():
        f = sim.function("rates")
        outputs, _ = f(f.params, None, {"node": X[:2]})
        return outputs[f.probes[0]]

    expected = sim.predict_on_batch(X[:2])[sim.model.probes[0]]
    assert np.allclose(function(), expected, rtol=1e-5)


@pytest.mark.parametrize("stateful", [False, True])
def test_losses_and_metrics_get_eager_tensors(sim, stateful):
    def loss(y_true, y_pred):
        return np.square(y_pred.numpy() - y_true.numpy()).mean() * y_pred[0, 0, 0] / 1e3

    def metric(y_true, y_pred):
        return float(y_pred.numpy().max())

    sim.compile(
        keras.optimizers.SGD(0.0),
        loss={"rates": loss},
        metrics={"rates": metric},
        run_eagerly=True,
    )
    highest = max(v.max() for v in sim.predict(X, verbose=0).values())
    for found in (
        sim.fit(X, {"rates": X}, verbose=0, stateful=stateful).history,
        sim.evaluate(X, {"rates": X}, verbose=0),
    ):
        assert 0 < np.ravel(found["rates_metric"])[0] <= highest + 1


@pytest.mark.parametrize(
    "environment, before, words",
    [
        pytest.param(
            {"KERAS_BACKEND": "jax"},
            "",
            "KERAS_BACKEND=tensorflow",
            marks=pytest.mark.everything,
        ),
        pytest.param(
            {"KERAS_BACKEND": "numpy"},
            "",
            "KERAS_BACKEND=tensorflow",
            marks=pytest.mark.everything,
        ),
        ({}, "tf.compat.v1.disable_eager_execution()", "disable_eager_execution"),
    ],
)
def test_in_a_process_of_its_own(environment, before, words):
    code = (
        f"import tensorflow as tf; {before}\n"
        "import nengo, nengo_dl\n"
        "nengo_dl.Simulator(nengo.Network())"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert found.returncode
    last = found.stderr.strip().splitlines()[-1]
    assert words in last and last.startswith("nengo"), found.stderr


@pytest.mark.parametrize(
    "module",
    [
        "simulator",
        pytest.param("losses", marks=pytest.mark.everything),
        pytest.param("neuron_builders", marks=pytest.mark.everything),
    ],
)
def test_modules_refuse_other_backends_too(module):
    found = subprocess.run(
        [sys.executable, "-c", f"import nengo_dl.{module}"],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert found.returncode
    assert "KERAS_BACKEND=tensorflow" in found.stderr.strip().splitlines()[-1]
