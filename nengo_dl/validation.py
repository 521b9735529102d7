"""Single values that users give as arguments: numbers, flags, functions, paths.

One function for each kind. It returns the value in one form, or raises an error that
names the argument, what was given and what is expected.
"""

from __future__ import annotations

import copyreg
import inspect
import math
import operator
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from nengo.exceptions import NengoException, ValidationError
from nengo.params import NumberParam
from nengo.synapses import Lowpass, Synapse

#: the largest whole number: time steps and items are counted with 32 bits
LARGEST = 2**31 - 1

#: of the seeds that NumPy's generators take
_SEEDS = 2**32


class WrongTypeError(ValidationError, TypeError):
    """Raised for a value of a wrong type where earlier releases raised a TypeError."""


class UnknownKeyError(ValidationError, KeyError):
    """Raised for a key that a mapping does not have; ``in`` and ``get`` know it."""

    def __str__(self) -> str:
        # KeyError would put the message in quotation marks
        return f"{self.attr}: {self.args[0]}"


def _pickled(error: ValidationError) -> tuple:
    """Return how a process makes the error anew that another one has raised."""
    owner = error.obj
    if owner is not None and not inspect.isclass(owner):
        owner = type(owner)  # which is all that the message has of it
    return type(error), (error.args[0], error.attr, owner)


# Nengo's class has arguments that Python does not know of: a pool of processes would
# break instead of raising the error that one of them has met
for _kind in (ValidationError, WrongTypeError, UnknownKeyError):
    copyreg.pickle(_kind, _pickled)


class NotPossibleError(NengoException, NotImplementedError):
    """Raised for what others can and this cannot; it says what can be done instead."""


def refused(value: Any, name: str, expected: str, obj: Any = None) -> ValidationError:
    """Return the error for a value that an argument cannot have.

    Parameters
    ----------
    value : object
        What was given.
    name : str
        The argument.
    expected : str
        What it can be, in words.
    obj : object, optional
        Whose argument it is.

    Examples
    --------
    >>> from nengo_dl.validation import refused
    >>> print(refused("fast", "n_steps", "a whole number"))
    n_steps: Expected a whole number, got 'fast'
    """
    return ValidationError(f"Expected {expected}, got {value!r:.100}", name, obj)


@contextmanager
def within(argument: str, parts: Collection[str]) -> Iterator[None]:
    """Let errors name an argument that users gave, instead of a part of it.

    Parameters
    ----------
    argument : str
        What users gave.
    parts : collection of str
        What its parts are called where they are checked.

    Examples
    --------
    >>> from nengo_dl.validation import positive_int, within
    >>> with within("validation_data", ["y"]):  # doctest: +ELLIPSIS
    ...     positive_int(0, "y")
    Traceback (most recent call last):
    nengo.exceptions.ValidationError: validation_data: In its 'y': Expected a whole ...
    """
    try:
        yield
    except ValidationError as error:
        if error.attr not in parts:
            raise
        message = f"In its {error.attr!r}: {error.args[0]}"
        raise type(error)(message, argument, error.obj) from error


def is_flag(value: Any) -> bool:
    """Return whether a value can only mean True or False."""
    return isinstance(value, bool | np.bool_) or (
        isinstance(value, int | np.integer) and value in (0, 1)
    )


def flag(value: Any, name: str, expected: str = "True or False") -> bool:
    """Return True or False; 1 and 0 are taken for them.

    Raises
    ------
    ValidationError
        If it is anything else.
    """
    if not is_flag(value):
        raise refused(value, name, expected)
    return bool(value)


def flags(**given: Any) -> list[bool]:
    """Return True or False for each of some arguments; see `flag`."""
    return [flag(value, name) for name, value in given.items()]


def positive_int(value: Any, name: str) -> int:
    """Return a whole number of at least 1."""
    return whole_number(value, name, least=1)


def whole_number(
    value: Any, name: str, least: int = 0, expected: str | None = None
) -> int:
    """Return a whole number, not less than ``least`` nor beyond `LARGEST`.

    Raises
    ------
    ValidationError
        If it is anything else.
    """
    is_int = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_int or value < least:
        raise refused(value, name, expected or f"a whole number of at least {least}")
    if value > LARGEST:
        raise refused(value, name, f"a whole number of at most {LARGEST}")
    return int(value)


def seed_number(value: Any) -> int:
    """Return a seed that Nengo takes, too.

    Raises
    ------
    ValidationError
        If it is no whole number from 0 to 2**32 - 1.
    """
    try:
        seed = operator.index(value)
    except (TypeError, AttributeError):  # AttributeError is TensorFlow's
        seed = -1
    if not 0 <= seed < _SEEDS:
        raise refused(value, "seed", f"a whole number from 0 to {_SEEDS - 1}")
    return seed


def real_number(value: Any) -> float | None:
    """Return a real number, or None if it is none, not finite, or beyond all floats.

    Examples
    --------
    >>> from nengo_dl.validation import real_number
    >>> real_number(3), real_number("3"), real_number(10**400)
    (3.0, None, None)
    """
    try:
        if not isinstance(value, Real):  # arrays and tensors without an axis
            value = np.asarray(value) if hasattr(value, "__array__") else None
            if value is None or value.ndim or value.dtype.kind not in "iuf":
                return None
        number = float(value)
    except (OverflowError, TypeError, ValueError, NotImplementedError):
        return None
    return number if math.isfinite(number) else None


def finite_number(
    value: Any,
    name: str,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    below: float = math.inf,
    expected: str = "a finite number",
    obj: Any = None,
) -> float:
    """Return a finite number within a range.

    Parameters
    ----------
    value : object
        What was given.
    name : str
        The argument.
    least, above, below : float
        The range: not less than, more than, less than.
    expected : str
        The range in words.
    obj : object, optional
        Whose argument it is.

    Raises
    ------
    ValidationError
        If it is anything else.
    """
    number = None if isinstance(value, bool | np.bool_) else real_number(value)
    if number is None or number < least or not above < number < below:
        raise refused(value, name, expected, obj)
    return number


def positive_number(
    value: Any, name: str, expected: str = "a finite number above 0", obj: Any = None
) -> float:
    """Return a finite number above 0."""
    return finite_number(value, name, above=0, expected=expected, obj=obj)


def function_of(
    value: Any, name: str, expected: str, n_arguments: int | None = None
) -> Callable:
    """Return what can be called, with so many arguments by position if that is known.

    Raises
    ------
    ValidationError
        If it cannot be.
    """
    if not callable(value):
        raise refused(value, name, expected)
    if n_arguments is not None:
        try:
            inspect.signature(value).bind(*(None,) * n_arguments)
        except TypeError:
            raise refused(value, name, expected) from None
        except ValueError:  # some that are written in C do not say
            pass
    return value


def path_name(value: Any, name: str, expected: str = "the name of a directory") -> str:
    """Return the path of a file or directory as text.

    Raises
    ------
    ValidationError
        If it is nothing of this kind, empty, or has a character that no path can have.
    """
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(path, str) or not path or "\0" in path:
        raise refused(value, name, expected)
    return path


def synapse_of(value: Any, name: str = "synapse", or_else: str = "") -> Synapse | None:
    """Return a synapse; a number is the time constant of a lowpass (s).

    Parameters
    ----------
    value : float, nengo.synapses.Synapse or None
        What was given.
    name : str
        The argument.
    or_else : str
        What else it can be, in words.

    Raises
    ------
    ValidationError
        If it is anything else.
    """
    if value is None or isinstance(value, Synapse):
        return value
    expected = (
        "a time constant of at least 0 (s), a nengo.synapses.Synapse or None" + or_else
    )
    return Lowpass(finite_number(value, name, least=0, expected=expected))


class FiniteParam(NumberParam):
    """A parameter of Nengo's that is a finite number.

    Of NaN, Nengo's own check raises a TypeError; infinity it takes.
    """

    #: whether it can be infinite, too
    infinite: ClassVar[bool] = False

    def coerce(self, instance: Any, num: Any) -> Any:
        """Return the number, if it is one that the parameter can have."""
        is_good = num is None or real_number(num) is not None
        if not is_good and not (self.infinite and np.array_equal(num, np.inf)):
            raise refused(num, self.name, "a finite number", instance)
        return super().coerce(instance, num)
