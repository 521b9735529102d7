"""What users give to a converter by mistake: errors name it, and what was expected."""

import copy
import pickle

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulatorClosed

import nengo_dl
from nengo_dl import Converter
from nengo_dl.converter import LayerConverter, rates_from_data
from tests.converter.models import model_of, random_weights

L = keras.layers
RELU = nengo.SpikingRectifiedLinear()


@pytest.fixture(scope="module")
def model():
    x = keras.Input((4,), name="image")
    hidden = L.Dense(3, "relu", name="hidden")(x)
    return random_weights(keras.Model(x, L.Dense(2, name="out")(hidden), name="net"))


@pytest.mark.parametrize(
    "kwargs, error, match",
    [
        ({"target_rate": 50}, ValueError, 'target_rate: It is for .*"auto"'),
        (
            {"scale_firing_rates": 5, "sample_data": np.ones((2, 4))},
            ValueError,
            'sample_data: It is for .*"auto"; got scale_firing_rates=5',
        ),
        ({"swap_activations": {3: RELU}}, TypeError, "as the key.*got 3"),
        ({"swap_activations": {(3, "relu"): RELU}}, TypeError, "layer or its name"),
        ({"swap_activations": {3: {"relu": RELU}}}, TypeError, "layer or its name"),
        ({"swap_activations": {nengo.Ensemble: RELU}}, TypeError, "as the key.*Ensem"),
        ({"swap_activations": {L.Dense: RELU}}, TypeError, "as the key.*Dense"),
        ({"swap_activations": {("a", "relu", 1): RELU}}, TypeError, "as the key"),
        ({"scale_firing_rates": {3: 1}}, TypeError, "scale_firing_rates.*got 3"),
        ({"synapse": {None: 0.1}}, TypeError, "synapse.*got None"),
        ({"seed": -1}, ValueError, "seed: Expected a whole number from 0"),
    ],
)
def test_arguments(model, kwargs, error, match):
    with pytest.raises(error, match=match):
        Converter(model, **kwargs)


@pytest.mark.parametrize(
    "data", [np.ones((2, 3)), np.full((2, 4), np.nan), {"other": np.ones((2, 4))}, "a"]
)
def test_data_are_called_by_the_argument(model, data):
    with pytest.raises(ValueError, match="^sample_data: "):
        Converter(model, scale_firing_rates="auto", sample_data=data)
    converter = Converter(model)
    with pytest.raises(ValueError, match="^data: "):
        converter.report(data)
    with pytest.raises(ValueError, match="^inputs: "):
        converter.verify(inputs=data)
    with pytest.raises(ValueError, match="^data: "):
        rates_from_data(model, data)


@pytest.mark.parametrize("wrong", [3, None, object, LayerConverter(None, None)])
def test_what_is_registered_is_a_layer_converter(wrong):
    class Own(L.Layer):
        pass

    with pytest.raises(TypeError, match=r"subclass of .*LayerConverter.*register\(Own"):
        Converter.register(Own)(wrong)
    assert Own not in Converter.converters
    with pytest.raises(TypeError, match="class of Keras layers"):
        Converter.register()(LayerConverter)


@pytest.mark.parametrize(
    "convert, match",
    [
        (lambda self, node_id: None, r"returned \[None\].*of size 6 \(shape \(2, 3\)"),
        (lambda self, node_id: nengo.Node(size_in=5), "of size 5.*of size 6"),
        (lambda self, node_id: [self.get_input_obj(node_id)] * 2, "of size 6, 6"),
        (lambda self, node_id: nengo.Network(), "Network.*of size None"),
        (
            lambda self, node_id: self.add_connection(node_id, nengo.Node(size_in=6)),
            "Connection.*of size None",
        ),
    ],
)
def test_what_a_converter_of_ones_own_returns(convert, match):
    class Own(L.Layer):
        def call(self, inputs):
            return inputs

    Converter.register(Own)(type("ConvertOwn", (LayerConverter,), {"convert": convert}))
    own = model_of((2, 3), Own(name="own"), L.Flatten())
    with pytest.raises(TypeError, match=f"'own'.*ConvertOwn.convert.*{match}"):
        Converter(own)


def test_a_converter_of_ones_own_may_return_a_network():
    class Twice(L.Layer):
        def call(self, inputs):
            return 2 * inputs

    @Converter.register(Twice)
    class ConvertTwice(LayerConverter):
        def convert(self, node_id):
            with pytest.raises(ValueError, match="'twice' has 1 inputs"):
                self.get_input_obj(node_id, 1)
            with nengo.Network() as net:
                net.output = self.add_nengo_obj(node_id)
            self.add_connection(node_id, net.output, transform=2)
            return net

    assert Converter(model_of((3,), Twice(name="twice"), L.Dense(2))).verify()


def test_converters_of_layers_of_the_model_only(model):
    x = keras.Input((4,))
    converter = Converter(keras.Model(x, model(x)))
    hidden = model.get_layer("hidden")
    assert converter.get_converter(hidden).label(0) == "net/hidden.0"
    for other in (L.Dense(3), "hidden", model.get_layer("image"), None):
        with pytest.raises(nengo.exceptions.ValidationError, match="layer of"):
            converter.get_converter(other)


def test_a_closed_simulator_has_no_values_for_keras(model):
    converter = Converter(model)
    with nengo_dl.Simulator(converter.net, progress_bar=False) as sim:
        converter.to_keras(sim)
    with pytest.raises(SimulatorClosed, match=r"to the Keras model.*closed.*`with`"):
        converter.to_keras(sim)


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_converter_is_not_copied(model, way):
    converter = Converter(model)
    with pytest.raises(TypeError, match=r"Cannot copy or pickle <Converter of 'net'.*"):
        way(converter)
    # but its network is, as the error says
    copied = converter.net.copy()
    with nengo_dl.Simulator(copied, progress_bar=False) as sim:
        sim.run_steps(2)
    assert len(sim.data[copied.all_probes[0]]) == 2
