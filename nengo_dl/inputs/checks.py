"""Checks of what users pass in, with messages that say what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError


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

    Raises
    ------
    ValidationError
        If there is no such device; the message lists those there are.
    """
    if device is None:
        return None
    present = tf.config.list_logical_devices()
    try:
        wanted = tf.DeviceSpec.from_string(str(device))
        kind = (wanted.device_type or "").upper()
        index = 0 if wanted.device_index is None else wanted.device_index
        known = [d for d in present if d.device_type == kind]
        if kind and index < len(known):
            return str(device)
    except ValueError:
        pass
    names = ", ".join(f"'/{d.name.split('device:')[-1].lower()}'" for d in present)
    raise ValidationError(
        f"No device {device!r} on this machine; TensorFlow finds {names}. "
        "None lets TensorFlow choose.",
        attr="device",
    )


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
