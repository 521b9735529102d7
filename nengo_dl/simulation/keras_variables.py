"""Variables of Keras around variables of TensorFlow: one storage for both."""

from __future__ import annotations

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
