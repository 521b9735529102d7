"""Legendre Memory Units of KerasLMU within networks, and trained there."""

import keras
import keras_lmu
import nengo
import numpy as np
import pytest

import nengo_dl

STEPS = 12  # of a sequence, which is one vector to Nengo
X = np.random.RandomState(0).uniform(-1, 1, (4, STEPS, 1)).astype(np.float32)
ROWS = X.reshape(4, 1, STEPS)  # the sequences as data for a Node, in one time step

CELLS = {
    "simple": {"hidden_cell": keras.layers.SimpleRNNCell(3)},
    "all": {
        "hidden_cell": keras.layers.LSTMCell(3),
        "hidden_to_memory": True,
        "memory_to_memory": True,
        "input_to_hidden": True,
        "trainable_theta": True,
        "return_sequences": True,
    },
    "euler": {"hidden_cell": None, "discretizer": "euler"},
}


@pytest.fixture(autouse=True)
def same_weights():
    keras.utils.set_random_seed(0)


def unit(name):
    return keras_lmu.LMU(memory_d=1, order=3, theta=20, **CELLS[name])


def model_of(layer):
    inputs = keras.Input((STEPS, 1))
    return keras.Model(inputs, layer(inputs))


@pytest.mark.parametrize("name", CELLS)
def test_converter_keeps_them_as_they_are(name):
    model = model_of(unit(name))
    with pytest.warns(UserWarning, match="Falling back to a TensorNode"):
        converter = nengo_dl.Converter(model)
    assert converter.verify()
    assert converter.verify(training=True)


def test_feedforward_variant():
    layer = keras_lmu.LMUFeedforward(
        memory_d=1, order=3, theta=STEPS, hidden_cell=keras.layers.Dense(3)
    )
    with pytest.warns(UserWarning, match="Falling back to a TensorNode"):
        assert nengo_dl.Converter(model_of(layer)).verify()


def test_a_cell_in_keras_own_layer():
    cell = keras_lmu.LMUCell(1, 3, 20, keras.layers.SimpleRNNCell(3))
    with pytest.warns(UserWarning, match="Falling back to a TensorNode"):
        assert nengo_dl.Converter(model_of(keras.layers.RNN(cell))).verify()


def test_layer_and_tensor_node_compute_what_keras_computes():
    layer = unit("simple")
    expected = layer(X)
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        source = nengo.Node(np.zeros(STEPS))
        one = nengo_dl.Layer(layer)(source, shape_in=(STEPS, 1))
        other = nengo_dl.TensorNode(layer, shape_in=(STEPS, 1), pass_time=False)
        nengo.Connection(source, other, synapse=None)
        probes = [nengo.Probe(one), nengo.Probe(other)]
    with nengo_dl.Simulator(net, minibatch_size=4, progress_bar=False) as sim:
        sim.run_steps(1, data={source: ROWS})
        predicted = sim.predict({source: ROWS}, verbose=0)
        for probe in probes:
            np.testing.assert_allclose(sim.data[probe][:, 0], expected, atol=1e-6)
            np.testing.assert_allclose(predicted[probe], sim.data[probe], atol=1e-6)


def test_fit_and_train_take_the_steps_that_keras_takes():
    layer = unit("simple")
    model = model_of(layer)
    targets = np.full((4, 3), 0.5, np.float32)
    with pytest.warns(UserWarning, match="Falling back to a TensorNode"):
        converter = nengo_dl.Converter(model)
    probe = converter.outputs[model.outputs]
    weights = {}
    for way in ("fit", "train"):
        sim = nengo_dl.Simulator(converter.net, minibatch_size=4, progress_bar=False)
        with sim:
            if way == "fit":
                sim.compile(keras.optimizers.SGD(0.5), loss="mse")
                sim.fit(ROWS, targets[:, None], epochs=5, verbose=0)
            else:
                data = {converter.inputs[model.inputs]: ROWS, probe: targets[:, None]}
                sim.train(data, keras.optimizers.SGD(0.5), n_epochs=5)
            weights[way] = sim.predict(ROWS, verbose=0)[probe][:, 0]
    before = model.predict(X, verbose=0)
    model.compile(keras.optimizers.SGD(0.5), loss="mse")
    model.fit(X, targets, epochs=5, batch_size=4, verbose=0)
    expected = model.predict(X, verbose=0)
    assert np.abs(expected - before).max() > 0.1
    for found in weights.values():
        np.testing.assert_allclose(found, expected, atol=1e-5)
