"""Arguments of ``save_params`` and ``load_params`` as earlier releases had them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nengo_dl.compat.deprecation import by_name, deprecated

_CURRENT = ("path", "include_state", "include_params", "optimizer")
#: 0.5 to 2.x
_OLDER = ("path", "include_global", "include_local")


def parameter_arguments(
    function: str, positional: Sequence[Any], named: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments of ``save_params`` or ``load_params``, by name.

    Parameters
    ----------
    function : str
        Which of the two.
    positional : sequence
        What was given by position: ``path, include_state``, or up to release 2.x
        ``path, include_global, include_local``. A third one tells.
    named : dict
        What was given by name: ``include_global`` was about what was trained, which is
        ``include_params`` today, ``include_local`` (and ``include_non_trainable`` in
        3.x) about the rest, which is ``include_state``.

    Raises
    ------
    TypeError
        If an argument is not known, or given twice.
    """
    older = len(positional) == 3 or not set(named).isdisjoint(_OLDER[1:])
    order = _OLDER if older else _CURRENT[:2]
    also = (*_OLDER, "include_non_trainable")
    given = by_name(function, positional, named, order, _CURRENT, also)
    if "path" not in given:
        raise TypeError(f"{function}() needs a path")
    for old, new in (
        ("include_global", "include_params"),
        ("include_local", "include_state"),
        ("include_non_trainable", "include_state"),
    ):
        value = given.pop(old, None)
        if value is None:
            continue
        if new in given:
            raise TypeError(f"{function}() got both {old!r} and {new!r}")
        deprecated(f"{function}(path, {old}={value})", f"{function}(path, {new}=...)")
        given[new] = value
    return given
