"""compile, fit, evaluate and predict: what Keras brings works on simulators."""

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import (
    NengoWarning,
    SimulationError,
    SimulatorClosed,
    ValidationError,
)

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

X, Y = data()


def quiet(sim, x=X, y=Y, **options):
    """Fit without a word, in the order of the data."""
    return sim.fit(x, y, **{"verbose": 0, "shuffle": False, **options}).history


# -- one machine under both interfaces


OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.01),
    "sgd": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "tf1": lambda: tf.compat.v1.train.RMSPropOptimizer(1e-3),
}


@pytest.mark.parametrize(
    "name, spe",
    rest_with_everything(
        [("adam", 1), ("tf1", 2), ("sgd", 1), ("tf1", 1), ("adam", 2), ("sgd", 2)],
        2,
        together=True,
    ),
)
def test_fit_and_train_end_with_the_same_weights(name, spe):
    optimizer = OPTIMIZERS[name]
    net = with_memory(jit_compile=spe == 1)
    x, y = data(12, 6)
    probe, y = net.probes[0], np.concatenate([y, -y], axis=-1)
    results, losses = [], []
    with simulator(net) as sim:
        start = parameters(sim)
        losses.append(
            sim.train(
                {net.nodes[0]: x, probe: y}, optimizer(), n_epochs=3, shuffle=False
            )
        )
        results.append(parameters(sim))
    with simulator(net) as sim:
        sim.compile(optimizer(), loss="mse", steps_per_execution=spe)
        losses.append(quiet(sim, x, y, epochs=3)["loss"])
        results.append(parameters(sim))
    moved = [abs(a - b).max() for a, b in zip(start, results[0], strict=True)]
    assert max(moved) > 1e-3
    assert_same(*results)
    np.testing.assert_allclose(*losses, rtol=1e-12)


def test_several_outputs_and_weights_of_losses():
    net = feed_forward()
    out, mid = net.probes
    results = []
    with simulator(net) as sim:
        sim.train(
            {net.nodes[0]: X, out: Y, mid: X},
            keras.optimizers.Adam(0.01),
            objective={
                out: lambda o, t: 0.3 * tf.reduce_mean(abs(o - t)),
                mid: lambda o, t: 2 * tf.reduce_mean((o - t) ** 2),
            },
            shuffle=False,
        )
        results.append(parameters(sim))
    with simulator(net) as sim:
        sim.compile(
            keras.optimizers.Adam(0.01),
            loss={out: "mae", "mid": "mse"},
            loss_weights={mid: 2, "out": 0.3},
        )
        history = quiet(sim, y={"out": Y, mid: X})
        results.append(parameters(sim))
        total = 0.3 * history["out_loss"][0] + 2 * history["mid_loss"][0]
        assert history["loss"][0] == pytest.approx(total, rel=1e-12)
    assert_same(*results)


def test_an_optimizer_goes_on_where_the_other_interface_left_it():
    net = feed_forward()
    out = net.probes[0]
    results = []
    for calls in ("fit fit", "train fit", "fit train"):
        with simulator(net) as sim:
            adam = keras.optimizers.Adam(0.01)
            sim.compile(adam, loss={out: "mse"})
            for call in calls.split():
                if call == "fit":
                    quiet(sim)
                else:
                    sim.train({net.nodes[0]: X, out: Y}, adam, shuffle=False)
            assert int(adam.iterations) == 6
            results.append(parameters(sim))
    for other in results[1:]:
        assert_same(other, results[0])


# -- results


def test_evaluate_names_and_values():
    net = feed_forward()
    out, mid = net.probes
    with simulator(net) as sim:
        sim.compile(
            loss={out: "mse", mid: "mae"},
            loss_weights=[0.5, 1],
            metrics={out: ["mae", keras.metrics.MeanSquaredError(name="sq")]},
        )
        found = sim.evaluate(X, {out: Y, mid: X}, verbose=0)
        seen = sim.predict(X, verbose=0)
        assert set(seen) == {out, mid}
        mse = np.mean((seen[out] - Y) ** 2)
        expected = {
            "loss": 0.5 * mse + np.mean(abs(seen[mid] - X)),
            "out_loss": mse,
            "mid_loss": np.mean(abs(seen[mid] - X)),
            "out_mae": np.mean(abs(seen[out] - Y)),
            "out_sq": mse,
        }
        assert list(found) == list(expected)
        for name, value in expected.items():
            # the metric was made before, with Keras' usual precision
            rel = 1e-5 if name == "out_sq" else 1e-12
            assert found[name] == pytest.approx(value, rel=rel), name
        sim.compile(loss={out: "mse"}, loss_weights=[4, None], metrics="mae")


def test_one_output_has_the_same_names():
    net = with_memory()
    x, _ = data(8, 3)
    with simulator(net) as sim:
        sim.compile(loss="mse", loss_weights=4, metrics=["mae", "mse"])
        found = sim.evaluate(x, x, verbose=0)
        assert list(found) == ["loss", "out_loss", "out_mae", "out_mse"]
        assert found["loss"] == pytest.approx(4 * found["out_mse"], rel=1e-12)
        assert found["out_loss"] == pytest.approx(found["out_mse"], rel=1e-12)
        history = sim.fit(x, x, verbose=0, validation_data=(x, x)).history
        names = [*found, *(f"val_{name}" for name in found)]
        assert list(history) == names


def test_predictions_are_what_a_run_records():
    net = with_memory(jit_compile=True)
    with net:
        noise = nengo.Node(nengo.processes.WhiteNoise(seed=None), label="noise")
        nengo.Connection(noise, net.ensembles[0][0])
        nengo.Connection(nengo.Node(lambda t: np.sin(30 * t)), net.ensembles[0][1])
        seldom = nengo.Probe(noise, sample_every=0.003, label="seldom")
        nengo_dl.configure_settings(keep_history=True)
        last = nengo.Probe(net.ensembles[0].neurons, label="last")
        net.config[last].keep_history = False
    x, _ = data(8, 10)
    with simulator(net) as sim:
        seen = sim.predict({"in": x}, verbose=0)
        assert sim.n_steps == 0 and len(sim.data[net.probes[0]]) == 0
        again = sim.predict_on_batch({"in": x[:BATCH]})
        sim.run_steps(10, data={net.nodes[0]: x[:BATCH]})
        out = net.probes[0]
        assert seen[out].shape == (8, 10, 2) and seen[out].dtype == np.float64
        assert_close(seen[out][:BATCH], sim.data[out])
        assert_close(seen[last][:BATCH], sim.data[last])
        assert seen[last].shape == (8, 1, 12)
        assert_close(seen[seldom][:BATCH, 2::3], sim.data[seldom])
        assert seen[seldom].shape == (8, 10, 1)
        for probe in net.probes:
            assert_close(again[probe], seen[probe][:BATCH])
        # each item has noise of its own
        assert len(np.unique(seen[seldom][:, 0])) == 8


def test_stateful_calls_go_on():
    net = with_memory()
    with net:
        nengo.Connection(nengo.Node(lambda t: np.sin(30 * t)), net.ensembles[0][1])
    out = net.probes[0]
    x, _ = data(8, 5)
    joined = np.concatenate([x[:BATCH], x[BATCH:]], axis=1)
    with simulator(net) as sim:
        sim.compile(loss="mse")
        apart = sim.predict({"in": x}, verbose=0)[out]
        seen = sim.predict({"in": x}, verbose=0, stateful=True)[out]
        assert_close(seen[:BATCH], apart[:BATCH])
        assert not np.allclose(seen[BATCH:], apart[BATCH:])
        assert sim.n_steps == 10 and sim.time == pytest.approx(0.01)
        after = sim.predict_on_batch({"in": x[:BATCH]}, stateful=True)[out]
        assert sim.n_steps == 15
        sim.evaluate({"in": x}, x, verbose=0, stateful=True)
        assert sim.n_steps == 25
        end = [state.numpy() for state in sim._runner.store.state]
        sim.fit({"in": x}, x, verbose=0)  # leaves the state alone
        assert sim.n_steps == 25
        assert_same(sim._runner.store.state, end, 0)
    with simulator(net) as sim:
        sim.run_steps(10, data={"in": joined})
        assert_close(np.concatenate([seen[:BATCH], seen[BATCH:]], 1), sim.data[out])
        sim.run_steps(5, data={"in": x[:BATCH]})
        assert_close(after, sim.data[out][:, 10:])
        sim.run_steps(10, data={"in": joined})
        assert_same(end, sim._runner.store.state)


def test_stateful_training():
    net = with_memory(neuron_type=nengo.LIFRate())
    x, _ = data(8, 4)
    with simulator(net) as sim:
        sim.compile(keras.optimizers.SGD(0.0), loss="mse")
        sim.fit(x, x, epochs=2, shuffle=False, verbose=0, stateful=True)
        assert sim.n_steps == 16
        fitted = [state.numpy() for state in sim._runner.store.state]
    with simulator(net) as sim:
        joined = np.concatenate([x[:BATCH], x[BATCH:]] * 2, axis=1)
        sim.run_steps(16, data={"in": joined})
        assert_same(fitted, sim._runner.store.state)


def test_a_network_configured_as_stateless():
    net = with_memory(stateful=False)
    x, _ = data(4, 3)
    with simulator(net) as sim:
        with pytest.warns(NengoWarning, match="stateful=True is ignored"):
            sim.predict(x, verbose=0, stateful=True)
        assert sim.n_steps == 0


def test_the_state_at_the_time_of_the_call_is_the_start():
    net = with_memory()
    out = net.probes[0]
    x, _ = data(4, 5)
    with simulator(net) as sim:
        sim.run_steps(7, data={"in": np.ones((4, 7, 2))})
        seen = sim.predict(x, verbose=0)[out]
        sim.run_steps(5, data={"in": x})
        assert_close(seen, sim.data[out][:, 7:])


# -- what Keras brings


def test_history_validation_and_callbacks(tmp_path):
    net = feed_forward(jit_compile=True)
    out = net.probes[0]
    path = tmp_path / "best.weights.h5"
    with simulator(net) as sim:
        sim.compile(
            keras.optimizers.Adam(0.02), loss={out: "mse"}, metrics={out: "mae"}
        )
        seen = []
        callbacks = [
            keras.callbacks.ModelCheckpoint(
                path, save_weights_only=True, monitor="val_loss", save_best_only=True
            ),
            keras.callbacks.ReduceLROnPlateau(
                monitor="loss", factor=0.5, patience=0, min_delta=1e6
            ),
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: seen.append(dict(logs))
            ),
        ]
        history = sim.fit(
            X, Y, epochs=4, validation_split=1 / 3, callbacks=callbacks, verbose=0
        )
        assert history.epoch == [0, 1, 2, 3]
        assert list(history.history)[:3] == ["loss", "out_loss", "out_mae"]
        assert "val_out_mae" in history.history and "learning_rate" in history.history
        assert [logs["val_loss"] for logs in seen] == history.history["val_loss"]
        rates = history.history["learning_rate"]
        assert rates == pytest.approx([0.02, 0.02, 0.01, 0.005])
        best = min(history.history["val_loss"])
        sim.keras_model.load_weights(path)
        measured = sim.evaluate(X[8:], Y[8:], verbose=0)
        assert measured["loss"] == pytest.approx(best, rel=1e-12)
        # what was loaded is simulated
        sim.run_steps(1, data={"in": X[8:]})
        assert np.mean((sim.data[out] - Y[8:]) ** 2) == pytest.approx(best, rel=1e-12)


def test_early_stopping_returns_to_the_best_weights():
    net = feed_forward()
    out = net.probes[0]
    with simulator(net) as sim:

        def spoil(epoch, logs=None):
            weights = sim.keras_model.get_weights()
            sim.keras_model.set_weights([(1 + epoch) * w for w in weights])

        sim.compile(keras.optimizers.SGD(0.0), loss={out: "mse"})
        stop = keras.callbacks.EarlyStopping(
            monitor="val_loss", patience=1, restore_best_weights=True
        )
        spoiling = keras.callbacks.LambdaCallback(on_epoch_begin=spoil)
        history = sim.fit(
            X,
            Y,
            epochs=10,
            validation_data=(X, Y),
            callbacks=[spoiling, stop],
            verbose=0,
        )
        found = history.history["val_loss"]
        assert len(found) == 2 and found[1] > found[0]
        measured = sim.evaluate(X, Y, verbose=0)["loss"]
        assert measured == pytest.approx(min(found), rel=1e-12)


def test_validation_data_may_have_another_length():
    net = with_memory()
    x, _ = data(8, 4)
    longer, _ = data(4, 7)
    with simulator(net) as sim:
        sim.compile(keras.optimizers.SGD(0.0), loss="mse")
        history = sim.fit(
            x, x, epochs=2, validation_data=(longer, longer), verbose=0
        ).history
        expected = sim.evaluate(longer, longer, verbose=0)["loss"]
        assert history["val_loss"] == pytest.approx([expected] * 2, rel=1e-12)


def test_shuffling_follows_the_seed():
    net = feed_forward()
    results = []
    for seed, shuffle in ((1, True), (1, True), (2, True), (1, "batch"), (1, False)):
        with simulator(net, seed=seed) as sim:
            sim.compile(keras.optimizers.Adam(0.01), loss={"out": "mse"})
            quiet(sim, epochs=2, shuffle=shuffle)
            results.append(np.concatenate(parameters(sim)))
    assert np.array_equal(results[0], results[1])
    for i, a in enumerate(results):
        assert all(not np.allclose(a, b, atol=1e-12) for b in results[max(i + 1, 2) :])


def test_weights_of_samples():
    net = feed_forward()
    out, mid = net.probes
    x, y = data(12, 3)
    weights, by_step = np.arange(12.0), np.random.RandomState(1).uniform(size=(12, 3))
    with simulator(net) as sim:
        sim.compile(loss=["mse", "mae"], weighted_metrics={out: "mae"})
        seen = sim.predict(x, verbose=0)
        squares = np.mean((seen[out] - y) ** 2, axis=-1)
        errors = np.mean(abs(seen[mid] - x), axis=-1)
        for given, for_out, for_mid in (
            (weights, weights[:, None], weights[:, None]),
            (by_step, by_step, by_step),
            ({out: weights, "mid": by_step}, weights[:, None], by_step),
            ({mid: by_step}, np.ones((12, 1)), by_step),
            ([weights, by_step], weights[:, None], by_step),
            ((None, tf.constant(by_step[..., None])), np.ones((12, 1)), by_step),
        ):
            found = sim.evaluate(x, [y, x], verbose=0, sample_weight=given)
            mean = np.mean(for_out * squares)
            assert found["out_loss"] == pytest.approx(mean, rel=1e-12)
            mean = np.mean(for_mid * errors)
            assert found["mid_loss"] == pytest.approx(mean, rel=1e-12)
            factors = np.broadcast_to(for_out, (12, 3))
            mean = np.average(abs(seen[out] - y)[..., 0], weights=factors)
            assert found["out_mae"] == pytest.approx(mean, rel=1e-12)
        start = parameters(sim)
        quiet(sim, x, [y, x], sample_weight=np.zeros(12))
        assert_same(parameters(sim), start, 0)


def test_weights_of_wrong_lengths():
    net = feed_forward()
    x, y = data(12, 3)
    message = r"Weights for .*out.* have shape .*; expected \(12,\)"
    own, held_out = "sample_weight: ", "validation_data: In its 'sample_weight': "
    with simulator(net) as sim:
        sim.compile(loss={"out": "mse"})
        for shape in ((3,), (11,), (13,), (36,), (12, 2), (3, 12), (12, 3, 2), ()):
            weights = np.ones(shape)
            for where, options in (
                (own, {"sample_weight": weights}),
                (own, {"sample_weight": {"out": weights}}),
                (own, {"sample_weight": [weights]}),
                (held_out, {"validation_data": (x, y, weights)}),
            ):
                with pytest.raises(ValidationError, match=where + message):
                    quiet(sim, x, y, **options)
            with pytest.raises(ValidationError, match=own + message):
                sim.evaluate(x, y, verbose=0, sample_weight=weights)


def test_weights_in_datasets():
    net = feed_forward()
    x, y = data(12, 3)
    by_step = np.random.RandomState(1).uniform(size=(12, 3))
    with simulator(net) as sim:
        sim.compile(keras.optimizers.SGD(0.0), loss=["mse", "mae"])

        def dataset(weights):
            given = ({"in": x}, {"out": y, "mid": x}, weights)
            return tf.data.Dataset.from_tensor_slices(given).batch(BATCH)

        for given in (by_step[..., None], {"mid": by_step}, (by_step[:, 0], by_step)):
            expected = sim.evaluate(x, [y, x], verbose=0, sample_weight=given)
            assert sim.evaluate(dataset(given), verbose=0) == expected
            trained = quiet(sim, dataset(given), None)["loss"]
            assert trained == pytest.approx([expected["loss"]], rel=1e-9)
        for wrong in (by_step[:, :2], np.ones((12, 3, 2))):
            with pytest.raises(ValidationError, match="Weights for .*out.* have shape"):
                sim.evaluate(dataset(wrong), verbose=0)


def test_lists_of_tensors_for_several_nodes():
    with nengo.Network(seed=0) as net:
        a, b = nengo.Node([0, 0]), nengo.Node([0])
        probes = [nengo.Probe(a), nengo.Probe(b)]
    x = [np.random.RandomState(i).uniform(size=(4, 3, 2 - i)) for i in (0, 1)]
    x = [values.astype(np.float32) for values in x]
    tensors = list(map(tf.constant, x))
    with simulator(net) as sim:
        for given in (tensors, tuple(tensors), [x[0], tensors[1]]):
            seen = sim.predict(given, verbose=0)
            assert all(map(np.array_equal, map(seen.get, probes), x))
            sim.run_steps(3, data=[values[:BATCH] for values in given])
            assert np.array_equal(sim.data[probes[0]][:, -3:], x[0][:BATCH])


def test_weights_of_classes():
    net = feed_forward()
    mid = net.probes[1]
    numbers = np.arange(12)[:, None, None] % 2
    one_hot = np.eye(2)[numbers[..., 0]]
    losses = {
        "sparse": (
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            numbers,
        ),
        "one hot": (keras.losses.CategoricalCrossentropy(from_logits=True), one_hot),
    }
    found = {}
    for name, (loss, y) in losses.items():
        with simulator(net) as sim:
            sim.compile(loss={mid: loss}, metrics={mid: ["accuracy"]})
            found[name] = [
                sim.evaluate(X, {mid: y}, verbose=0, **options)["loss"]
                for options in (
                    {"class_weight": {0: 3, 1: 0.5}},
                    {"sample_weight": np.where(numbers[..., 0] == 0, 3, 0.5)},
                    {},
                )
            ]
            weighted = quiet(sim, X, {mid: y}, class_weight={0: 3, 1: 0.5})
            assert weighted["loss"][0] == pytest.approx(found[name][0], rel=1e-1)
            accuracy = sim.evaluate(X, {mid: y}, verbose=0)["mid_accuracy"]
            right = sim.predict(X, verbose=0)[mid].argmax(-1) == numbers[..., 0]
            assert accuracy == pytest.approx(right.mean())
            with pytest.raises(ValidationError, match="class 2; the classes"):
                quiet(sim, X, {mid: y}, class_weight={2: 1})
            with pytest.raises(ValidationError, match="weights of samples too"):
                quiet(sim, X, {mid: y}, class_weight={0: 1}, sample_weight=np.ones(12))
    assert found["sparse"] == pytest.approx(found["one hot"], rel=1e-9)
    assert found["sparse"][0] == pytest.approx(found["sparse"][1], rel=1e-12)
    assert found["sparse"][0] != pytest.approx(found["sparse"][2], rel=1e-3)


def elements():
    """Minibatches by name."""
    for i in range(0, 12, BATCH):
        part = slice(i, i + BATCH)
        yield (
            {"in": X[part], "n_steps": np.ones((BATCH, 1), np.int32)},
            {"out": Y[part]},
        )


class Elements(keras.utils.PyDataset):
    """Minibatches by number."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return list(elements())[index]


def test_datasets_and_generators():
    net = feed_forward()
    out = net.probes[0]
    whole = ({"in": X, "n_steps": np.ones((12, 1), np.int32)}, {"out": Y})
    sources = {
        "arrays": lambda: X,
        "tf.data": lambda: tf.data.Dataset.from_tensor_slices(whole).batch(BATCH),
        "float32": lambda: tf.data.Dataset.from_generator(
            elements,
            output_signature=(
                {
                    "in": tf.TensorSpec((None, None, 2), tf.float64),
                    "n_steps": tf.TensorSpec((None, 1), tf.int32),
                },
                {"out": tf.TensorSpec(None, tf.float32)},
            ),
        ),
        "weights": lambda: tf.data.Dataset.from_tensor_slices(
            (*whole, np.ones(12))
        ).batch(BATCH),
        "PyDataset": lambda: Elements(),
        "generator": elements,
    }
    results = {}
    for name, source in sources.items():
        with simulator(net) as sim:
            sim.compile(keras.optimizers.Adam(0.01), loss={out: "mse"})
            y = Y if name == "arrays" else None
            held_out = (X, Y) if name == "arrays" else source()
            history = quiet(sim, source(), y, validation_data=held_out)
            results[name] = parameters(sim)
            measured = sim.evaluate(source(), y, verbose=0)
            assert history["val_loss"] == pytest.approx([measured["loss"]], rel=1e-6)
            seen = sim.predict(source(), verbose=0)[out]
            assert np.mean((seen - Y) ** 2) == pytest.approx(measured["loss"], rel=1e-6)
    for name, found in results.items():
        rounded = 1e-6 if name == "float32" else 1e-12
        assert_same(found, results["arrays"], rounded)


def test_networks_without_data():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(dtype="float64", jit_compile=False)
        wave = nengo.Node(lambda t: np.sin(100 * t), label="wave")
        noise = nengo.Node(nengo.processes.WhiteNoise(scale=False), label="noise")
        a = nengo.Ensemble(9, 2, neuron_type=nengo.LIFRate())
        nengo.Connection(wave, a[0], synapse=None)
        nengo.Connection(noise, a[1], synapse=None)
        probe = nengo.Probe(a, label="out")
    results = []
    for interface in ("train", "fit", "slots"):
        with simulator(net) as sim:
            optimizer = keras.optimizers.SGD(1e-4)
            if interface == "train":
                sim.train(
                    6,
                    optimizer,
                    n_epochs=3,
                    shuffle=False,
                    objective={probe: lambda o: tf.reduce_mean(o**2)},
                )
            else:
                sim.compile(
                    optimizer,
                    loss=lambda y_pred: tf.reduce_mean(y_pred**2, axis=-1),
                    steps_per_execution=2 if interface == "slots" else 1,
                )
                sim.fit(n_steps=6, epochs=3, shuffle=False, verbose=0)
                assert sim.predict(n_steps=5, verbose=0)[probe].shape == (BATCH, 5, 2)
            results.append(parameters(sim))
    for other in results[1:]:
        assert_same(other, results[0])


def test_targets_of_other_shapes():
    net = with_memory()
    out = net.probes[0]
    x, _ = data(4, 5)

    def last_step(y_true, y_pred):
        assert y_true.shape[1:] == (1, 1)
        return tf.reduce_mean((y_true[:, -1] - y_pred[:, -1]) ** 2, axis=-1)

    with simulator(net) as sim:
        sim.compile(loss=last_step)
        found = sim.evaluate(x, np.ones((4, 1, 1)), verbose=0)["loss"]
        seen = sim.predict(x, verbose=0)[out]
        assert found == pytest.approx(np.mean((seen[:, -1] - 1) ** 2), rel=1e-12)


def test_spikes_are_measured_and_rates_are_trained():
    net = with_memory()
    x, _ = data(4, 8)
    with simulator(net) as sim:
        sim.compile(keras.optimizers.SGD(0.0), loss="mse")
        spikes = sim.evaluate(x, x, verbose=0)["loss"]
        rates = quiet(sim, x, x)["loss"][0]
        as_trained = sim.loss({"in": x, "out": x}, training=True)
        assert rates == pytest.approx(as_trained, rel=1e-12)
        assert spikes == pytest.approx(sim.loss({"in": x, "out": x}), rel=1e-12)
        assert spikes != pytest.approx(rates, rel=1e-3)
    net = with_memory(learning_phase=True)
    with simulator(net) as sim:
        sim.compile(loss="mse")
        assert sim.evaluate(x, x, verbose=0)["loss"] == pytest.approx(rates, rel=1e-12)


def test_single_precision():
    net = with_memory(jit_compile=True)
    x, _ = data(8, 4)
    with simulator(net, dtype="float32") as sim:
        sim.compile(keras.optimizers.SGD(0.0), loss="mse", metrics="mae")
        history = quiet(sim, x, x, epochs=2)
        assert history["loss"][1] == pytest.approx(history["loss"][0], rel=1e-6)
        assert sim.predict(x, verbose=0)[net.probes[0]].dtype == np.float32


# -- what does not fit


def test_calls_at_the_wrong_time():
    net = feed_forward(inference_only=True)
    with simulator(net) as sim:
        for call in (sim.evaluate,):
            with pytest.raises(SimulationError, match=r"sim\.compile"):
                call(X, Y)
        sim.compile("adam", loss={"out": "mse"})
        with pytest.raises(SimulationError, match="inference_only"):
            sim.fit(X, Y)
        assert sim.evaluate(X, Y, verbose=0)["loss"] > 0
    calls = (
        lambda: sim.compile("adam", loss="mse"),
        lambda: sim.fit(X, Y),
        lambda: sim.evaluate(X, Y),
        lambda: sim.predict(X),
        lambda: sim.predict_on_batch(X),
        lambda: sim.keras_model,
        lambda: sim.run_batch(3, {}),
    )
    for call in calls:
        with pytest.raises(SimulatorClosed):
            call()


def test_data_that_do_not_fit():
    net = feed_forward()
    out, mid = net.probes
    with simulator(net) as sim:
        sim.compile("sgd", loss={out: "mse"})
        wrong = [
            (X[..., :1], Y, None, r"in.*\(12, 1, 1\); expected \(n_items, n_steps, 2"),
            (X[:3], Y[:3], None, "3 items, and minibatch_size is 4"),
            (X, Y[:8], None, r"out.*\(8, 1, 1\)"),
            (X, {out: X}, None, r"out.*\(12, 1, 2\); expected \(12, n_steps, 1\)"),
            (X, {mid: X}, None, "mid.*neither loss nor metric"),
            (X, None, None, "no targets for .*out"),
            ({"eye": X}, Y, None, "no input Node has the label 'eye'.*'in'"),
            (None, None, None, "steps is not known"),
            (X, Y, 3, r"in.*\(12, 1, 2\); expected \(n_items, 3, 2\)"),
        ]
        for x, y, n_steps, message in wrong:
            with pytest.raises(ValidationError, match=message):
                sim.fit(x, y, n_steps)
        with pytest.raises(ValidationError, match="12 items; expected one minibatch"):
            sim.predict_on_batch(X)
        with pytest.raises(ValidationError, match="divides 12 items into 6 and 6"):
            sim.fit(X, Y, validation_split=0.5)
        with pytest.warns(NengoWarning, match="'batch_size' is ignored"):
            sim.evaluate(X, Y, batch_size=3, verbose=0)
        with pytest.warns(NengoWarning, match="11 items.*last 3"):
            assert len(sim.predict(X[:11], verbose=0)[out]) == 8
        sim.compile("sgd", loss="mse")
        with pytest.raises(ValidationError, match="no targets for any output"):
            sim.fit(X)
        # one loss for all applies to those that have targets
        assert list(sim.evaluate(X, {mid: X}, verbose=0)) == ["loss", "mid_loss"]


def test_datasets_that_do_not_fit():
    net = feed_forward()
    with simulator(net) as sim:
        sim.compile("sgd", loss={"out": "mse"})
        whole = tf.data.Dataset.from_tensor_slices(({"in": X}, {"out": Y}))
        good = whole.batch(BATCH)
        for options in ({"y": Y}, {"n_steps": 1}):
            with pytest.raises(SimulationError, match="besides a dataset"):
                sim.fit(good, **options)
        with pytest.raises(ValidationError, match="'validation_split' with a dataset"):
            sim.fit(good, validation_split=0.5)
        with pytest.raises(ValidationError, match="5 items; expected one minibatch"):
            sim.fit(whole.batch(5))
        with pytest.raises(ValidationError, match="2 items.*drop_remainder=True"):
            sim.fit(whole.take(10).batch(BATCH), verbose=0)
        # where there is no dataset, nothing is said of one
        with pytest.raises(ValidationError, match=r"expected one \w+, which is 4$"):
            sim.check_gradients("out", inputs={"in": X[:3]})
        with pytest.raises(ValidationError, match="yields nothing"):
            sim.fit(good.take(0))
        only = tf.data.Dataset.from_tensor_slices({"n_steps": np.ones((4, 1), int)})
        with pytest.raises(ValidationError, match="no data for .*'in'"):
            sim.predict(only.batch(4))
        with pytest.raises(ValidationError, match="no targets for .*out"):
            sim.fit(({"in": x["in"]} for x, _ in elements()), verbose=0)


def test_one_step_and_a_synapse():
    net = with_memory()
    with simulator(net) as sim:
        sim.compile("sgd", loss="mse")
        with pytest.warns(NengoWarning, match="Did you mean to set synapse=None"):
            sim.evaluate(X, X, verbose=0)


@pytest.mark.parametrize("loss", ["mse", "sparse_categorical_crossentropy"])
def test_targets_of_another_length_are_refused_before_the_first_epoch(loss):
    with nengo.Network(seed=0) as net:
        node = nengo.Node([0])
        ensemble = nengo.Ensemble(10, 1, neuron_type=nengo.RectifiedLinear())
        nengo.Connection(node, ensemble, synapse=None)
        probe = nengo.Probe(ensemble, synapse=None)
    x, y, wrong = np.ones((4, 4, 1)), np.zeros((4, 4, 1)), np.zeros((4, 3, 1))
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.compile("sgd", loss=loss)
        before = [variable.numpy() for variable in sim.keras_model.weights]
        for attr, targets, held_out in [
            ("y", wrong, None),
            ("validation_data", y, ({node: x}, {probe: wrong})),
        ]:
            with pytest.raises(ValidationError, match=f"{attr}: .*3 time.*expected 4"):
                sim.fit({node: x}, {probe: targets}, validation_data=held_out)
        for own, expected in zip(sim.keras_model.weights, before, strict=True):
            np.testing.assert_array_equal(own.numpy(), expected)
