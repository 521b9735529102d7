"""Keras models for tests, and what all of them are asked."""

import warnings

import keras
import numpy as np
import pytest

from nengo_dl import Converter
from nengo_dl.converter.comparison import Comparison


def random_weights(model, seed=0):
    """Give all variables random values, so that biases and averages matter."""
    rng = np.random.RandomState(seed)
    for variable in model.variables:
        if variable.dtype.startswith("float"):
            values = rng.uniform(-0.5, 0.5, size=variable.shape)
            if "variance" in variable.path:
                values = rng.uniform(0.5, 2, size=variable.shape)
            variable.assign(values)
    return model


def model_of(shape, *layers):
    """Return a functional model of layers in a row."""
    x = start = keras.Input(shape)
    for layer in layers:
        x = layer(x)
    return random_weights(functional(start, x))


def functional(inputs, outputs):
    """Return a functional model."""
    try:
        return keras.Model(inputs, outputs)
    except ValueError as error:
        if "not connected" in str(error):
            pytest.skip("this version of Keras refuses inputs that no output needs")
        raise


def converted(model, native=True, **kwargs):
    """Return a converter whose network was compared with the model.

    ``native``: without a TensorNode.
    """
    if native:
        kwargs.setdefault("allow_fallback", False)
    converter = Converter(model, **kwargs)
    assert converter.verify()
    return converter


def quietly(model, **kwargs):
    """Return a converter, whatever it warns about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return converted(model, native=False, **kwargs)


def layer_differences(converter):
    """Return (tensor, largest difference from Keras, largest value) for all layers."""
    return Comparison(converter._conversion, converter.outputs).layer_differences()


def some(items, *always):
    """Return test cases: all of them with ``--everything``, some of them always."""
    return [
        item if item in always else pytest.param(item, marks=pytest.mark.everything)
        for item in items
    ]
