"""The one door where older call forms become the current one.

Each function takes what was written for an earlier NengoDL (or for Nengo itself, whose
arguments come in another order) and returns today's arguments, with a
DeprecationWarning that shows the current form. Nothing behind this door knows of the
older forms.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError
from nengo.utils.progress import ProgressBar


def constructor_arguments(
    positional: Sequence[Any], keywords: dict[str, Any]
) -> dict[str, Any]:
    """Return the keyword arguments of ``Simulator`` behind its first four.

    Parameters
    ----------
    positional : sequence
        What was given by position behind ``model``. Nengo has ``progress_bar`` and
        ``optimize`` there, releases 0.3 to 2.x ``dtype`` and ``device``, 3.x
        ``device``, ``unroll_simulation`` and ``minibatch_size``.
    keywords : dict
        What was given by name, older names among them.

    Raises
    ------
    ValidationError
        If a positional argument could be several things.
    TypeError
        If an argument is given twice, or was never one.
    """
    result = dict(keywords)
    for value in positional:
        name = _name_of(value, result)
        if name in result:
            raise TypeError(f"Simulator got two values for '{name}'")
        result[name] = value
        if name not in ("progress_bar", "optimize"):
            _deprecated(
                f"Simulator(..., {value!r})", f"Simulator(..., {name}={value!r})"
            )
    result.pop("optimize", None)  # Nengo's merging of operators; ours is always on
    if "step_blocks" in result:
        _step_blocks(result)
    unroll = result.get("unroll_simulation")
    if unroll is False:
        _deprecated("unroll_simulation=False", "unroll_simulation=1")
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
    if value is None and "device" not in taken:
        return "device"
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
        _deprecated(f"step_blocks={blocks}", f"unroll_simulation={blocks}")
        arguments["unroll_simulation"] = blocks
    else:
        _deprecated(
            "step_blocks", "Simulator(...) without it: any number of steps can be run"
        )


def run_arguments(
    positional: Sequence[Any], keywords: dict[str, Any]
) -> dict[str, Any]:
    """Return the keyword arguments of ``run_steps`` behind its first.

    Parameters
    ----------
    positional : sequence
        What was given by position behind the number of steps.
    keywords : dict
        What was given by name: ``input_feeds``, ``profile`` and ``extra_feeds`` are
        older names.

    Raises
    ------
    ValidationError
        If data are given twice, or something is asked for that has no meaning today.
    TypeError
        If an argument is not known or could be several things.
    """
    result = dict(keywords)
    for i, value in enumerate(positional):
        # the first is the data; Nengo has the progress bar there
        if i == 0 and not isinstance(value, bool | ProgressBar):
            name = "data"
        elif i == 0:
            name = "progress_bar"
        elif i == 1 and isinstance(value, Mapping) and positional[0] is None:
            name = "input_feeds"
            result.pop("data", None)
        else:
            raise TypeError(
                f"Cannot tell what the positional argument {value!r} stands for; give "
                "all arguments behind `data` by name"
            )
        if name in result:
            raise TypeError(f"Got two values for '{name}'")
        result[name] = value
    if "input_feeds" in result:
        feeds = result.pop("input_feeds")
        if feeds is not None:
            if result.get("data") is not None:
                raise ValidationError(
                    "`data` and `input_feeds` are the same argument; give `data` only",
                    attr="data",
                )
            _deprecated("input_feeds=...", "data=...")
            result["data"] = feeds
    if result.pop("profile", None):
        raise ValidationError(
            "Profile any code with TensorFlow itself: "
            "`with tf.profiler.experimental.Profile(logdir): sim.run(...)`",
            attr="profile",
        )
    if result.pop("extra_feeds", None):
        raise ValidationError(
            "There is no TensorFlow session that values could be fed to; present the "
            "output of Nodes with `data={node: array}`",
            attr="extra_feeds",
        )
    unknown = set(result) - {"data", "progress_bar", "stateful"}
    if unknown:
        raise TypeError(f"Unknown argument(s): {', '.join(sorted(unknown))}")
    return result


def _deprecated(old: str, new: str) -> None:
    warnings.warn(
        f"`{old}` is an older form; the current one is `{new}`",
        DeprecationWarning,
        stacklevel=4,
    )
