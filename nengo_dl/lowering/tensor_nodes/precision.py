"""Layers of Keras that compute in the precision of a simulation."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras


@contextmanager
def floatx(dtype: str) -> Iterator[None]:
    """Let Keras compute in a precision where nothing else is said, for a while.

    Keras derives the types of its layers from ``floatx`` once, when it is first asked
    for them, and keeps them: so it is asked before ``floatx`` changes.

    Parameters
    ----------
    dtype : str
        Floating point type.
    """
    before = keras.config.floatx()
    if before == dtype:
        yield
        return
    keras.config.dtype_policy()
    keras.config.set_floatx(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(before)


@contextmanager
def in_precision(function: Any, dtype: str) -> Iterator[None]:
    """Let the Keras layers of a function compute in a precision, whatever theirs.

    Which one a layer was made for depends on Keras' ``floatx`` and policy at that time,
    and these are no settings of a simulation. Quantized layers keep theirs.

    Parameters
    ----------
    function : callable or keras.Layer
        A layer, or a function that refers to some.
    dtype : str
        Precision of the simulation.
    """
    changed: list[tuple[Any, str, Any]] = []

    def change(owner: Any, name: str, value: Any) -> None:
        changed.append((owner, name, getattr(owner, name)))
        object.__setattr__(owner, name, value)

    with floatx(dtype):
        try:
            for layer in layers_of(function):
                for part in layer._flatten_layers():
                    _convert(part, dtype, change)
            yield
        finally:
            for owner, name, value in reversed(changed):
                object.__setattr__(owner, name, value)


def _convert(layer: keras.Layer, dtype: str, change: Any) -> None:
    """Change the types of one layer, apart from those within."""
    policy = layer.dtype_policy
    if policy.name != dtype and policy.quantization_mode is None:
        change(layer, "_dtype_policy", keras.DTypePolicy(dtype))
    # models cast their inputs to the types that they were made with
    functional = getattr(layer, "_functional", None) or layer
    typed = [layer] if isinstance(layer, keras.layers.InputLayer) else []
    typed += getattr(functional, "_inputs", None) or []
    for owner in typed:
        made_for = getattr(owner, "_dtype", None) or dtype
        if made_for != dtype and "float" in made_for:
            change(owner, "_dtype", dtype)


def layers_of(function: Any) -> list[keras.Layer]:
    """Return the layers that a function is, or refers to.

    Parameters
    ----------
    function : callable
        A layer; a function, whose closure and global names are looked at; a partial
        function, a method, or an object with a ``__call__``, with layers among its
        attributes; and lists and dicts of layers in these.
    """
    found: list[keras.Layer] = []
    seen: set[int] = set()

    def look(value: Any, depth: int) -> None:
        if id(value) in seen or depth > 3:
            return
        seen.add(id(value))
        if isinstance(value, keras.Layer):
            found.append(value)
        elif isinstance(value, list | tuple):
            inner(value, depth)
        elif isinstance(value, Mapping):
            inner(value.values(), depth)
        elif isinstance(value, functools.partial):
            inner((value.func, *value.args, *value.keywords.values()), depth)
        elif inspect.ismethod(value):
            inner((value.__func__, value.__self__), depth)
        elif inspect.isfunction(value):
            refers = inspect.getclosurevars(value)
            inner((*refers.nonlocals.values(), *refers.globals.values()), depth)
        elif callable(value) and not isinstance(value, type):
            inner(getattr(value, "__dict__", {}).values(), depth)

    def inner(values: Any, depth: int) -> None:
        for value in values:
            look(value, depth + 1)

    look(function, 0)
    return found
