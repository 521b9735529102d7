"""Options of ``fit``, ``evaluate`` and ``predict`` that are Keras', checked.

Keras takes whatever it is given, and fails later, or does something else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from numbers import Real
from typing import Any

import keras
import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.inputs.checks import positive_int
from nengo_dl.user_code import warn_user

_EVERYWHERE = frozenset({"batch_size", "callbacks", "verbose"})

#: what each method takes, beside what the simulator's own signature has
KNOWN: dict[str, frozenset[str]] = {
    "fit": _EVERYWHERE
    | {
        "class_weight",
        "epochs",
        "initial_epoch",
        "sample_weight",
        "shuffle",
        "steps_per_epoch",
        "validation_batch_size",
        "validation_data",
        "validation_freq",
        "validation_split",
        "validation_steps",
    },
    "evaluate": _EVERYWHERE | {"class_weight", "return_dict", "sample_weight", "steps"},
    "predict": _EVERYWHERE | {"steps"},
}


def check_options(options: Mapping[str, Any], method: str) -> None:
    """Refuse options that Keras does not know, and values that they cannot have.

    Parameters
    ----------
    options : mapping of str to object
        As users give them.
    method : {"fit", "evaluate", "predict"}
        The method that they were given to.

    Raises
    ------
    TypeError
        If an option is not known.
    ValidationError
        If a value is of the wrong kind, or out of range.
    """
    for name, value in options.items():
        if name not in KNOWN[method]:
            known = ", ".join(sorted(KNOWN[method]))
            raise TypeError(
                f"{method}() got an unexpected keyword argument {name!r}; the options "
                f"of Keras that it takes are {known}"
            )
        check = _CHECKS.get(name)
        if check is not None:
            check(value, name)


def _whole(value: Any, name: str) -> None:
    """Refuse anything but a whole number of at least 0."""
    is_number = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_number or value < 0:
        raise _refused(value, name, "a whole number of at least 0")


def _steps(value: Any, name: str) -> None:
    if value is not None:
        positive_int(value, name)


def _frequency(value: Any, name: str) -> None:
    if isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping):
        for epoch in value:
            positive_int(epoch, name)
    else:
        positive_int(value, name)


def _split(value: Any, name: str) -> None:
    if value is None:
        return
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not 0 <= float(value) < 1:
        raise _refused(value, name, "a number from 0 on, less than 1")


def _callbacks(value: Any, name: str) -> None:
    known = keras.callbacks.Callback | keras.callbacks.CallbackList
    if value is None or isinstance(value, known):
        return
    members = value if isinstance(value, list | tuple) else [value]
    for member in members:
        if isinstance(member, known):
            continue
        hint = ""
        if isinstance(member, type) and issubclass(member, keras.callbacks.Callback):
            hint = f": write `{member.__name__}(...)`"
        raise _refused(
            member, name, f"instances of keras.callbacks.Callback, in a list{hint}"
        )


def _verbose(value: Any, name: str) -> None:
    if not isinstance(value, str | int | np.integer) or value not in ("auto", 0, 1, 2):
        raise _refused(value, name, "'auto', 0, 1 or 2")


def _shuffle(value: Any, name: str) -> None:
    if not isinstance(value, bool | np.bool_) and value != "batch":
        raise _refused(value, name, "True, False or 'batch'")


def _class_weight(value: Any, name: str) -> None:
    if value is None:
        return
    good = isinstance(value, Mapping) and all(
        isinstance(weight, Real) and np.isfinite(float(weight))
        for weight in value.values()
    )
    if not good:
        raise _refused(value, name, "a dict {number of a class: its weight}")


def _held_out(value: Any, name: str) -> None:
    if isinstance(value, list | tuple) and not 1 <= len(value) <= 3:
        raise ValidationError(
            f"Got {len(value)} entries; expected (x, y) or (x, y, sample_weight)",
            attr=name,
        )


def _return_dict(value: Any, name: str) -> None:
    if value is not None and not value:
        warn_user(f"{name}={value!r} is ignored: losses and metrics come as a dict")


def _refused(value: Any, name: str, expected: str) -> ValidationError:
    return ValidationError(f"Expected {expected}; got {value!r:.200}", attr=name)


_CHECKS: dict[str, Callable[[Any, str], None]] = {
    "epochs": _whole,
    "initial_epoch": _whole,
    "steps": _steps,
    "steps_per_epoch": _steps,
    "validation_steps": _steps,
    "validation_freq": _frequency,
    "validation_split": _split,
    "validation_data": _held_out,
    "callbacks": _callbacks,
    "verbose": _verbose,
    "shuffle": _shuffle,
    "class_weight": _class_weight,
    "return_dict": _return_dict,
}
