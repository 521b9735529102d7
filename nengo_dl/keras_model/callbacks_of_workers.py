"""Callbacks in several processes: one writes files, all read them and stop together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import keras

from nengo_dl.distribution.workers import Workers

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


class _FailingTogether(keras.callbacks.Callback):
    """Does what another callback does; if that fails, it does so for all processes.

    In the hooks behind which `Stopping` has the processes meet.

    Parameters
    ----------
    callback : keras.callbacks.Callback
        The other one.
    workers : Workers
        The processes.
    """

    def __init__(self, callback: keras.callbacks.Callback, workers: Workers) -> None:
        super().__init__()
        self._callback, self._workers = callback, workers
        for name in dir(keras.callbacks.Callback):
            if name.startswith(("on_", "set_")):
                own = getattr(callback, name)
                meets = name in vars(Stopping)
                setattr(self, name, self._together(own) if meets else own)

    def _together(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(hook)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._workers.failing_together():
                return hook(*args, **kwargs)

        return call


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


def ending_together(
    callbacks: Any, workers: Workers, agree: Callable[[str], bool]
) -> Any:
    """Return callbacks of a loop of Keras' own, which end it in all processes.

    Parameters
    ----------
    callbacks : keras.callbacks.Callback, CallbackList, list or None
        As Keras takes them.
    workers : Workers
        The processes.
    agree : callable
        See `Stopping`.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        if not any(isinstance(own, Stopping) for own in callbacks.callbacks):
            callbacks.append(Stopping(agree))
        return callbacks
    own = [_FailingTogether(c, workers) for c in keras.tree.flatten(callbacks or [])]
    return [*own, Stopping(agree)]


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
