"""Warnings about older forms of calls, and methods that accept such forms."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from nengo_dl.user_code import warn_user

F = TypeVar("F", bound=Callable[..., Any])


def deprecated(old: str, new: str) -> None:
    """Warn where the older form was written, and show the current one."""
    warn_user(
        f"`{old}` is an older form; the current one is `{new}`", DeprecationWarning
    )


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
