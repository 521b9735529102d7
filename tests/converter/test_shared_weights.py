"""Layers that are called more than once: one parameter for all of their Connections."""

import copy
import pickle

import keras
import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl import Converter
from tests.converter.models import converted, random_weights, some

L = keras.layers


def dense_in_a_row(x):
    dense = L.Dense(4, "relu")
    return dense(dense(x))


def dense_side_by_side(x):
    dense = L.Dense(2)
    return dense(x) + dense(L.Activation("tanh")(x))


def dense_over_further_axes(x):
    dense = L.Dense(3, "relu")
    y = L.Reshape((2, 2))(x)
    return L.Concatenate(axis=1)([dense(y), dense(2 * y[:, :1])])


def convolutions(x):
    y = L.Reshape((4, 1))(x)
    layers = [
        L.Conv1D(1, 3, padding="same", activation="relu"),
        L.SeparableConv1D(1, 2),
    ]
    for layer in (*layers, *layers):
        y = layer(y)
    return y


def nested(x):
    model = keras.Sequential([keras.Input((4,)), L.Dense(4, "tanh")])
    (dense,) = model.layers
    return dense(model(model(x)))


ALL = [
    dense_in_a_row,
    dense_side_by_side,
    dense_over_further_axes,
    convolutions,
    nested,
]


@pytest.mark.parametrize("make", some(ALL, dense_side_by_side, convolutions, nested))
def test_gradients_add_up(make):
    x = keras.Input((4,))
    model = random_weights(keras.Model(x, make(x)))
    converter = converted(model)
    assert converter.verify(training=True)
    assert converted(model, inference_only=True)


def test_one_parameter(tmp_path):
    x = keras.Input((4,))
    model = random_weights(keras.Model(x, dense_in_a_row(x)))
    converter = converted(model)
    data, path = np.ones((1, 1, 4)), tmp_path / "values"
    with nengo_dl.Simulator(converter.net, progress_bar=False) as sim:
        assert len(sim.keras_model.trainable_weights) == 2
        sim.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
        sim.fit(data, np.zeros((1, 1, 4)), epochs=2, verbose=0)
        expected = sim.predict(data)[converter.outputs[model.output]]
        sim.save_params(path)
        converter.to_keras(sim)
        sim.freeze_params(converter.net)
    np.testing.assert_allclose(model(data[0]), expected[0], rtol=1e-5)
    random_weights(model, seed=1)
    others = [Converter(model), Converter(model, split_shared_weights=True)]
    for net in [*(other.net for other in others), copy.deepcopy(others[0].net)]:
        with nengo_dl.Simulator(net, progress_bar=False) as sim:
            sim.load_params(path)
            sim.run_steps(1, data=data)
            found = np.array(sim.data[net.all_probes[0]])
        np.testing.assert_allclose(found, expected[0], rtol=1e-6)
    # frozen
    for net in (converter.net, pickle.loads(pickle.dumps(converter.net))):
        net.all_nodes[0].output = np.ones(4)
        with nengo.Simulator(net, progress_bar=False) as sim:
            sim.run_steps(1)
        np.testing.assert_allclose(sim.data[net.all_probes[0]], expected[0], rtol=1e-5)


def test_over_time():
    x = keras.Input((4, 3))
    recurrent = L.SimpleRNN(3, return_sequences=True)
    dense = L.TimeDistributed(L.Dense(3, "tanh"))
    y = recurrent(dense(recurrent(dense(x))))
    model = random_weights(keras.Model(x, y))
    converter = converted(model, temporal_model=True)
    assert converter.verify(training=True, rtol=1e-4)


def test_inputs_of_different_ranks():
    x = keras.Input((2, 2))
    dense = L.Dense(2)
    model = keras.Model(x, [dense(x), dense(x[:, 0])])
    with pytest.raises(ValueError, match=f"{dense.name}.*split_shared_weights=True"):
        Converter(model)
    assert converted(model, split_shared_weights=True)


def test_converters_of_others_have_to_say_where_weights_are():
    class Own(L.Dense):
        """A layer that nobody else converts."""

    @Converter.register(Own)
    class ConvertOwn(nengo_dl.converter.LayerConverter):
        has_weights = True

        def convert(self, node_id):
            output = self.add_nengo_obj(node_id)
            kernel = np.array(self.layer.kernel).T
            self.add_connection(node_id, output, trainable=True, transform=kernel)
            return output

    own, x = Own(3, use_bias=False), keras.Input((3,))
    model = keras.Model(x, own(own(x)))
    with pytest.raises(ValueError, match=f"{own.name}.*split_shared_weights=True"):
        Converter(model)
    assert converted(model, split_shared_weights=True)
