"""Neurons, firing rates, synapses, time, and what comes back to Keras."""

import warnings

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl import Converter
from tests.converter.models import converted, model_of, random_weights

L = keras.layers


def run(converter, data, steps=1, **kwargs):
    """Return what the one output is in each step, shape (items, steps, size)."""
    data = np.reshape(data, (len(data), 1, -1)).repeat(steps, axis=1)
    with nengo_dl.Simulator(
        converter.net, minibatch_size=len(data), progress_bar=False, seed=0, **kwargs
    ) as sim:
        sim.run_steps(steps, data=data)
        return np.array(sim.data[converter.outputs[converter.model.outputs]])


def neuron_types(converter):
    return [ensemble.neuron_type for ensemble in converter.net.all_ensembles]


SPELLINGS = [
    "relu",
    tf.nn.relu,
    keras.activations.relu,
    keras.ops.relu,
    keras.layers.ReLU,
    keras.layers.ReLU(),
    nengo.RectifiedLinear,
    nengo.RectifiedLinear(),
]


@pytest.mark.parametrize("key", SPELLINGS, ids=range(len(SPELLINGS)))
def test_every_spelling_of_an_activation_is_one_key(key):
    x = keras.Input((3,))
    y = L.Dense(2, activation=tf.nn.relu)(L.Dense(2, "relu")(x))
    y = keras.ops.relu(L.Activation("relu")(L.ReLU()(y)))
    converter = Converter(
        keras.Model(x, y), swap_activations={key: nengo.SpikingRectifiedLinear()}
    )
    assert neuron_types(converter) == [nengo.SpikingRectifiedLinear()] * 5
    assert not converter.swap_activations.unused_keys()


def test_swaps_in_a_row_for_one_layer_and_to_functions():
    model = model_of((3,), L.Dense(2, "softplus"), L.Dense(2, "relu", name="b"))
    swaps = {
        "softplus": nengo.RectifiedLinear(),
        nengo.RectifiedLinear(): nengo.LIF(),
        "b": {"relu": nengo.SpikingRectifiedLinear},
    }
    converter = Converter(model, swap_activations=swaps)
    assert neuron_types(converter) == [nengo.LIF(), nengo.SpikingRectifiedLinear()]
    for key in [("b", "relu"), (model.get_layer("b"), tf.nn.relu)]:
        converter = Converter(
            model, swap_activations={key: nengo.LIF(), "softplus": "relu"}
        )
        assert neuron_types(converter) == [nengo.RectifiedLinear(), nengo.LIF()]
    with pytest.warns(UserWarning, match=r"Dense.*softplus.*TensorNode"):
        Converter(model, swap_activations={"relu": "softplus"})


def test_swaps_that_nobody_uses_or_that_are_none():
    model = model_of((3,), L.Dense(2, "relu"))
    with pytest.warns(UserWarning, match="no activation .* was tanh") as caught:
        Converter(model, swap_activations={"tanh": nengo.LIF(), "relu": nengo.LIF()})
    assert len(caught) == 1
    for wrong in (3, "nonsense", nengo.Ensemble):
        with pytest.raises((TypeError, ValueError)):
            Converter(model, swap_activations={"relu": wrong})
    with pytest.raises(TypeError, match="swap_activations"):
        Converter(model, swap_activations=nengo.LIF())


def test_linear_layers_alone_are_what_none_means():
    x = keras.Input((3,))
    model = keras.Model(x, L.Add()([L.Dense(3)(x), x]))
    converter = Converter(model, swap_activations={None: nengo.RectifiedLinear()})
    assert len(converter.net.all_ensembles) == 1


@pytest.mark.parametrize(
    "neuron_type", [nengo.RectifiedLinear(), nengo_dl.LeakyReLU(amplitude=2)], ids=str
)
def test_scales_change_no_output_of_lines(neuron_type):
    model = model_of((4,), L.Dense(5, "relu"), L.Dense(3))
    x = np.random.RandomState(0).uniform(size=(2, 4))
    swap = {"relu": neuron_type}
    plain = run(Converter(model, swap_activations=swap), x)
    scaled = Converter(model, swap_activations=swap, scale_firing_rates=np.float32(5))
    np.testing.assert_allclose(run(scaled, x), plain, rtol=1e-5)
    (ensemble,) = scaled.net.all_ensembles
    assert ensemble.neuron_type.amplitude == pytest.approx(neuron_type.amplitude / 5)


@pytest.mark.parametrize(
    "neuron_type",
    [
        nengo.SpikingRectifiedLinear(),
        nengo.RegularSpiking(nengo.LIFRate()),
        nengo.StochasticSpiking(nengo.Sigmoid(tau_ref=1)),
    ],
    ids=str,
)
def test_scaled_spikes_have_the_same_mean_and_more_of_them(neuron_type):
    model = model_of((4,), L.Dense(6, "relu"))
    model.layers[1].bias.assign([2.0, 3, 4, 5, 6, 7])
    x = np.random.RandomState(0).uniform(size=(1, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        spiking = Converter(
            model, swap_activations={"relu": neuron_type}, scale_firing_rates=2000
        )
    rates = getattr(neuron_type, "base_type", nengo.RectifiedLinear())
    expected = run(Converter(model, swap_activations={"relu": rates}), x)[0, 0]
    found = run(spiking, x, 300)[0].mean(axis=0)
    np.testing.assert_allclose(found, expected, rtol=0.1)


def test_scales_that_change_outputs_are_warned_of():
    model = model_of((4,), L.Dense(5, "relu"))
    swap = {"relu": nengo.LIF()}
    with pytest.warns(UserWarning, match=r"LIF is no straight line.*RegularSpiking"):
        Converter(model, swap_activations=swap, scale_firing_rates=5)


def test_scales_of_layers():
    model = keras.Sequential(
        [keras.Input((3,), name="in"), L.Dense(2, "relu", name="a"), L.Dense(2, "relu")]
    )
    a, b = model.layers
    for key in (a, "a", a.output):
        scales = {key: np.float32(4), b.output: 1}
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            converter = Converter(model, scale_firing_rates=scales)
        assert converter.layers[a].ensemble.neuron_type.amplitude == 0.25
        assert converter.layers[b].ensemble.neuron_type.amplitude == 1
    with pytest.warns(UserWarning, match="other is no layer"):
        Converter(model, scale_firing_rates={L.Dense(1, name="other"): 2})


@pytest.mark.parametrize("wrong", [0, -1, np.inf, np.nan, "fast", True, [1, 2]])
def test_scales_that_are_none(wrong):
    model = model_of((4,), L.Dense(5, "relu"))
    for value in (wrong, {model.layers[1]: wrong}):
        with pytest.raises(ValidationError, match="finite number above 0"):
            Converter(model, scale_firing_rates=value)


def test_synapses():
    x = keras.Input((4, 4, 2))
    a, b = L.Conv2D(2, 2, activation="relu"), L.Conv2D(2, 2, activation="relu")
    y = L.UpSampling2D(2)(a(x))
    y = L.ZeroPadding2D(1)(L.Concatenate()([y, y]))
    y = L.AveragePooling2D(2)(b(y))
    model = keras.Model(x, [L.Dense(2)(L.Flatten()(y)), b.output])
    converter = Converter(model, synapse=0.01)
    for connection in converter.net.all_connections:
        of_neurons = isinstance(connection.pre_obj, nengo.ensemble.Neurons)
        assert (connection.synapse is not None) == of_neurons
    assert converter.outputs[b].synapse == nengo.Lowpass(0.01)
    assert converter.outputs[model.outputs[0]].synapse is None
    converter = Converter(model, synapse={a: nengo.Alpha(0.1)})
    filtered = [c for c in converter.net.all_connections if c.synapse is not None]
    assert filtered
    assert all(c.pre_obj is converter.layers[a] for c in filtered)
    assert filtered[0].synapse == nengo.Alpha(0.1)
    with pytest.raises(ValidationError, match="time constant"):
        Converter(model, synapse="slow")
    with pytest.raises(ValueError, match="synapses"):
        Converter(model, synapse=0.01).verify()


def test_verify_says_that_activations_were_swapped():
    converter = Converter(
        model_of((3,), L.Dense(4, "sigmoid")), swap_activations={"sigmoid": "tanh"}
    )
    with pytest.raises(ValueError, match="without `swap_activations`"):
        converter.verify()


def conv_model():
    return model_of(
        (6, 6, 1),
        L.Conv2D(3, 3, activation="relu"),
        L.AveragePooling2D(2),
        L.Flatten(),
        L.Dense(4),
    )


def test_learned_values_load_into_another_conversion(tmp_path):
    model, path = conv_model(), tmp_path / "values"
    trained = Converter(model)
    x = np.random.RandomState(0).uniform(size=(2, 36))
    with nengo_dl.Simulator(trained.net, minibatch_size=2, progress_bar=False) as sim:
        sim.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
        sim.fit(x[:, None], np.ones((2, 1, 4)), epochs=3, verbose=0)
        sim.save_params(path)
        expected = sim.predict(x[:, None])[trained.outputs[model.output]]
        trained.to_keras(sim)
    np.testing.assert_allclose(
        model(x.reshape(2, 6, 6, 1).astype("float32")), expected[:, 0], rtol=1e-5
    )
    random_weights(model, seed=1)
    for swap in (nengo.RectifiedLinear(), nengo.SpikingRectifiedLinear()):
        other = Converter(
            model, swap_activations={"relu": swap}, scale_firing_rates=1e4
        )
        with other.net:
            nengo.Probe(other.layers[model.layers[1]])
        with nengo_dl.Simulator(other.net, minibatch_size=2, progress_bar=False) as sim:
            sim.load_params(path)
            sim.run_steps(20, data=x[:, None].repeat(20, axis=1))
            found = sim.data[other.outputs[model.output]].mean(axis=1)
        np.testing.assert_allclose(found, expected[:, 0], atol=0.02)


def test_training_is_that_of_keras():
    model = conv_model()
    converter = Converter(model)
    rng = np.random.RandomState(0)
    x, y = rng.uniform(size=(10, 36)), rng.uniform(size=(10, 4))
    with nengo_dl.Simulator(converter.net, minibatch_size=5, progress_bar=False) as sim:
        sim.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
        sim.fit(x[:, None], y[:, None], epochs=10, shuffle=False, verbose=0)
        model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
        model.fit(x.reshape(10, 6, 6, 1), y, 5, epochs=10, shuffle=False, verbose=0)
        expected = [np.array(v) for v in model.get_weights()]
        converter.to_keras(sim)
    for found, wanted in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_what_is_not_trainable_in_keras():
    model = model_of((3,), L.Dense(4, "relu"), L.Dense(2))
    model.layers[1].trainable = False
    assert Converter(model).verify(training=True)


def test_values_of_whole_layers_come_back():
    model = model_of((3,), L.LayerNormalization(), L.Dense(2))
    with pytest.warns(UserWarning, match="LayerNormalization"):
        converter = Converter(model)
    assert converter.verify(training=True)
    before = [np.array(v) for v in model.get_weights()]
    with nengo_dl.Simulator(converter.net, progress_bar=False) as sim:
        sim.compile(optimizer="sgd", loss="mse")
        sim.fit(np.array([[[1.0, 2, 4]]]), np.ones((1, 1, 2)), verbose=0)
        converter.to_keras(sim)
    after = model.get_weights()
    assert all(not np.allclose(a, b) for a, b in zip(before, after, strict=True))


def test_inference_has_biases_on_neurons():
    model = conv_model()
    converter = converted(model, inference_only=True, scale_firing_rates=3)
    labels = [node.label for node in converter.net.all_nodes if node.size_in == 0]
    assert labels == [model.layers[0].name, f"{model.layers[4].name}.0.bias"]
    normalized = model_of((3,), L.Dense(3), L.BatchNormalization())
    folded = converted(normalized, inference_only=True)
    with (
        nengo_dl.Simulator(folded.net, progress_bar=False) as sim,
        pytest.raises(ValueError, match="inference_only"),
    ):
        folded.to_keras(sim)


def test_registering():
    class Own(L.Layer):
        def call(self, inputs):
            return 2 * inputs

    with pytest.raises(TypeError, match="class of Keras layers"):
        Converter.register(3)

    @Converter.register(Own)
    class ConvertOwn(nengo_dl.converter.LayerConverter):
        unsupported_args = (("factor", 2),)

        def convert(self, node_id):
            assert isinstance(node_id, int)
            output = self.add_nengo_obj(node_id)
            self.add_connection(node_id, output, transform=2)
            return output

    model = model_of((3,), Own())
    assert converted(model).get_converter(model.layers[1]).layer is model.layers[1]
    model.layers[1].factor = 3
    with pytest.raises(TypeError, match=r"factor is 3, and only 2"):
        Converter(model, allow_fallback=False)
    with pytest.warns(UserWarning, match="replaces ConvertOwn"):
        Converter.register(Own)(type("Other", (ConvertOwn,), {}))
    with pytest.raises(NotImplementedError, match="convert"):
        nengo_dl.converter.LayerConverter(model.layers[1], None).convert(0)


def test_in_a_network():
    model = model_of((3,), L.Dense(2))
    with nengo.Network() as net:
        converter = Converter(model)
    assert net.networks == [converter.net]


def test_spikes_are_the_same_in_each_simulator():
    model = random_weights(model_of((6,), L.Dense(20, "relu"), L.Dense(3)))
    swaps = {"relu": nengo.SpikingRectifiedLinear()}

    def outputs(**given):
        made = Converter(model, swap_activations=swaps, scale_firing_rates=50, **given)
        found = []
        for seed in (1, 2):
            with nengo_dl.Simulator(made.net, seed=seed, progress_bar=False) as sim:
                sim.run_steps(30, data={made.inputs[model.inputs]: np.ones((1, 30, 6))})
                found.append(np.array(sim.data[made.outputs[model.outputs]]))
        return found

    first, second = outputs()
    assert np.any(first)
    np.testing.assert_array_equal(first, second)
    # another seed, other voltages
    assert np.any(outputs(seed=3)[0] != first)
    assert Converter(model, seed=None).net.seed is None
