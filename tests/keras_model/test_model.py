"""A simulator as a model of Keras: its weights, its inputs, and calls by hand."""

import gc
import weakref

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

import nengo_dl
from tests.helpers import assert_close, rest_with_everything
from tests.keras_networks import (
    BATCH,
    assert_same,
    data,
    feed_forward,
    parameters,
    simulator,
    with_memory,
)


def test_weights_are_the_parameters_of_the_simulation():
    net = feed_forward(trainable=None)
    out = net.probes[0]
    x, _ = data()
    with net:
        net.config[net.all_connections[1]].trainable = False
    with simulator(net) as sim:
        model = sim.keras_model
        assert model is sim.keras_model and isinstance(model, keras.Model)
        store = sim._runner.store
        assert [v.value for v in model.weights] == [
            p for p in store.params if p.trainable
        ] + [p for p in store.params if not p.trainable]
        assert [v.value for v in model.trainable_weights] == [
            p for p in store.params if p.trainable
        ]
        assert 0 < len(model.trainable_weights) < len(model.weights)
        before = sim.predict(x, verbose=0)[out]
        weights = model.get_weights()
        sim.run_steps(1, data={"in": x[:BATCH]})
        model.set_weights([w + 0.1 for w in weights])
        assert not np.allclose(sim.predict(x, verbose=0)[out], before)
        sim.run_steps(1, data={"in": x[:BATCH]})
        now = sim.predict(x, verbose=0)[out]
        assert_close(now[:BATCH], sim.data[out][:, 1:])
        sim.reset()
        assert_same(model.get_weights(), weights, 0)


def test_weights_in_files(tmp_path):
    net = feed_forward()
    out = net.probes[0]
    x, y = data()
    path = tmp_path / "some.weights.h5"
    with simulator(net) as sim:
        sim.compile(keras.optimizers.Adam(0.05), loss={out: "mse"})
        sim.fit(x, y, epochs=2, verbose=0)
        sim.keras_model.save_weights(path)
        trained, seen = parameters(sim), sim.predict(x, verbose=0)[out]
        with pytest.raises(NotImplementedError, match="save_weights"):
            sim.keras_model.save(tmp_path / "model.keras")
    with simulator(net, minibatch_size=2) as sim:
        sim.run_steps(1)
        sim.keras_model.load_weights(path)
        assert_same(parameters(sim), trained, 0)
        sim.run_steps(1, data={"in": x[:2]})
        assert_close(sim.data[out][:, 1:], seen[:2])


def test_only_what_has_a_loss_is_computed_and_trained():
    net = feed_forward()
    mid = net.probes[1]
    x, _ = data()
    with simulator(net) as sim:
        sim.compile(keras.optimizers.SGD(0.1), loss={mid: "mae"})
        start = {v.path: v.numpy() for v in sim.keras_model.weights}
        sim.fit(x, {mid: x}, verbose=0)
        form = sim.keras_model.fitting.function
        assert list(form.through_time.outputs) == [mid]
        assert set(sim.keras_model({"in": x[:4]})) == {"mid"}
        b = net.ensembles[1]
        for obj, attribute in ((b, "encoders"), (b.neurons, "bias")):
            signal = sim.model.sig[obj][attribute]
            assert np.array_equal(sim.signals[signal], signal.initial_value)
        moved = [
            not np.array_equal(start[v.path], v.numpy())
            for v in sim.keras_model.weights
        ]
        assert 0 < sum(moved) < len(moved)


def test_optimizers_know_variables_without_a_gradient():
    # momentum goes on where a gradient is zero, in train as in fit
    net = feed_forward()
    out, mid = net.probes
    x, y = data()
    results = []
    for interface in ("train", "fit"):
        with simulator(net) as sim:
            adam = keras.optimizers.Adam(0.01)
            for targets in ({out: y}, {mid: x}):
                if interface == "train":
                    sim.train({"in": x, **targets}, adam, shuffle=False)
                else:
                    sim.compile(adam, loss="mse")
                    sim.fit(x, targets, shuffle=False, verbose=0)
            results.append(parameters(sim))
    assert_same(*results)


def test_calls_by_hand():
    net = with_memory()
    out = net.probes[0]
    x, _ = data(BATCH, 4)
    with simulator(net) as sim:
        model = sim.keras_model
        expected = sim.predict(x, verbose=0)[out]
        assert_close(model({"in": x})["out"].numpy(), expected)
        # again from the same state
        assert_close(model({"in": x})["out"].numpy(), expected)
        assert_close(model.predict({"in": x}, BATCH, verbose=0)["out"], expected)
        assert_close(model.predict_on_batch({"in": x})["out"], expected)

        @tf.function(autograph=False)
        def squares(values):
            with tf.GradientTape() as tape:
                total = tf.reduce_sum(model({"in": values}, training=True)["out"] ** 2)
            return total, tape.gradient(total, model.trainable_variables)

        total, gradients = squares(tf.constant(x))
        rates = sim.run_batch({"in": x}, {out: None}, training=True)[out][0]
        assert total.numpy() == pytest.approx(np.sum(rates**2), rel=1e-12)
        assert len(gradients) == len(model.trainable_variables)
        assert any(np.any(g.numpy()) for g in gradients)
        with pytest.raises(ValidationError, match="no input Node has the label"):
            model.predict({"out": x}, verbose=0)


def test_one_minibatch_at_a_time():
    net = with_memory()
    x, _ = data(8, 3)
    results = []
    for one_by_one in (True, False):
        with simulator(net) as sim:
            sim.compile(keras.optimizers.Adam(0.01), loss="mse")
            model = sim.keras_model
            if one_by_one:
                losses = []
                for part in (slice(0, 4), slice(4, 8)):
                    model.reset_metrics()  # which older versions of Keras go on with
                    losses.append(
                        model.train_on_batch({"in": x[part]}, {"out": x[part]})
                    )
                model.reset_metrics()
                measured = model.test_on_batch(
                    {"in": x[:4]}, {"out": x[:4]}, return_dict=True
                )
                assert measured == pytest.approx(
                    sim.evaluate(x[:4], x[:4], verbose=0), rel=1e-12
                )
            else:
                history = sim.fit(x, x, shuffle=False, verbose=0).history
                mean = np.mean([loss[0] for loss in losses])
                assert history["loss"][0] == pytest.approx(mean, rel=1e-12)
            results.append(parameters(sim))
    assert_same(*results)


def test_eager_execution():
    net = with_memory()
    with net:
        noise = nengo.Node(nengo.processes.WhiteNoise(), label="noise")
        nengo.Connection(noise, net.ensembles[0][0], synapse=0.01)
    x, _ = data(8, 2)
    results = []
    for eager in (True, False):
        with simulator(net) as sim:
            sim.compile(keras.optimizers.Adam(0.01), loss="mse", run_eagerly=eager)
            sim.fit({"in": x}, x, shuffle=False, verbose=0)
            results.append(parameters(sim))
    assert_same(*results)


@pytest.mark.parametrize("given", [False, True])
def test_python_in_the_loop(given):
    """Functions that share state are called in the loop, where data replace one."""
    seen = []

    def sense(t):
        seen.append(round(t, 6))
        return np.sin(50 * t)

    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(dtype="float64")
        sensor = nengo.Node(sense, label="sensor")
        plant = nengo.Node(lambda t, x: 0.5 * x + t, size_in=1, label="plant")
        a = nengo.Ensemble(9, 1, neuron_type=nengo.LIFRate())
        nengo.Connection(sensor, plant, synapse=None)
        nengo.Connection(plant, a, synapse=0.01)
        probe = nengo.Probe(a, label="out")
    x = np.random.RandomState(0).uniform(-1, 1, (8, 5, 1))
    options = {"x": {sensor: x}} if given else {"n_steps": 5}
    with simulator(net) as sim:
        assert sim.keras_model.testing.function.through_time.calls_python
        seen.clear()
        found = sim.predict(**options, verbose=0)[probe]
        assert bool(seen) is not given
        presented = {sensor: x[:BATCH]} if given else None
        sim.run_steps(5, data=presented)
        assert_close(found[:BATCH], sim.data[probe])
        if given:
            sim.reset()
            sim.run_steps(5, data={sensor: x[BATCH:]})
            assert_close(found[BATCH:], sim.data[probe])
        # each item goes on in its own time, where the simulation is
        later = sim.predict(**options, verbose=0)[probe]
        sim.run_steps(5, data={sensor: x[:BATCH]} if given else None)
        assert_close(later[:BATCH], sim.data[probe][:, 5:])
    results = []
    for interface in ("train", "fit"):
        with simulator(net) as sim:
            sgd = keras.optimizers.SGD(1e-3)
            if interface == "train":
                inputs = {sensor: x} if given else {}
                sim.train({**inputs, probe: x}, sgd, shuffle=False)
            else:
                sim.compile(sgd, loss="mse")
                y = x if given else x[:BATCH]
                sim.fit(**options, y=y if given else x, shuffle=False, verbose=0)
            results.append(parameters(sim))
    assert_same(*results)


def test_errors_of_python_code_appear_as_themselves():
    def fail(t, x):
        if t > 0.002:
            raise RuntimeError("out of order")
        return x

    with nengo.Network() as net:
        node = nengo.Node(fail, size_in=1, label="plant")
        nengo.Probe(node, label="out")
    with simulator(net, minibatch_size=1) as sim:
        with pytest.raises(RuntimeError, match=r"plant.*t=0\.003.*out of order"):
            sim.predict(n_steps=5, verbose=0)
        assert sim.predict(n_steps=2, verbose=0)[net.probes[0]].shape == (1, 2, 1)


def test_precision_is_that_of_the_simulation():
    net = feed_forward()
    out = net.probes[0]
    x, y = data()

    def types(y_true, y_pred):
        assert y_true.dtype == y_pred.dtype == tf.float64
        return tf.reduce_mean(abs(y_true - y_pred), axis=-1)

    before = keras.config.floatx()
    with simulator(net) as sim:
        sim.compile("sgd", loss={out: types}, metrics={out: ["mae", types]})
        found = sim.evaluate(x, y + 1e-9, verbose=0)
        seen = sim.predict(x, verbose=0)[out]
        exact = np.mean(abs(seen - y - 1e-9))
        for value in found.values():
            assert value == pytest.approx(exact, rel=1e-14)
        sim.fit(x, y, verbose=0)
        with pytest.raises(ValidationError):
            sim.fit(x[:1], y, verbose=0)
        assert keras.config.floatx() == before


def test_layers_of_the_users_keep_their_precision():
    """Keras settles it with the first layer, which a callback may make."""
    net = feed_forward()
    x, y = data()
    layers = []
    callback = keras.callbacks.LambdaCallback(
        on_train_end=lambda logs: layers.append(keras.layers.Dense(1))
    )
    keras.utils.clear_session()
    with simulator(net) as sim:
        sim.compile("sgd", loss={net.probes[0]: "mse"})
        sim.fit(x, y, verbose=0, callbacks=[callback])
    assert layers[0].compute_dtype == keras.layers.Dense(1).compute_dtype == "float32"


@pytest.mark.parametrize(
    "label", rest_with_everything(["a b:c/d", "loss", "", "n_steps", "out put"], 2)
)
def test_labels_become_names(label):
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node([0], label=label)
        a = nengo.Ensemble(5, 1, neuron_type=nengo.LIFRate(), seed=0)
        nengo.Connection(node, a, synapse=None)
        first = nengo.Probe(a, label=label)
        second = nengo.Probe(a, label=label.upper())
    x = np.ones((2, 1, 1))
    with simulator(net, minibatch_size=2) as sim:
        names = [sim.get_name(probe) for probe in (first, second)]
        sim.compile("sgd", loss="mse", metrics="mae")
        found = sim.fit({node: x}, [x, x], verbose=0).history
        expected = [f"{name}_{what}" for what in ("loss", "mae") for name in names]
        assert set(found) == {"loss", *expected}
        assert list(sim.evaluate({node: x}, [x, x], verbose=0)) == ["loss", *expected]
        assert set(sim.predict({node: x}, verbose=0)) == {first, second}


def test_nothing_is_kept_alive():
    net = feed_forward()
    x, y = data()
    with simulator(net) as sim:
        sim.compile("sgd", loss={"out": "mse"})
        sim.fit(x, y, verbose=0)
        model = weakref.ref(sim.keras_model)
        variable = weakref.ref(sim._runner.store.params[0])
    del sim
    keras.utils.clear_session()
    gc.collect()
    assert model() is None and variable() is None
