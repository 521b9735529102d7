"""Each kind of layer, in inference and in training, against Keras' own."""

import keras
import numpy as np
import pytest

import nengo_dl
from tests.converter.models import converted, model_of, random_weights, some

L = keras.layers

#: name: (input shape, layers); each layer's parameters are trained
TRAINED = {
    "dense": ((4,), lambda: [L.Dense(3)]),
    "dense, no bias": ((4,), lambda: [L.Dense(3, use_bias=False)]),
    "dense, relu": ((4,), lambda: [L.Dense(3, "relu"), L.Dense(2)]),
    "dense, sigmoid": ((4,), lambda: [L.Dense(3, "sigmoid"), L.Dense(2, "tanh")]),
    "dense, leaky": ((4,), lambda: [L.Dense(5, "leaky_relu")]),
    "dense, 3 axes": ((2, 3, 4), lambda: [L.Dense(5, "relu")]),
    "relu layers": (
        (4,),
        lambda: [
            L.Dense(5),
            L.ReLU(),
            L.Dense(5),
            L.LeakyReLU(negative_slope=0.2),
            L.Activation("tanh"),
            L.ReLU(negative_slope=0.1),
        ],
    ),
    "conv1d": ((7, 2), lambda: [L.Conv1D(3, 3, strides=2, activation="relu")]),
    "conv1d same": ((8, 2), lambda: [L.Conv1D(3, 3, strides=2, padding="same")]),
    "conv1d causal": ((8, 2), lambda: [L.Conv1D(3, 3, padding="causal")]),
    "conv2d": ((6, 5, 2), lambda: [L.Conv2D(3, (3, 2), activation="relu")]),
    "conv2d strides": ((7, 8, 2), lambda: [L.Conv2D(3, 3, (3, 2), "same")]),
    "conv2d no bias": ((5, 5, 2), lambda: [L.Conv2D(3, 3, use_bias=False)]),
    "conv2d groups": ((5, 5, 4), lambda: [L.Conv2D(8, 3, groups=4)]),
    "conv3d": ((4, 4, 3, 2), lambda: [L.Conv3D(3, 2, activation="relu")]),
    "depthwise1d": ((7, 3), lambda: [L.DepthwiseConv1D(3, depth_multiplier=2)]),
    "depthwise2d": (
        (6, 6, 3),
        lambda: [L.DepthwiseConv2D(3, 2, "same", 2, activation="relu")],
    ),
    "separable1d": ((7, 3), lambda: [L.SeparableConv1D(4, 3, depth_multiplier=2)]),
    "separable2d": ((6, 6, 3), lambda: [L.SeparableConv2D(4, 3, 2, "same")]),
    "transposed1d": ((4, 3), lambda: [L.Conv1DTranspose(2, 3, strides=2)]),
    "transposed2d": ((3, 4, 3), lambda: [L.Conv2DTranspose(2, 3, padding="same")]),
    "flatten, reshape": (
        (4, 3),
        lambda: [L.Flatten(), L.Dense(6), L.Reshape((3, 2)), L.Dense(2)],
    ),
}


def side_by_side(cases):
    """Return one model of all cases, each between an input and an output of its own.

    One comparison takes as long as some of the single ones; an error names the layer.
    """
    inputs, outputs = [], []
    for shape, layers in cases.values():
        x = keras.Input(shape)
        inputs.append(x)
        for layer in layers():
            x = layer(x)
        outputs.append(x)
    return random_weights(keras.Model(inputs, outputs))


def test_layers_with_weights_side_by_side():
    model = side_by_side(TRAINED)
    assert converted(model)
    assert converted(model, inference_only=True)


#: what is different in training
LEARNED = [
    "dense, relu",
    "dense, 3 axes",
    "conv1d causal",
    "conv2d groups",
    "conv3d",
    "depthwise2d",
    "separable2d",
    "transposed2d",
]


@pytest.mark.parametrize("name", some(TRAINED, *LEARNED))
def test_layers_with_weights(name):
    shape, layers = TRAINED[name]
    model = model_of(shape, *layers())
    converter = converted(model)
    assert converter.verify(training=True)
    assert converted(model, inference_only=True)


#: name: (input shape, layers) without anything to train
FIXED = {
    "flatten first": ((2, 3, 4), lambda: [L.Flatten(data_format="channels_first")]),
    "permute": ((2, 3, 4), lambda: [L.Permute((3, 1, 2))]),
    "repeat": ((3,), lambda: [L.RepeatVector(2)]),
    "reshape": ((6,), lambda: [L.Reshape((-1, 2)), L.Permute((2, 1))]),
    "crop1d": ((6, 2), lambda: [L.Cropping1D((1, 2))]),
    "crop2d": ((6, 5, 2), lambda: [L.Cropping2D(((1, 2), (0, 1)))]),
    "crop3d": ((4, 4, 4, 2), lambda: [L.Cropping3D(1)]),
    "pad1d": ((3, 2), lambda: [L.ZeroPadding1D((1, 2))]),
    "pad2d": ((3, 2, 2), lambda: [L.ZeroPadding2D(((1, 0), (2, 1)))]),
    "pad2d first": (
        (2, 3, 2),
        lambda: [L.ZeroPadding2D(1, data_format="channels_first")],
    ),
    "pad3d": ((2, 2, 2, 1), lambda: [L.ZeroPadding3D(1)]),
    "up1d": ((3, 2), lambda: [L.UpSampling1D(2)]),
    "up2d": ((3, 2, 2), lambda: [L.UpSampling2D((2, 3))]),
    "up2d first": (
        (2, 3, 2),
        lambda: [L.UpSampling2D(2, data_format="channels_first")],
    ),
    "up3d": ((2, 2, 2, 1), lambda: [L.UpSampling3D(2)]),
    "avg1d": ((7, 2), lambda: [L.AveragePooling1D(2)]),
    "avg1d same": ((7, 2), lambda: [L.AveragePooling1D(3, 2, "same")]),
    "avg2d": ((6, 5, 2), lambda: [L.AveragePooling2D((2, 3), 1)]),
    "avg2d same": ((7, 6, 2), lambda: [L.AveragePooling2D(3, 2, "same")]),
    "avg2d first": (
        (2, 7, 6),
        lambda: [L.AveragePooling2D(3, 2, "same", data_format="channels_first")],
    ),
    "avg3d": ((4, 4, 4, 2), lambda: [L.AveragePooling3D(2)]),
    "global1d": ((5, 2), lambda: [L.GlobalAveragePooling1D()]),
    "global2d": ((4, 3, 2), lambda: [L.GlobalAveragePooling2D(keepdims=True)]),
    "global2d first": (
        (2, 4, 3),
        lambda: [L.GlobalAveragePooling2D(data_format="channels_first")],
    ),
    "global3d": ((2, 4, 3, 2), lambda: [L.GlobalAveragePooling3D()]),
    "rescaling": ((3, 2), lambda: [L.Rescaling(2.0, offset=-1)]),
    "rescaling per channel": ((3, 2), lambda: [L.Rescaling([2.0, 3.0], [1.0, 0.0])]),
    "normalization": (
        (3, 2),
        lambda: [L.Normalization(mean=[1.0, 2.0], variance=[4.0, 0.5])],
    ),
    "identity": ((3,), lambda: [L.Identity()]),
}


def test_layers_without_weights_side_by_side():
    assert converted(side_by_side(FIXED))


@pytest.mark.parametrize("name", some(FIXED, "flatten first", "avg2d same"))
def test_layers_without_weights(name):
    shape, layers = FIXED[name]
    converted(model_of(shape, *layers()))


KINDS = [L.Conv2D, L.DepthwiseConv2D, L.SeparableConv2D]


@pytest.mark.parametrize("kind", some(KINDS, L.SeparableConv2D))
def test_channels_in_front(kind):
    """TensorFlow itself has no such convolution on CPUs, so the other order tells."""
    args = (3,) if kind is L.DepthwiseConv2D else (4, 3)
    last = model_of((5, 6, 2), kind(*args, activation="relu"))
    first = model_of(
        (2, 5, 6), kind(*args, activation="relu", data_format="channels_first")
    )
    image = np.random.RandomState(0).uniform(size=(1, 5, 6, 2)).astype("float32")
    converter = nengo_dl.Converter(first, allow_fallback=False)
    with nengo_dl.Simulator(converter.net, progress_bar=False) as sim:
        sim.run_steps(1, data=np.moveaxis(image, -1, 1).reshape(1, -1))
        found = sim.data[converter.outputs[first.output]].reshape(
            first.output.shape[1:]
        )
    np.testing.assert_allclose(np.moveaxis(found, 0, -1), last(image)[0], atol=1e-6)
