"""Callbacks of our own, and what they write for TensorBoard."""

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import nengo_dl
from tests.helpers import assert_close
from tests.keras_networks import BATCH, data, feed_forward, simulator, with_memory


def written(path, kind):
    """What event files hold: {tag: events}; ``kind`` is "histograms" or "tensors"."""
    events = EventAccumulator(str(path), size_guidance={"histograms": 0, "tensors": 0})
    events.Reload()
    read = {"histograms": events.Histograms, "tensors": events.Tensors}[kind]
    return {tag: read(tag) for tag in events.Tags()[kind]}


def buckets(event):
    """Left ends, right ends and counts of a histogram, shape (n, 3)."""
    return np.frombuffer(event.tensor_proto.tensor_content).reshape(-1, 3)


def test_summaries_of_each_epoch(tmp_path):
    net = feed_forward()
    a, b = net.ensembles
    connection = net.all_connections[1]
    x, y = data()
    objects = [connection, a, b.neurons, b, net.all_connections[0].post]
    with simulator(net) as sim:
        callback = nengo_dl.callbacks.NengoSummaries(tmp_path, sim, objects)
        seen = []
        after = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda *_: seen.append(sim.data[connection].weights.copy())
        )
        start = sim.data[connection].weights.copy()
        sim.compile(keras.optimizers.Adam(0.01), loss={"out": "mse"})
        sim.fit(x, y, epochs=3, verbose=0, callbacks=[callback, after])
        found = written(tmp_path, "tensors")
        assert set(found) == {
            "Connection_weights",
            "a_encoders",
            "b_bias",
            "b_encoders",
            "a_encoders_1",
        }
        for events in found.values():
            assert [event.step for event in events] == [0, 1, 2, 3]
        for event, weights in zip(
            found["Connection_weights"], [start, *seen], strict=True
        ):
            edges = buckets(event)
            assert edges[:, 2].sum() == weights.size
            assert edges[0, 0] == pytest.approx(weights.min(), rel=1e-5)
            assert edges[-1, 1] == pytest.approx(weights.max(), rel=1e-5)
        assert not np.allclose(start, seen[0])


def test_what_there_is_nothing_to_write_about(tmp_path):
    net = feed_forward()
    with net:
        bare = nengo.Connection(net.nodes[0], net.ensembles[0], transform=None)
    with nengo.Network():
        stranger = nengo.Ensemble(5, 1)
    with simulator(net) as sim:
        for obj in (bare, stranger, net.nodes[0], "loss", net.probes[0]):
            with pytest.raises(ValidationError, match="objects: There is nothing"):
                nengo_dl.callbacks.NengoSummaries(tmp_path, sim, [obj])
    assert not list(tmp_path.iterdir())


def test_tensorboard_shows_losses_and_profiles_predictions(tmp_path):
    net = feed_forward()
    x, y = data()
    with simulator(net) as sim:
        sgd = keras.optimizers.SGD(1e-6)
        sim.compile(sgd, loss={"out": "mse"}, metrics={"out": "mae"})
        callback = nengo_dl.callbacks.TensorBoard(tmp_path, profile_batch=2)
        history = sim.fit(
            x, y, epochs=2, verbose=0, validation_data=(x, y), callbacks=[callback]
        ).history
        for folder, prefix in (("train", ""), ("validation", "val_")):
            found = written(tmp_path / folder, "tensors")
            for name in ("loss", "out_mae"):
                values = [
                    np.frombuffer(e.tensor_proto.tensor_content, np.float32)
                    if e.tensor_proto.tensor_content
                    else e.tensor_proto.float_val
                    for e in found[f"epoch_{name}"]
                ]
                expected = history[f"{prefix}{name}"]
                assert np.ravel(values) == pytest.approx(expected, rel=1e-5)
        before = set(tmp_path.rglob("*.xplane.pb"))
        assert len(before) == 1  # of the second minibatch of fit
        profiler = nengo_dl.callbacks.TensorBoard(tmp_path / "more", profile_batch=2)
        sim.predict(x, verbose=0, callbacks=[profiler])
        assert len(list((tmp_path / "more").rglob("*.xplane.pb"))) == 1
        # no profile of what is not asked for, and one that ends with the data
        sim.predict(
            x, verbose=0, callbacks=[nengo_dl.callbacks.TensorBoard(tmp_path / "none")]
        )
        assert not (tmp_path / "none" / "plugins").exists()
        profiler = nengo_dl.callbacks.TensorBoard(
            tmp_path / "cut", profile_batch=(3, 9)
        )
        sim.predict(x, verbose=0, callbacks=[profiler])
        assert len(list((tmp_path / "cut").rglob("*.xplane.pb"))) == 1


def test_isolated_minibatches():
    net = with_memory()
    with net:
        nengo.Connection(nengo.Node(lambda t: np.sin(30 * t)), net.ensembles[0][1])
    out = net.probes[0]
    x, _ = data(8, 5)
    with simulator(net) as sim:
        sim.run_steps(3, data={"in": np.ones((BATCH, 3, 2))})
        isolated = [nengo_dl.callbacks.IsolateState(sim)]
        apart = sim.predict({"in": x}, verbose=0)[out]
        seen = sim.predict({"in": x}, verbose=0, stateful=True, callbacks=isolated)[out]
        assert_close(seen, apart)
        assert sim.n_steps == 3
        sim.compile(keras.optimizers.SGD(0.0), loss="mse")
        expected = sim.evaluate({"in": x}, x, verbose=0)
        losses = []
        for callbacks in ([], isolated):
            options = {"stateful": True, "callbacks": callbacks, "verbose": 0}
            losses.append(sim.evaluate({"in": x}, x, **options)["loss"])
            if not callbacks:
                assert sim.n_steps == 13
                sim.reset(include_trainable=False)
                sim.run_steps(3, data={"in": np.ones((BATCH, 3, 2))})
        assert losses[1] == pytest.approx(expected["loss"], rel=1e-12)
        assert losses[0] != pytest.approx(expected["loss"], rel=1e-6)
        fitted = [
            sim.fit(
                {"in": x}, x, shuffle=False, verbose=0, stateful=s, callbacks=callbacks
            ).history["loss"]
            for s, callbacks in ((True, isolated), (False, []))
        ]
        assert fitted[0] == pytest.approx(fitted[1], rel=1e-12)
        assert sim.n_steps == 3
