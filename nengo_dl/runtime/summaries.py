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

from nengo_dl.program.epoch import Term
from nengo_dl.runtime.store import StateStore

_EXPECTED = "Connections with weights, Ensembles, or Neurons of the network"


class Summaries:
    """Write about some objects after each update of the parameters.

    A context: the file is complete when it is left.

    Parameters
    ----------
    directory : str or None
        Where to: each training writes into ``run_1``, ``run_2``, ... of it. None: write
        nothing.
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
        directory: str | None,
        objects: Sequence[Any],
        model: Model,
        store: StateStore,
    ) -> None:
        self.wanted = directory is not None
        self._directory = directory
        self._store = store
        self._losses = False
        self._signals: dict[str, Signal] = {}
        self._step = 0
        if not self.wanted:
            return
        require_tensorboard("summaries")
        others = [
            obj for obj in objects if not (isinstance(obj, str) and obj == "loss")
        ]
        self._losses = len(others) < len(objects)
        self._signals = signals_of(others, model, "summaries")

    def __enter__(self) -> Summaries:
        if self._directory is not None:
            path = os.path.join(self._directory, _next_run(self._directory))
            self._writer = tf.summary.create_file_writer(path)
        return self

    def __exit__(self, *_: object) -> None:
        if self._directory is not None:
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
                if self._losses:
                    self._write_losses(terms, row)
            for name, signal in self._signals.items():
                tf.summary.histogram(name, self._store.value(signal), self._step)

    def _write_losses(self, terms: Sequence[Term], values: np.ndarray) -> None:
        tf.summary.scalar("loss", values.sum(), self._step)
        if len(terms) > 1:
            for term, value in zip(terms, values, strict=True):
                label = "+".join(str(probe.label or "probe") for probe in term.probes)
                tf.summary.scalar(f"loss/{_clean(label)}", value, self._step)


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
            "summaries: `pip install nengo-dl[tensorboard]`",
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
    signals: dict[str, Signal] = {}
    for obj in objects:
        name, signal = _signal(obj, model, attr)
        signals[_unused(name, signals)] = signal
    return signals


def _signal(obj: Any, model: Model, attr: str) -> tuple[str, Signal]:
    """Return what to write about an object, and under which name."""
    kind = {nengo.Connection: "weights", nengo.Ensemble: "encoders", Neurons: "bias"}
    key = kind.get(type(obj))
    signal = model.sig[obj].get(key) if key and obj in model.sig else None
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


def _unused(name: str, taken: Any) -> str:
    candidate, number = name, 0
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate


def _next_run(directory: str) -> str:
    """Return ``run_<k>`` for the next free number."""
    found = os.listdir(directory) if os.path.isdir(directory) else []
    numbers = [int(m.group(1)) for f in found if (m := re.fullmatch(r"run_(\d+)", f))]
    return f"run_{max(numbers, default=0) + 1}"
