"""Whether rates or spikes are judged in `evaluate`, `loss` and validation, how long."""

import warnings

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import NengoWarning, ValidationError

import nengo_dl

BATCH, ITEMS = 4, 8


def network(neurons=None, dropout=False, **settings):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False, dtype="float64", **settings)
        net.config[nengo.Connection].synapse = None
        net.node = nengo.Node([0])
        ensemble = nengo.Ensemble(12, 1, neuron_type=neurons or nengo.LIF())
        net.out = nengo.Node(size_in=1)
        nengo.Connection(net.node, ensemble)
        if dropout:
            layer = nengo_dl.Layer(keras.layers.Dropout(0.5, seed=0))
            nengo.Connection(layer(ensemble), net.out)
        else:
            nengo.Connection(ensemble, net.out)
        net.p = nengo.Probe(net.out, label="p")
    return net


def data(seed=0, n_steps=1):
    x = np.random.RandomState(seed).uniform(-1, 1, (ITEMS, 1, 1))
    return np.repeat(x, n_steps, axis=1), np.repeat(x**2, n_steps, axis=1)


def simulator(net, **compilation):
    sim = nengo_dl.Simulator(net, minibatch_size=BATCH, seed=3, progress_bar=False)
    sim.compile("sgd", loss={net.p: "mse"}, **compilation)
    return sim


def squared_error(outputs, targets):
    return float(((outputs - targets) ** 2).mean())


@pytest.fixture(scope="module")
def spiking():
    net = network()
    with simulator(net) as sim:
        yield net, sim


def test_as_rates_all_calls_measure_the_network_as_it_is_trained(spiking):
    net, sim = spiking
    x, y = data()
    as_trained = network(learning_phase=True)
    with simulator(as_trained) as other:
        expected = other.predict(x, verbose=0)[as_trained.p]
    rates = sim.predict(x, as_rates=True, verbose=0)[net.p]
    np.testing.assert_allclose(rates, expected, rtol=1e-12)
    first = sim.predict_on_batch(x[:BATCH], as_rates=True)[net.p]
    np.testing.assert_allclose(first, expected[:BATCH], rtol=1e-12)
    error = squared_error(expected, y)
    found = sim.evaluate(x, y, as_rates=True, verbose=0)["loss"]
    assert found == pytest.approx(error, rel=1e-12)
    found = sim.loss({net.node: x, net.p: y}, as_rates=True)
    assert found == pytest.approx(error, rel=1e-12)
    found = sim.run_batch({net.node: x}, {net.p: None}, as_rates=True)[net.p]
    np.testing.assert_allclose(np.concatenate(found), expected, rtol=1e-12)
    f = sim.function(net.p, as_rates=True)
    found, _ = f(f.params, f.initial_state, {net.node: x[:BATCH]})
    np.testing.assert_allclose(found[net.p], expected[:BATCH], rtol=1e-12)
    # and the next call is about spikes again
    spikes = sim.predict(x, verbose=0)[net.p]
    assert abs(spikes - expected).max() > 0.1


def test_an_item_of_one_step_is_held_for_several(spiking):
    net, sim = spiking
    x, y = data()
    longer = sim.predict(np.repeat(x, 20, axis=1), verbose=0)[net.p]
    held = sim.predict(x, n_steps=20, verbose=0)[net.p]
    np.testing.assert_array_equal(held, longer)
    found = sim.evaluate(x, y, n_steps=20, verbose=0)["loss"]
    mean = longer.mean(axis=1, keepdims=True)
    assert found == pytest.approx(squared_error(mean, y), rel=1e-12)
    # with a target for each step, each step counts
    found = sim.evaluate(x, np.repeat(y, 20, axis=1), n_steps=20, verbose=0)["loss"]
    assert found == pytest.approx(squared_error(longer, y), rel=1e-12)


@pytest.mark.parametrize(
    ("compilation", "held_out"),
    [
        ({}, "split"),
        ({"steps_per_execution": 1}, "dataset"),
        *(
            pytest.param(compilation, held_out, marks=pytest.mark.everything)
            for compilation in ({}, {"steps_per_execution": 1}, {"run_eagerly": True})
            for held_out in ("arrays", "split", "dataset")
        ),
    ],
    ids=lambda option: option if isinstance(option, str) else "-".join(option) or "own",
)
def test_callbacks_are_told_of_rates_or_spikes_in_validation(compilation, held_out):
    net = network()
    x, y = data()
    given = {"validation_data": (x, y)}
    if held_out == "split":
        x, y = np.repeat(x, 2, axis=0), np.repeat(y, 2, axis=0)
        given = {"validation_split": 0.5}
    if held_out == "dataset":
        slices = ({"node": x}, {"p": y})
        pairs = tf.data.Dataset.from_tensor_slices(slices).batch(BATCH)
        given = {"validation_data": pairs}
    with simulator(net, **compilation) as sim:
        node = sim.get_name(net.node)
        if held_out == "dataset":
            given["validation_data"] = pairs.map(lambda x, y: ({node: x["node"]}, y))
        for fitted, evaluated in (
            ({"validate_as": "rates"}, {"as_rates": True}),
            ({"validation_n_steps": 20, "validate_as": "spikes"}, {"n_steps": 20}),
            ({"validate_as": "rates"}, {"as_rates": True}),
        ):
            stop = keras.callbacks.EarlyStopping("val_loss", baseline=0.0)
            history = sim.fit(x, y, verbose=0, callbacks=[stop], **given, **fitted)
            if held_out == "split":
                expected = sim.evaluate(x[ITEMS:], y[ITEMS:], verbose=0, **evaluated)
            else:
                expected = sim.evaluate(x, y, verbose=0, **evaluated)
            found = history.history["val_loss"][-1]
            assert found == pytest.approx(expected["loss"], rel=1e-12)
            assert stop.best == pytest.approx(found)


def test_tensorflow_code_runs_as_in_simulations_beside_rates():
    net = network(dropout=True)
    x, y = data()
    with simulator(net) as sim:
        loss = [sim.evaluate(x, y, as_rates=True, verbose=0)["loss"] for _ in range(2)]
        dropped = sim.loss({net.node: x, net.p: y}, training=True)
    assert loss[0] == loss[1] != pytest.approx(dropped)


def warned(call):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
    return [w for w in found if "single time step" in str(w.message)]


@pytest.mark.parametrize(
    "call",
    [
        lambda sim, net, x, y: sim.evaluate(x, y, verbose=0),
        lambda sim, net, x, y: sim.loss({net.node: x, net.p: y}),
        lambda sim, net, x, y: sim.fit(x, y, validation_data=(x, y), verbose=0),
    ],
    ids=["evaluate", "loss", "fit"],
)
def test_one_warning_where_spikes_of_one_step_are_judged(call):
    net = network()
    with simulator(net) as sim:
        (warning,) = warned(lambda: call(sim, net, *data()))
        assert "LIF()" in str(warning.message)
        assert "as_rates=True" in str(warning.message)
        assert warning.filename == __file__
        assert not warned(lambda: call(sim, net, *data()))


@pytest.mark.parametrize(
    ("options", "steps", "as_rates"),
    [
        ({}, 2, False),
        ({}, 1, True),
        ({"neurons": nengo.LIFRate()}, 1, False),
        ({"surrogate": "fast_sigmoid"}, 1, False),
    ],
    ids=["two steps", "as rates", "rate neurons", "trained with spikes"],
)
def test_no_warning_where_training_and_judgement_agree(options, steps, as_rates):
    with simulator(network(**options)) as sim:
        x, y = data(n_steps=steps)
        assert not warned(lambda: sim.evaluate(x, y, as_rates=as_rates, verbose=0))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"validate_as": "rate"}, "'rates', 'spikes' or None"),
        ({"validate_as": True}, "'rates', 'spikes' or None"),
        ({"validate_as": np.array(["rates"])}, "'rates', 'spikes' or None"),
        ({"validation_n_steps": 0}, "validation_n_steps"),
        ({"validation_n_steps": 2.5}, "validation_n_steps"),
    ],
)
def test_wrong_ways_to_validate_are_refused(spiking, options, problem):
    _, sim = spiking
    x, y = data()
    with pytest.raises(ValidationError, match=problem):
        sim.fit(x, y, validation_data=(x, y), **options)


@pytest.mark.parametrize("way", ["split", "arrays"])
def test_data_of_several_steps_are_not_held(spiking, way):
    _, sim = spiking
    x, y = data(n_steps=3)
    options = {"validation_data": (x, y)} if way == "arrays" else {}
    options = options or {"validation_split": 0.5}
    with pytest.raises(ValidationError, match="one.*held"):
        sim.fit(x, y, validation_n_steps=5, **options)


def test_without_validation_a_choice_for_it_is_a_mistake(spiking):
    _, sim = spiking
    with pytest.warns(NengoWarning, match="no data for validation"):
        sim.fit(*data(), validate_as="rates", verbose=0)
