"""Variables of Keras: with the storage of others, and without names for TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf


class _Shared(keras.Variable):
    """A variable whose storage exists already.

    Newer releases of Keras take over a tf.Variable by themselves; older ones copy it.
    """

    def _initialize(self, value: Any) -> None:
        self._value = value


def shared(variable: tf.Variable, name: str) -> keras.Variable:
    """Return a variable of Keras that is the given variable of TensorFlow.

    Parameters
    ----------
    variable : tf.Variable
        The storage.
    name : str
        Its name in models and files; characters that Keras refuses are replaced.
    """
    return _Shared(
        variable,
        dtype=variable.dtype.name,
        trainable=variable.trainable,
        name=name.replace("/", ".").replace("#", "_"),
        autocast=False,
    )


@contextmanager
def without_names() -> Iterator[None]:
    """Let Keras make variables that all have one name for TensorFlow.

    Keras numbers optimizers and metrics, and TensorFlow keeps 35 kB for each name of a
    variable (the ``debug_name`` of its handle, a key of the cache of kernels) until the
    process ends. Names in Keras stay as they are.
    """

    def named_alike(create: Callable[..., tf.Variable], **options: Any) -> tf.Variable:
        return create(**{**options, "name": "variable/"})  # outside of all scopes

    with tf.variable_creator_scope(named_alike):
        yield
