"""Inputs of a Keras model as users give them, checked: one array for each input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.converter.keras_graph import ModelGraph
from nengo_dl.converter.tensor_mapping import TensorMapping


def arrays_of(model: Any, given: Any, attr: str = "inputs") -> list[np.ndarray]:
    """Return an array for each input of a model, with the batch axis first.

    Parameters
    ----------
    model : keras.Model
        A functional model.
    given : array, sequence of arrays or dict
        What a user gave: one array for a model with one input, otherwise a list in the
        order of ``model.inputs``, or a dict with layers, tensors or names as keys.
    attr : str
        The argument that it was given as, for messages.

    Returns
    -------
    list of np.ndarray
        In the precision of the inputs.

    Raises
    ------
    ValidationError
        If they do not fit the model, are not finite, or have no items.
    """
    tensors = model.inputs
    names = [tensor._keras_history.operation.name for tensor in tensors]
    if isinstance(given, Mapping):
        given = _by_input(model, given, attr)
    elif not isinstance(given, list | tuple):
        given = [given]
    elif len(tensors) == 1 and not (len(given) == 1 and np.ndim(given[0]) > 1):
        given = [given]  # items in a list
    if len(given) != len(tensors):
        raise ValidationError(
            f"Expected an array for each of the {len(tensors)} inputs "
            f"({', '.join(names)}) of {model.name!r}, got {len(given)}",
            attr,
        )
    arrays = [
        _array(tensor, name, values, attr)
        for tensor, name, values in zip(tensors, names, given, strict=True)
    ]
    lengths = {name: len(array) for name, array in zip(names, arrays, strict=True)}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{n} for {name!r}" for name, n in lengths.items())
        raise ValidationError(
            f"Expected equally many items for each input of {model.name!r}, got "
            f"{listed}",
            attr,
        )
    return arrays


def _by_input(model: Any, given: Mapping, attr: str) -> list[Any]:
    """Return the values of a dict in the order of the inputs."""
    known = TensorMapping("input", ModelGraph(model))
    for tensor in model.inputs:
        known.add(tensor, tensor)
    by_tensor = {}
    for key, values in given.items():
        try:
            by_tensor[known[key]] = values
        except KeyError as error:
            raise ValidationError(
                f"The data have the key {key!r}: {error.args[0]}", attr
            ) from error
    missing = [tensor for tensor in model.inputs if tensor not in by_tensor]
    if missing:
        names = ", ".join(tensor._keras_history.operation.name for tensor in missing)
        raise ValidationError(f"The data have no array for the input {names}", attr)
    return [by_tensor[tensor] for tensor in model.inputs]


def _array(tensor: Any, name: str, values: Any, attr: str) -> np.ndarray:
    try:
        array = np.asarray(values, dtype=tensor.dtype)
        if array.dtype.kind in "iu" and not np.array_equal(array, np.asarray(values)):
            raise ValueError("there are numbers that are not whole, or too large")
    except (TypeError, ValueError, OverflowError) as error:
        raise ValidationError(
            f"Data for {name!r} are a {type(values).__name__} that is no array of "
            f"{tensor.dtype}: {error}. Expected an array of the shape {tensor.shape}",
            attr,
        ) from error
    fits = array.ndim == len(tensor.shape) and all(
        n in (None, m) for n, m in zip(tensor.shape, array.shape, strict=True)
    )
    if not fits:
        raise ValidationError(
            f"Data for {name!r} have the shape {array.shape}, expected {tensor.shape}",
            attr,
        )
    if not array.size:
        raise ValidationError(
            f"Data for {name!r} have no items: the shape is {array.shape}", attr
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValidationError(
            f"Data for {name!r} are not finite: there are NaN or infinite values",
            attr,
        )
    return array
