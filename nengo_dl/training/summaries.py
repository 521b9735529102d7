"""What TensorBoard shows of a training: losses, weights, encoders, biases."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Sequence
from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder import Model
from nengo.builder.signal import Signal
from nengo.ensemble import Neurons
from nengo.exceptions import ValidationError

from nengo_dl.inputs.names import FreeNames
from nengo_dl.program.program import Program
from nengo_dl.program.step_graph import step_graph
from nengo_dl.simulation.store import StateStore
from nengo_dl.training.terms import Term

_EXPECTED = "Connections with weights, Ensembles, or Neurons of the network"


class Board:
    """A folder for what TensorBoard shows of one simulator.

    Parameters
    ----------
    directory : str
        Each simulator has a folder in it: ``run_0``, ``run_1``, ...

    Attributes
    ----------
    path : str
        That folder.

    Raises
    ------
    ValidationError
        If the folder cannot be made, or TensorBoard is not installed.
    """

    def __init__(self, directory: str) -> None:
        require_tensorboard("tensorboard")
        try:
            self.path = _make_run(directory)
        except OSError as error:
            raise ValidationError(
                f"Expected a directory to write to, got {directory!r}: {error}",
                attr="tensorboard",
            ) from error
        self._names = FreeNames()

    def write_graph(self, graph: tf.Graph) -> None:
        """Write a graph of TensorFlow."""
        writer = tf.summary.create_file_writer(self.path)
        with writer.as_default(step=0):
            tf.summary.graph(graph)
        writer.close()

    def label(self, name: str) -> str:
        """Return a name for something new: as it is, or with a number behind it."""
        return self._names.take(name)


def open_board(directory: str | None, program: Program) -> Board | None:
    """Begin to write for TensorBoard, with the graph of a time step.

    Parameters
    ----------
    directory : str or None
        Where to; None: nothing is written.
    program : Program
        The simulation.

    Raises
    ------
    ValidationError
        If a folder cannot be made there, or TensorBoard is not installed.
    """
    if directory is None:
        return None
    board = Board(directory)
    board.write_graph(step_graph(program))
    return board


class Summaries:
    """Write about some objects after each update of the parameters.

    A context: the file is complete when it is left.

    Parameters
    ----------
    board : Board or None
        Where to; None: write nothing. What an earlier training has written about gets a
        new name, with a number behind it.
    objects : sequence
        ``"loss"``; a Connection for its weights; an Ensemble for its encoders; Neurons
        for their biases.
    model : nengo.builder.Model
        The built model.
    store : StateStore
        Where values are.

    Raises
    ------
    ValidationError
        If there is nothing to write about an object, or TensorBoard is not installed.
    """

    def __init__(
        self,
        board: Board | None,
        objects: Sequence[Any],
        model: Model,
        store: StateStore,
    ) -> None:
        self.wanted = board is not None
        self._board = board
        self._store = store
        self._loss = ""
        self._signals: dict[str, Signal] = {}
        self._step = 0
        others = objects
        if isinstance(objects, list | tuple):
            others = [obj for obj in objects if not isinstance(obj, str)]
            others += [obj for obj in objects if isinstance(obj, str) and obj != "loss"]
        found = signals_of(others, model, "summaries")
        if board is None:
            return
        self._signals = {board.label(name): signal for name, signal in found.items()}
        if len(others) < len(objects):
            self._loss = board.label("loss")

    def __enter__(self) -> Summaries:
        if self._board is not None:
            self._writer = tf.summary.create_file_writer(self._board.path)
        return self

    def __exit__(self, *_: object) -> None:
        if self._board is not None:
            self._writer.close()

    def write(self, terms: Sequence[Term], losses: np.ndarray) -> None:
        """Write the losses of some updates, and what the parameters are after them.

        Parameters
        ----------
        terms : sequence of Term
            What is minimised.
        losses : np.ndarray, shape (n_minibatches, n_terms)
            Its values.
        """
        if not self.wanted:
            return
        with self._writer.as_default():
            for row in losses:
                self._step += 1
                if self._loss:
                    self._write_losses(terms, row)
            for name, signal in self._signals.items():
                tf.summary.histogram(name, self._store.value(signal), self._step)

    def _write_losses(self, terms: Sequence[Term], values: np.ndarray) -> None:
        tf.summary.scalar(self._loss, values.sum(), self._step)
        if len(terms) > 1:
            # behind them, what layers add
            for term, value in zip(terms, values, strict=False):
                label = "+".join(str(probe.label or "probe") for probe in term.probes)
                tf.summary.scalar(f"{self._loss}/{_clean(label)}", value, self._step)


def require_tensorboard(attr: str) -> None:
    """Raise an error if TensorFlow cannot write for TensorBoard.

    Raises
    ------
    ValidationError
        If TensorBoard is not installed; the error is about the argument ``attr``.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise ValidationError(
            "TensorBoard is not installed, and TensorFlow needs it to write "
            "summaries: `pip install tensorboard`",
            attr=attr,
        )


def signals_of(objects: Sequence[Any], model: Model, attr: str) -> dict[str, Signal]:
    """Return the parameters of some objects, by the names that TensorBoard shows.

    Parameters
    ----------
    objects : sequence of nengo.Connection, nengo.Ensemble or nengo.ensemble.Neurons
        Their weights, encoders and biases.
    model : nengo.builder.Model
        The built model.
    attr : str
        The argument that they were given as.

    Raises
    ------
    ValidationError
        If there is nothing to write about an object.
    """
    if not isinstance(objects, list | tuple):
        raise ValidationError(
            f"Expected a list of {_EXPECTED}; got {objects!r:.100}", attr=attr
        )
    signals: dict[str, Signal] = {}
    names = FreeNames()
    for obj in objects:
        name, signal = _signal(obj, model, attr)
        signals[names.take(name)] = signal
    return signals


def _signal(obj: Any, model: Model, attr: str) -> tuple[str, Signal]:
    """Return the Signal to write summaries of for an object, and its name."""
    kind = {nengo.Connection: "weights", nengo.Ensemble: "encoders", Neurons: "bias"}
    key = kind.get(type(obj))
    signal = model.sig[obj].get(key) if key is not None and obj in model.sig else None
    if signal is None:
        raise ValidationError(
            f"There is nothing to write about {obj!r} for TensorBoard. Expected "
            f"{_EXPECTED}",
            attr=attr,
        )
    owner = obj.ensemble if isinstance(obj, Neurons) else obj
    label = owner.label or type(owner).__name__
    return f"{_clean(label)}_{key}", signal


def _clean(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.\-/]", "_", label)


def _make_run(directory: str) -> str:
    """Make the folder ``run_<k>`` for the next free number."""
    os.makedirs(directory, exist_ok=True)
    while True:
        found = (re.fullmatch(r"run_(\d+)", name) for name in os.listdir(directory))
        number = max((int(match.group(1)) for match in found if match), default=-1) + 1
        path = os.path.join(directory, f"run_{number}")
        try:
            os.mkdir(path)
        except FileExistsError:  # another process was faster
            continue
        return path
