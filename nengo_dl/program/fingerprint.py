"""Whether two programs are the same computation, without tracing either."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from nengo_dl.plan.layout import View


class _UnknownError(Exception):
    """A value of which it is not known when two of them are equal."""


def fingerprint(*values: Any) -> Hashable | None:
    """Return something that is equal for equal values, or None if that is not known.

    Parameters
    ----------
    *values : object
        Plain values, arrays, Views, and containers and dataclasses of these. Anything
        else, a function or an operator for example, makes the answer None.

    Returns
    -------
    Hashable or None
        A digest of all contents, and the dataclasses themselves: a class that is
        defined anew under the same name is another class.
    """
    digest = hashlib.blake2b(digest_size=32)
    types: dict[type, int] = {}
    try:
        _add(values, digest.update, types)
    except _UnknownError:
        return None
    return digest.digest(), tuple(types)


def only_own(key: Hashable | None) -> bool:
    """Return whether a fingerprint is of numbers and of classes of this package alone.

    Then nobody else's code decides what is traced.
    """
    if not isinstance(key, tuple):
        return False
    _, types = key
    return all(cls.__module__.startswith("nengo_dl.") for cls in types)


def _add(value: Any, update: Callable[[bytes], None], types: dict[type, int]) -> None:
    """Feed a value to the digest, each kind behind a letter that tells it apart."""
    if value is None or isinstance(value, bool | int | float | str | bytes):
        update(f"v{type(value).__name__}:{value!r};".encode())
    elif isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
        update(f"a{value.dtype.str}{value.shape}:".encode())
        update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, np.dtype | range):
        update(f"r{value!r};".encode())
    elif type(value) is View:
        runs = [(run.block, run.start, run.stop) for run in value.runs]
        update(f"w{value.shape}{value.batched}{len(runs)}:".encode())
        update(np.array(runs, dtype=np.int64).tobytes())
    elif isinstance(value, tuple | list):
        update(f"l{len(value)}:".encode())
        for member in value:
            _add(member, update, types)
    elif isinstance(value, Mapping):
        update(f"m{len(value)}:".encode())
        for item in value.items():
            _add(item, update, types)
    elif is_dataclass(value) and not isinstance(value, type):
        number = types.setdefault(type(value), len(types))
        update(f"d{number}:".encode())
        for field in fields(value):
            _add(getattr(value, field.name), update, types)
    else:
        raise _UnknownError
