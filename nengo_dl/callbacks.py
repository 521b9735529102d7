"""Callbacks for ``fit``, ``evaluate`` and ``predict``, beside those of Keras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from nengo.builder import Model
from nengo.exceptions import ValidationError

from nengo_dl.training.summaries import require_tensorboard, signals_of
from nengo_dl.validation import path_name, refused, whole_number

__all__ = ["IsolateState", "NengoSummaries", "TensorBoard"]


class NengoSummaries(keras.callbacks.Callback):
    """Show in TensorBoard how parameters of a network change from epoch to epoch.

    Parameters
    ----------
    log_dir : str
        Where to write, for ``tensorboard --logdir log_dir``.
    sim : nengo_dl.Simulator
        The simulator that is trained.
    objects : sequence of nengo.Connection, nengo.Ensemble or nengo.ensemble.Neurons
        What to write about: the weights of Connections, the encoders of Ensembles, the
        biases of Neurons.

    Raises
    ------
    ValidationError
        If ``sim`` is no simulator, there is nothing to write about an object, or
        TensorBoard is not installed.

    Examples
    --------
    >>> import nengo_dl
    >>> summaries = nengo_dl.callbacks.NengoSummaries(  # doctest: +SKIP
    ...     "logs", sim, [connection, ensemble, ensemble.neurons]
    ... )
    >>> sim.fit(x, y, epochs=10, callbacks=[summaries])  # doctest: +SKIP
    """

    def __init__(self, log_dir: str, sim: Any, objects: Sequence[Any]) -> None:
        super().__init__()
        _check_simulator(sim)
        require_tensorboard("log_dir")
        self.log_dir = path_name(log_dir, "log_dir")
        self.sim = sim
        if not isinstance(getattr(sim, "model", None), Model):
            raise ValidationError(
                f"Expected a nengo_dl.Simulator, got {sim!r:.100}", attr="sim"
            )
        self._signals = signals_of(objects, sim.model, "objects")
        self._writer: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Open a file, and write the values before the first epoch."""
        self._writer = tf.summary.create_file_writer(self.log_dir)
        self._write(0)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write the values after an epoch, as those of step ``epoch + 1``."""
        self._write(epoch + 1)

    def on_train_end(self, logs: Any = None) -> None:
        """Complete the file."""
        self._writer.close()

    def _write(self, step: int) -> None:
        with self._writer.as_default():
            for name, signal in self._signals.items():
                tf.summary.histogram(name, self.sim.signals[signal], step)


class TensorBoard(keras.callbacks.TensorBoard):
    """TensorBoard's callback of Keras, which profiles ``predict`` too.

    Parameters
    ----------
    log_dir : str
        Where to write, for ``tensorboard --logdir log_dir``.
    profile_batch : int or (int, int)
        The minibatches that are profiled, counted from 1: one, or from the first to the
        last. 0: none.
    **options
        Other arguments of `keras.callbacks.TensorBoard`.

    Raises
    ------
    ValidationError
        If an argument is wrong, or TensorBoard is not installed.

    Examples
    --------
    >>> import nengo_dl
    >>> board = nengo_dl.callbacks.TensorBoard("logs")  # doctest: +SKIP
    >>> sim.fit(x, y, epochs=10, callbacks=[board])  # doctest: +SKIP
    """

    def __init__(
        self, log_dir: str = "logs", profile_batch: Any = 0, **options: Any
    ) -> None:
        log_dir = path_name(log_dir, "log_dir")
        self._profiled = _batches(profile_batch)
        require_tensorboard("log_dir")
        super().__init__(log_dir=log_dir, profile_batch=self._profiled, **options)
        self._predicted = 0
        self._profiling = False

    def on_predict_begin(self, logs: Any = None) -> None:
        """Count minibatches from 1."""
        self._predicted = 0

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Begin the profile, if this is the first minibatch of it."""
        self._predicted += 1
        if self._predicted == self._profiled[0]:
            tf.profiler.experimental.start(self.log_dir)
            self._profiling = True

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """End the profile, if this is the last minibatch of it."""
        if self._predicted == self._profiled[1]:
            self._stop()

    def on_predict_end(self, logs: Any = None) -> None:
        """End a profile that has fewer minibatches than were asked for."""
        self._stop()

    def _stop(self) -> None:
        if self._profiling:
            tf.profiler.experimental.stop()
            self._profiling = False


class IsolateState(keras.callbacks.Callback):
    """Start each minibatch in the simulation's current state, in stateful calls too.

    If one of Keras' steps runs several (``steps_per_execution``), the first of them.
    The state of the simulation, and its time, do not change.

    Parameters
    ----------
    sim : nengo_dl.Simulator
        The simulator.

    Raises
    ------
    ValidationError
        If it is no simulator, or not the one that the callback is used with.

    Examples
    --------
    >>> import nengo, nengo_dl, numpy as np
    >>> with nengo.Network(seed=0) as net:
    ...     node = nengo.Node([0])
    ...     probe = nengo.Probe(node, synapse=0.1)
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     outputs = sim.predict(
    ...         np.ones((2, 5, 1)),
    ...         stateful=True,
    ...         callbacks=[nengo_dl.callbacks.IsolateState(sim)],
    ...         verbose=0,
    ...     )
    >>> bool((outputs[probe][0] == outputs[probe][1]).all())
    True
    """

    def __init__(self, sim: Any) -> None:
        super().__init__()
        _check_simulator(sim)
        self.sim = sim

    def set_model(self, model: Any) -> None:
        """Take note of the model that calls it, which has to be the simulator's."""
        if model is not self.sim.keras_model:
            raise ValidationError(
                "IsolateState was made for another simulator. Expected "
                "`callbacks=[nengo_dl.callbacks.IsolateState(sim)]` with the one that "
                "is called",
                attr="sim",
            )
        super().set_model(model)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Return to the state of the simulation."""
        self.sim.keras_model.fitting.restore()

    def on_train_end(self, logs: Any = None) -> None:
        """Return to the state of the simulation."""
        self.sim.keras_model.fitting.restore()

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Return to the state of the simulation."""
        self.sim.keras_model.testing.restore()

    def on_test_end(self, logs: Any = None) -> None:
        """Return to the state of the simulation."""
        self.sim.keras_model.testing.restore()

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Return to the state of the simulation."""
        self.sim.keras_model.predicting.restore()

    def on_predict_end(self, logs: Any = None) -> None:
        """Return to the state of the simulation."""
        self.sim.keras_model.predicting.restore()


def _batches(given: Any) -> tuple[int, int]:
    """Return the first and the last of the minibatches to profile, or twice 0."""
    name = "profile_batch"
    expected = "the number of a minibatch, 0 for none, or two numbers, first and last"
    several: Any = given
    if isinstance(given, str):  # "2,5" is an older form of Keras'
        several = [int(part) if part.isdecimal() else part for part in given.split(",")]
    if not isinstance(several, list | tuple):
        several = [several]
    if len(several) not in (1, 2):
        raise refused(given, name, expected)
    first, *rest = (whole_number(number, name, expected=expected) for number in several)
    last = rest[0] if rest else first
    if last < first:
        raise refused(given, name, expected)
    return first, last


def _check_simulator(sim: Any) -> None:
    if not hasattr(type(sim), "keras_model"):
        raise ValidationError(
            f"Expected a nengo_dl.Simulator, got {sim!r:.200}", attr="sim"
        )
