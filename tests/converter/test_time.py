"""Models whose first axis is time, each element of which is a step."""

import keras
import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl import Converter
from tests.converter.models import converted, model_of, quietly, random_weights, some

L = keras.layers
ops = keras.ops


def test_time():
    x = keras.Input((None, 3))
    y = L.TimeDistributed(L.Dense(4, "relu"))(x)
    y = L.SimpleRNN(5, return_sequences=True, activation="relu")(y)
    y = L.Dropout(0.1)(L.Concatenate()([y, L.Dense(2, "tanh")(x)]))
    y = L.Activation("softmax")(L.Dense(6)(L.LayerNormalization()(y)))
    model = random_weights(keras.Model(x, y))
    with pytest.warns(UserWarning):
        converter = Converter(model, temporal_model=True)
    assert converter.verify()
    assert converter.verify(inputs=np.ones((1, 7, 3)))
    with pytest.raises(ValueError, match="temporal_model=True"):
        Converter(model)


def test_training_over_time():
    x = keras.Input((4, 3))
    y = L.SimpleRNN(5, return_sequences=True)(x)
    model = random_weights(keras.Model(x, L.TimeDistributed(L.Dense(2))(y)))
    converter = Converter(model, temporal_model=True, allow_fallback=False)
    assert converter.verify(training=True)


@pytest.mark.parametrize(
    "layer",
    [
        L.Flatten(),
        L.LSTM(2, return_sequences=True),
        L.Conv1D(2, 2),
        L.SimpleRNN(2),
        L.GlobalAveragePooling1D(),
        L.Reshape((2, 6)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_that_consume_time(layer):
    model = model_of((4, 3), layer)
    with pytest.raises(TypeError, match=f"{layer.name}.*axis 1 is time"):
        Converter(model, temporal_model=True)


def test_time_distributed_asks_for_time():
    model = model_of((4, 3), L.TimeDistributed(L.Dense(2)))
    with pytest.raises(TypeError, match="temporal_model=True"):
        Converter(model)


def in_squares(*layers):
    """Return layers that are applied to each step, whose 12 elements are a square."""
    return [L.TimeDistributed(layer) for layer in (L.Reshape((3, 4)), *layers)]


def image_model():
    """Return a model for TimeDistributed, with one within it."""
    last = keras.Sequential(
        [keras.Input((12,)), L.Dense(2, "relu", name="answer")], name="last"
    )
    x = keras.Input((12,))
    y = L.Conv1D(4, 2, activation="relu", name="conv")(L.Reshape((4, 3))(x))
    return keras.Model(x, last(L.Flatten()(y)), name="image")


WITHIN_A_STEP = {
    "TimeDistributed": lambda: in_squares(
        L.Permute((2, 1)),
        L.ZeroPadding1D(1),
        L.Cropping1D((0, 2)),
        L.UpSampling1D(2),
        L.AveragePooling1D(2),
        L.Conv1D(3, 2, activation="relu"),
        L.Flatten(),
    ),
    "a model": lambda: [L.TimeDistributed(image_model())],
    "Reshape": lambda: [L.Reshape((-1, 3, 4)), L.Cropping2D(((0, 0), (1, 1)))],
    "Permute": lambda: [L.Reshape((-1, 3, 4)), L.Permute((1, 3, 2))],
    "ZeroPadding": lambda: [L.Reshape((-1, 3, 4)), L.ZeroPadding2D(((0, 0), (1, 2)))],
    "slices": lambda: [lambda x: 2 * x[:, :, 3:] - x[..., :-3]],
    "operations": lambda: [
        lambda x: ops.concatenate([ops.flip(x, 2), *ops.split(x, 2, axis=2)], axis=-1),
        lambda x: ops.stack([x, ops.roll(x, 2, axis=-1)], axis=3),
        lambda x: ops.sum(ops.pad(x, ((0, 0), (0, 0), (1, 0), (0, 0))), axis=-1),
    ],
}


@pytest.mark.parametrize("name", some(WITHIN_A_STEP, "TimeDistributed", "a model"))
def test_layers_within_a_step_are_native(name):
    for length in (None, 5):
        model = model_of((length, 12), *WITHIN_A_STEP[name]())
        converted(model, temporal_model=True)


BY_STEPS = {
    "operations": lambda: [ops.gelu, lambda x: x * x, ops.abs, ops.softmax],
    "layers": lambda: [L.LayerNormalization(), L.PReLU(shared_axes=[1]), L.ELU()],
    "functions": lambda: [
        L.Lambda(lambda x: x**2),
        L.EinsumDense("btf,fg->btg", (None, 3)),
    ],
    "conditions": lambda: [lambda x: ops.where(x > 0, x, ops.cumsum(x, axis=2))],
    "TimeDistributed": lambda: in_squares(L.MaxPooling1D(2), L.LSTM(3)),
    "whole numbers": lambda: [L.TimeDistributed(L.Discretization([0.2, 0.6]))],
}


@pytest.mark.parametrize("name", some(BY_STEPS, "operations", "TimeDistributed"))
def test_what_treats_each_step_alone_may_be_a_tensor_node(name):
    try:
        model = model_of((None, 12), *BY_STEPS[name]())
    except NotImplementedError:
        pytest.skip("this version of Keras does not make such a model")
    converter = quietly(model, temporal_model=True)
    reasons = [row.reason for row in converter.report().layers if row.reason]
    assert reasons
    assert not any("<" in reason or "keras." in reason for reason in reasons)


ALONG_TIME = {
    "ZeroPadding1D": lambda x: L.ZeroPadding1D(1)(x),
    "Flatten": lambda x: L.Flatten()(x),
    "Permute": lambda x: L.Permute((2, 1))(x),
    "GetItem": lambda x: x[:, ::-1],
    "Roll": lambda x: ops.roll(x, 1, axis=1),
    "Cumsum": lambda x: ops.cumsum(x, axis=1),
    "Mean": lambda x: x - ops.mean(x, axis=1, keepdims=True),
    "Softmax": lambda x: L.Softmax(axis=1)(x),
    "SpatialDropout1D": lambda x: L.SpatialDropout1D(0.5)(x),
    "BatchNormalization": lambda x: L.BatchNormalization()(x),
    "MultiHeadAttention": lambda x: L.MultiHeadAttention(1, 2)(x, x),
    "Lambda": lambda x: L.Lambda(lambda x: x - ops.max(x, axis=1, keepdims=True))(x),
    "Add": lambda x: x + np.ones((5, 12), dtype=np.float32),
}


@pytest.mark.parametrize("kind", ALONG_TIME)
def test_what_moves_values_along_time_is_named(kind):
    model = model_of((5, 12), ALONG_TIME[kind])
    with pytest.raises(TypeError, match=rf"\({kind}\).*axis 1 is time"):
        Converter(model, temporal_model=True)


def test_a_model_that_is_applied_twice_has_two_names():
    image = image_model()
    x = keras.Input((None, 12))
    first, second = (L.TimeDistributed(image, name=name) for name in ("a", "b"))
    model = keras.Model(x, [first(x), second(x), second(2 * x)])
    converter = converted(random_weights(model), temporal_model=True)
    labels = {ensemble.label for ensemble in converter.net.all_ensembles}
    assert labels > {"a/image/conv.0", "b.0/image/conv.0", "b.1/image/conv.0"}
    with pytest.raises(KeyError, match="3 places.*'a/image/conv', 'b.0/image/conv'"):
        converter.layers["conv"]
    assert converter.layers["b.1/image/conv"].ensemble.label == "b.1/image/conv.0"


def test_inputs_have_the_same_steps():
    x, y = keras.Input((5, 3), name="x"), keras.Input((1, 3), name="y")
    with pytest.raises(ValueError, match="5 for 'x', 1 for 'y'"):
        Converter(keras.Model([x, y], x + y), temporal_model=True)


def test_keys_of_a_layer_that_applies_another():
    wrapper = L.TimeDistributed(image_model(), name="each")
    model = model_of((None, 12), wrapper)
    data = np.random.RandomState(0).uniform(size=(4, 3, 12))
    for key in (wrapper, "each", "image", "conv", "image/conv", wrapper.layer):
        converter = Converter(
            model, temporal_model=True, scale_firing_rates={key: 5}, synapse={key: 0.1}
        )
        neurons = converter.layers["image/conv"]
        assert neurons.ensemble.gain == nengo.dists.Choice([5])
        (leaving,) = (c for c in converter.net.all_connections if c.pre_obj is neurons)
        assert leaving.synapse == nengo.Lowpass(0.1)
    factors = nengo_dl.converter.rates_from_data(model, data)
    assert [layer.name for layer in factors] == ["conv", "answer"]
