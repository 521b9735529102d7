"""Epochs of minibatches, as compiled computations, with all that Keras adds.

Keras calls compiled code for every minibatch, or for ``steps_per_execution`` of them,
and takes about 1 ms for each call and 4 ms for each epoch. Where data are arrays, all
minibatches of an epoch run as one computation, as in `train`; minibatches that come one
after the other run one by one. Callbacks, metrics and histories are Keras' own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from nengo_dl.inputs.requirements import Parts
from nengo_dl.inputs.streams import ByEpoch, Stream
from nengo_dl.keras_model.callbacks_of_workers import without_writing
from nengo_dl.keras_model.datasets import Slices
from nengo_dl.keras_model.kept_outputs import KeptOutputs
from nengo_dl.keras_model.keras_step import KerasStep
from nengo_dl.keras_model.model import SimulatorModel
from nengo_dl.user_code import warn_user

#: minibatches, in one of two forms
Minibatches = Slices | Stream[Parts]

_HOOKS = (
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_batch_begin",
    "on_test_batch_end",
)


def wants_each_batch(callback: Any) -> bool:
    """Return whether a callback has something to do after every minibatch.

    Parameters
    ----------
    callback : keras.callbacks.Callback
        Any callback. Those of Keras that save once in an epoch have nothing to do, and
        nor has its progress bar, which shows as much as it is told.
    """
    if isinstance(callback, keras.callbacks.CallbackList):
        return any(map(wants_each_batch, callback.callbacks))
    if isinstance(callback, keras.callbacks.ProgbarLogger):
        return False
    saves = keras.callbacks.ModelCheckpoint | keras.callbacks.BackupAndRestore
    if isinstance(callback, saves) and type(callback).__module__.startswith("keras."):
        return callback.save_freq != "epoch"
    base = keras.callbacks.Callback
    return any(
        getattr(getattr(callback, hook, None), "__func__", None)
        is not getattr(base, hook)
        for hook in _HOOKS
    )


class Loop:
    """Train the Keras model of a simulator, measure it, and predict with it.

    Parameters
    ----------
    model : SimulatorModel
        The model.
    group : int or None
        Minibatches that are one step for Keras, if the user has said so.
    """

    def __init__(self, model: SimulatorModel, group: int | None = None) -> None:
        self._model, self._group = model, group

    def fit(
        self,
        data: Minibatches,
        held_out: Minibatches | None,
        callbacks: Any = None,
        epochs: int = 1,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_freq: Any = 1,
        verbose: Any = "auto",
    ) -> keras.callbacks.History:
        """Train; see `keras.Model.fit`.

        Parameters
        ----------
        data, held_out : Slices or Stream
            What to train with, and what for validation.
        callbacks, epochs, initial_epoch, steps_per_epoch, validation_steps
            As Keras takes them.
        validation_freq, verbose
            As Keras takes them.
        """
        model = self._model
        with model.at_work():
            model.begin(model.fitting)
            steps = (steps_per_epoch, "steps_per_epoch")
            training = self._runs(model.fitting, data, *steps)
            validation = None
            if held_out is not None:
                steps = (validation_steps, "validation_steps")
                validation = self._runs(model.testing, held_out, *steps)
            callbacks = self._callbacks(
                callbacks, training.n_minibatches, verbose, epochs, add_history=True
            )
            model.stop_training = False
            # and nobody writes a file that others have yet to read
            with model.workers.all_or_none():
                callbacks.on_train_begin()
            logs: dict[str, float] = {}
            # set by callbacks that restore an interrupted training
            restored = getattr(model, "_initial_epoch", None) or 0
            training.pass_over(max(0, restored - initial_epoch))
            first = restored or initial_epoch
            for epoch in range(first, epochs):
                model.reset_metrics()
                with model.workers.all_or_none():
                    callbacks.on_epoch_begin(epoch)
                logs = self._run(training, callbacks, "train")
                if not logs:
                    break
                if validation is not None and _is_due(epoch + 1, validation_freq):
                    measured = self._measure(validation, callbacks)
                    logs.update({f"val_{name}": v for name, v in measured.items()})
                with model.workers.failing_together():
                    callbacks.on_epoch_end(epoch, logs)
                if model.stops("training"):
                    break
            if epochs > 0 and model.trainable_weights:
                model.optimizer.finalize_variable_values(model.trainable_weights)
            with model.workers.all_or_none():
                callbacks.on_train_end(logs)
            return model.history

    def evaluate(
        self,
        data: Minibatches,
        callbacks: Any = None,
        steps: int | None = None,
        verbose: Any = "auto",
    ) -> dict[str, float]:
        """Measure losses and metrics; see `keras.Model.evaluate`."""
        with self._model.at_work():
            runs = self._runs(self._model.testing, data, steps, "steps")
            callbacks = self._callbacks(callbacks, runs.n_minibatches, verbose)
            return self._measure(runs, callbacks)

    def predict(
        self,
        data: Minibatches,
        kept: KeptOutputs,
        callbacks: Any = None,
        steps: int | None = None,
        verbose: Any = "auto",
    ) -> None:
        """Keep the outputs of all Probes; see `keras.Model.predict`."""
        model = self._model
        if isinstance(data, Slices):
            data = replace(data, own_items=model.predicting.own_items)
        source = ByEpoch(data, steps, "steps", _warn_about_end)
        number = source.n_minibatches
        kept.expect(number)
        last: dict[str, np.ndarray] = {}

        def calls(at_most: int | None) -> Generator[int]:
            for inputs, _, _ in source.epoch():
                last.update(model.predict_one(inputs))
                kept.add(last)
                yield 1

        with model.at_work():
            runs = _Runs(number, calls)
            callbacks = self._callbacks(callbacks, runs.n_minibatches, verbose)
            model.predicting.begin(model.seed)
            model.stop_predicting = False
            with model.workers.all_or_none():
                callbacks.on_predict_begin()
            self._run(runs, callbacks, "predict", lambda: {"outputs": dict(last)})
            with model.workers.all_or_none():
                callbacks.on_predict_end()

    def _measure(self, runs: _Runs, callbacks: Any) -> dict[str, float]:
        model = self._model
        model.begin(model.testing)
        model.stop_evaluating = False
        with model.workers.all_or_none():
            callbacks.on_test_begin()
        model.reset_metrics()
        logs = self._run(runs, callbacks, "test")
        with model.workers.all_or_none():
            callbacks.on_test_end(logs)
        return logs

    def _callbacks(
        self,
        given: Any,
        steps: int | None,
        verbose: Any,
        epochs: int = 1,
        **options: Any,
    ) -> keras.callbacks.CallbackList:
        """Return Keras' list of callbacks, with its history and its progress bar."""
        if self._group is None and self._each_batch_of(given):
            self._group = 1
        if isinstance(given, keras.callbacks.CallbackList):
            return given
        if not self._model.workers.chief:
            given = without_writing(given)
        return keras.callbacks.CallbackList(
            given,
            add_progbar=verbose != 0,
            verbose=verbose,
            epochs=epochs,
            steps=steps,
            model=self._model,
            **options,
        )

    def _each_batch_of(self, given: Any) -> bool:
        """Return whether callbacks have something to do after every minibatch.

        Processes run the same minibatches in each call, or would wait for each other
        forever. So this is about what the user gave, before callbacks that write files
        are left out in all processes but one; and it is enough if one process has such
        a callback.
        """
        wanted = any(map(wants_each_batch, keras.tree.flatten(given or [])))
        return self._model.workers.any_of_all(wanted)

    def _runs(
        self, own: KerasStep, data: Minibatches, steps: int | None, option: str
    ) -> _Runs:
        """Return what runs an epoch of minibatches."""
        model = self._model
        if isinstance(data, Slices) and steps is None:
            arrays, epoch = data, model.epoch(own, data.parts)

            def at_once(at_most: int | None) -> Generator[int]:
                with closing(epoch.run(arrays.order(), at_most)) as values:
                    yield from map(len, values)

            def pass_over(n_epochs: int) -> None:
                for _ in range(n_epochs):
                    arrays.order()
                epoch.pass_over(n_epochs)

            return _Runs(epoch.n_minibatches, at_once, pass_over)
        source = ByEpoch(data, steps, option, _warn_about_end)

        def one_by_one(at_most: int | None) -> Generator[int]:
            own.epochs.clear()
            for parts in source.epoch():
                yield from map(len, model.run_one(own, parts))

        return _Runs(source.n_minibatches, one_by_one)

    def _run(
        self,
        runs: _Runs,
        callbacks: Any,
        kind: str,
        results: Callable[[], dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """Run all minibatches, tell callbacks, and return losses and metrics."""
        model, results = self._model, results or self._metrics
        begin = getattr(callbacks, f"on_{kind}_batch_begin")
        end = getattr(callbacks, f"on_{kind}_batch_end")
        stopped = {"train": "training", "test": "evaluating", "predict": "predicting"}
        group = self._group
        done = 0
        logs: dict[str, Any] = {}
        # also where a callback raises an error: what was begun is let go at once
        with closing(runs.calls(group)) as calls:
            while runs.n_minibatches is None or done < runs.n_minibatches:
                begin(done)
                count = 0
                for count_of_call in calls:
                    count += count_of_call
                    if count >= (group or 1):
                        break
                if not count:
                    break
                done += count
                logs = results()
                with model.workers.failing_together():
                    end(done - 1, logs)
                if model.stops(stopped[kind]):
                    return logs
            # they note that they are over
            deque(calls, maxlen=0)
        return logs

    def _metrics(self) -> dict[str, float]:
        return {k: float(v) for k, v in self._model.get_metrics_result().items()}


@dataclass(frozen=True, eq=False)
class _Runs:
    """What runs an epoch of minibatches.

    Attributes
    ----------
    n_minibatches : int or None
        How many there are, if that is known.
    calls : callable
        ``calls(at_most)`` runs them and yields how many were run in each call, so that
        somebody can look at the parameters after each ``at_most`` of them.
    pass_over : callable
        ``pass_over(n_epochs)`` draws what is random in some epochs, and runs nothing.
    """

    n_minibatches: int | None
    calls: Callable[[int | None], Generator[int]]
    pass_over: Callable[[int], None] = lambda n_epochs: None


def _warn_about_end(count: int, steps: int | None) -> None:
    """Warn as Keras does, which goes on with what there was."""
    expected = f" of {steps}" if steps else ""
    warn_user(
        f"The data ran out after {count}{expected} minibatches. Expected a dataset "
        "that yields more of them, in each epoch anew, or fewer epochs and steps",
        UserWarning,  # as Keras' own
    )


def _is_due(epoch: int, frequency: Any) -> bool:
    """Return whether there is validation after an epoch, counted from 1."""
    if isinstance(frequency, int):
        return epoch % frequency == 0
    return epoch in list(frequency)
