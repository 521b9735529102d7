"""Objectives that see something which changes between calls, in every way there is."""

import functools

import keras
import numpy as np
import tensorflow as tf

#: what objectives see as a global name
FACTOR = 1.0


class Scaled:
    """An objective with an attribute."""

    def __init__(self):
        self.factor = 1.0

    def __call__(self, outputs, targets):
        return self.factor * squared(outputs, targets)

    def method(self, outputs, targets):
        return self.factor * tf.reduce_mean(tf.abs(outputs - targets))


class Settings:
    """A class that is used as a place for settings."""

    factor = 1.0


def squared(outputs, targets):
    return tf.reduce_mean(tf.square(outputs - targets))


def by_global(outputs, targets):
    return FACTOR * squared(outputs, targets)


def by_class(outputs, targets):
    return Settings.factor * squared(outputs, targets)


def by_attribute(outputs, targets):
    return by_attribute.factor * squared(outputs, targets)


class Objectives:
    """Makes objectives, new ones in each call, which see the factor as it is now.

    Attributes
    ----------
    factor : float
        What all of them multiply with.
    """

    def __init__(self):
        self.scaled = Scaled()
        self.listed = [1.0]
        self.nested = ([1.0],)
        self.array = np.ones(1, np.float32)
        self.variable = tf.Variable(1.0)
        self.change(1.0)

    def change(self, factor):
        """Change what objectives see."""
        global FACTOR
        FACTOR = Settings.factor = by_attribute.factor = self.factor = factor
        self.scaled.factor = factor
        self.listed[0] = self.nested[0][0] = factor
        self.array[0] = factor
        self.variable.assign(factor)

    def make(self, name):
        """Return an objective ``f(outputs, targets)`` by the way in which it sees."""
        factor, listed, nested, array = (
            self.factor,
            self.listed,
            self.nested,
            self.array,
        )
        variable = self.variable
        return {
            "closure": lambda outputs, targets: factor * squared(outputs, targets),
            "default": lambda outputs, targets, k=factor: k * squared(outputs, targets),
            "list": lambda outputs, targets: listed[0] * squared(outputs, targets),
            "nested": lambda outputs, targets: nested[0][0] * squared(outputs, targets),
            "array": lambda outputs, targets: array[0] * squared(outputs, targets),
            "variable": lambda outputs, targets: variable * squared(outputs, targets),
            "global": by_global,
            "class": by_class,
            "attribute": by_attribute,
            "object": self.scaled,
            "method": self.scaled.method,
            "partial": functools.partial(_weighted, weights=nested),
            "mse": "mse",
            "huber": keras.losses.Huber(factor),
            "wrapped": _Wrapped(),
        }[name]


def _weighted(outputs, targets, weights):
    return weights[0][0] * squared(outputs, targets)


class _Wrapped(keras.losses.Loss):
    """A loss of Keras' form that sees a global name."""

    def call(self, y_true, y_pred):
        return FACTOR * tf.reduce_mean(tf.square(y_true - y_pred), axis=-1)


#: the names that `Objectives.make` knows
NAMES = (
    *("closure", "default", "list", "nested", "array", "variable", "global", "class"),
    *("attribute", "object", "method", "partial", "mse", "huber", "wrapped"),
)
