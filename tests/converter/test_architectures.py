"""Whole models of well-known kinds, and random ones, against Keras."""

import copy
import pickle

import keras
import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl import Converter
from tests.converter.models import converted, quietly, random_weights
from tests.helpers import rest_with_everything

L = keras.layers


def plain_convolutions():
    x = start = keras.Input((8, 8, 2))
    for _ in range(20):
        x = L.Conv2D(3, 3, padding="same", activation="relu")(x)
    return keras.Model(start, L.Dense(3)(L.GlobalAveragePooling2D()(x)))


def residual():
    x = start = keras.Input((8, 8, 2))
    x = L.Conv2D(4, 3, padding="same", activation="relu")(x)
    for stride in (1, 2):
        y = L.Conv2D(4, 3, stride, "same", use_bias=False)(x)
        y = L.ReLU()(L.BatchNormalization()(y))
        y = L.BatchNormalization()(L.Conv2D(4, 3, padding="same")(y))
        short = x if stride == 1 else L.Conv2D(4, 1, stride)(x)
        x = L.Activation("relu")(L.Add()([short, y]))
    return keras.Model(start, L.Dense(3)(L.GlobalAveragePooling2D()(x)))


def inception():
    x = start = keras.Input((8, 8, 2))
    branches = [
        L.Conv2D(2, 1, activation="relu")(x),
        L.Conv2D(3, 3, padding="same", activation="relu")(
            L.Conv2D(2, 1, activation="relu")(x)
        ),
        L.Conv2D(2, 5, padding="same", activation="relu")(x),
        L.Conv2D(2, 1)(L.AveragePooling2D(3, 1, "same")(x)),
    ]
    x = L.Concatenate()(branches)
    return keras.Model(start, L.Dense(3)(L.Flatten()(x)))


def u_net():
    x = start = keras.Input((8, 8, 1))
    skips = []
    for filters in (2, 4):
        x = L.Conv2D(filters, 3, padding="same", activation="relu")(x)
        skips.append(x)
        x = L.AveragePooling2D(2)(x)
    x = L.Conv2D(4, 3, padding="same", activation="relu")(x)
    for filters, skip in zip((4, 2), reversed(skips), strict=True):
        x = L.Concatenate()([L.UpSampling2D(2)(x), skip])
        x = L.Conv2D(filters, 3, padding="same", activation="relu")(x)
    return keras.Model(start, L.Conv2D(1, 1)(x))


def autoencoder():
    x = start = keras.Input((12,))
    for size in (6, 3, 6):
        x = L.Dense(size, "relu")(x)
    return keras.Model(start, L.Dense(12, "sigmoid")(x))


def depthwise_with_rescaling():
    x = start = keras.Input((9, 9, 3))
    x = L.ZeroPadding2D(((0, 1), (0, 1)))(L.Rescaling(2.0, -1.0)(x))
    x = L.ReLU()(L.BatchNormalization()(L.Conv2D(4, 3, 2, use_bias=False)(x)))
    for _ in range(2):
        y = L.Conv2D(8, 1, use_bias=False)(x)
        y = L.ReLU()(L.BatchNormalization()(y))
        y = L.DepthwiseConv2D(3, padding="same", use_bias=False)(y)
        y = L.ReLU()(L.BatchNormalization()(y))
        x = L.Add()([x, L.BatchNormalization()(L.Conv2D(4, 1)(y))])
    x = L.Dropout(0.2)(L.GlobalAveragePooling2D()(x))
    return keras.Model(start, L.Dense(3)(x))


NATIVE = [
    plain_convolutions,
    residual,
    inception,
    u_net,
    autoencoder,
    depthwise_with_rescaling,
]


@pytest.mark.parametrize("make", NATIVE)
def test_inference(make):
    model = random_weights(make())
    converter = converted(model, inference_only=True)
    assert converter.report().native


@pytest.mark.parametrize("make", [inception, u_net, autoencoder])
def test_training(make):
    assert Converter(make()).verify(training=True)


@pytest.mark.everything
def test_an_application_of_keras():
    model = keras.applications.MobileNetV2(
        (32, 32, 3), alpha=0.35, weights=None, classes=10
    )
    converter = quietly(model, inference_only=True)
    kinds = {row.kind for row in converter.report().layers if row.reason}
    # ReLU6, and softmax at the end
    assert kinds == {"ReLU", "Dense"}
    swaps = {"relu6": nengo.RectifiedLinear(), "softmax": None}
    converter = Converter(model, inference_only=True, swap_activations=swaps)
    assert converter.report().native


def random_model(seed):
    """Return a functional model of layers that chance has chosen."""
    rng = np.random.RandomState(seed)
    x = start = keras.Input((6, 6, 2))
    tensors = [start]
    for _ in range(6):
        x = tensors[rng.randint(len(tensors))]
        choice = rng.randint(7)
        channels = x.shape[-1]
        if choice == 0:
            filters, size = map(int, rng.randint(1, 4, size=2))
            x = L.Conv2D(filters, size, padding="same")(x)
        elif choice == 1:
            names = ("relu", "tanh", "sigmoid", "leaky_relu")
            x = L.Activation(names[rng.randint(4)])(x)
        elif choice == 2:
            x = L.DepthwiseConv2D(2, padding="same", activation="relu")(x)
        elif choice == 3:
            x = L.Concatenate()([x, tensors[rng.randint(len(tensors))]])
        elif choice == 4:
            other = L.Conv2D(channels, 1)(tensors[rng.randint(len(tensors))])
            x = [L.Add(), L.Subtract(), L.Average()][rng.randint(3)]([x, other])
        elif choice == 5:
            x = L.AveragePooling2D(2, 1, "same")(x) * 0.5 + 1
        else:
            x = L.Permute((2, 1, 3))(L.Dense(channels)(x))
        tensors.append(x)
    return keras.Model(start, [x, L.Dense(2)(L.Flatten()(tensors[-2]))])


@pytest.mark.parametrize("seed", rest_with_everything(range(30), 2))
def test_random_models(seed):
    converter = converted(random_weights(random_model(seed)))
    assert converter.verify(training=True, rtol=1e-4)


def test_copies_of_the_network():
    model = random_weights(inception())
    x = keras.Input((4,))
    with_whole_layers = keras.Model(x, L.Dense(2, "softmax")(L.ELU()(x)) * x[:, :2])
    for converter in (Converter(model), quietly(with_whole_layers)):
        size = converter.inputs[converter.model.inputs].size_out
        data = np.random.RandomState(0).uniform(size=(1, size))
        found = []
        copies = (copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net)))
        for net in (converter.net, *(make(converter.net) for make in copies)):
            with nengo_dl.Simulator(net, progress_bar=False) as sim:
                sim.run_steps(1, data=data)
                found.append(np.array(sim.data[net.all_probes[0]]))
        np.testing.assert_array_equal(found[0], found[1])
        np.testing.assert_array_equal(found[0], found[2])
