"""Keys for the cache of compiled functions: equal code over equal values is equal.

A lambda that is written in a loop is a new function each time round, and computes the
same. What is compiled for one of them serves all, until something changes that it sees.
"""

from __future__ import annotations

import argparse
import collections
import dis
import enum
import functools
import hashlib
import sys
import types
from collections.abc import Hashable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nengo_dl.user_code import is_users

#: bytes of an array that is compared by value alone
MAX_BYTES = 2**20

_PLAIN = {type(None), bool, int, str, bytes, range, type(...)}

#: with these a function sees more than its code tells
_SEE_ALL = {"eval", "exec", "globals", "__import__"}

_LIBRARIES = {"keras", "nengo", "nengo_dl", "numpy", "tensorflow"}

_CONTAINERS = list | dict | set | bytearray | collections.deque | types.MappingProxyType


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
    closes over, its own attributes, and the global names that it uses, with the
    attributes of modules and classes of the user's behind them. What can change while a
    function runs, lists and objects of the user's above all, is equal only to itself,
    and only as long as what is in it stays the same. Objects of Keras are equal if type
    and configuration are. For what is not known by value the key has a `Same`.

    Parameters
    ----------
    value : object
        Anything. Lists and dicts that are not within functions or objects of the
        user's are compared by value.
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
    # losses read these when they are traced
    surroundings = (
        keras.config.epsilon(),
        keras.config.floatx(),
        keras.config.image_data_format(),
        keras.config.dtype_policy().name,
    )
    return surroundings, _Keys(places or {}).key(value)


def known_by_value(key: Hashable) -> bool:
    """Return whether a key holds no object that only itself is equal to."""
    if isinstance(key, tuple | frozenset):
        return all(map(known_by_value, key))
    return not isinstance(key, Same)


class _Keys:
    """Makes keys, where some objects stand for their places."""

    def __init__(self, places: Mapping[Any, int]) -> None:
        self._places = {id(obj): place for obj, place in places.items()}
        #: what was met so far, by its id, kept alive; an object may lead to itself
        self._met: dict[Hashable, tuple[int, Any]] = {}

    def key(self, value: Any) -> Hashable:
        """Return the key of a value that nobody changes: containers by value."""
        if type(value) in (list, tuple):
            return type(value), *map(self.key, value)
        if type(value) is dict:
            return dict, *((self.key(k), self.key(v)) for k, v in value.items())
        if type(value).__module__.startswith("nengo_dl.") and _is_frozen(value):
            own = (self.key(getattr(value, f.name)) for f in fields(value))
            return type(value), *own
        return self._seen(value)

    def _seen(self, value: Any, names: frozenset[str] = frozenset()) -> Hashable:
        """Return the key of what a function sees, and may change when it is called.

        What code on the host writes into a list has to arrive in that very list. Of
        modules the attributes with some names count.
        """
        if id(value) in self._places:
            return "place", self._places[id(value)]
        plain = _plain(value)
        if plain is not None:
            return plain
        if isinstance(value, np.ndarray) or _is_eager(value):
            return _array(value)
        if type(value) is tuple or isinstance(value, frozenset):
            return type(value), *map(self._seen, value)
        place = (id(value), names if isinstance(value, types.ModuleType) else None)
        if place in self._met:
            return "met", self._met[place][0]
        self._met[place] = len(self._met), value
        if isinstance(value, types.ModuleType):
            return "module", value, self._named(vars(value), names, names)
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, types.MethodType):
            return "method", self._seen(value.__func__), self._seen(value.__self__)
        if isinstance(value, types.BuiltinFunctionType):
            return "method", value.__name__, self._seen(value.__self__)
        if isinstance(value, staticmethod | classmethod):
            return type(value), self._seen(value.__func__)
        if isinstance(value, property):
            return property, *map(self._seen, (value.fget, value.fset))
        if isinstance(value, type):
            return self._class(value)
        if _is_of_keras(value):
            return self._of_keras(value)
        return self._object(value)

    def _named(
        self, values: Mapping[str, Any], own: frozenset[str], names: frozenset[str]
    ) -> Hashable:
        """Return the keys of values, of whose attributes some names are used."""
        return tuple(
            (name, self._seen(values[name], names))
            for name in sorted(own)
            if name in values
        )

    def _function(self, function: types.FunctionType) -> Hashable:
        code = function.__code__
        # attributes have names, too, which may be those of globals that it does not use
        own = _names(code, "LOAD_GLOBAL", "LOAD_NAME")
        if own & _SEE_ALL - function.__globals__.keys():
            return Same(object())  # equal to nothing
        try:
            closure = [cell.cell_contents for cell in function.__closure__ or ()]
        except ValueError:  # a name that has no value yet
            return Same(function)
        names = _names(code)
        imported = map(sys.modules.get, sorted(_names(code, "IMPORT_NAME")))
        return (
            "function",
            code,
            tuple(map(self._seen, function.__defaults__ or ())),
            tuple(self._seen(value, names) for value in closure),
            self._items(function.__kwdefaults__ or {}),
            self._items(function.__dict__),
            self._named(function.__globals__, own, names),
            tuple(self._seen(module, names) for module in imported),
        )

    def _items(self, values: Mapping[Any, Any]) -> Hashable:
        return tuple((self._seen(k), self._seen(v)) for k, v in values.items())

    def _class(self, cls: type) -> Hashable:
        """Return the key of a class of the user's: what its instances find in it."""
        own = {
            name: value
            for name, value in vars(cls).items()
            if isinstance(value, types.FunctionType) or not name.startswith("__")
        }
        bases = (base for base in cls.__mro__[1:] if not _is_public(base))
        return "class", cls, self._items(own), *map(self._seen, bases)

    def _object(self, value: Any) -> Hashable:
        """Return the key of an object: itself, and how it is now, if that is known."""
        cls = type(value)
        parts: list[Hashable] = []
        if isinstance(value, functools.partial):
            parts = [self._seen(value.func), self._seen(value.args)]
            parts += [self._items(value.keywords), self._items(vars(value))]
            return "partial", *parts
        if isinstance(value, dict | types.MappingProxyType):
            parts.append(self._items(value))
        elif isinstance(value, _CONTAINERS | tuple):
            parts.append(tuple(map(self._seen, value)))
        if _has_known_state(cls):
            parts += [self._seen(cls), self._items(_state(value))]
        elif hasattr(value, "__dict__") and "__wrapped__" in vars(value):
            parts.append(self._seen(vars(value)["__wrapped__"]))
        changes_not = _is_frozen(value) or isinstance(value, tuple)
        if changes_not and _has_known_state(cls):
            return cls, *parts
        return (Same(value), *parts) if parts else Same(value)

    def _of_keras(self, value: Any) -> Hashable:
        """Return the key of a loss, a metric or a schedule of Keras' own."""
        # a configuration has the name of a function, not what it does
        functions = types.FunctionType | types.MethodType
        held = {n: v for n, v in vars(value).items() if isinstance(v, functions)}
        wrapped = [getattr(value, n, None) for n in ("fn", "_fn", "loss")]
        parts = (
            self._items(held),
            tuple(map(self._seen, wrapped)),
            self._items(getattr(value, "_fn_kwargs", None) or {}),
            str(getattr(value, "dtype", None)),
        )
        try:
            config = value.get_config()
        except Exception:  # a loss around a function that Keras cannot write to a file
            return Same(value), *parts
        config.pop("name", None)  # two of a kind are numbered
        return type(value), self.key(config), *parts


def _plain(value: Any) -> Hashable | None:
    """Return the key of what cannot change; None if it is something else."""
    kind = type(value)
    if kind in _PLAIN or isinstance(value, np.dtype | tf.DType | enum.Enum):
        return kind, value
    if kind in (float, complex):
        return kind, repr(value)
    if isinstance(value, np.generic) and value.dtype.kind in "biufcmMSU":
        return kind, repr(value)
    if isinstance(value, types.BuiltinFunctionType):
        of_module = isinstance(value.__self__, types.ModuleType | None)
        return ("library", value) if of_module else None
    if isinstance(value, np.ufunc):  # users may make some of Python functions
        known = getattr(np, value.__name__, None) is value
        return ("library", value) if known else Same(value)
    if isinstance(value, types.ModuleType):
        return ("library", value) if _is_library(value.__name__) else None
    if isinstance(value, type) and issubclass(value, enum.Enum):
        return kind, value
    return ("library", value) if _is_public(value) else None


def _is_library(module: str) -> bool:
    """Return whether a module is not the user's: what it has does not change."""
    top = module.split(".")[0]
    if top in _LIBRARIES or top in sys.stdlib_module_names:
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    return isinstance(file, str) and not is_users(file)


def _is_public(value: Any) -> bool:
    """Return whether a library has a function or class under its own name."""
    module, name = (getattr(value, n, None) for n in ("__module__", "__qualname__"))
    if not isinstance(name, str) or not _is_library(str(module)):
        return False
    found: Any = sys.modules.get(str(module))
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is value


def _is_frozen(value: Any) -> bool:
    """Return whether nobody can change the fields of a dataclass instance."""
    return is_dataclass(type(value)) and bool(value.__dataclass_params__.frozen)


def _is_eager(value: Any) -> bool:
    """Return whether a value is a tensor whose numbers are known."""
    # `tf.is_tensor` takes 0.1 ms for what is none
    return isinstance(value, tf.Tensor) and hasattr(value, "numpy")


def _is_of_keras(value: Any) -> bool:
    """Return whether an object is of Keras' own kinds; others do what they like."""
    own = type(value).__module__.split(".")[0] in ("keras", "nengo_dl")
    return own and isinstance(
        value,
        keras.losses.Loss
        | keras.metrics.Metric
        | keras.optimizers.schedules.LearningRateSchedule,
    )


def _has_known_state(cls: type) -> bool:
    """Return whether attributes are all that there is to an object of the user's.

    Layers and Networks know more, which would be long to look through.
    """
    if cls in (types.SimpleNamespace, argparse.Namespace):
        return True
    return not _is_library(cls.__module__) and all(
        base.__module__.split(".")[0] not in _LIBRARIES
        or issubclass(keras.losses.Loss, base)
        for base in cls.__mro__
    )


def _state(value: Any) -> dict[str, Any]:
    """Return the attributes of an object."""
    found = dict(getattr(value, "__dict__", {}))
    for cls in type(value).__mro__:
        slots = vars(cls).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name) and name not in ("__dict__", "__weakref__"):
                found[name] = getattr(value, name)
    return found


def _array(value: Any) -> Hashable:
    array = np.asarray(value)
    if array.dtype.kind not in "biufc":
        return Same(value)
    if isinstance(value, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(value)
        array = np.stack([np.where(mask, 0, array), mask])
    digest = hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16)
    known = type(value), array.dtype.str, array.shape, digest.digest()
    return (Same(value), *known) if array.nbytes > MAX_BYTES else known


@functools.lru_cache(maxsize=256)
def _names(code: types.CodeType, *operations: str) -> frozenset[str]:
    """Return the names that a function uses in some operations; in any, if none."""
    if operations:
        instructions = dis.get_instructions(code)
        found = {i.argval for i in instructions if i.opname in operations}
    else:
        found = set(code.co_names)
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return frozenset(found).union(*(_names(c, *operations) for c in inner))
