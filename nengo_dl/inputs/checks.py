"""Checks of what users pass in, with messages that say what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError

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
        If one of the parts does not consist of whole minibatches.
    """
    n_train = int(n_items * (1 - validation_split))
    if n_train % minibatch_size or (n_items - n_train) % minibatch_size:
        raise ValidationError(
            f"validation_split={validation_split:g} divides {n_items} items into "
            f"{n_train} and {n_items - n_train}; expected multiples of "
            f"minibatch_size={minibatch_size}",
            attr="validation_split",
        )
    return n_train
