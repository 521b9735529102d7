"""Older forms of calls: arguments and methods in these forms, and their warnings."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from nengo_dl.user_code import warn_user

F = TypeVar("F", bound=Callable[..., Any])


def deprecated(old: str, new: str) -> None:
    """Warn where the older form was written, and show the current one."""
    warn_user(
        f"`{old}` is an older form; the current one is `{new}`", DeprecationWarning
    )


def by_name(
    function: str,
    positional: Sequence[Any],
    named: Mapping[str, Any],
    order: Sequence[str],
    known: Sequence[str],
    older: Collection[str] = (),
) -> dict[str, Any]:
    """Return the arguments of a call by name.

    Parameters
    ----------
    function : str
        What was called.
    positional, named : sequence and mapping
        What was given.
    order : sequence of str
        The names of the arguments by position.
    known : sequence of str
        The names that it takes.
    older : collection of str
        Those that it takes, too, and that messages do not recommend.

    Raises
    ------
    TypeError
        If an argument is not known, or given twice.
    """
    if len(positional) > len(order):
        raise TypeError(
            f"{function}() takes at most {len(order)} arguments by position "
            f"({', '.join(order)}); got {len(positional)}"
        )
    given = dict(zip(order, positional, strict=False))
    for name, value in named.items():
        if name == "data" and "targets" in known:
            raise TypeError(
                f"{function}() got `data` besides `inputs` or `targets`; give all "
                "arrays in one dict, `data={node: array, probe: array}`"
            )
        if name not in known and name not in older:
            raise TypeError(
                f"{function}() has no argument {name!r}; it has {', '.join(known)}"
            )
        if name in given:
            raise TypeError(f"{function}() got two values for {name!r}")
        given[name] = value
    return given


def older_forms(
    convert: Callable[[Any, tuple, dict[str, Any]], dict[str, Any]],
) -> Callable[[F], F]:
    """Let a method, written in its current form, be called in older ones.

    Parameters
    ----------
    convert : callable
        ``convert(self, positional, named)`` returns the current arguments by name.

    Examples
    --------
    >>> from nengo_dl.compat import older_forms
    >>> class Adder:
    ...     @older_forms(lambda self, positional, named: {"a": positional[0], "b": 1})
    ...     def add(self, a, b):
    ...         return a + b
    >>> Adder().add(2)
    3
    """

    def decorate(method: F) -> F:
        @functools.wraps(method)
        def call(self: Any, *positional: Any, **named: Any) -> Any:
            return method(self, **convert(self, positional, named))

        return call  # type: ignore[return-value]

    return decorate
