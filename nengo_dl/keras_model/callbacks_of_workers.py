"""Callbacks in several processes: one of them writes files, all of them read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras

#: those of Keras that write files
_WRITING = (
    keras.callbacks.BackupAndRestore,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.CSVLogger,
    keras.callbacks.TensorBoard,
)


class _Restoring(keras.callbacks.Callback):
    """Does what another callback does when training begins, and nothing else.

    Parameters
    ----------
    callback : keras.callbacks.Callback
        The other one.
    """

    def __init__(self, callback: keras.callbacks.Callback) -> None:
        super().__init__()
        self._callback = callback

    def set_model(self, model: keras.Model) -> None:
        """Take the model that is trained."""
        super().set_model(model)
        self._callback.set_model(model)

    def on_train_begin(self, logs: Any = None) -> None:
        """Read what the process that writes has written before."""
        self._callback.on_train_begin(logs)


def without_writing(callbacks: Any) -> Any:
    """Return callbacks for a process that writes no files.

    Parameters
    ----------
    callbacks : keras.callbacks.Callback, list or None
        As Keras takes them. Those of users do in each process what they do.
    """
    if isinstance(callbacks, keras.callbacks.Callback):
        callbacks = [callbacks]
    if not isinstance(callbacks, Iterable) or isinstance(
        callbacks, keras.callbacks.CallbackList
    ):
        return callbacks
    found = []
    for callback in callbacks:
        if not isinstance(callback, _WRITING):
            found.append(callback)
        elif isinstance(callback, keras.callbacks.BackupAndRestore):
            found.append(_Restoring(callback))
    return found
