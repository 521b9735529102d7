"""Checks of what users pass in, with messages that say what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from nengo.exceptions import SimulationError, ValidationError

from nengo_dl.graph.number_range import beyond, is_beyond
from nengo_dl.inputs.arrays import not_dense, numbers
from nengo_dl.user_code import warn_user
from nengo_dl.validation import real_number

#: types of devices that TensorFlow has, or once had, on some machines
_DEVICES = ("CPU", "GPU", "TPU", "XLA_CPU", "XLA_GPU")
_CPU = "/cpu:0"


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


def real_tensor(
    values: Any, dtype: tf.DType, what: str, expected: str, attr: str
) -> tf.Tensor:
    """Return data for TensorFlow code as a tensor.

    Parameters
    ----------
    values : tf.Tensor, tf.Variable or array_like
        What was given.
    dtype : tf.DType
        The type that it shall have.
    what, expected, attr : str
        As for `nengo_dl.inputs.arrays.numbers`.

    Raises
    ------
    ValidationError
        If these are no real numbers, or numbers beyond the type. The latter cannot be
        seen while a graph is traced.
    """
    if not isinstance(getattr(values, "dtype", None), tf.DType):
        values = numbers(values, np.float64, what, expected, attr, convert=False)
    else:
        real_type(values, what, expected, attr)
        values = tf.convert_to_tensor(values)
    own = tf.as_dtype(values.dtype)
    if own != dtype and dtype.is_floating and own.max > dtype.max:
        known = tf.get_static_value(values)
        if known is not None and is_beyond(known, dtype.as_numpy_dtype):
            raise ValidationError(
                f"{what} contain {beyond(dtype.as_numpy_dtype)}", attr=attr
            )
    return tf.cast(values, dtype)


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
        f"{what} are no tensor of real numbers{not_dense(values)}: {values!r:.100}; "
        "expected one of shape "
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
    seconds = real_number(value)
    if seconds is None or isinstance(value, bool) or seconds < 0:
        hint = ""
        if seconds is not None and seconds < 0:
            hint = (
                ". A simulation cannot run backwards, but `reset()` returns to its "
                "beginning"
            )
        raise ValidationError(
            "Must be positive: expected a finite number of seconds, got "
            f"{value!r:.100}{hint}",
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
    own = {(d.device_type, d.device_index) for d in map(_device_spec, present)}
    if (kind, index) in own and any(_of_process(wanted, d) for d in present):
        return str(device)
    warn_user(f"{missing}The simulation runs on the CPU, '{_CPU}'.")
    return _CPU


def _device_spec(device: tf.config.LogicalDevice) -> tf.DeviceSpec:
    """Return what TensorFlow's name of a device says."""
    return tf.DeviceSpec.from_string(device.name)


def _of_process(wanted: tf.DeviceSpec, device: tf.config.LogicalDevice) -> bool:
    """Return whether a device is of the process that a name asks for, if it does."""
    spec = _device_spec(device)
    here = (spec.job or "localhost", spec.replica or 0, spec.task or 0)
    asked = (wanted.job, wanted.replica, wanted.task)
    return all(a in (None, b) for a, b in zip(asked, here, strict=True))


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
