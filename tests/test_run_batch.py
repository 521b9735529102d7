"""run_batch: anything that can be computed from outputs, minibatch by minibatch."""

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import NengoWarning, ValidationError

from tests.helpers import assert_close
from tests.keras_networks import BATCH, data, feed_forward, simulator, with_memory

X, Y = data(8, 3)


def test_outputs_themselves_and_functions_of_them():
    net = feed_forward(jit_compile=True)
    out, mid = net.probes
    seen = []
    with simulator(net) as sim:
        expected = sim.predict(X, verbose=0)
        found = sim.run_batch(
            {"in": X, out: Y},
            {
                out: lambda outputs, targets: tf.reduce_mean(abs(outputs - targets)),
                mid: None,
                (out, mid): lambda outputs: (
                    tf.reduce_sum(outputs[0]),
                    outputs[0] * outputs[1],
                ),
                "out": "mse",
            },
            callback=lambda values, extra: seen.append((values, extra)),
        )
    assert list(found) == [out, mid, (out, mid), "out"]
    parts = (slice(0, 4), slice(4, 8))
    errors = [np.mean(abs(expected[out][p] - Y[p])) for p in parts]
    assert found[out] == pytest.approx(errors, rel=1e-12)
    assert found[mid].shape == (2, BATCH, 3, 2)
    assert_close(found[mid].reshape(8, 3, 2), expected[mid])
    sums, products = found[out, mid]
    assert sums == pytest.approx([expected[out][p].sum() for p in parts], rel=1e-12)
    assert_close(products.reshape(8, 3, 2), expected[out] * expected[mid])
    squares = [np.mean((expected[out][p] - Y[p]) ** 2) for p in parts]
    assert found["out"] == pytest.approx(squares, rel=1e-12)
    assert len(seen) == 2 and seen[0][1] is None
    assert seen[1][0][out] == pytest.approx(errors[1], rel=1e-12)


def test_epochs_shuffling_and_combining():
    net = feed_forward()
    out = net.probes[0]
    with simulator(net) as sim:
        whole = sim.predict(X, verbose=0)[out]
        found = sim.run_batch(
            {"in": X},
            {out: None},
            n_epochs=3,
            shuffle=True,
            combine=np.concatenate,
        )[out]
        epochs = found.reshape(3, 8, 3)
        for epoch in epochs:
            assert_close(np.sort(epoch.ravel()), np.sort(whole.ravel()))
        assert not np.array_equal(epochs[0], epochs[1])
        total = sim.run_batch({"in": X}, {out: tf.reduce_sum}, combine=sum)[out]
        assert total == pytest.approx(whole.sum(), rel=1e-12)


def test_rates_instead_of_spikes():
    net = with_memory()
    out = net.probes[0]
    with simulator(net) as sim:
        spikes = sim.run_batch({"in": X}, {out: None})[out]
        rates = sim.run_batch({"in": X}, {out: None}, training=True)[out]
        assert_close(spikes.reshape(8, 3, 2), sim.predict(X, verbose=0)[out])
        assert not np.allclose(spikes, rates)


def test_parts_of_items_and_the_state_of_the_simulation():
    net = with_memory()
    with net:
        wave = nengo.Node(lambda t: np.sin(30 * t), label="wave")
        noise = nengo.Node(nengo.processes.WhiteNoise(), label="noise")
        nengo.Connection(wave, net.ensembles[0][0])
        nengo.Connection(noise, net.ensembles[0][1])
    out = net.probes[0]
    x, _ = data(8, 6)
    with simulator(net) as sim:
        sim.run_steps(2)
        whole = sim.run_batch({"in": x}, {out: None})[out]
        with pytest.warns(NengoWarning, match="last part of each item has 2 steps"):
            parts = sim.run_batch({"in": x}, {out: None}, truncation=4, combine=list)[
                out
            ]
        assert [part.shape[1] for part in parts] == [4, 2, 4, 2]
        assert_close(np.concatenate(parts[:2], axis=1), whole[0])
        assert_close(np.concatenate(parts[2:], axis=1), whole[1])
        assert sim.n_steps == 2
    with simulator(net) as sim:
        # isolated runs begin in the initial state
        sim.run_steps(6, data={"in": x[:BATCH]})
        assert_close(whole[0], sim.data[out])
        sim.reset()
        going_on = sim.run_batch({"in": x}, {out: None}, isolate_state=False)[out]
        assert sim.n_steps == 12
        assert_close(going_on[0], whole[0])
        sim.reset()
        sim.run_steps(12, data={"in": np.concatenate([x[:BATCH], x[BATCH:]], 1)})
        assert_close(np.concatenate(going_on, axis=1), sim.data[out])


@pytest.mark.filterwarnings("ignore:n_steps=3 is no multiple")
def test_results_of_different_shapes_are_not_stacked():
    net = feed_forward()
    out, mid = net.probes

    def larger(outputs):
        return tf.boolean_mask(outputs, outputs > tf.reduce_mean(outputs))

    with simulator(net) as sim:
        for outputs in ({mid: None}, {(out, mid): lambda seen: (seen[0], seen[1][0])}):
            with pytest.raises(ValidationError, match="2 for items of 3 steps.*list"):
                sim.run_batch({"in": X}, outputs, truncation=2)
        means = sim.run_batch({"in": X}, {mid: tf.reduce_mean}, truncation=2)[mid]
        assert means.shape == (4,)
        found = sim.run_batch({"in": X}, {mid: larger}, combine=list)[mid]
        assert len({len(values) for values in found}) == 2
        with pytest.raises(ValidationError, match="same shape each time.*list"):
            sim.run_batch({"in": X}, {mid: larger})


def test_without_data():
    net = with_memory()
    out = net.probes[0]
    with simulator(net) as sim:
        found = sim.run_batch(5, {out: None})[out]
        assert found.shape == (1, BATCH, 5, 2)
        sim.run_steps(5)
        assert_close(found[0], sim.data[out])


def test_what_does_not_fit():
    net = feed_forward()
    out, mid = net.probes
    wrong = [
        ({}, {}, r"outputs: Expected a dict \{probe: f\}"),
        ({}, out, "outputs: Expected a dict"),
        ({}, {"up": None}, "outputs: no Probe has the label 'up'"),
        ({}, {net.nodes[0]: None}, "outputs: .*Node"),
        ({}, {out: lambda o, t: o}, "outputs: .*needs targets.*none for .*out"),
        ({out: Y}, {(out, mid): lambda o, t: o}, "needs targets.*none for .*mid"),
        ({}, {(): None}, "outputs: Got an empty tuple"),
        ({}, {out: lambda: 0}, "outputs: .*it takes no arguments"),
        ({mid: X[..., :1, None]}, {mid: None}, r"mid.*\(8, 3, 1, 1\)"),
    ]
    with simulator(net) as sim:
        for targets, outputs, message in wrong:
            with pytest.raises(ValidationError, match=message):
                sim.run_batch({"in": X, **targets}, outputs)
        for name in ("extra_feeds", "extra_fetches"):
            with pytest.raises(ValidationError, match=f"{name}: There is no TensorFl"):
                sim.run_batch({"in": X}, {out: None}, **{name: {"a": 1}})
