"""Variables of Keras: with the storage of others, and without names for TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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


def move(variables: Iterable[Any], device: str | None) -> None:
    """Let variables of Keras have their storage on the device of a simulation.

    Optimizers and metrics are made before a simulator knows of them, on a GPU if there
    is one. XLA refuses variables of other devices than its program's.

    Parameters
    ----------
    variables : iterable of keras.Variable
        What is not shared with anything compiled for another device. Those of a
        distribution strategy stay where they are.
    device : str or None
        A device; None: whatever they are on is right.
    """
    if device is None:
        return
    wanted = tf.DeviceSpec.from_string(device)
    for variable in variables:
        value = variable.value
        if isinstance(value, tf.distribute.DistributedValues) or _is_on(value, wanted):
            continue
        with tf.device(device), without_names():
            variable._value = tf.Variable(value.numpy(), value.trainable)


def _is_on(variable: tf.Variable, wanted: tf.DeviceSpec) -> bool:
    """Return whether a variable is on a device; without an index, on the first."""
    own = tf.DeviceSpec.from_string(variable.device)
    return (own.device_type, own.device_index or 0) == (
        (wanted.device_type or "").upper(),
        wanted.device_index or 0,
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
