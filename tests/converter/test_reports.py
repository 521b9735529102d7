"""Reports about conversions, and firing rates from data."""

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

from nengo_dl import Converter
from nengo_dl.converter import rates_from_data
from tests.converter.models import model_of

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


def test_report_of_spikes():
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
    with pytest.raises(ValueError, match="each of the 3 items"):
        converter.report(images(), n_steps=2, targets=[1])
    with pytest.raises(ValueError, match="needs `data`"):
        converter.report(n_steps=2)
    with pytest.raises(ValueError, match="expected"):
        converter.report(np.ones((2, 3)))


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
    for wrong in ({"target_rate": 0}, {"percentile": 101}):
        with pytest.raises(ValidationError):
            rates_from_data(whole, np.ones((2, 3)), **wrong)
    with pytest.raises(ValidationError, match="sample_data"):
        Converter(whole, scale_firing_rates="auto")
