"""Forms in which users call the Keras model: dicts, lists, with a number of steps."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.inputs.arrays import Side
from nengo_dl.inputs.endpoints import STEPS
from nengo_dl.validation import positive_int, refused


def by_name(
    inputs: Any, nodes: Mapping[str, nengo.Node], rows: Collection[int]
) -> dict[str, Any]:
    """Return the inputs of the Keras model by name, as it takes them.

    Parameters
    ----------
    inputs : dict, sequence of arrays, or array
        ``{Node, its label or its name: array}``, shape (minibatch_size, n_steps, size);
        a list in the order of the Nodes; or the array of the first one. As in version 3
        there may be a number of steps besides, shape (minibatch_size, 1): the last one
        in a list, ``"n_steps"`` in a dict.
    nodes : mapping of str to Node
        The input Nodes by name, in the order of the network.
    rows : collection of int
        How many items there may be: those of a minibatch, or this process's share.

    Raises
    ------
    ValidationError
        If a Node is not known, there are too many arrays, one has another shape, or the
        number of steps is not that of the arrays.
    """
    names = {node: name for name, node in nodes.items()}
    side = Side(nengo.Node, tuple(nodes.values()), names)
    n_steps = None
    if isinstance(inputs, Mapping):
        given = dict(inputs)
        if "n_steps" in given and "n_steps" not in nodes:
            n_steps = given.pop("n_steps")
    else:
        arrays = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        if arrays and _is_number(arrays[-1]):
            n_steps = arrays.pop()
        if len(arrays) > len(nodes):
            raise ValidationError(
                f"Got {len(arrays)} arrays for {len(nodes)} input Nodes: "
                f"{side.listing}. Expected one for each, and n_steps behind them",
                attr="inputs",
            )
        given = dict(zip(nodes, arrays, strict=False))
    found = {}
    for key, values in given.items():
        if key not in nodes and key != STEPS:
            key = names[side.find(key, "inputs")]
        found[key] = values
        if key != STEPS:
            _check_shape(values, nodes[key], rows)
    count = _number(n_steps)
    if count is not None:
        for name, values in found.items():
            if len(values.shape) == 3 and values.shape[1] not in (None, count):
                raise ValidationError(
                    f"Got n_steps={count}, and data for {name!r} of {values.shape[1]} "
                    "steps; expected the same number",
                    attr="n_steps",
                )
        found.setdefault(STEPS, tf.zeros((1, count, 0)))
    return found


def _is_number(values: Any) -> bool:
    """Return whether the last member of a list is a number of steps, by its shape."""
    try:
        return len(np.shape(values)) < 3
    except ValueError:  # of a list of lists that differ in length
        return False


def _check_shape(values: Any, node: nengo.Node, rows: Collection[int]) -> None:
    """Refuse data for a Node that are not of one minibatch, as far as that is known."""
    shape = getattr(values, "shape", None)
    if shape is None or getattr(shape, "rank", 3) is None:
        return  # what is no tensor is refused for that
    shape, wanted = tuple(shape), (tuple(rows), None, (node.size_out,))
    if len(shape) != 3 or any(
        own is not None and known is not None and own not in known
        for own, known in zip(shape, wanted, strict=True)
    ):
        batch = max(rows)
        raise ValidationError(
            f"Data for {node} have shape {shape}; expected ({batch}, n_steps, "
            f"{node.size_out}): items of one minibatch, time steps, size. For any "
            "number of items there are `sim.predict`, `sim.evaluate` and `sim.fit`; "
            f"here Keras needs `batch_size={batch}`, and a multiple of it",
            attr="inputs",
        )


def _number(values: Any) -> int | None:
    """Return a number of steps that is given for each item, if it is known."""
    if tf.is_tensor(values):
        values = tf.get_static_value(values)
    if values is None:
        return None
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise refused(values, "inputs", "tensors, in a list or by name of the Node")
    numbers = np.unique(array)
    if numbers.size != 1:
        raise ValidationError(
            f"Expected the same number of steps for each item; got {numbers.tolist()}",
            attr="n_steps",
        )
    number = numbers[0].item()
    # Keras makes floating point numbers of all that it is given
    is_whole = isinstance(number, float) and number.is_integer()
    return positive_int(int(number) if is_whole else number, "n_steps")
