"""Models that are hard to convert: the right output, or an error with a remedy."""

import warnings

import keras
import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl import Converter
from tests.converter.models import converted, functional, quietly, random_weights, some

L = keras.layers
ops = keras.ops


def model_of(shape, function, dtype="float32"):
    x = keras.Input(shape, dtype=dtype)
    return random_weights(functional(x, function(x)))


def two(shape, other, function):
    a, b = keras.Input(shape), keras.Input(other)
    return random_weights(functional([a, b], function(a, b)))


NATIVE = {
    "slices": lambda: model_of((5, 3), lambda x: x[:, 1:]),
    "steps": lambda: model_of((6, 3), lambda x: x[:, ::-2, -1]),
    "ellipsis": lambda: model_of((6, 3), lambda x: x[..., 1]),
    "new axis": lambda: model_of((6,), lambda x: x[:, None]),
    "number behind": lambda: model_of((3,), lambda x: 1 - x / 2),
    "broadcast": lambda: two((3, 1), (1, 4), lambda a, b: a + b),
    "spread": lambda: model_of((3, 1), lambda x: x * np.ones((3, 4), "float32")),
    "variable": lambda: model_of(
        (3,), lambda x: x * keras.Variable(np.float32([1, 2, 3]))
    ),
    "sum": lambda: model_of((4, 3), lambda x: ops.sum(x, axis=1)),
    "mean": lambda: model_of(
        (4, 3, 2), lambda x: ops.mean(x, axis=(1, -1), keepdims=True)
    ),
    "stack": lambda: two((3, 2), (3, 2), lambda a, b: ops.stack([a, b, a], axis=1)),
    "split": lambda: model_of((6,), lambda x: ops.subtract(*ops.split(x, 2, axis=1))),
    "limits": lambda: model_of((6,), lambda x: ops.relu6(ops.clip(x * 9, 0, 7))),
    "no axes": lambda: model_of((), lambda x: ops.expand_dims(x, -1) * 2.0),
    "bytes": lambda: model_of((3,), lambda x: L.Rescaling(1 / 255)(x), "uint8"),
    "a layer as activation": lambda: model_of(
        (3,), lambda x: L.Dense(2, activation=L.LeakyReLU(0.2))(x)
    ),
    "one input twice": lambda: model_of((3, 4), lambda x: L.Concatenate()([x, x])),
}


def test_native_side_by_side():
    models = [make() for make in NATIVE.values()]
    inputs = [tensor for model in models for tensor in model.inputs]
    outputs = [tensor for model in models for tensor in model.outputs]
    assert converted(keras.Model(inputs, outputs))


@pytest.mark.parametrize("name", some(NATIVE, "no axes", "bytes"))
def test_native(name):
    converted(NATIVE[name]())


def with_two_dtypes():
    ids, x = keras.Input((4,), dtype="int32"), keras.Input((3,))
    words = L.Flatten()(L.Embedding(5, 3)(ids))
    return random_weights(
        keras.Model([ids, x], L.Dense(2)(L.Concatenate()([words, x])))
    )


def masked(last):
    ids = keras.Input((4,), dtype="int32")
    return keras.Model(ids, last(L.Embedding(5, 3, mask_zero=True)(ids)))


def with_states():
    x = keras.Input((4, 3))
    y, *states = L.LSTM(2, return_sequences=True, return_state=True)(x)
    return keras.Model(x, [L.LSTM(2)(y, initial_state=states), *states])


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = L.Dense(3)

    def call(self, x):
        return 2 * self.dense(x)


class OfDicts(L.Layer):
    def call(self, x, factor=1.0):
        return {"sum": x["a"] + factor * x["b"], "same": x["a"]}


def of_dicts():
    a, b = keras.Input((3,)), keras.Input((3,))
    y = OfDicts()({"a": a, "b": b}, factor=3.0)
    return keras.Model([a, b], {"product": y["sum"] * y["same"], "list": [a, y["sum"]]})


#: these have TensorNodes
WHOLE = {
    "several dtypes": with_two_dtypes,
    "return_state": with_states,
    "mask of an LSTM": lambda: masked(L.LSTM(2)),
    "mask of a mean": lambda: masked(L.GlobalAveragePooling1D()),
    "lambda": lambda: model_of((6,), L.Lambda(lambda x: x[:, :2] * 2 + 1)),
    "subclassed within": lambda: model_of((3,), Subclassed()),
    "dicts": of_dicts,
    "matmul": lambda: two((3, 4), (4, 2), lambda a, b: a @ b),
    "where": lambda: model_of((6,), lambda x: ops.where(x > 0.5, x, -x)),
    "training=True": lambda: model_of((6,), lambda x: L.Dropout(0.5)(x, training=True)),
    "augmentation": lambda: model_of((4, 4, 1), L.RandomFlip()),
    "bidirectional": lambda: model_of((4, 3), L.Bidirectional(L.GRU(2))),
    "cells": lambda: model_of((4, 3), L.RNN([L.LSTMCell(2), L.GRUCell(3)])),
    "causal attention": lambda: model_of(
        (6, 4), lambda x: L.MultiHeadAttention(2, 2)(x, x, use_causal_mask=True)
    ),
    "other limits": lambda: model_of((3,), L.ReLU(0.5, 0.1, 0.2)),
    "classes": lambda: model_of((3,), lambda x: ops.argmax(x, axis=-1)),
    "bilinear": lambda: model_of((3, 3, 1), L.UpSampling2D(interpolation="bilinear")),
    "booleans": lambda: model_of((3,), lambda x: ops.cast(x, "float32"), "bool"),
}
SHORT = ("several dtypes", "mask of a mean", "dicts", "training=True", "return_state")


@pytest.mark.parametrize("name", some(WHOLE, *SHORT))
def test_with_tensor_nodes(name):
    converter = quietly(WHOLE[name]())
    assert not converter.report().native


class OwnCall(keras.Model):
    """A functional model that does something else than its graph says."""

    def __init__(self):
        x = keras.Input((3,))
        super().__init__(x, L.Dense(2)(x))

    def call(self, x, training=None, mask=None):
        return 2 * super().call(x)


def called_with_own_call():
    x = keras.Input((3,))
    return keras.Model(x, OwnCall()(x))


WRONG = {
    "own call": (OwnCall, TypeError, r"OwnCall\.call.*functional model"),
    "no layers": (
        lambda: keras.Sequential([keras.Input((3,))]),
        TypeError,
        "has no layers",
    ),
    "images of any size": (
        lambda: model_of((None, None, 3), L.Conv2D(2, 3)),
        ValueError,
        r"\(None, None, None, 3\).*clone_model",
    ),
    "an unknown last axis": (
        lambda: model_of((4, None), lambda x: x),
        ValueError,
        r"\(None, 4, None\).*clone_model",
    ),
    "text": (lambda: model_of((3,), lambda x: x, "string"), TypeError, "'string'"),
    "nothing": (lambda: model_of((0,), L.Dense(2)), ValueError, "no elements"),
    "the batch": (
        lambda: model_of((4,), lambda x: x - ops.max(x, axis=0)),
        TypeError,
        "'max.*without the axis of the batch",
    ),
    "the batch's mean": (
        lambda: model_of((4,), lambda x: x - ops.mean(x, axis=0, keepdims=True)),
        TypeError,
        "'mean.*without the axis of the batch",
    ),
    "from one item to another": (
        lambda: model_of((4,), lambda x: ops.reshape(x, (-1, 2))),
        TypeError,
        "from one item of the batch to another",
    ),
    "the order of items": (
        lambda: model_of((4,), lambda x: x + x[::-1, :]),
        TypeError,
        "get_item.*from one item of the batch to another",
    ),
    "some items": (
        lambda: model_of((4,), lambda x: x[:2, :]),
        TypeError,
        "get_item.*from one item of the batch to another",
    ),
    "sums over items": (
        lambda: model_of((4,), lambda x: ops.cumsum(x, axis=0)),
        TypeError,
        r"\(Cumsum\).*one item depends on the others.*along other axes than the first",
    ),
    "a product of items": (
        lambda: model_of((4,), lambda x: ops.matmul(x, ops.transpose(x))),
        TypeError,
        r"\(Transpose\).*from one item of the batch to another",
    ),
    "a function of items": (
        lambda: model_of((4,), L.Lambda(lambda x: x - ops.min(x, 0, keepdims=True))),
        TypeError,
        r"\(Lambda\).*one item depends on the others",
    ),
    "no elements between layers": (
        lambda: model_of((4,), lambda x: ops.concatenate([x[:, :0], x], axis=1)),
        TypeError,
        r"\(GetItem\).*\(None, 0\).*no elements",
    ),
    "unknown output": (
        lambda: model_of((6, 4), L.EinsumDense("abc,cd->abd", output_shape=(None, 3))),
        TypeError,
        "einsum_dense.*must be known",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors(name):
    make, error, match = WRONG[name]
    model = make()
    with warnings.catch_warnings(), pytest.raises(error, match=match):
        warnings.simplefilter("ignore", UserWarning)
        Converter(model)


def test_a_model_for_one_size_of_images():
    model = model_of(
        (None, None, 3), lambda x: L.GlobalAveragePooling2D()(L.Conv2D(2, 3)(x))
    )
    other = keras.models.clone_model(model, input_tensors=keras.Input((6, 6, 3)))
    other.set_weights(model.get_weights())
    converted(other)


def test_a_call_of_its_own_within_a_model():
    converter = quietly(called_with_own_call())
    assert "`call` of its own" in converter.report().layers[1].reason


def test_names_that_repeat():
    models = [
        keras.Sequential([keras.Input((3,)), L.Dense(3, "relu", name="same")], name=n)
        for n in ("a", "b")
    ]
    x = keras.Input((3,))
    converter = converted(keras.Model(x, models[1](models[0](x))))
    with pytest.raises(KeyError, match="2 places.*'a/same', 'b/same'"):
        converter.layers["same"]
    first, second = (converter.layers[model.layers[0]] for model in models)
    assert first is converter.layers["a/same"] and second is converter.layers["b/same"]
    labels = ["a/same.0", "b/same.0"]
    assert [ensemble.label for ensemble in converter.net.all_ensembles] == labels
    rows = [row.layer for row in converter.report().layers if row.n_neurons]
    assert rows == ["a/same", "b/same"]


def test_calls_of_a_model_have_a_number():
    model = keras.Sequential(
        [keras.Input((3,)), L.Dense(3, "relu", name="d")], name="m"
    )
    x = keras.Input((3,))
    converter = converted(
        keras.Model(x, model(model(x))), scale_firing_rates={"m/d": 2}
    )
    with pytest.raises(KeyError, match="'m.0/d', 'm.1/d'"):
        converter.layers["m/d"]
    assert converter.layers["m.1/d"].ensemble.label == "m.1/d.0"
    assert {e.gain for e in converter.net.all_ensembles} == {nengo.dists.Choice([2])}


def test_models_are_keys_for_all_their_layers():
    inner = keras.Sequential(
        [keras.Input((3,)), L.Dense(3, "relu", name="in")], name="a"
    )
    outer = keras.Sequential([inner, L.Dense(3, "relu", name="last")], name="b")
    x = keras.Input((3,))
    model = random_weights(keras.Model(x, L.Dense(2, "relu", name="top")(outer(x))))
    spiking = nengo.SpikingRectifiedLinear()
    for key in (outer, "b"):
        converter = Converter(
            model,
            scale_firing_rates={key: 3, inner: 1, "top": 5},
            synapse={key: 0.1, "b/a/in": None},
            swap_activations={key: {"relu": spiking}, (inner, "relu"): nengo.LIF()},
        )
        first, last, top = (converter.layers[k] for k in ("in", "b/last", "top"))
        kinds = [type(neurons.ensemble.neuron_type) for neurons in (first, last, top)]
        assert kinds == [nengo.LIF, type(spiking), nengo.RectifiedLinear]
        gains = [neurons.ensemble.gain for neurons in (last, top)]
        assert gains == [nengo.dists.Choice([3]), nengo.dists.Choice([5])]
        synapses = {c.pre_obj: c.synapse for c in converter.net.all_connections}
        assert (synapses[first], synapses[last]) == (None, nengo.Lowpass(0.1))
    with pytest.warns(UserWarning, match="b/nothing is no layer"):
        Converter(model, scale_firing_rates={"b/nothing": 2})


WHOLE_NUMBERS = {
    "Discretization": lambda x: L.Dense(2)(
        L.Flatten()(L.Embedding(3, 2)(L.Discretization([-0.2, 0.4])(x)))
    ),
    "argmax": lambda x: L.Embedding(4, 2)(ops.argmax(x, axis=-1)),
    "truth values": lambda x: ops.where(
        ops.logical_and(x > 0, ops.logical_not(x > 0.5)), x, 0.1
    ),
    "cast": lambda x: ops.cast(10 * x, "int32") // 2,
    "Lambda": lambda x: L.Lambda(lambda x: ops.cast(x > 0.3, "int32"))(x),
    "Lambda with a shape": lambda x: L.Lambda(
        lambda x: ops.cast(x > 0.3, "int32"), output_shape=(4,)
    )(x),
    "top_k": lambda x: ops.top_k(x, 2)[1],
    "Hashing": lambda x: L.Hashing(5)(ops.cast(10 * x, "int64")),
    "CategoryEncoding": lambda x: L.Dense(2)(
        L.CategoryEncoding(9, "multi_hot")(ops.cast(8 * x, "int32"))
    ),
    "IntegerLookup": lambda x: L.IntegerLookup(vocabulary=[1, 2, 3])(
        ops.cast(4 * x, "int32")
    ),
}


@pytest.mark.parametrize("name", some(WHOLE_NUMBERS, "Discretization", "argmax"))
def test_whole_numbers_and_truth_values_between_layers(name):
    quietly(model_of((4,), WHOLE_NUMBERS[name]))


def test_half_precision_is_explained():
    x = keras.Input((4,))
    hidden = L.Dense(3, "relu", dtype="mixed_float16")(x)
    model = random_weights(keras.Model(x, L.Dense(2)(hidden)))
    converter = Converter(model)
    with pytest.raises(ValueError, match=r"computes in float16.*rtol=1e-2"):
        converter.verify(rtol=1e-7)
    assert converter.verify(rtol=1e-2)


def test_variables_in_bfloat16():
    x = keras.Input((4,))
    hidden = L.Dense(3, "relu", dtype="bfloat16")(x)
    model = random_weights(keras.Model(x, L.Dense(2, dtype="bfloat16")(hidden)))
    assert Converter(model).verify(rtol=0.1)


def test_full_names_come_before_layers():
    x, shared = keras.Input((3,)), L.Dense(3, "relu", name="d")
    inner = keras.Sequential([keras.Input((3,)), shared], name="m")
    model = random_weights(keras.Model(x, inner(x) + shared(x)))
    scales = {shared: 3, "m/d": 5}
    for given in (scales, dict(reversed(scales.items()))):
        layers = Converter(model, scale_firing_rates=given).layers
        gains = [layers[key].ensemble.gain.options[0] for key in ("m/d", "d")]
        assert np.all(np.ravel(gains) == [5, 3])


def test_limited_rectified_lines():
    x = keras.Input((5,))
    dense = L.Dense(4)
    linear = dense(x)
    limited = L.ReLU(max_value=6)(20 * linear)
    y = keras.activations.relu(L.Dense(4, "relu6")(limited), max_value=0.5)
    # a linear layer with several consumers
    model = random_weights(keras.Model(x, [y, linear, L.Activation("relu6")(linear)]))
    converter = converted(model)
    assert converter.verify(training=True)
    kinds = [ensemble.neuron_type for ensemble in converter.net.all_ensembles]
    limits = {kind.limit for kind in kinds}
    assert {type(kind) for kind in kinds} == {nengo_dl.LimitedReLU}
    assert limits == {6, 0.5}
    assert isinstance(converter.layers[dense], nengo.Node)
    scaled = converted(model, scale_firing_rates=7)
    assert {e.neuron_type.limit for e in scaled.net.all_ensembles} == {42, 3.5}


def test_spikes_of_limited_rectified_lines():
    x = keras.Input((2,))
    model = keras.Model(x, L.ReLU(max_value=6)(x))
    spiking = nengo.RegularSpiking(nengo_dl.LimitedReLU(6))
    converter = Converter(
        model, swap_activations={"relu6": spiking}, scale_firing_rates=50
    )
    data = np.tile([3.0, 9.0], (1, 200, 1))
    with nengo_dl.Simulator(converter.net, progress_bar=False) as sim:
        sim.run_steps(200, data=data)
        mean = sim.data[converter.outputs[model.output]].mean(axis=0)
    np.testing.assert_allclose(mean, [3, 6], rtol=0.05)
