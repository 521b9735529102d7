"""Arguments of ``Simulator`` in the order and with the names of earlier releases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError
from nengo.utils.progress import ProgressBar

from nengo_dl.compat.deprecation import deprecated

_NOT_GIVEN = object()
_DEFAULTS = {
    "dtype": None,
    "device": None,
    "unroll_simulation": 1,
    "minibatch_size": None,
    "tensorboard": None,
    "progress_bar": True,
    "optimize": True,
}


def constructor_arguments(
    positional: Sequence[Any], older: dict[str, Any], current: dict[str, Any]
) -> dict[str, Any]:
    """Return the keyword arguments of ``Simulator`` behind its first four.

    Parameters
    ----------
    positional : sequence
        What was given by position behind ``model``. Nengo has ``progress_bar`` and
        ``optimize`` there, releases 0.3 to 2.x ``dtype`` and ``device``, 3.x
        ``device``, ``unroll_simulation`` and ``minibatch_size``.
    older : dict
        What was given by names that are not today's.
    current : dict
        Today's arguments; those that were not given have their defaults.

    Raises
    ------
    ValidationError
        If a positional argument could be several things.
    TypeError
        If an argument is given twice, or was never one.
    """
    unknown = set(older) - {"step_blocks"}
    if unknown:
        known = ["network", "dt", "seed", "model", *current]
        near = [get_close_matches(name, known, 1) for name in sorted(unknown)]
        meant = " or ".join(f"`{name}`" for found in near for name in found)
        raise TypeError(
            f"Simulator has no argument {', '.join(map(repr, sorted(unknown)))}; "
            f"{f'did you mean {meant}? It' if meant else 'it'} has {', '.join(known)}"
        )
    result = {**current, **older}
    # identity, because True equals 1
    taken = {n: v for n, v in result.items() if v is not _DEFAULTS.get(n, _NOT_GIVEN)}
    for value in positional:
        name = _name_of(value, taken)
        if name in taken:
            raise TypeError(f"Simulator got two values for '{name}'")
        result[name] = taken[name] = value
        if name not in ("progress_bar", "optimize"):
            deprecated(
                f"Simulator(..., {value!r})", f"Simulator(..., {name}={value!r})"
            )
    if "step_blocks" in result:
        _step_blocks(result)
    unroll = result.get("unroll_simulation")
    if unroll is False:
        deprecated("unroll_simulation=False", "unroll_simulation=1")
        result["unroll_simulation"] = 1
    elif unroll is True:
        raise ValidationError(
            "Expected the number of steps to unroll, got True; write "
            "`unroll_simulation=10`, for example",
            attr="unroll_simulation",
        )
    if result.get("tensorboard") is False:
        result["tensorboard"] = None
    return result


def _name_of(value: Any, taken: Mapping[str, Any]) -> str:
    """Return which argument of the constructor a positional value stands for."""
    if isinstance(value, bool | ProgressBar):
        return "optimize" if "progress_bar" in taken else "progress_bar"
    if isinstance(value, tf.DType | np.dtype) or (
        isinstance(value, type) and issubclass(value, np.generic)
    ):
        return "dtype"
    if isinstance(value, str):
        return "dtype" if value.startswith("float") else "device"
    if value is None and "minibatch_size" not in taken:
        return "minibatch_size" if "device" in taken else "device"
    if isinstance(value, int):
        first = "unroll_simulation" not in taken
        return "unroll_simulation" if first else "minibatch_size"
    raise ValidationError(
        f"Cannot tell what the positional argument {value!r} stands for; give all "
        "arguments behind `model` by name: Simulator(network, dt, seed, model, "
        "dtype=..., device=..., unroll_simulation=..., minibatch_size=...)",
        attr="Simulator",
    )


def _step_blocks(arguments: dict[str, Any]) -> None:
    """Release 0.2 fixed the number of steps when the simulator was made."""
    blocks = arguments.pop("step_blocks")
    if blocks == "deprecated":
        return
    if arguments.get("unroll_simulation") is True and blocks is not None:
        deprecated(f"step_blocks={blocks}", f"unroll_simulation={blocks}")
        arguments["unroll_simulation"] = blocks
    else:
        deprecated(
            "step_blocks", "Simulator(...) without it: any number of steps can be run"
        )
