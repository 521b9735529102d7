"""Reports about conversions, and firing rates from data."""

import re

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

from nengo_dl import Converter
from nengo_dl.converter import comparison, rate_targets, rates_from_data
from tests.converter.models import model_of, random_weights

L = keras.layers


def model():
    return model_of(
        (4, 4, 1),
        L.Conv2D(3, 2, activation="relu", name="conv"),
        L.MaxPooling2D(2, name="pool"),
        L.Flatten(name="flat"),
        L.Dense(3, name="out"),
    )


def images(n=3):
    return np.random.RandomState(0).uniform(size=(n, 4, 4, 1)).astype("float32")


def test_report_of_rates():
    with pytest.warns(UserWarning, match="maximum"):
        converter = Converter(model())
    report = converter.report(images())
    rows = {row.layer: row for row in report.layers}
    assert rows["conv"].became == "RectifiedLinear"
    assert rows["conv"].n_neurons == 27
    assert rows["conv"].n_parameters == 15
    assert rows["pool"].became == "TensorNode"
    assert "max_to_avg_pool" in rows["pool"].reason
    assert rows["flat"].became == "nothing"
    assert rows["out"].became == "Node"
    assert all(row.difference < 1e-6 for row in report.layers)
    assert not report.native
    assert "with TensorNodes" in str(report)
    assert "<table" in report._repr_html_()
    # the probes of the comparison are gone
    assert len(converter.net.all_probes) == 1


def test_report_of_spikes(monkeypatch):
    plain = model()
    converter = Converter(
        plain,
        max_to_avg_pool=True,
        swap_activations={"relu": nengo.SpikingRectifiedLinear()},
        scale_firing_rates="auto",
        sample_data=images(),
        target_rate=200,
    )
    classes = plain(images()).numpy().argmax(axis=1)
    report = converter.report(images(), n_steps=60, targets=classes)
    (conv,) = [row for row in report.layers if row.rates is not None]
    assert report.native
    assert conv.difference is None
    assert conv.rates.high == pytest.approx(200, rel=0.1)
    assert conv.rates.median < conv.rates.high
    assert 0 <= conv.rates.silent < 1
    assert conv.rates.saturated == 0
    assert report.suggested_scales["conv"] == pytest.approx(conv.scale / 2, rel=0.1)
    assert list(report.agreement) == [1, 2, 5, 10, 20, 50, 60]
    assert report.accuracy.keys() == report.agreement.keys()
    assert "accuracy" in str(report)
    assert "agree with Keras (with max pooling)" in str(report)
    with pytest.raises(ValueError, match="each of the 3 items"):
        converter.report(images(), n_steps=2, targets=[1])
    # more items than are run at once, the last part is shorter than the others
    monkeypatch.setattr(comparison, "_MOST_VALUES", 30 * 60)
    in_parts = converter.report(images(), n_steps=60, targets=classes)
    assert in_parts.layers == report.layers
    assert in_parts.agreement == report.agreement
    assert in_parts.error == pytest.approx(report.error)


def test_suggestions():
    spikes = {"relu": nengo.SpikingRectifiedLinear()}
    plain = model_of((6,), L.Dense(20, "relu", name="a"), L.Dense(5, "relu", name="b"))
    plain.layers[1].bias.assign(np.ones(20))
    x = np.ones((2, 6))

    def of(scale, n_steps=10):
        made = Converter(plain, swap_activations=spikes, scale_firing_rates=scale)
        return "\n".join(made.report(x, n_steps=n_steps).suggestions)

    assert "Layer 'a': no neuron has fired within 10 ms" in of(0.01)
    assert "Layer 'a': the most active neurons have" in of({"a": 50})
    assert "try `synapse=0.005`" in of({"a": 50})
    assert "of the neurons fire about as fast" in of({"a": 1e4})
    assert not Converter(plain).report(x, n_steps=3).suggestions


def test_an_output_that_lost_its_softmax_has_no_error():
    model = model_of((6,), L.Dense(5, "relu"), L.Dense(3, "softmax", name="digit"))
    x = np.random.RandomState(0).uniform(size=(4, 6))
    without = Converter(model, swap_activations={"softmax": None})
    report = without.report(x, n_steps=3)
    assert report.agreement[3] == 1 and np.isnan(report.error[3])
    assert "There is no error of output 'digit'" in str(report)
    assert re.search(r"^ *3 +- +100\.0%$", str(report), re.MULTILINE)
    rows = {row.layer: row for row in report.layers}
    assert rows["digit"].difference is None
    with pytest.warns(UserWarning, match="no neuron type has the activation softmax"):
        same = Converter(model).report(x, n_steps=3)
    assert same.error[3] < 1e-5
    assert not same.suggestions


def two_inputs():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="<b>")
    shared = L.Dense(3, "relu", name="shared")
    inner = keras.Sequential(
        [keras.Input((3,)), L.Dense(2, "relu", name="in"), L.LayerNormalization()],
        name="inner",
    )
    both = L.Add()([shared(a), shared(b)])
    outputs = {"x": L.Dense(3, name="x")(inner(both)), "y": L.Dense(1, name="y")(both)}
    return random_weights(keras.Model([a, b], outputs))


@pytest.fixture(scope="module")
def of_two_inputs():
    with pytest.warns(UserWarning, match="LayerNormalization"):
        return Converter(two_inputs(), split_shared_weights=True)


def test_report_of_several_inputs_shared_layers_and_models_in_models():
    with pytest.warns(UserWarning, match="LayerNormalization"):
        converter = Converter(two_inputs(), split_shared_weights=True)
    x = np.random.RandomState(0).uniform(size=(3, 4))
    report = converter.report({"a": x, "<b>": 2 * x}, n_steps=1, targets=[0, 1, 2])
    assert [row.layer for row in report.layers].count("shared") == 2
    assert max(row.difference or 0 for row in report.layers) < 1e-6
    assert report.agreement == {1: 1}
    assert report.error[1] < 1e-6
    calls = [row.rates for row in report.layers if row.layer == "shared"]
    assert report.suggested_scales["shared"] == min(r.suggested_scale for r in calls)
    rows = {row.layer: row for row in report.layers}
    assert rows["inner"].n_parameters == 0 and rows["inner/in"].n_parameters == 8
    assert "&lt;b&gt;" in report._repr_html_() and "<b>'" not in report._repr_html_()


@pytest.mark.parametrize(
    "data, kwargs, message",
    [
        (None, {"n_steps": 2}, "needs `data`"),
        ({"a": "x"}, {}, "no array for the input <b>"),
        ({"a": "x", "c": "x"}, {}, "key 'c'.*there are a, <b>"),
        (["x"], {}, "each of the 2 inputs"),
        (["x", np.ones((2, 4))], {}, "3 for 'a', 2 for '<b>'"),
        (["x", np.ones((3, 5))], {}, r"shape \(3, 5\), expected \(None, 4\)"),
        (["x", np.full((3, 4), np.nan)], {}, "not finite"),
        (["x", "text"], {}, "'<b>' are a str"),
        ([np.ones((0, 4))] * 2, {}, "no items"),
        (
            ["x", "x"],
            {"n_steps": 0},
            "n_steps: Expected .* at least 1, got 0",
        ),
        (["x", "x"], {"n_steps": 2.5}, "n_steps: Expected .* got 2.5"),
        (["x", "x"], {"targets": [0, 0, 0]}, "`n_steps` says"),
        (["x", "x"], {"n_steps": 1, "targets": [0]}, "each of the 3 items"),
        (["x", "x"], {"n_steps": 1, "targets": np.eye(3)}, r"argmax\(axis=-1\)"),
        (["x", "x"], {"n_steps": 1, "targets": [0, 1, 3]}, "from 0 to 2"),
    ],
)
def test_what_reports_refuse(of_two_inputs, data, kwargs, message):
    x = np.ones((3, 4))
    if isinstance(data, dict):
        data = dict.fromkeys(data, x)
    elif data is not None:
        data = [x if isinstance(v, str) and v == "x" else v for v in data]
    with pytest.raises(ValueError, match=message):
        of_two_inputs.report(data, **kwargs)


def test_rates_from_data():
    inner = keras.Sequential([keras.Input((3,)), L.Dense(4, "relu", name="inner")])
    x = keras.Input((3,))
    y = L.Dense(2, "relu", name="silent")(L.ReLU(name="relu")(inner(x)))
    whole = keras.Model(x, L.Dense(2)(y))
    inner.layers[0].set_weights([np.ones((3, 4)), np.zeros(4)])
    whole.get_layer("silent").set_weights([-np.ones((4, 2)), np.zeros(2)])
    with pytest.warns(UserWarning, match="'silent' is active"):
        factors = rates_from_data(whole, np.ones((2, 3), "float32"), 60)
    found = {layer.name: factor for layer, factor in factors.items()}
    assert found == {"inner": 20, "relu": 20, "silent": 1}
    converter = Converter(whole, scale_firing_rates=factors)
    assert converter.layers["inner"].ensemble.neuron_type.amplitude == 1 / 20
    for wrong in (
        {"target_rate": 0},
        {"target_rate": "fast"},
        {"target_rate": True},
        {"percentile": 101},
        {"percentile": None},
    ):
        with pytest.raises(ValidationError):
            rates_from_data(whole, np.ones((2, 3)), **wrong)
    with pytest.raises(ValidationError, match="sample_data"):
        Converter(whole, scale_firing_rates="auto")
    with pytest.raises(ValidationError, match="It is for scale_firing_rates"):
        Converter(whole, sample_data=np.ones((2, 3)))
    for data, message in (
        (np.ones((2, 4)), "expected"),
        (np.full((2, 3), np.nan), "not finite"),
        (np.ones((0, 3)), "no items"),
        (np.full((2, 3), 3e38), "'inner' has activations that are not finite"),
    ):
        with pytest.raises(ValueError, match=message):
            rates_from_data(whole, data)


@pytest.mark.parametrize("percentile", [0.5, 50, 99, 99.9, 100])
def test_percentiles_of_data_that_come_in_parts(percentile, monkeypatch):
    plain = model_of((4,), L.Dense(7, "sigmoid", name="a"))
    x = np.random.RandomState(0).uniform(size=(23, 4)).astype("float32")
    monkeypatch.setattr(rate_targets, "_MINIBATCH", 5)
    (factor,) = rates_from_data(plain, x, 100, percentile).values()
    expected = np.percentile(plain(x).numpy(), percentile)
    assert 100 / factor == pytest.approx(expected)


def residual():
    x = start = keras.Input((6, 6, 1))
    x = L.Conv2D(3, 3, padding="same", activation="relu")(x)
    for _ in range(2):
        y = L.Conv2D(3, 3, padding="same", activation="relu")(x)
        x = L.ReLU()(x + L.Conv2D(3, 3, padding="same")(y))
    return keras.Model(start, L.Dense(2)(L.AveragePooling2D(2)(x)))


def called_twice():
    x = keras.Input((6,))
    shared = L.Dense(6, "relu")
    inner = keras.Sequential([keras.Input((6,)), L.Dense(6, "relu")])
    return keras.Model(x, inner(shared(3 * shared(x))))


def over_time():
    x = keras.Input((200, 3))
    y = L.TimeDistributed(L.Dense(4, "relu"))(x)
    return keras.Model(x, L.Dense(3, "relu")(y))


@pytest.mark.parametrize(
    "make, kwargs",
    [
        (residual, {}),
        (called_twice, {"split_shared_weights": True}),
        (over_time, {"temporal_model": True}),
    ],
)
def test_rates_come_near_their_target(make, kwargs):
    keras.utils.set_random_seed(1)
    plain = make()
    shape = plain.inputs[0].shape[1:]
    x = np.random.RandomState(0).uniform(size=(8, *shape))
    if make is over_time:
        x = x[:, :1].repeat(200, axis=1)
    converter = Converter(
        plain,
        swap_activations={"relu": nengo.SpikingRectifiedLinear()},
        scale_firing_rates="auto",
        sample_data=x,
        target_rate=100,
        synapse=0.005,
        **kwargs,
    )
    report = converter.report(x, n_steps=200)
    highest = {}
    for row in report.layers:
        if row.rates is not None:
            highest[row.layer] = max(row.rates.high, highest.get(row.layer, 0))
    assert len(highest) >= 2
    for rate in highest.values():
        assert rate == pytest.approx(100, rel=0.4)


def test_outputs_are_called_as_their_layers():
    x = keras.Input((4,))
    y = L.Dense(3, name="y")(x)
    model = keras.Model(x, [y, L.Dense(2, name="z")(y), y])
    assert [probe.label for probe in Converter(model).net.probes] == ["y", "z"]
    # a layer with several outputs has no name for one of them
    twice = L.Dense(4, name="twice")
    model = keras.Model(x, [twice(x), twice(twice(x))])
    found = Converter(model, split_shared_weights=True)
    assert [probe.label for probe in found.net.probes] == [None, None]
