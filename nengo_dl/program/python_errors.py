"""Errors of Python code that TensorFlow calls, in their own words."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import tensorflow as tf

from nengo_dl.distribution.workers import lost_workers
from nengo_dl.user_code import end_in_user_code

T = TypeVar("T")

#: what errors say that stand in the place of others
_REPLACED = ("in user code:", "Exception encountered when calling")

#: the error that came last, if any
_raised: list[BaseException] = []


def remembered(function: Callable[..., T]) -> Callable[..., T]:
    """Return a function for `tf.numpy_function` whose errors `as_raised` finds."""

    @functools.wraps(function)
    def call(*args: object) -> T:
        try:
            return function(*args)
        # TensorFlow replaces interruptions by the user, too
        except BaseException as error:
            _raised[:] = [error]
            raise

    return call


@contextmanager
def in_own_words() -> Iterator[None]:
    """Raise errors of traced code as they are.

    AutoGraph and Keras raise others in their place, with the traceback or arguments as
    their text. Tracebacks end in the user's code, if it is where an error began.
    """
    try:
        yield
    except Exception as error:
        raised: BaseException | None = error
        while raised is not None and any(text in str(raised) for text in _REPLACED):
            raised = raised.__context__
        end_in_user_code(error if raised is None else raised)
        if raised is None or raised is error:
            raise
        raise raised from raised.__cause__


@contextmanager
def as_raised() -> Iterator[None]:
    """Raise errors of Python code as they are.

    TensorFlow raises errors of its own instead, with the traceback as their text.
    """
    _raised.clear()
    try:
        with lost_workers():
            yield
    except tf.errors.OpError:
        if _raised:
            raise _raised.pop() from None
        raise
