"""Checks of what users pass in, with messages that say what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.inputs.arrays import Side, held, numbers


def positive_int(value: Any, name: str) -> int:
    """Return a whole number of at least 1.

    Raises
    ------
    ValidationError
        If it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValidationError(
            f"Expected a whole number of at least 1, got {value!r}", attr=name
        )
    return int(value)


def duration(value: Any, name: str) -> float:
    """Return a time that is not negative (s).

    Raises
    ------
    ValidationError
        If it is negative, infinite, or no number.
    """
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = float("nan")
    if not 0 <= seconds < float("inf"):
        raise ValidationError(
            f"Must be positive: expected a number of seconds, got {value!r}. A "
            "simulation cannot run backwards, but `reset()` returns to its beginning",
            attr=name,
        )
    return seconds


def device_name(device: Any) -> str | None:
    """Return a device that TensorFlow has on this machine.

    Raises
    ------
    ValidationError
        If there is no such device; the message lists those there are.
    """
    if device is None:
        return None
    present = tf.config.list_logical_devices()
    try:
        wanted = tf.DeviceSpec.from_string(str(device))
        kind = (wanted.device_type or "").upper()
        index = 0 if wanted.device_index is None else wanted.device_index
        known = [d for d in present if d.device_type == kind]
        if kind and index < len(known):
            return str(device)
    except ValueError:
        pass
    names = ", ".join(f"'/{d.name.split('device:')[-1].lower()}'" for d in present)
    raise ValidationError(
        f"No device {device!r} on this machine; TensorFlow finds {names}. "
        "None lets TensorFlow choose.",
        attr="device",
    )


def presented_data(
    data: Any,
    nodes: Sequence[nengo.Node],
    n_steps: int,
    minibatch_size: int | None,
) -> dict[nengo.Node, np.ndarray]:
    """Return presented data by Node, checked and in one form.

    Parameters
    ----------
    data : dict, sequence, array or None
        ``{Node: array}``, with Nodes or their labels as keys; arrays in the order of
        the input Nodes; or one array, if there is one input Node only.
    nodes : sequence of nengo.Node
        The model's input Nodes.
    n_steps : int
        Steps that the data have to cover.
    minibatch_size : int or None
        Number of items; None allows arrays without a batch axis.

    Returns
    -------
    dict of {nengo.Node: np.ndarray}, shape (batch, n_steps, size_out)
        The values of each Node.

    Raises
    ------
    ValidationError
        If a Node is not an input Node of the model, or an array does not fit.
    """
    batch = 1 if minibatch_size is None else minibatch_size
    checked = {}
    for node, values in Side(nengo.Node, tuple(nodes)).pairs(data, "data"):
        expected = (batch, n_steps, node.size_out)
        words = f"{expected} (minibatch_size, n_steps, node.size_out)"
        array = numbers(held(values), None, node, words, "data")
        if array.ndim == 2 and minibatch_size is None:
            array = array[None]
        if array.shape != expected:
            raise ValidationError(
                f"Data for {node} have shape {np.shape(values)}; expected {words}",
                attr="data",
            )
        checked[node] = array
    return checked
