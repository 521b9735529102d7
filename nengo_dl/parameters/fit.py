"""Whether arrays from a file fit those of a simulation, and what is wrong if not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from nengo.exceptions import ValidationError

#: so many names of one kind are listed in an error; one mistake often concerns them all
_LISTED = 20

#: averages of a batch normalisation that is not a part of other weights
_NORMALIZED = re.compile(r"moving_(mean|variance)$")
#: weights of a layer that was converted, for example ``layer.0.kernel.weights``
_CONVERTED = re.compile(r"\.\d+\.(\w+)\.weights$")
#: biases that are not those of neurons
_BIAS = re.compile(r"\.\d+\.bias\.weights$")


@dataclass(frozen=True)
class Place:
    """Shape, type and batch axis of a value that a simulation can take.

    Attributes
    ----------
    shape : tuple of int
        Shape of the value, without a batch axis.
    dtype : np.dtype
        Its type.
    items : int or None
        Number of items of the minibatch if each has a value of its own.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    items: int | None = None


class Misfit(Exception):
    """An array does not fit; the message says why."""


def fit(array: np.ndarray, items: int | None, place: Place) -> np.ndarray:
    """Return an array in the form that a simulation has room for.

    Parameters
    ----------
    array : np.ndarray, shape (*shape) or (items, *shape)
        From a file.
    items : int or None
        Number of items of the minibatch that had values of their own in the file.
    place : Place
        Where it shall go.

    Returns
    -------
    np.ndarray, shape (size,) or (place.items, size)
        Cast to the type of the place. A value goes to all items where the file has one
        only, or where all in the file are equal.

    Raises
    ------
    Misfit
        If it cannot go there.
    """
    shape = array.shape if items is None else array.shape[1:]
    if shape != place.shape or (items is not None and len(array) != items):
        raise Misfit(f"shape {shape} in the file, {place.shape} in the simulator")
    if _kind(array.dtype) != _kind(place.dtype):
        raise Misfit(f"type {array.dtype} in the file, {place.dtype} in the simulator")
    with np.errstate(over="ignore"):
        cast = array.astype(place.dtype)
    if np.any(np.isfinite(array) & ~np.isfinite(cast)):
        raise Misfit(f"numbers beyond the range of {place.dtype}")
    if items is None:
        one = cast.reshape(-1)
    elif items == place.items:
        return cast.reshape(items, -1)
    elif np.array_equal(array, np.broadcast_to(array[:1], array.shape), equal_nan=True):
        one = cast[0].reshape(-1)
    else:
        here = "one for all" if place.items is None else f"{place.items} items"
        raise Misfit(
            f"{items} items of a minibatch have different values in the file, "
            f"and the simulator has room for {here}"
        )
    return one if place.items is None else np.tile(one, (place.items, 1))


def _kind(dtype: np.dtype) -> str:
    """Return NumPy's letter for a kind of numbers; bfloat16 is none of NumPy's own."""
    return "f" if dtype.name == "bfloat16" else dtype.kind


def fit_all(
    arrays: Mapping[str, np.ndarray],
    items: Mapping[str, int],
    places: Mapping[str, Place],
) -> dict[str, np.ndarray]:
    """Return arrays in the form that a simulation has room for, all of them.

    Parameters
    ----------
    arrays : mapping of str to np.ndarray
        From a file, by name.
    items : mapping of str to int
        Which of them have a batch axis, and how long it is.
    places : mapping of str to Place
        What is expected.

    Raises
    ------
    ValidationError
        If any is missing, unexpected, or does not fit; it lists them all.
    """
    fitted, misfits = {}, []
    for name, place in places.items():
        if name in arrays:
            try:
                fitted[name] = fit(arrays[name], items.get(name), place)
            except Misfit as misfit:
                misfits.append(f"{name}: {misfit}")
    missing = [f"{n}: {p.shape}" for n, p in places.items() if n not in arrays]
    unexpected = [f"{n}: {a.shape}" for n, a in arrays.items() if n not in places]
    problems = [
        *_lines("missing in the file (name: shape)", missing),
        *_lines("in the file, but not in the simulator (name: shape)", unexpected),
        *_lines("do not fit", misfits),
    ]
    if problems:
        raise ValidationError(
            "The file does not fit the simulator, and nothing has been loaded:\n"
            + "\n".join(problems)
            + "\nExpected the parameters of a network of the same structure and labels"
            + _about_conversions(
                {n for n in places if n not in arrays},
                {n for n in arrays if n not in places},
            ),
            attr="path",
        )
    return fitted


def _about_conversions(missing: set[str], unexpected: set[str]) -> str:
    """Return what to do if two conversions of a Keras model differ in an argument."""
    in_file, in_simulator = (
        _can_be_trained(own, other)
        for own, other in ((unexpected, missing), (missing, unexpected))
    )
    if in_file == in_simulator:
        return ""
    trained, fixed = "file", "simulator"
    if in_simulator:
        trained, fixed = fixed, trained
    return (
        f". The network of the {trained} looks like one of `nengo_dl.Converter` that "
        f"can be trained, and that of the {fixed} like one with inference_only=True "
        "(or freeze_batchnorm=True, or layers with trainable=False), where biases are "
        "those of neurons, BatchNormalization is within other weights, and fewer "
        "layers are TensorNodes. Give both the same arguments; or write what was "
        "learned into the Keras model, `converter.to_keras(sim)`, and convert that "
        "with inference_only=True"
    )


def _can_be_trained(own: set[str], other: set[str]) -> bool:
    """Return whether only a conversion for training has some of the names.

    Parameters
    ----------
    own, other : set of str
        Names that only one of two networks has, and those of the other one.
    """
    # a TensorNode names its layer's variables without a number and an ending
    as_nodes = {_CONVERTED.sub(r".\1", name) for name in other}
    return bool(as_nodes & own) or any(
        any(map(pattern.search, own)) and not any(map(pattern.search, other))
        for pattern in (_NORMALIZED, _BIAS)
    )


def _lines(title: str, entries: list[str]) -> list[str]:
    if not entries:
        return []
    more = len(entries) - _LISTED
    rest = [f"    ... and {more} more"] if more > 0 else []
    listed = [f"    {entry}" for entry in entries[:_LISTED]]
    return [f"  {len(entries)} {title}:", *listed, *rest]
