"""Numbers that the simulation's floating point type cannot hold.

NumPy and TensorFlow make infinity of them without a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError

from nengo_dl.graph.operators import KINDS, Operators
from nengo_dl.graph.signals import describe_with_signals, initial_elements

#: so many numbers are looked at together
_AT_ONCE = 2**16


def largest(dtype: Any) -> float:
    """Return the largest number of a floating point type."""
    return float(ml_dtypes.finfo(np.dtype(dtype)).max)


def is_beyond(values: Any, dtype: Any) -> bool:
    """Return whether some finite numbers are infinite in another type.

    Parameters
    ----------
    values : array_like
        Anything; what are no numbers are not beyond.
    dtype : dtype_like
        The floating point type.

    Examples
    --------
    >>> from nengo_dl.graph.number_range import is_beyond
    >>> is_beyond([1e39, 1.0], "float32"), is_beyond(10**400, "float64")
    (True, True)
    >>> is_beyond(float("inf"), "float32")
    False
    """
    try:
        numbers = np.asarray(values, float)
    except OverflowError:  # a Python integer that not even double precision holds
        return True
    except (TypeError, ValueError):
        return False
    finite = numbers[np.isfinite(numbers)]
    return not np.all(np.abs(finite) <= largest(dtype))


def cast_into(out: np.ndarray, values: np.ndarray) -> bool:
    """Write numbers into an array; return False if one is beyond the array's type.

    Parameters
    ----------
    out : np.ndarray
        Where to write them; what it has afterwards is of use only if all of them fit.
    values : np.ndarray
        Numbers of any type. Infinity and NaN stay what they are.
    """
    try:
        with np.errstate(over="raise"):
            out[...] = values
    except FloatingPointError:
        return False
    return True


def beyond(dtype: Any) -> str:
    """Return the words for numbers that are too large, and what can be done.

    Examples
    --------
    >>> from nengo_dl.graph.number_range import beyond
    >>> print(beyond("float64"))
    ... # doctest: +NORMALIZE_WHITESPACE
    numbers beyond the simulation's precision, float64; expected numbers between
    -1.798e+308 and 1.798e+308
    """
    dtype, limit = np.dtype(dtype), largest(dtype)
    larger = "" if dtype == np.float64 else ", or configure_settings(dtype='float64')"
    return (
        f"numbers beyond the simulation's precision, {dtype.name}; expected numbers "
        f"between {-limit:.4g} and {limit:.4g}{larger}"
    )


def check_initial_values(operators: Iterable[Operator], dtype: Any) -> None:
    """Refuse a model with constants, weights or states that are beyond its precision.

    Parameters
    ----------
    operators : iterable of Operator
        The values that their Signals begin with are looked at.
    dtype : dtype_like
        The floating point type of the simulation.

    Raises
    ------
    BuildError
        If there are some; the message names the Signal and what it is used for.
    """
    if np.dtype(dtype) == np.float64:
        return  # nothing that Nengo has built is larger
    operators = Operators.of(operators)
    for batch in _batches(operators):
        together = np.concatenate([initial_elements(signal) for signal in batch])
        if not is_beyond(together, dtype):
            continue
        signal = next(s for s in batch if is_beyond(initial_elements(s), dtype))
        user = next(o for o in operators if signal in (s.base for s in o.all_signals))
        raise BuildError(
            f"{signal.name} in {describe_with_signals(user)} contains {beyond(dtype)}"
        )


def _batches(operators: Operators) -> Iterator[list[Signal]]:
    """Yield the bases with real numbers, as many as have about `_AT_ONCE` of them.

    NumPy takes as long for one Signal of an ensemble as for thousands of numbers.
    """
    signals, sizes = operators.numbers.signals, operators.numbers.sizes
    used = np.unique(operators.bases(*KINDS)).tolist()
    real = np.array([i for i in used if signals[i].dtype.kind == "f"], np.intp)
    parts = np.cumsum(sizes[real]) // _AT_ONCE
    for part in np.split(real, np.flatnonzero(np.diff(parts)) + 1):
        if part.size:
            yield [signals[i] for i in part.tolist()]
