"""Checks of what users pass in, with messages that say what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError


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
    for node, values in _by_node(data, nodes):
        expected = (batch, n_steps, node.size_out)
        try:
            array = np.asarray(values, dtype=float)
        except (TypeError, ValueError):
            raise ValidationError(
                f"Data for {node} are not numbers: {values!r:.100}; expected an array "
                f"of shape {expected} (minibatch_size, n_steps, node.size_out)",
                attr="data",
            ) from None
        if array.ndim == 2 and minibatch_size is None:
            array = array[None]
        if array.shape != expected:
            raise ValidationError(
                f"Data for {node} have shape {np.shape(values)}; expected {expected} "
                "(minibatch_size, n_steps, node.size_out)",
                attr="data",
            )
        if not np.all(np.isfinite(array)):
            raise ValidationError(
                f"Data for {node} contain NaN or infinity; expected finite numbers",
                attr="data",
            )
        checked[node] = array
    return checked


def _by_node(data: Any, nodes: Sequence[nengo.Node]) -> list[tuple[nengo.Node, Any]]:
    if data is None:
        return []
    if isinstance(data, Mapping):
        return [(_input_node(key, nodes), values) for key, values in data.items()]
    if isinstance(data, list | tuple) and all(isinstance(d, np.ndarray) for d in data):
        if len(data) > len(nodes):
            raise ValidationError(
                f"Got {len(data)} arrays for {len(nodes)} input Nodes "
                f"({_listing(nodes)})",
                attr="data",
            )
        return list(zip(nodes, data, strict=False))
    if len(nodes) == 1:
        return [(nodes[0], data)]
    raise ValidationError(
        f"A single array needs exactly one input Node; this model has {len(nodes)} "
        f"({_listing(nodes)}). Expected a dict {{Node: array}}",
        attr="data",
    )


def _input_node(key: Any, nodes: Sequence[nengo.Node]) -> nengo.Node:
    if isinstance(key, str):
        named = [node for node in nodes if node.label == key]
        if len(named) == 1:
            return named[0]
        problem = "no input Node has" if not named else f"{len(named)} input Nodes have"
        raise ValidationError(
            f"{problem} the label {key!r}; the input Nodes are {_listing(nodes)}",
            attr="data",
        )
    if not isinstance(key, nengo.Node):
        raise ValidationError(
            f"Data are presented to Nodes; got {key!r} as a key", attr="data"
        )
    if key in nodes:
        return key
    if key.size_in > 0:
        raise ValidationError(
            f"{key} has inputs (size_in={key.size_in}), and data can be presented only "
            "to Nodes with size_in=0",
            attr="data",
        )
    raise ValidationError(
        f"{key} is not part of the simulated network; its input Nodes are "
        f"{_listing(nodes)}",
        attr="data",
    )


def _listing(nodes: Sequence[nengo.Node]) -> str:
    return ", ".join(map(str, nodes)) if nodes else "none"
