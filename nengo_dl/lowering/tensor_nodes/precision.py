"""Layers of Keras that compute with more digits than they were made for."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras


@contextmanager
def in_precision(function: Any, dtype: str) -> Iterator[None]:
    """Let the Keras layers of a function compute with 64 bits although made for 32.

    Parameters
    ----------
    function : callable or keras.Layer
        A layer, or a function that refers to some.
    dtype : str
        Precision of the simulation. Layers with another policy than ``"float32"``
        keep it, and so do all if this is not ``"float64"``.
    """
    if dtype != "float64":
        yield
        return
    changed: list[tuple[Any, str, Any]] = []

    def change(owner: Any, name: str, value: Any) -> None:
        changed.append((owner, name, getattr(owner, name)))
        object.__setattr__(owner, name, value)

    try:
        for layer in layers_of(function):
            for part in layer._flatten_layers():
                _widen(part, change)
        yield
    finally:
        for owner, name, value in reversed(changed):
            object.__setattr__(owner, name, value)


def _widen(layer: keras.Layer, change: Any) -> None:
    """Change the types of one layer, apart from those within."""
    if layer.dtype_policy.name == "float32":
        change(layer, "_dtype_policy", keras.DTypePolicy("float64"))
    # models cast their inputs to the types that they were made with
    functional = getattr(layer, "_functional", None) or layer
    typed = [layer] if isinstance(layer, keras.layers.InputLayer) else []
    typed += getattr(functional, "_inputs", None) or []
    for owner in typed:
        if getattr(owner, "_dtype", None) == "float32":
            change(owner, "_dtype", "float64")


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
