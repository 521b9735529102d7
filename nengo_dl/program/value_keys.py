"""Keys for the cache of compiled functions: equal code over equal values is equal.

A lambda that is written in a loop is a new function each time round, and computes the
same. What is compiled for one of them serves all.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import sys
import types
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

#: bytes of an array that is compared by value
MAX_BYTES = 2**20

_PLAIN = (type(None), bool, int, str, bytes, type, np.dtype, tf.DType, enum.Enum, range)


_LIBRARIES = {"keras", "nengo", "nengo_dl", "numpy", "tensorflow"}


class Same:
    """A key for one object that is equal to no other; it keeps the object alive."""

    def __init__(self, obj: Any) -> None:
        self.obj = obj

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.obj is self.obj

    def __hash__(self) -> int:
        return id(self.obj)


def value_key(value: Any, places: Mapping[Any, int] | None = None) -> Hashable:
    """Return a key that is equal for values that compute the same.

    Functions are equal if their code is, and all that it can see: defaults, what it
    closes over, and the global names that it uses. Lists and dicts among these, which
    it may change, are equal only to themselves. Objects of Keras are equal if type and
    configuration are. For what is not known by value the key has a `Same`.

    Parameters
    ----------
    value : object
        Anything.
    places : mapping of object to int, optional
        Objects that stand for their places, Probes among the outputs for example.

    Returns
    -------
    Hashable
        The key.

    Examples
    --------
    >>> from nengo_dl.program.value_keys import value_key
    >>> value_key(lambda x: 2 * x) == value_key(lambda x: 3 * x)
    False
    >>> first, second = (lambda x, factor=k: factor * x for k in (2, 2))
    >>> value_key(first) == value_key(second)
    True
    """
    return _Keys(places or {}).key(value, frozenset())


def known_by_value(key: Hashable) -> bool:
    """Return whether a key holds no object that only itself is equal to."""
    if isinstance(key, tuple | frozenset):
        return all(map(known_by_value, key))
    return not isinstance(key, Same)


class _Keys:
    """Makes keys, where some objects stand for their places."""

    def __init__(self, places: Mapping[Any, int]) -> None:
        self._places = {id(obj): place for obj, place in places.items()}

    def key(self, value: Any, above: frozenset[int]) -> Hashable:
        """Return the key of a value within others, which are known by their ids."""
        if isinstance(value, _PLAIN):
            return type(value), value
        if isinstance(value, float | complex | np.generic):
            return type(value), repr(value)
        if isinstance(value, types.BuiltinFunctionType) and not isinstance(
            value.__self__, types.ModuleType | None
        ):
            return Same(value)  # a method of a list, for example, which it may change
        if isinstance(value, types.ModuleType | types.BuiltinFunctionType | np.ufunc):
            return "library", value.__name__, id(value)
        if _is_public(value):
            return "library", value.__qualname__, id(value)
        if id(value) in self._places:
            return "place", self._places[id(value)]
        if id(value) in above:  # a function that calls itself, a list that holds itself
            return ("above",)
        above = above | {id(value)}
        if isinstance(value, tuple | list):
            return type(value), *(self.key(member, above) for member in value)
        if isinstance(value, Mapping):
            items = ((self.key(k, above), self.key(v, above)) for k, v in value.items())
            return type(value), *items
        if isinstance(value, np.ndarray) or (
            tf.is_tensor(value)
            and hasattr(value, "numpy")
            and not hasattr(value, "assign")
        ):
            return _array(value)
        if isinstance(value, types.FunctionType):
            return self._function(value, above)
        if isinstance(value, types.MethodType):
            parts: tuple = ("method", value.__func__, value.__self__)
        elif isinstance(value, functools.partial):
            parts = ("partial", value.func, value.args, value.keywords)
        elif is_dataclass(type(value)) and _is_frozen(value):
            compared = (f.name for f in fields(value) if f.compare)
            parts = (type(value), *(getattr(value, name) for name in compared))
        else:
            return self._of_keras(value, above)
        return parts[0], *(self.key(part, above) for part in parts[1:])

    def _function(
        self, function: types.FunctionType, above: frozenset[int]
    ) -> Hashable:
        seen = {
            name: function.__globals__[name]
            for name in _names(function.__code__)
            if name in function.__globals__
        }
        try:
            closure = [cell.cell_contents for cell in function.__closure__ or ()]
        except ValueError:  # a name that has no value yet
            return Same(function)
        named = (*(function.__kwdefaults__ or {}).items(), *seen.items())
        parts = (
            *(self._captured(value, above) for value in function.__defaults__ or ()),
            *(self._captured(value, above) for value in closure),
            *((name, self._captured(value, above)) for name, value in named),
        )
        return "function", function.__code__, *parts

    def _captured(self, value: Any, above: frozenset[int]) -> Hashable:
        """Return the key of what a function sees, and may change when it is called.

        What code on the host writes into a list has to arrive in that very list.
        """
        key = self.key(value, above)
        changes = isinstance(value, list | dict | set | bytearray)
        return (Same(value), key) if changes else key

    def _of_keras(self, value: Any, above: frozenset[int]) -> Hashable:
        """Return the key of an object of Keras' own; others may do what they like."""
        own = type(value).__module__.split(".")[0] in ("keras", "nengo_dl")
        if not own or not isinstance(
            value,
            keras.losses.Loss
            | keras.metrics.Metric
            | keras.optimizers.schedules.LearningRateSchedule,
        ):
            return Same(value)
        try:
            config = value.get_config()
        except Exception:  # a loss around a function that Keras cannot write to a file
            return Same(value)
        config.pop("name", None)  # two of a kind are numbered
        # a configuration has the name of a function, not what it does
        wrapped = [getattr(value, n, None) for n in ("fn", "_fn", "loss", "_fn_kwargs")]
        return type(value), self.key(config, above), self.key(wrapped, above)


def _is_frozen(value: Any) -> bool:
    """Return whether nobody can change the fields of a dataclass instance."""
    return bool(value.__dataclass_params__.frozen)


def _is_public(value: Any) -> bool:
    """Return whether a library has it under a name: it stays, and does not change."""
    module, name = (getattr(value, n, None) for n in ("__module__", "__qualname__"))
    if not isinstance(name, str) or str(module).split(".")[0] not in _LIBRARIES:
        return False
    found: Any = sys.modules.get(str(module))
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is value


def _array(value: Any) -> Hashable:
    array = np.asarray(value)
    if array.nbytes > MAX_BYTES or array.dtype.kind not in "biufc":
        return Same(value)
    digest = hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16)
    return type(value), array.dtype.str, array.shape, digest.digest()


def _names(code: types.CodeType) -> Iterable[str]:
    """Yield the global names that a function and those within it may use."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
