"""Checks of what users pass in, with messages that say what to do."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import tensorflow as tf
from nengo.exceptions import SimulationError, ValidationError

from nengo_dl.inputs.arrays import numbers
from nengo_dl.user_code import warn_user

#: types of devices that TensorFlow has, or once had, on some machines
_DEVICES = ("CPU", "GPU", "TPU", "XLA_CPU", "XLA_GPU")
_CPU = "/cpu:0"


def positive_int(value: Any, name: str) -> int:
    """Return a whole number of at least 1.

    Raises
    ------
    ValidationError
        If it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValidationError(
            f"Expected a whole number of at least 1, got {value!r}", attr=name
        )
    return int(value)


class _NotEager(SimulationError):
    """Raised where nothing has a value, within a `tf.function`.

    AutoGraph replaces errors by its own, unless they are made as `Exception` is.
    """

    __init__ = Exception.__init__


def check_eager(problem: str) -> None:
    """Refuse to go on while TensorFlow builds a graph, in which nothing has a value.

    Parameters
    ----------
    problem : str
        What is not possible then.

    Raises
    ------
    SimulationError
        If it does, or eager execution is disabled.
    """
    if tf.executing_eagerly():
        return
    if tf.inside_function():
        raise _NotEager(
            f"{problem} within a `tf.function`: TensorFlow would run it once, while it "
            "traces the function. Call it outside, or make the network part of the "
            "function with `f = sim.function()`"
        )
    raise _NotEager(
        f"{problem} while a `tf.Graph` is built, or with TensorFlow's eager execution "
        "disabled: leave the `with graph.as_default()` block, and remove "
        "`tf.compat.v1.disable_eager_execution()` and "
        "`tf.compat.v1.disable_v2_behavior()`"
    )


#: of the seeds that NumPy's generators take
_SEEDS = 2**32


def seed_number(value: Any) -> int:
    """Return a seed that Nengo takes, too.

    Raises
    ------
    ValidationError
        If it is no whole number from 0 to 2**32 - 1.
    """
    try:
        seed = operator.index(value)
    except TypeError:
        seed = -1
    if not 0 <= seed < _SEEDS:
        raise ValidationError(
            f"Expected a whole number from 0 to {_SEEDS - 1}, got {value!r:.100}",
            attr="seed",
        )
    return seed


def real_tensor(values: Any, what: str, expected: str, attr: str) -> Any:
    """Return data for TensorFlow code: a tensor as it is, anything else as an array.

    Parameters
    ----------
    values : tf.Tensor, tf.Variable, tf.TensorSpec or array_like
        What was given.
    what, expected, attr : str
        As for `nengo_dl.inputs.arrays.numbers`.

    Raises
    ------
    ValidationError
        If these are no real numbers.
    """
    if isinstance(getattr(values, "dtype", None), tf.DType):
        real_type(values, what, expected, attr)
        return values
    return numbers(values, np.float64, what, expected, attr, convert=False)


def real_type(values: Any, what: str, expected: str, attr: str) -> None:
    """Refuse what is no dense tensor or array of real numbers, by its type alone.

    Parameters
    ----------
    values : tf.Tensor, tf.TensorSpec, np.ndarray or keras.KerasTensor
        What was given.
    what, expected, attr : str
        As for `nengo_dl.inputs.arrays.numbers`.

    Raises
    ------
    ValidationError
        If it is none.
    """
    sparse = isinstance(values, tf.SparseTensor | tf.RaggedTensor)
    try:
        dtype = tf.as_dtype(values.dtype)
        if not sparse and (dtype.is_floating or dtype.is_integer or dtype.is_bool):
            return
    except (AttributeError, TypeError):
        pass
    raise ValidationError(
        f"{what} are no tensor of real numbers: {values!r:.100}; expected one of shape "
        f"{expected}",
        attr=attr,
    )


def duration(value: Any, name: str) -> float:
    """Return a time that is not negative (s).

    Raises
    ------
    ValidationError
        If it is negative, infinite, or no number.
    """
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = float("nan")
    if not 0 <= seconds < float("inf"):
        raise ValidationError(
            f"Must be positive: expected a number of seconds, got {value!r}. A "
            "simulation cannot run backwards, but `reset()` returns to its beginning",
            attr=name,
        )
    return seconds


def device_name(device: Any) -> str | None:
    """Return a device that TensorFlow has on this machine.

    Warns
    -----
    NengoWarning
        If the machine has no such device; its CPU is used.

    Raises
    ------
    ValidationError
        If it is not the name of a device; the message lists those there are.
    """
    if device is None:
        return None
    present = tf.config.list_logical_devices()
    names = ", ".join(f"'/{d.name.split('device:')[-1].lower()}'" for d in present)
    missing = f"No device {device!r} on this machine; TensorFlow finds {names}. "
    try:
        wanted = tf.DeviceSpec.from_string(str(device))
        kind = (wanted.device_type or "").upper()
    except ValueError:
        kind = ""
    if kind not in _DEVICES:
        raise ValidationError(
            f"{missing}None lets TensorFlow choose.",
            attr="device",
        )
    index = 0 if wanted.device_index is None else wanted.device_index
    if index < sum(d.device_type == kind for d in present):
        return str(device)
    warn_user(f"{missing}The simulation runs on the CPU, '{_CPU}'.")
    return _CPU


def check_split(n_items: int, validation_split: float, minibatch_size: int) -> int:
    """Return how many items are trained with, the others being for validation.

    Raises
    ------
    ValidationError
        If one of the parts does not consist of whole minibatches, or of none.
    """
    n_train = int(n_items * (1 - validation_split))
    parts = (n_train, n_items - n_train)
    if not all(parts) or any(part % minibatch_size for part in parts):
        raise ValidationError(
            f"validation_split={validation_split:g} divides {n_items} items into "
            f"{n_train} and {n_items - n_train}; expected multiples of "
            f"minibatch_size={minibatch_size}, and neither to be empty",
            attr="validation_split",
        )
    return n_train
