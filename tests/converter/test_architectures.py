"""Whole models of well-known kinds, and random ones, against Keras."""

import copy
import pickle
import time
import tracemalloc

import keras
import numpy as np
import pytest

import nengo_dl
from nengo_dl import Converter
from tests.converter import architectures
from tests.converter.architectures import NATIVE, random_model
from tests.converter.models import (
    converted,
    layer_differences,
    quietly,
    random_weights,
    some,
)

L = keras.layers


@pytest.fixture
def double_precision():
    """Models compute in double precision."""
    former = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(former[0])
    keras.config.set_dtype_policy(former[1])


def check_layers(converter, tolerance):
    """Compare all layers with Keras' own."""
    assert converter.report().native
    for tensor, difference, largest in layer_differences(converter):
        name = tensor._keras_history.operation.name
        assert difference <= tolerance * max(largest, 1), name


@pytest.mark.parametrize("make", some(NATIVE, architectures.residual))
def test_inference(make):
    model = random_weights(make())
    check_layers(Converter(model, inference_only=True, allow_fallback=False), 1e-5)


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize(
    "make",
    some(
        NATIVE,
        architectures.tall,
        architectures.inverted_residuals,
    ),
)
def test_inference_in_double_precision(make):
    model = random_weights(make())
    converter = Converter(model, inference_only=True, allow_fallback=False)
    assert {tensor.dtype for tensor in converter.layers} == {"float64"}
    check_layers(converter, 1e-10)


@pytest.mark.everything
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_application_of_keras(dtype, request):
    if dtype == "float64":
        request.getfixturevalue("double_precision")
    model = keras.applications.MobileNetV2(
        (32, 32, 3), alpha=0.35, weights=None, classes=10
    )
    converter = quietly(model, inference_only=True)
    # softmax at the end
    reasons = {row.kind for row in converter.report().layers if row.reason}
    assert reasons == {"Dense"}
    logits = keras.Model(model.input, model.layers[-2].output)
    native = Converter(logits, inference_only=True, allow_fallback=False)
    check_layers(native, 1e-5 if dtype == "float32" else 1e-10)


@pytest.mark.parametrize("seed", some(range(30), 1))
def test_random_models(seed):
    converter = converted(random_weights(random_model(seed)))
    assert converter.verify(training=True, rtol=1e-4)


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("seed", some(range(100, 130), 101))
def test_random_models_in_double_precision(seed):
    model = random_weights(random_model(seed))
    converter = Converter(model, allow_fallback=False)
    assert converter.verify(atol=0, rtol=1e-10)


@pytest.mark.everything
@pytest.mark.parametrize("inference_only", [False, True])
def test_50_layers_and_5_million_parameters(inference_only):
    """Weights are copied once at most, and no longer than some seconds."""
    filters = [96 + 32 * (i % 2) for i in range(47)]
    convolutions = [L.Conv2D(n, 3, padding="same", activation="relu") for n in filters]
    model = keras.Sequential(
        [keras.Input((16, 16, 32)), *convolutions, L.GlobalAveragePooling2D()]
    )
    model.add(L.Dense(10))
    assert model.count_params() > 4.9e6
    tracemalloc.start()
    start = time.process_time()
    converter = Converter(model, inference_only=inference_only)
    duration = time.process_time() - start
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # half a second as measured, and 13 MB for 20 MB of weights
    assert duration < 5
    assert peak < 1.1 * 4 * model.count_params()
    assert converter.report().native


def test_copies_of_the_network():
    model = random_weights(architectures.inception())
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
