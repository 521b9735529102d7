"""What is known about objects: what cannot change, and what there is to all others."""

from __future__ import annotations

import abc
import argparse
import array
import collections
import configparser
import dataclasses
import enum
import re
import sys
import types
import typing
from collections.abc import Hashable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nengo_dl.user_code import is_users

_PLAIN = {type(None), bool, int, str, bytes, range, type(...), re.Pattern}

#: what the methods of dataclasses compare with
_MARKERS = {
    id(dataclasses.MISSING),
    id(vars(dataclasses).get("_HAS_DEFAULT_FACTORY")),
}

#: what classes have in place of functions: nobody can change these
_DESCRIPTORS = (
    types.MemberDescriptorType
    | types.GetSetDescriptorType
    | types.WrapperDescriptorType
    | types.MethodDescriptorType
    | types.ClassMethodDescriptorType
    | type(vars(collections.namedtuple("_Fields", "field"))["field"])
)

_LIBRARIES = {"keras", "nengo", "nengo_dl", "numpy", "tensorflow"}

#: containers by what iterates over them, whatever a subclass of the user's does
CONTAINERS: tuple[Any, ...] = (
    list,
    tuple,
    set,
    frozenset,
    bytearray,
    collections.deque,
)

#: Python's own classes whose attributes are all that there is to their objects
_BY_ATTRIBUTES = {
    types.SimpleNamespace,
    argparse.Namespace,
    collections.UserDict,
    collections.UserList,
    collections.UserString,
    collections.ChainMap,
    configparser.RawConfigParser,
    configparser.ConfigParser,
    configparser.SectionProxy,
}

#: Python's own classes of which all is known, if not by attributes, then by contents
_WHOLE = {
    *_BY_ATTRIBUTES,
    *CONTAINERS,
    object,
    dict,
    collections.OrderedDict,
    collections.defaultdict,
    collections.Counter,
    types.MappingProxyType,
    array.array,
    abc.ABC,
    typing.Generic,
    typing.Protocol,
}


def plain(value: Any) -> Hashable | None:
    """Return the key of what cannot change; None if it is something else."""
    kind = type(value)
    if kind in _PLAIN or isinstance(value, np.dtype | tf.DType | enum.Enum):
        return kind, value
    if kind in (float, complex):
        return kind, repr(value)
    if isinstance(value, np.generic) and value.dtype.kind in "biufcmMSU":
        return kind, repr(value)
    if kind is keras.DTypePolicy:
        return kind, value.name
    if isinstance(value, _DESCRIPTORS) or id(value) in _MARKERS:
        return "library", value
    if isinstance(value, types.BuiltinFunctionType):
        of_module = isinstance(value.__self__, types.ModuleType | None)
        return ("library", value) if of_module else None
    if isinstance(value, np.ufunc):  # users may make some of Python functions
        return ("library", value) if is_numpys(value) else None
    if isinstance(value, types.ModuleType):
        return ("library", value) if is_library(value.__name__) else None
    if isinstance(value, type) and issubclass(value, enum.Enum):
        return kind, value
    return ("library", value) if is_public(value) else None


def is_numpys(ufunc: np.ufunc) -> bool:
    """Return whether NumPy has a function under its own name."""
    return getattr(np, ufunc.__name__, None) is ufunc


def is_library(module: str) -> bool:
    """Return whether a module is not the user's: what it has does not change."""
    top = module.split(".")[0]
    if top in _LIBRARIES or top in sys.stdlib_module_names:
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    return isinstance(file, str) and not is_users(file)


def is_public(value: Any) -> bool:
    """Return whether a library has a function or class under its own name."""
    module, name = (getattr(value, n, None) for n in ("__module__", "__qualname__"))
    if not isinstance(name, str) or not is_library(str(module)):
        return False
    found: Any = sys.modules.get(str(module))
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is value


def is_frozen(value: Any) -> bool:
    """Return whether nobody can change the fields of a dataclass instance."""
    return dataclasses.is_dataclass(type(value)) and bool(
        value.__dataclass_params__.frozen
    )


def is_eager(value: Any) -> bool:
    """Return whether a value is a tensor whose numbers are known."""
    # `tf.is_tensor` takes 0.1 ms for what is none
    return isinstance(value, tf.Tensor) and hasattr(value, "numpy")


def is_of_keras(value: Any) -> bool:
    """Return whether an object is of Keras' own kinds; others do what they like."""
    own = type(value).__module__.split(".")[0] in ("keras", "nengo_dl")
    return own and isinstance(
        value,
        keras.losses.Loss
        | keras.metrics.Metric
        | keras.optimizers.schedules.LearningRateSchedule,
    )


def has_known_state(cls: type) -> bool:
    """Return whether attributes say much about an object of a class.

    Layers and Networks know more, which would be long to look through.
    """
    if cls in _BY_ATTRIBUTES:
        return True
    return not is_library(cls.__module__) and all(
        base.__module__.split(".")[0] not in _LIBRARIES or _is_loss(base)
        for base in cls.__mro__
    )


def is_whole(cls: type) -> bool:
    """Return whether attributes and contents are all that there is to an object.

    Classes that are written in C, Python's own or the user's, have more, which nobody
    can look at: the numbers that an iterator goes through, for example.
    """
    return all(
        base in _WHOLE
        or base.__module__ == "collections.abc"
        or _is_loss(base)
        or _is_users_python(base)
        for base in cls.__mro__
    )


def _is_loss(cls: type) -> bool:
    """Return whether a class is `keras.losses.Loss`, below it, or a base of it."""
    return issubclass(cls, keras.losses.Loss) or issubclass(keras.losses.Loss, cls)


def _is_users_python(cls: type) -> bool:
    if is_library(cls.__module__):
        return False
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return file is None or str(file).endswith((".py", ".pyc"))


def state(value: Any) -> dict[str, Any]:
    """Return the attributes of an object."""
    found = dict(getattr(value, "__dict__", {}))
    for cls in type(value).__mro__:
        for name, slot in vars(cls).items():
            # names of private slots are not those that the class lists
            if isinstance(slot, types.MemberDescriptorType) and name != "__dict__":
                try:
                    found[name] = slot.__get__(value, cls)
                except AttributeError:  # it has no value
                    continue
    return found


def is_numbered(name: Any, cls: type) -> bool:
    """Return whether Keras has made a name out of that of a class, and a number."""
    words = re.sub(r"\W+|_", "", cls.__name__).lower()
    return isinstance(name, str) and bool(
        re.fullmatch(re.escape(words) + r"\d*", name.replace("_", ""))
    )
