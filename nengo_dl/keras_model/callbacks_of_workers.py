"""Callbacks in several processes: one writes files, all read them and stop together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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


class Stopping(keras.callbacks.Callback):
    """Lets all processes end a loop of Keras' own where one of them does.

    It comes after those of the user, which may have said so in this process only; the
    others would wait forever for the next minibatch of this one.

    Parameters
    ----------
    agree : callable
        ``agree(what)`` tells the model to stop if any process wants to; ``what`` is
        "training", "evaluating" or "predicting".
    """

    def __init__(self, agree: Callable[[str], bool]) -> None:
        super().__init__()
        self._agree = agree

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Agree whether this was the last minibatch."""
        self._agree("training")

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Agree whether this was the last minibatch."""
        self._agree("evaluating")

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """Agree whether this was the last minibatch."""
        self._agree("predicting")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Agree whether this was the last epoch."""
        self._agree("training")


def stopping_together(callbacks: Any, agree: Callable[[str], bool]) -> Any:
    """Return callbacks of a loop of Keras' own, of which the last is a `Stopping`.

    Parameters
    ----------
    callbacks : keras.callbacks.Callback, CallbackList, list or None
        As Keras takes them.
    agree : callable
        See `Stopping`.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        if not any(isinstance(own, Stopping) for own in callbacks.callbacks):
            callbacks.append(Stopping(agree))
        return callbacks
    return [*keras.tree.flatten(callbacks or []), Stopping(agree)]


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
