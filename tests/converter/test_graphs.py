"""Models as graphs: several inputs, shared layers, models in models, operations."""

import keras
import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl import Converter
from tests.converter.models import converted, functional, quietly, random_weights

L = keras.layers
ops = keras.ops


def merged(*shapes, merge):
    inputs = [keras.Input(shape) for shape in shapes]
    return random_weights(functional(inputs, merge(*inputs)))


MERGED = {
    "add": lambda a, b: L.Add()([a, b]),
    "add twice": lambda a, b: L.Add()([a, b, a]),
    "subtract": lambda a, b: L.Subtract()([a, b]),
    "average": lambda a, b: L.Average()([a, b, b]),
    "concatenate": lambda a, b: L.Concatenate()([a, b]),
    "concatenate 1": lambda a, b: L.Concatenate(axis=1)([a, b, a]),
    "plus": lambda a, b: a + b,
    "minus": lambda a, b: a - b,
    "constants": lambda a, b: (2 * a + 1) - (3 - b) / 4 + (-a),
    "array constants": lambda a, b: a * np.float32([1, 2]) + b - np.float32([3, 4]),
    "slices": lambda a, b: a[:, 1] + b[:, 0],
    "joined": lambda a, b: ops.concatenate([a, b], axis=-1),
    "moved": lambda a, b: ops.reshape(ops.transpose(a, (0, 2, 1)), (-1, 6)),
    "relu": lambda a, b: ops.relu(a - b) + ops.tanh(a) + ops.sigmoid(b),
    "activations": lambda a, b: keras.activations.relu(a - b, negative_slope=0.1),
    "unused input": lambda a, b: L.Dense(2)(b),
    "input is output": lambda a, b: [b, L.Dense(2)(a)],
}


@pytest.mark.parametrize("name", MERGED)
def test_two_inputs(name):
    converted(merged((3, 2), (3, 2), merge=MERGED[name]))


FALLEN = {
    "multiply": lambda a, b: L.Multiply()([a, b]),
    "maximum": lambda a, b: L.Maximum()([a, b]),
    "product": lambda a, b: a * b,
    "square": lambda a, b: a * a,
    "quotient": lambda a, b: a / (b + 1),
    "variance": lambda a, b: ops.var(a, axis=1),
    "two outputs": lambda a, b: ops.moments(a, axes=[1]),
    "attention": lambda a, b: L.MultiHeadAttention(1, 2)(a, b),
    "custom": lambda a, b: L.Lambda(lambda x: x**2)(a) + b,
    "embedding": lambda a, b: L.Embedding(3, 2)(a),
    "recurrent": lambda a, b: L.LSTM(2)(a),
    "softmax": lambda a, b: L.Dense(3, "softmax")(a),
}


@pytest.mark.parametrize("name", FALLEN)
def test_what_has_no_native_form(name):
    model = merged((3, 2), (3, 2), merge=FALLEN[name])
    with pytest.warns(UserWarning, match="Falling back to a TensorNode"):
        converter = Converter(model)
    assert converter.verify()
    with pytest.raises(TypeError, match=r"allow_fallback=True.*Converter\.register"):
        Converter(model, allow_fallback=False)


def test_inputs_are_in_the_models_order_and_biases_are_none():
    a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
    model = keras.Model([b, a], L.Concatenate()([L.Dense(2)(a), b]))
    converter = converted(model)
    nodes = [n for n in converter.net.all_nodes if n.size_in == 0]
    assert [node.label for node in nodes[:2]] == ["b", "a"]
    assert converter.inputs[a] is nodes[1]
    with nengo_dl.Simulator(converter.net, progress_bar=False) as sim:
        sim.run_steps(1, data=[np.ones((1, 3)), np.ones((1, 2))])


def test_keys():
    x = keras.Input((4,), name="x")
    hidden = L.Dense(3, "relu", name="hidden")
    model = keras.Model(x, L.Dense(2, name="out")(hidden(x)))
    converter = converted(model)
    assert converter.model is model
    neurons = converter.layers[hidden]
    assert isinstance(neurons, nengo.ensemble.Neurons)
    for key in (hidden.output, [hidden], (hidden.output,), "hidden", model.layers[1]):
        assert converter.layers[key] is neurons
        assert key in converter.layers
    assert converter.inputs[model.inputs] is converter.inputs["x"]
    probe = converter.outputs[model.outputs]
    assert probe is converter.outputs[model.output] is converter.outputs["out"]
    assert probe.target is converter.layers["out"]
    assert list(converter.layers) == [x, hidden.output, model.output]
    assert neurons.ensemble.label == "hidden.0"
    other = L.Dense(1)
    for key in ("nobody", other, keras.Input((1,)), model.layers, 3):
        with pytest.raises(KeyError):
            converter.layers[key]
    with pytest.raises(KeyError, match=r"'nobody' is no layer.*hidden"):
        converter.layers["nobody"]


def test_sequential_models_keep_their_tensors():
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, "relu"), L.Dense(2)])
    n_nodes = len(model.layers[0]._inbound_nodes)
    converter = converted(model)
    assert converter.inputs[model.inputs] is converter.inputs[model.layers[0].input]
    assert converter.outputs[model.outputs].target is converter.layers[model.layers[1]]
    assert converter.net.label == model.name
    assert len(model.layers[0]._inbound_nodes) == n_nodes


def test_a_layer_with_weights_twice():
    dense, a, b = L.Dense(2, "relu"), keras.Input((3,)), keras.Input((3,))
    model = keras.Model([a, b], [dense(a), dense(b)])
    converter = converted(model)
    assert converter.verify(training=True)
    with pytest.raises(KeyError, match=r"has 2 outputs.*list\(converter\.layers\)"):
        converter.layers[dense]


def test_a_layer_that_another_model_shares():
    dense, other = L.Dense(2), keras.Input((3,))
    dense(other)
    x = keras.Input((3,))
    model = keras.Model(x, dense(x))
    converter = converted(model)
    assert converter.layers[dense] is converter.layers[model.output]


def test_each_call_of_a_layer_without_native_form_has_a_label():
    soft, a, b = L.Softmax(name="soft"), keras.Input((3,)), keras.Input((3,))
    regular = L.Dense(2, kernel_regularizer="l2", name="regular")
    soft(keras.Input((3,)))  # in another model
    model = keras.Model([a, b], [soft(a), soft(b), regular(a)])
    with pytest.warns(UserWarning, match="kernel_regularizer is L2, and only None can"):
        converter = Converter(model)
    labels = [converter.layers[tensor].label for tensor in model.outputs]
    assert labels == ["soft", "soft.2", "regular"]


def inner(name="inner"):
    x = keras.Input((3,), name="inner_input")
    return keras.Model(x, L.Dense(3, "relu", name="inner_dense")(x), name=name)


def test_models_in_models():
    model, x = inner(), keras.Input((3,))
    sequential = keras.Sequential([keras.Input((3,)), L.Dense(2)])
    outer = random_weights(keras.Model(x, sequential(model(x) + x)))
    converter = converted(outer)
    assert converter.verify(training=True)
    assert {"inner.0"} < {network.label for network in converter.net.networks}
    # inner layers are found from outside
    assert converter.layers["inner_dense"].ensemble.label == "inner/inner_dense.0"
    assert converter.layers[model] is converter.layers["inner_dense"]


def test_a_model_twice():
    model, a, b = inner(), keras.Input((3,)), keras.Input((3,))
    outer = keras.Model([a, b], L.Add()([model(a), model(b)]))
    assert converted(outer).verify(training=True)
    split = converted(outer, split_shared_weights=True)
    with pytest.raises(ValueError, match="12 trainable values, and the network 24"):
        split.verify(training=True)


def test_dicts_of_inputs_and_outputs():
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    model = keras.Model({"a": a, "b": b}, {"sum": L.Add()([a, b]), "same": a})
    converter = converted(model)
    assert converter.outputs["sum"] is converter.outputs[model.output["sum"]]
    assert converter.outputs["same"].target is converter.inputs["a"]
    ones = np.ones((1, 3), "float32")
    assert converter.verify(inputs={"a": ones, "b": ones})


def test_errors_about_models():
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(TypeError, match=r"subclass of keras\.Model.*functionally"):
        Converter(Own())
    with pytest.raises(TypeError, match=r"keras\.Input"):
        Converter(keras.Sequential([L.Dense(2)]))
    with pytest.raises(TypeError, match="functional or Sequential"):
        Converter(L.Dense(2))
    x = keras.Input((None, 8))
    with pytest.raises(ValueError, match=r"\(None, None, 8\).*temporal_model=True"):
        Converter(keras.Model(x, L.Dense(2)(x)))


def test_concatenation_along_the_batch():
    a, b = keras.Input((3,)), keras.Input((3,))
    with pytest.raises(TypeError, match="batch axis"):
        Converter(keras.Model([a, b], L.Concatenate(axis=0)([a, b])))


def test_softmax_left_out():
    x = keras.Input((3,))
    model = keras.Model(x, L.Softmax()(L.Dense(2, "softmax")(x)))
    converter = Converter(model, swap_activations={"softmax": None})
    assert converter.report().native


def test_freezing_takes_learned_values_to_nengo():
    x = keras.Input((4, 4, 1))
    y = L.Flatten()(L.Conv2D(2, 2, activation="relu")(x))
    model = random_weights(keras.Model(x, L.Dense(2)(y)))
    converter = Converter(model)
    image = np.random.RandomState(0).uniform(size=(1, 1, 16))
    with nengo_dl.Simulator(converter.net, progress_bar=False) as sim:
        sim.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
        sim.fit(image, np.ones((1, 1, 2)), epochs=3, verbose=0)
        expected = sim.predict(image)[converter.outputs[model.output]]
        sim.freeze_params(converter.net)
    converter.inputs[x].output = image.ravel()
    with nengo.Simulator(converter.net, progress_bar=False) as sim:
        sim.run_steps(1)
        found = sim.data[converter.outputs[model.output]]
    np.testing.assert_allclose(found, expected[0], rtol=1e-5)


def test_pooling_with_maxima():
    x = keras.Input((4, 4, 2))
    pooling = L.MaxPooling2D()
    model = keras.Model(x, L.GlobalMaxPooling2D()(pooling(x)))
    with pytest.warns(UserWarning, match="max_to_avg_pool=True"):
        converter = Converter(model)
    assert converter.verify()
    assert isinstance(converter.layers[pooling], nengo_dl.TensorNode)
    assert converter.layers[pooling].label == pooling.name
    native = Converter(model, max_to_avg_pool=True, allow_fallback=False)
    assert isinstance(native.layers[pooling], nengo.Node)
    with pytest.raises(ValueError, match=f"first .* differs is '{pooling.name}"):
        native.verify()
    average = keras.Model(x, L.GlobalAveragePooling2D()(L.AveragePooling2D(2)(x)))
    images = np.random.RandomState(0).uniform(size=(2, 4, 4, 2)).astype("float32")
    with nengo_dl.Simulator(native.net, minibatch_size=2, progress_bar=False) as sim:
        sim.run_steps(1, data=images.reshape(2, 1, -1))
        pooled = sim.data[native.outputs[model.output]][:, 0]
    np.testing.assert_allclose(pooled, average(images), rtol=1e-5)


def test_batch_normalization():
    x = keras.Input((5, 5, 2))
    y = L.Conv2D(3, 3, use_bias=False)(x)
    y = L.ReLU()(L.BatchNormalization()(y))
    y = L.BatchNormalization(axis=1)(y)
    model = random_weights(keras.Model(x, L.Dense(2)(L.Flatten()(y))))
    assert quietly(model)
    folded = converted(model, inference_only=True)
    nodes = {node.label for node in folded.net.all_nodes}
    assert not any(label == "batch_normalization.0" for label in nodes)
    with pytest.warns(DeprecationWarning, match="freeze_batchnorm"):
        converted(model, freeze_batchnorm=True)
    for layer in model.layers:
        layer.trainable = "batch" not in layer.name
    assert converted(model).verify(training=False)


def test_dropout():
    x = keras.Input((5,))
    model = keras.Model(x, L.Dropout(0.5)(L.Dense(4, "relu")(x)))
    with pytest.warns(UserWarning, match="an effect in training"):
        Converter(model)
    converter = converted(model, inference_only=True)
    assert len(converter.net.all_nodes) == 1


def test_dilation():
    x = keras.Input((7, 7, 2))
    model = random_weights(keras.Model(x, L.Conv2D(3, 3, dilation_rate=2)(x)))
    with pytest.warns(UserWarning, match="dilation_rate"):
        assert Converter(model).verify()
    converted(model, inference_only=True)


def test_low_rank_adapters():
    x = keras.Input((4, 4, 2))
    layers = [L.Conv2D(3, 2), L.Dense(3)]
    model = keras.Model(x, layers[1](L.Flatten()(layers[0](x))))
    for layer in layers:
        layer.enable_lora(2)
    random_weights(model)
    with pytest.warns(UserWarning, match="has LoRA weights"):
        assert Converter(model).verify()
    converter = converted(model, inference_only=True)
    with nengo_dl.Simulator(converter.net, progress_bar=False) as sim:
        converter.to_keras(sim)
    # which has not added the adapters twice
    assert converter.verify()


def test_training_in_keras_does_not_reach_the_network():
    x = keras.Input((3,))
    model = random_weights(keras.Model(x, L.Dense(2)(x)))
    converter, ones = Converter(model), np.ones((1, 3), "float32")
    before = model(ones)
    model.compile("sgd", "mse")
    model.fit(ones, np.zeros((1, 2)), verbose=0)
    with nengo_dl.Simulator(converter.net, progress_bar=False) as sim:
        sim.run_steps(1, data=ones[None])
        found = sim.data[converter.outputs[model.output]]
    np.testing.assert_allclose(found, before, rtol=1e-6)
    assert not np.allclose(model(ones), before)


def test_regularizers():
    x = keras.Input((3,))
    model = keras.Model(x, L.Dense(2, kernel_regularizer="l2")(x))
    with pytest.raises(TypeError, match=r"kernel_regularizer.*inference_only=True"):
        Converter(model, allow_fallback=False)
    converted(model, inference_only=True)


def test_in_nengos_own_simulator():
    x = keras.Input((6, 6, 2))
    y = L.Conv2D(4, 3, activation="relu")(x)
    y = L.AveragePooling2D(2, padding="same")(y)
    y = L.DepthwiseConv2D(2, padding="same")(L.UpSampling2D()(y))
    model = random_weights(keras.Model(x, L.Dense(3)(L.Flatten()(y))))
    converter = converted(model)
    image = np.random.RandomState(0).uniform(size=(1, 6, 6, 2)).astype("float32")
    converter.inputs[x].output = image.ravel()
    with nengo.Simulator(converter.net, progress_bar=False) as sim:
        sim.run_steps(1)
    np.testing.assert_allclose(
        sim.data[converter.outputs[model.output]], model(image), rtol=1e-5, atol=1e-6
    )


def test_double_precision():
    x = keras.Input((6,), dtype="float64")
    y = L.Dense(5, "tanh", dtype="float64")(x)
    model = random_weights(keras.Model(x, L.Dense(3, dtype="float64")(y)))
    assert Converter(model).verify(rtol=1e-12)
