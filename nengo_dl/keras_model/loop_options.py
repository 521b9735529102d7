"""Options of ``fit``, ``evaluate`` and ``predict`` that are Keras', checked.

Keras takes whatever it is given, and fails later, or does something else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import keras
import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.user_code import warn_user
from nengo_dl.validation import (
    finite_number,
    flag,
    positive_int,
    real_number,
    refused,
    whole_number,
)

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


def compile_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options for ``compile`` of a Keras model, with values that they can have.

    Parameters
    ----------
    options : mapping of str to object
        As users give them.

    Raises
    ------
    TypeError
        If an option is not known.
    ValidationError
        If a value is of the wrong kind, or out of range.
    """
    for name in options:
        if name not in COMPILATION:
            raise TypeError(
                f"compile() got an unexpected keyword argument {name!r}; the options "
                f"of Keras that it takes are {', '.join(COMPILATION)}"
            )
    found = dict(options)
    if found.get("steps_per_execution") is not None:
        positive_int(found["steps_per_execution"], "steps_per_execution")
    for name in ("run_eagerly", "auto_scale_loss"):
        if found.get(name) is not None:
            found[name] = flag(found[name], name)
    compiled = found.get("jit_compile")
    if compiled is not None and not (isinstance(compiled, str) and compiled == "auto"):
        expected = "True, False, None or 'auto'"
        found["jit_compile"] = flag(compiled, "jit_compile", expected)
    return found


#: what `compile` takes, beside what the simulator's own signature has
COMPILATION = ("auto_scale_loss", "jit_compile", "run_eagerly", "steps_per_execution")


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
    expected = "a number from 0 on, less than 1"
    finite_number(value, name, least=0, below=1, expected=expected)


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
        raise refused(
            member, name, f"instances of keras.callbacks.Callback, in a list{hint}"
        )


def _verbose(value: Any, name: str) -> None:
    if not isinstance(value, str | int | np.integer) or value not in ("auto", 0, 1, 2):
        raise refused(value, name, "'auto', 0, 1 or 2")


def _shuffle(value: Any, name: str) -> None:
    if not isinstance(value, str) or value != "batch":
        flag(value, name, "True, False or 'batch'")


def _class_weight(value: Any, name: str) -> None:
    if value is None:
        return
    good = isinstance(value, Mapping) and all(
        real_number(weight) is not None for weight in value.values()
    )
    if not good:
        raise refused(value, name, "a dict {number of a class: its weight}, or None")


#: what `validation_data` consist of
HELD_OUT_PARTS = ("x", "y", "sample_weight")


def _held_out(value: Any, name: str) -> None:
    if isinstance(value, str | bytes) or np.isscalar(value):
        raise refused(value, name, "(x, y), (x, y, sample_weight) or a dataset")
    if isinstance(value, list | tuple) and not 1 <= len(value) <= 3:
        raise ValidationError(
            f"Got {len(value)} entries; expected (x, y) or (x, y, sample_weight)",
            attr=name,
        )


def _return_dict(value: Any, name: str) -> None:
    if value is not None and not value:
        warn_user(f"{name}={value!r} is ignored: losses and metrics come as a dict")


def warn_about_ignored(given: Mapping[str, Any], with_validation: bool) -> None:
    """Warn of options of ``fit`` that have no effect beside the others.

    Parameters
    ----------
    given : mapping of {str: object}
        Checked options; those without a value were not given.
    with_validation : bool
        Whether there are data for validation.
    """
    names = ("validate_as", "validation_n_steps", "validation_steps", "validation_freq")
    defaults = {"validation_freq": 1}
    ignored = [n for n in names if given.get(n) and given[n] != defaults.get(n)]
    if ignored and not with_validation:
        quoted = " and ".join(map(repr, ignored))
        warn_user(
            f"{quoted} {'is' if len(ignored) == 1 else 'are'} ignored: there are no "
            "data for validation. Expected `validation_data=(x, y)` or "
            "`validation_split=0.2`"
        )
    first, epochs = given.get("initial_epoch", 0), given.get("epochs", 1)
    if 0 < epochs <= first:
        warn_user(
            f"Nothing is trained: there are no epochs from initial_epoch={first} on to "
            f"epochs={epochs}, which is the number of the last one, not how many there "
            "are"
        )


_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "batch_size": _steps,
    "validation_batch_size": _steps,
    "epochs": whole_number,
    "initial_epoch": whole_number,
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
