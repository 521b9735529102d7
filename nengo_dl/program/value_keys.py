"""Keys for the cache of compiled functions: equal code over equal values is equal.

A lambda that is written in a loop is a new function each time round, and computes the
same. What is compiled for one of them serves all, until something changes that it sees.
"""

from __future__ import annotations

import array
import collections
import contextvars
import functools
import hashlib
import importlib
import os
import types
from collections.abc import Hashable, Mapping
from dataclasses import fields
from typing import Any

import keras
import numpy as np

from nengo_dl.program import known_objects as known
from nengo_dl.program import seen_by_code as code_of

#: bytes of an array that is compared by value alone
MAX_BYTES = 2**20

#: attributes of classes that Python writes there, and that no code of users reads
_MACHINERY = {
    "__annotations__",
    "__dataclass_fields__",
    "__dataclass_params__",
    "__dict__",
    "__orig_bases__",
    "__parameters__",
    "__weakref__",
    "_abc_impl",
}


class Same:
    """A key for one object that is equal to no other; it keeps the object alive."""

    def __init__(self, obj: Any) -> None:
        self.obj = obj

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.obj is self.obj

    def __hash__(self) -> int:
        return id(self.obj)


class Held(Same):
    """Stands for an object of which the rest of the key tells all that there is to it.

    Code on the host may write into the object, so that another one of equal value
    will not do. If a function is known to do nothing of the kind, it will: `by_value`.
    """


def value_key(value: Any, places: Mapping[Any, int] | None = None) -> Hashable:
    """Return a key that is equal for values that compute the same.

    Functions are equal if their code is, and all that it can see: defaults, what it
    closes over, its own attributes, and the global names that it uses, with the
    attributes of modules and classes of the user's behind them. What can change while a
    function runs, lists and objects of the user's above all, is equal only to itself,
    and only as long as what is in it stays the same; with `by_value` such objects are
    equal to others of equal value. Objects of Keras are equal if type and configuration
    are. For what is not known by value the key has a `Same`.

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
    try:
        return surroundings, _key(value, places or {})
    except RecursionError:  # hundreds of objects, one within the other
        return Same(object())


def _key(value: Any, places: Mapping[Any, int]) -> Hashable:
    """Return the key of a value, where functions may give modules to each other."""
    used: frozenset[str] = frozenset()
    while True:
        keys = _Keys(places, used)
        found = keys.key(value)
        if not keys.modules or keys.used <= used:
            return found
        used |= keys.used


def known_by_value(key: Hashable) -> bool:
    """Return whether a key holds no object that only itself is equal to."""
    if isinstance(key, tuple | frozenset):
        return all(map(known_by_value, key))
    return not isinstance(key, Same)


def by_value(key: Hashable) -> Hashable | None:
    """Return the key for functions that write into nothing; None if there is none.

    It is equal for objects of one class with equal attributes, and holds none of them.

    Parameters
    ----------
    key : Hashable
        From `value_key`, or a tuple with such keys in it.

    Returns
    -------
    Hashable or None
        The key; None if there is something that is not known by value.

    Examples
    --------
    >>> from nengo_dl.program.value_keys import by_value, value_key
    >>> first, second = (value_key(lambda x, held=[2]: held * x) for _ in range(2))
    >>> by_value(first) == by_value(second)
    True
    """
    if isinstance(key, Held):
        return "held"
    if isinstance(key, Same):
        return None
    if not isinstance(key, tuple | frozenset):
        return key
    parts = [part if part is None else by_value(part) for part in key]
    # None may be a part of a key, too
    if any(part is None is not own for part, own in zip(parts, key, strict=True)):
        return None
    return frozenset(parts) if isinstance(key, frozenset) else tuple(parts)


class _Keys:
    """Makes keys, where some objects stand for their places."""

    def __init__(self, places: Mapping[Any, int], names: frozenset[str]) -> None:
        self._names = names
        #: the names of attributes that functions use, and how many modules there are
        self.used: set[str] = set()
        self.modules = 0
        self._places = {id(obj): place for obj, place in places.items()}
        #: what was met so far, by its id, kept alive; an object may lead to itself
        self._met: dict[Hashable, tuple[int, Any]] = {}

    def key(self, value: Any) -> Hashable:
        """Return the key of a value that nobody changes: containers by value."""
        if type(value) in (list, tuple):
            return type(value), *map(self.key, value)
        if type(value) is dict:
            return dict, *((self.key(k), self.key(v)) for k, v in value.items())
        if _is_our_dataclass(value):
            return type(value), *(
                self.key(getattr(value, f.name)) for f in fields(value)
            )
        return self._seen(value)

    def _seen(self, value: Any, names: frozenset[str] | None = None) -> Hashable:
        """Return the key of what a function sees, and may change when it is called.

        What code on the host writes into a list has to arrive in that very list. Of
        modules the attributes with some names count, or all.
        """
        if id(value) in self._places:
            return "place", self._places[id(value)]
        plain = known.plain(value)
        if plain is not None:
            if value is importlib.import_module:  # by any name, and so of any module
                return Same(object())
            if value is os.getenv:
                return "environment", tuple(sorted(os.environ.items()))
            return plain
        if known.is_eager(value) or _has_numbers(value):
            if known.is_library(type(value).__module__):
                return _array(value)
            return Same(value), _array(value), self._items(known.state(value))
        if type(value) in (tuple, frozenset):
            return type(value), *map(self._seen, value)
        place = (id(value), names if isinstance(value, types.ModuleType) else None)
        if place in self._met:
            return "met", self._met[place][0]
        self._met[place] = len(self._met), value
        if isinstance(value, types.ModuleType):
            return "module", value, self._module(value, names)
        if isinstance(value, types.FunctionType):
            return self._function(value)
        return self._part_of_class(value) or self._object(value)

    def _module(
        self, module: types.ModuleType, names: frozenset[str] | None
    ) -> Hashable:
        own = vars(module)
        if names is None:
            used = {n for n in own if not n.startswith("__")}
        else:
            # another function may get the module as an argument
            used = {*names, *self._names}
        self.modules += 1
        return self._named(own, frozenset(used | {"__getattr__"}), names)

    def _named(
        self,
        values: Mapping[str, Any],
        own: frozenset[str],
        names: frozenset[str] | None,
    ) -> Hashable:
        """Return the keys of values, of whose attributes some names are used."""
        return tuple(
            (name, self._seen(values[name], names))
            for name in sorted(own)
            if name in values
        )

    def _function(self, function: types.FunctionType) -> Hashable:
        code = function.__code__
        own = code_of.global_names(code)
        imported = code_of.imported(function)
        if code_of.sees_all(function) or imported is None:
            return Same(object())  # equal to nothing
        try:
            closure = [cell.cell_contents for cell in function.__closure__ or ()]
        except ValueError:  # a name that has no value yet
            return Same(function)
        names = code_of.attribute_names(code)
        self.used |= names or frozenset()
        reads = code_of.reads_environment(code)
        return (
            "function",
            code,
            tuple(map(self._seen, function.__defaults__ or ())),
            tuple(self._seen(value, names) for value in closure),
            self._items(function.__kwdefaults__ or {}),
            self._items(function.__dict__),
            self._named(function.__globals__, own, names),
            tuple(self._seen(module, names) for module in imported),
            self._seen(os.getenv) if reads else None,
        )

    def _items(self, values: Mapping[Any, Any]) -> Hashable:
        return tuple((self._seen(k), self._seen(v)) for k, v in values.items())

    def _part_of_class(self, value: Any) -> Hashable | None:
        """Return the key of a class, or of what is in place of a function in one."""
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, types.MethodType):
            return "method", self._seen(value.__func__), self._seen(value.__self__)
        if isinstance(value, types.BuiltinFunctionType):
            return "method", value.__name__, self._seen(value.__self__)
        # classes of the user's below these may do something else, as all objects
        if type(value) in (staticmethod, classmethod):
            return type(value), self._seen(value.__func__)
        if type(value) is property:
            return property, *map(self._seen, (value.fget, value.fset))
        if type(value) is functools.cached_property:
            return type(value), value.attrname, self._seen(value.func)
        if type(value) in (functools.partial, functools.partialmethod):
            own = (value.func, value.args)
            parts = (*map(self._seen, own), self._items(value.keywords))
            extra = vars(value) if type(value) is functools.partial else {}
            return "partial", type(value).__name__, *parts, self._items(extra)
        return None

    def _class(self, cls: type) -> Hashable:
        """Return the key of a class of the user's: what its instances find in it."""
        own = {n: value for n, value in vars(cls).items() if n not in _MACHINERY}
        bases = (base for base in cls.__mro__[1:] if not known.is_public(base))
        return (
            "class",
            cls,
            self._items(own),
            self._seen(type(cls)),
            *map(self._seen, bases),
        )

    def _object(self, value: Any) -> Hashable:
        """Return the key of an object: itself, and how it is now, if that is known."""
        if known.is_of_keras(value):
            return self._of_keras(value)
        if isinstance(value, contextvars.ContextVar):
            return "variable", value, self._seen(value.get(None))
        cls: Any = type(value)
        if _is_our_dataclass(value):  # within a metric of Keras', for example
            return cls, *(self._seen(getattr(value, f.name)) for f in fields(value))
        if isinstance(value, os._Environ):
            return Held(value), cls, tuple(sorted(value.items()))
        parts = self._contents(value)
        if known.has_known_state(cls):
            parts += [self._seen(cls), self._items(self._attributes(value))]
        elif hasattr(value, "__dict__") and "__wrapped__" in vars(value):
            parts.append(self._seen(vars(value)["__wrapped__"]))
        elif isinstance(value, keras.layers.Layer):
            parts.append(self._layer(value))
        whole = bool(parts) and (known.is_whole(cls) or cls is np.ndarray)
        changes_not = known.is_frozen(value) or isinstance(value, tuple | frozenset)
        if changes_not and whole:
            return "unchangeable", cls, *parts
        own = Held(value) if whole else Same(value)
        return (own, cls, *parts) if parts else own

    def _contents(self, value: Any) -> list[Hashable]:
        """Return the keys of what is in a container; empty for everything else."""
        parts: list[Hashable] = []
        if isinstance(value, dict):
            # a class of the user's may show other items than it has
            parts.append(self._items(dict(dict.items(value))))
        elif isinstance(value, types.MappingProxyType):
            parts.append(self._items(value))
        elif isinstance(value, array.array):
            parts.append((value.typecode, value.tobytes()))
        elif isinstance(value, np.ndarray):
            own = value.ravel() if value.dtype.kind == "O" else value.ravel().tolist()
            parts += [str(value.dtype), value.shape, tuple(map(self._seen, own))]
        for kind in known.CONTAINERS:
            if isinstance(value, kind):
                parts.append(tuple(map(self._seen, kind.__iter__(value))))
        for name in ("default_factory", "maxlen"):
            if isinstance(value, collections.defaultdict | collections.deque):
                parts.append(self._seen(getattr(value, name, None)))
        return parts

    def _attributes(self, value: Any) -> dict[str, Any]:
        """Return the attributes of an object, without names that Keras has counted."""
        found = known.state(value)
        if isinstance(value, keras.losses.Loss):
            cls = type(value)
            if known.is_numbered(found.get("name"), cls) and not _use(cls, "name"):
                del found["name"]
        return found

    def _layer(self, layer: keras.layers.Layer) -> Hashable:
        """Return the key of a layer's attributes as far as they are simple."""
        kinds = types.FunctionType | keras.layers.Layer
        return self._items(
            {
                name: value
                for name, value in vars(layer).items()
                if not name.startswith("_")
                and (isinstance(value, kinds) or known.plain(value) is not None)
            }
        )

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


def _use(cls: type, name: str) -> bool:
    """Return whether the user's code of a class may use an attribute."""
    functions = (
        getattr(value, "__func__", value)
        for base in cls.__mro__
        if not known.is_library(base.__module__)
        for value in vars(base).values()
        if not isinstance(value, str)
    )
    for value in functions:
        for function in (value, *(getattr(value, n, None) for n in ("fget", "func"))):
            if isinstance(function, types.FunctionType):
                names = code_of.attribute_names(function.__code__)
                if names is None or name in names:
                    return True
    return False


def _is_our_dataclass(value: Any) -> bool:
    """Return whether a value is of this package, and nobody changes its fields."""
    return type(value).__module__.startswith("nengo_dl.") and known.is_frozen(value)


def _has_numbers(value: Any) -> bool:
    """Return whether a value is an array without objects in it."""
    return isinstance(value, np.ndarray) and not value.dtype.hasobject


def _array(value: Any) -> Hashable:
    array = np.asarray(value)
    if array.dtype.hasobject:  # texts of TensorFlow
        return Same(value)
    if isinstance(value, np.ma.MaskedArray):
        # what is beneath the mask does not count, and may be anything
        mask = np.ma.getmaskarray(value)
        zero: Any = np.zeros((), array.dtype)
        array = np.asarray(value.filled(zero))
        array = np.concatenate([_bytes(array), _bytes(mask)])
        found = value.dtype, value.shape
    else:
        found, array = (array.dtype, array.shape), _bytes(array)
    digest = hashlib.blake2b(array.tobytes(), digest_size=16)
    key = type(value), str(found[0]), found[1], digest.digest()
    return (Same(value), *key) if array.nbytes > MAX_BYTES else key


def _bytes(array: np.ndarray) -> np.ndarray:
    return np.frombuffer(np.ascontiguousarray(array).tobytes(), "u1")
