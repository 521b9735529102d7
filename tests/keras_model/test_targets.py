"""Targets in Keras' way: their size, none at all, and some that are missing."""

import warnings

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import NengoWarning, SimulationError, ValidationError

import nengo_dl
from tests.helpers import rest_with_everything
from tests.keras_networks import BATCH, data, feed_forward, parameters, simulator

X, Y = data(BATCH, 3)


@pytest.mark.parametrize("size", rest_with_everything([0, 1, 3]))
def test_the_loss_decides_on_the_size_of_targets(size):
    seen = []

    def own(y_true, y_pred):
        seen.append(tuple(y_true.shape))
        return tf.reduce_mean(y_pred, axis=-1) + tf.reduce_sum(y_true, axis=-1)

    class Own(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return own(y_true, y_pred)

    y = np.ones((BATCH, 3, size))
    with simulator(feed_forward()) as sim:
        for loss in (own, Own()):
            sim.compile("sgd", loss={"mid": loss})
            found = sim.evaluate(X, y, verbose=0)["loss"]
            mean = sim.predict(X, verbose=0)[sim.model.toplevel.probes[1]].mean()
            assert found == pytest.approx(mean + size, rel=1e-6)
            sim.fit(X, y, validation_data=(X, y), verbose=0)
            sim.fit(X, y, truncation=1, verbose=0)
        assert {shape[-1] for shape in seen} == {size}
        for options in ({"loss": "mse"}, {"loss": own, "metrics": "mae"}):
            sim.compile("sgd", **{k: {"mid": v} for k, v in options.items()})
            for call in (sim.fit, sim.evaluate):
                with pytest.raises(ValidationError, match=rf"3, {size}\); expected"):
                    call(X, y, verbose=0)


def test_norms_need_no_targets():
    net = feed_forward()
    out, mid = net.probes
    norm = nengo_dl.losses.Regularize()
    with simulator(net) as sim:
        sim.compile("sgd", loss={mid: norm})
        values = [
            sim.evaluate(X, y, verbose=0)["loss"]
            for y in (None, {mid: None}, {mid: X}, {mid: X[..., :0]})
        ]
        assert values == [values[0]] * 4 and values[0] > 0
        sim.compile("sgd", loss={out: "mse", mid: norm})
        for y in ({out: Y}, {out: Y, mid: None}, [Y, None], (Y, None)):
            before = parameters(sim)
            sim.fit(X, y, verbose=0)
            assert any(
                (a != b).any() for a, b in zip(before, parameters(sim), strict=1)
            )
        with pytest.raises(
            ValidationError, match="out.* are not real numbers but None"
        ):
            sim.fit(X, [None, None], verbose=0)
    outputs = tf.constant([[[3.0, 4.0]]])
    assert float(norm(None, outputs)) == float(norm(outputs, outputs)) == 5


def test_missing_targets_and_losses_that_do_not_know_them():
    missing = np.where(Y > 0, Y, np.nan)
    with simulator(feed_forward()) as sim:
        for options in (
            {"loss": "mse"},
            {"loss": keras.losses.Huber()},
            {"loss": nengo_dl.losses.nan_mse, "metrics": "mae"},
        ):
            sim.compile("sgd", **{k: {"out": v} for k, v in options.items()})
            with pytest.warns(
                NengoWarning, match=r"Targets for <Probe .out. .* are NaN"
            ):
                sim.evaluate(X, missing, verbose=0)
        with pytest.warns(NengoWarning, match="are NaN"):
            sim.fit(X, Y, validation_data=(X, missing), epochs=0, verbose=0)
        sim.compile("sgd", loss={"out": nengo_dl.losses.nan_mse})
        with warnings.catch_warnings():
            warnings.simplefilter("error", NengoWarning)
            assert np.isfinite(sim.evaluate(X, missing, verbose=0)["loss"])
        # whether a function of the user knows them shows in what it returns
        sim.compile("sgd", loss={"out": lambda t, p: keras.ops.mean((t - p) ** 2)})
        for call in (
            lambda: sim.evaluate(X, missing, verbose=0),
            lambda: sim.fit(X, Y, validation_data=(X, missing), verbose=0),
            lambda: sim.fit(X, missing, verbose=0),
        ):
            with pytest.warns(NengoWarning, match=r"Targets for <Probe .out. .* NaN"):
                call()


@pytest.mark.parametrize("why", ["trainable=False", "no parameter on the way"])
def test_fitting_goes_on_where_nothing_can_be_trained(why):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(
            trainable=False if "=" in why else None, jit_compile=False
        )
        node = nengo.Node([0.5])
        ensemble = nengo.Ensemble(4, 1, neuron_type=nengo.Tanh())
        nengo.Connection(node, ensemble, synapse=None)
        probe = nengo.Probe(ensemble if "=" in why else node)
    x = np.ones((2, 3, 1))
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        for optimizer in ({}, {"optimizer": keras.optimizers.Adam(0.1)}):
            sim.compile(loss={probe: "mse"}, **optimizer)
            before = parameters(sim)
            for options in ({}, {"stateful": True}, {"truncation": 1}):
                # said once, with the reason; Keras has a warning of its own
                with pytest.warns(UserWarning, match="is nothing to train") as said:
                    found = sim.fit(x, 2 * x, verbose=0, **options)
                assert sum("any trainable" in str(w.message) for w in said) == 1
                expected = sim.evaluate(x, 2 * x, verbose=0)["loss"]
                assert found.history["loss"] == [pytest.approx(expected)]
            for a, b in zip(before, parameters(sim), strict=True):
                np.testing.assert_array_equal(a, b)
        with pytest.raises(ValidationError, match="nothing to train"):
            sim.train({node: x, probe: x}, "sgd")


def test_measuring_needs_no_optimizer():
    found = []
    for arguments in ((), (None,), ("adam",)):
        with simulator(feed_forward()) as sim:
            sim.compile(*arguments, loss={"out": "mse"})
            found.append(sim.evaluate(X, Y, verbose=0)["loss"])
            if arguments == (None,):
                with pytest.raises(SimulationError, match="There is no optimizer"):
                    sim.fit(X, Y, verbose=0)
    assert found == [found[0]] * 3
