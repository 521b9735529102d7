"""Arrays in memory: `fit` and `evaluate` as compiled epochs, with all that Keras adds.

Keras calls compiled code for every minibatch, or for ``steps_per_execution`` of them,
and takes about 1 ms for each call and 4 ms for each epoch. Where data are arrays, all
minibatches of an epoch run as one computation, as in `train`; callbacks, metrics and
histories are Keras' own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import keras
import nengo
import numpy as np
import tensorflow as tf
from nengo.builder.signal import Signal

from nengo_dl.inputs.endpoints import STEPS
from nengo_dl.inputs.requirements import Parts
from nengo_dl.keras_model.held_inputs import Frame, Pass
from nengo_dl.keras_model.model import SimulatorModel
from nengo_dl.program.adjoint import Tensors
from nengo_dl.program.traces import Traces
from nengo_dl.simulation.store import StateStore
from nengo_dl.training.epoch import Epoch
from nengo_dl.training.optimizers import optimizer_key, optimizer_variables

#: options of `keras.Model.fit` and ``evaluate`` that this knows; with others, Keras
#: runs minibatch by minibatch
OPTIONS = {"callbacks", "epochs", "initial_epoch", "validation_freq", "verbose"}

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


class InMemory:
    """Train the Keras model of a simulator with arrays, or measure it with them.

    Parameters
    ----------
    model : SimulatorModel
        The model, compiled.
    store : StateStore
        The simulation's values.
    device : str or None
        Where it runs.
    traces : Traces
        Where compiled functions are kept.
    key : callable
        Returns what losses and metrics compute.
    """

    def __init__(
        self,
        model: SimulatorModel,
        store: StateStore,
        device: str | None,
        traces: Traces,
        key: Callable[[], Hashable],
    ) -> None:
        self._model, self._store = model, store
        self._device, self._traces, self._key = device, traces, key

    def fit(
        self,
        parts: Parts,
        held_out: Parts | None,
        orders: Callable[[int], np.ndarray],
        callbacks: Any = None,
        epochs: int = 1,
        initial_epoch: int = 0,
        validation_freq: Any = 1,
        verbose: Any = "auto",
    ) -> keras.callbacks.History:
        """Train; see `keras.Model.fit`.

        Parameters
        ----------
        parts, held_out : tuple
            Arrays of shape (n_items, ...) by name: inputs, targets, weights of samples;
            and those for validation.
        orders : callable
            ``orders(n_minibatches)`` returns the items in the order of the next epoch.
        callbacks, epochs, initial_epoch, validation_freq, verbose
            As Keras takes them.
        """
        model = self._model
        with model.at_work():
            seed = model.begin_fitting()
            epoch_run = self._epoch(model.fitting, model.train_step, parts, seed)
            validation = None
            if held_out is not None:
                validation = self._epoch(model.testing, model.test_step, held_out, None)
            callbacks = self._callbacks(
                callbacks, epoch_run, verbose, epochs=epochs, add_history=True
            )
            model.stop_training = False
            callbacks.on_train_begin()
            logs: dict[str, float] = {}
            # set by callbacks that restore an interrupted training
            first = getattr(model, "_initial_epoch", None) or initial_epoch
            for epoch in range(first, epochs):
                model.reset_metrics()
                callbacks.on_epoch_begin(epoch)
                order = orders(epoch_run.n_minibatches)
                logs = self._run(epoch_run, order, callbacks, "train")
                if validation is not None and _is_due(epoch + 1, validation_freq):
                    measured = self._measure(validation, callbacks)
                    logs.update({f"val_{name}": v for name, v in measured.items()})
                callbacks.on_epoch_end(epoch, logs)
                if model.stop_training:
                    break
            if epochs > 0:
                model.optimizer.finalize_variable_values(model.trainable_weights)
            callbacks.on_train_end(logs)
            return model.history

    def evaluate(
        self, parts: Parts, callbacks: Any = None, verbose: Any = "auto"
    ) -> dict[str, float]:
        """Measure losses and metrics; see `keras.Model.evaluate`."""
        model = self._model
        with model.at_work():
            epoch = self._epoch(model.testing, model.test_step, parts, None)
            callbacks = self._callbacks(callbacks, epoch, verbose, epochs=1)
            return self._measure(epoch, callbacks)

    def _measure(self, epoch: Epoch, callbacks: Any) -> dict[str, float]:
        model = self._model
        epoch.rewind(model.begin_testing(), model.testing.first_step)
        model.stop_evaluating = False
        callbacks.on_test_begin()
        model.reset_metrics()
        logs = self._run(epoch, np.arange(epoch.n_items), callbacks, "test")
        callbacks.on_test_end(logs)
        return logs

    def _callbacks(
        self, given: Any, epoch: Epoch, verbose: Any, **options: Any
    ) -> keras.callbacks.CallbackList:
        """Return Keras' list of callbacks, with its history and its progress bar."""
        if isinstance(given, keras.callbacks.CallbackList):
            return given
        return keras.callbacks.CallbackList(
            given,
            add_progbar=verbose != 0,
            verbose=verbose,
            steps=epoch.n_minibatches,
            model=self._model,
            **options,
        )

    def _run(
        self, epoch: Epoch, order: np.ndarray, callbacks: Any, kind: str
    ) -> dict[str, float]:
        """Run all minibatches, tell callbacks, and return losses and metrics."""
        model = self._model
        begin = getattr(callbacks, f"on_{kind}_batch_begin")
        end = getattr(callbacks, f"on_{kind}_batch_end")
        one_by_one = wants_each_batch(callbacks)
        done = 0
        logs: dict[str, float] = {}
        runs = epoch.run(order, one_by_one)
        while done < epoch.n_minibatches:
            begin(done)
            done += len(next(runs))
            logs = {k: float(v) for k, v in model.get_metrics_result().items()}
            end(done - 1, logs)
            if model.stop_training if kind == "train" else model.stop_evaluating:
                break
        return logs

    def _epoch(
        self,
        own: Pass,
        step: Callable[[tuple], Any],
        parts: Parts,
        seed: int | None,
    ) -> Epoch:
        """Return an `Epoch` that runs all minibatches of some arrays."""
        inputs, targets, weights = parts
        model, batch = self._model, own.form.minibatch_size
        n_items, n_steps = inputs[STEPS].shape[:2]
        one = [
            {
                name: tf.TensorSpec((batch, *array.shape[1:]), array.dtype)
                for name, array in part.items()
            }
            if part
            else None
            for part in parts
        ]
        model.build_losses(own.specs(one[0] or {}), *one[1:])
        optimizer = model.optimizer if own is model.fitting else None
        truncation = model.truncation
        epoch = Epoch(
            own.form,
            _Step(own, step, list(targets), list(weights or {})),
            0,
            {own.nodes[name]: array for name, array in inputs.items() if name != STEPS},
            [*targets.values(), *(weights or {}).values()],
            n_items,
            n_steps,
            self._store,
            _variables(model, self._store),
            self._device,
            self._traces,
            lambda: (
                "fit" if own is model.fitting else "evaluate",
                self._key(),
                tuple(own.output_names),
                _trained(model),
                None if optimizer is None else optimizer_key(optimizer),
                truncation,
                tuple(targets),
                tuple(weights or ()),
            ),
            owner=optimizer,
            state=self._store.state,
            first_step=own.first_step,
            jit_compile=model.xla,
        )
        if seed is not None:
            epoch.rewind(seed, own.first_step)
        return epoch


class _Step:
    """Keras' ``train_step`` or ``test_step``, as the step of an `Epoch`.

    Parameters
    ----------
    own : Pass
        How the model runs.
    step : callable
        ``model.train_step`` or ``model.test_step``.
    targets, weights : list of str
        The outputs that have them, in the order in which they come.
    """

    def __init__(
        self,
        own: Pass,
        step: Callable[[tuple], Any],
        targets: list[str],
        weights: list[str],
    ) -> None:
        self._own, self._step = own, step
        self._targets, self._weights = targets, weights

    def __call__(
        self,
        inputs: Mapping[nengo.Node | Signal, tf.Tensor],
        others: Sequence[tf.Tensor],
        state: Tensors,
        first_step: tf.Tensor,
        n_steps: int,
        /,
    ) -> tf.Tensor:
        """Run Keras' step; metrics remember what came of it."""
        own = self._own
        batch, dtype = own.form.minibatch_size, own.form.dtype
        data = {name: inputs[n] for name, n in own.nodes.items() if n in inputs}
        data[STEPS] = tf.zeros((batch, n_steps, 0), dtype)
        count = len(self._targets)
        targets = dict(zip(self._targets, others[:count], strict=True))
        weights = dict(zip(self._weights, others[count:], strict=True))
        generated = {key: v for key, v in inputs.items() if isinstance(key, Signal)}
        own.frame = Frame(state, generated, first_step, n_steps)
        try:
            self._step((data, targets, weights) if weights else (data, targets))
        finally:
            own.frame = None
        return tf.zeros(0, dtype)


def _variables(model: SimulatorModel, store: StateStore) -> list[tf.Variable]:
    """Return all variables that Keras changes with a minibatch."""
    found = list(store.variables)
    if model.optimizer is not None:
        found += optimizer_variables(model.optimizer)
    found += [variable.value for variable in model.metrics_variables]
    return list({id(variable): variable for variable in found}.values())


def _trained(model: SimulatorModel) -> tuple[bool, ...]:
    """Return which of the parameters are trained, on which users have the last word."""
    trained = {id(variable) for variable in model.trainable_variables}
    return tuple(id(variable) in trained for variable in model.weights)


def _is_due(epoch: int, frequency: Any) -> bool:
    """Return whether there is validation after an epoch, counted from 1."""
    if isinstance(frequency, int):
        return epoch % frequency == 0
    return epoch in list(frequency)
