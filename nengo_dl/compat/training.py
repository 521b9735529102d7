"""Arguments of ``train`` and ``loss`` in all the orders that they have had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import nengo
import numpy as np
import tensorflow as tf
from nengo.base import NengoObject
from nengo.exceptions import ValidationError

from nengo_dl.compat.deprecation import by_name, deprecated
from nengo_dl.compat.running import profile_directory
from nengo_dl.inputs.endpoints import Endpoints

_TRAIN = (
    "data",
    "optimizer",
    "n_epochs",
    "objective",
    "shuffle",
    "truncation",
    "summaries",
    "profile",
    "extra_feeds",
    "progress_bar",
    "steps_per_epoch",
)
#: up to 1.x: inputs and targets apart, in front of the rest
_OLDER_TRAIN = ("inputs", "targets", *_TRAIN[1:])
#: 0.5 had fewer options, in another order
_OLDEST_TRAIN = (*_OLDER_TRAIN[:6], "profile", "summaries")

_LOSS = (
    "data",
    "objective",
    "combine",
    "extra_feeds",
    "progress_bar",
    "training",
    "as_rates",
    "steps",
)
_OLDER_LOSS = ("inputs", "targets", "objective", "extra_feeds")

_GRADIENTS = ("outputs", "atol", "rtol", "inputs", "n_steps")
#: in 3.x
_OLDER_GRADIENTS = ("inputs", "outputs", "atol", "rtol")


def train_arguments(
    positional: Sequence[Any], named: Mapping[str, Any], endpoints: Endpoints
) -> dict[str, Any]:
    """Return the arguments of ``train``, by name.

    Parameters
    ----------
    positional : sequence
        What was given by position: ``data, optimizer, ...``, or up to release 1.x
        ``inputs, targets, optimizer, ...``. A second argument with arrays tells, unless
        the first one has targets.
    named : dict
        What was given by name.
    endpoints : Endpoints
        The simulator's inputs and outputs.

    Returns
    -------
    dict
        Of the arguments of today those that were given. The older form's
        ``objective=None``, by which targets are gradients, becomes ``{probe: None}``.

    Raises
    ------
    TypeError
        If an argument is not known, or given twice.
    ValidationError
        If a Node or Probe is not known, or something is asked for that has no meaning
        today.
    """
    older = "inputs" in named or "targets" in named
    if older or (len(positional) > 1 and _are_targets_of(*positional[:2])):
        order: Sequence[str] = _OLDER_TRAIN
        if len(positional) > 6 and isinstance(positional[6], bool | str):
            order = _OLDEST_TRAIN
        given = by_name("train", positional, named, order, _OLDER_TRAIN)
        deprecated(
            "train(inputs, targets, optimizer)",
            "train({**inputs, **targets}, optimizer)",
        )
        given = _joined(given, endpoints)
    else:
        given = by_name("train", positional, named, _TRAIN, _TRAIN)
    _no_feeds(given)
    if "profile" in given:
        given["profile"] = profile_directory(given["profile"])
    return given


def loss_arguments(
    positional: Sequence[Any], named: Mapping[str, Any], endpoints: Endpoints
) -> dict[str, Any]:
    """Return the arguments of ``loss``, by name.

    Parameters
    ----------
    positional : sequence
        What was given by position: ``data, objective, ...``, or up to release 1.x
        ``inputs, targets, objective``. If both seconds are dicts, what is in it tells:
        arrays are targets, anything else is an objective, as it is where the first has
        targets.
    named : dict
        What was given by name.
    endpoints : Endpoints
        The simulator's inputs and outputs.

    Returns
    -------
    dict
        Of the arguments of today those that were given.

    Raises
    ------
    TypeError
        If an argument is not known, or given twice.
    ValidationError
        If a dict has both targets and objectives; if a Node or Probe is not known, or
        something is asked for that has no meaning today.
    """
    older = "inputs" in named or "targets" in named
    if len(positional) > 1 and not older:
        tells = _is_data if "objective" in named else _are_targets
        older = tells(positional[1]) and _are_targets_of(*positional[:2])
    if older:
        given = by_name(
            "loss", positional, named, _OLDER_LOSS, (*_OLDER_LOSS, *_LOSS[1:])
        )
        deprecated(
            "loss(inputs, targets, objective)",
            "loss({**inputs, **targets}, objective)",
        )
        given = _joined(given, endpoints)
    else:
        given = by_name("loss", positional, named, _LOSS, _LOSS)
    _no_feeds(given)
    return given


def gradient_arguments(
    positional: Sequence[Any], named: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments of ``check_gradients``, by name.

    Parameters
    ----------
    positional : sequence
        What was given by position: ``outputs, atol, ...``, or in release 3.x
        ``inputs, outputs, atol, rtol``. Arrays in the first place tell, or Probes in
        the second.
    named : dict
        What was given by name.

    Raises
    ------
    TypeError
        If an argument is not known, or given twice.
    """
    first, second, *_ = (*positional, None, None)
    older = _are_arrays(first) or _are_probes(second)
    if older:
        deprecated(
            "check_gradients(inputs, outputs)",
            "check_gradients(outputs=outputs, inputs=inputs)",
        )
    order = _OLDER_GRADIENTS if older else _GRADIENTS
    return by_name("check_gradients", positional, named, order, _GRADIENTS)


def refuse_sessions(**given: Any) -> None:
    """Refuse arguments that had a meaning in sessions of TensorFlow 1.

    Parameters
    ----------
    **given
        Arguments by name, such as ``extra_fetches``.

    Raises
    ------
    ValidationError
        If one of them is not None, nor empty.
    """
    for name, value in given.items():
        if value:
            raise ValidationError(
                "There is no TensorFlow session today. Present values of Nodes in "
                "`data`, and compute what you want in the functions of `outputs`",
                attr=name,
            )


def _joined(given: dict[str, Any], endpoints: Endpoints) -> dict[str, Any]:
    """Return arguments with the data of inputs and targets in one dict."""
    inputs = dict(endpoints.inputs.pairs(given.pop("inputs", None), "inputs"))
    targets = dict(endpoints.outputs.pairs(given.pop("targets", None), "targets"))
    given["data"] = {**inputs, **targets}
    if "objective" in given and given["objective"] is None:
        given["objective"] = dict.fromkeys(targets)
    return given


def _is_data(value: Any) -> bool:
    """Whether it is arrays, and so cannot be an optimizer."""
    return isinstance(value, Mapping | np.ndarray | list | tuple) or tf.is_tensor(value)


def _are_targets_of(data: Any, value: Any) -> bool:
    """Whether the second argument is targets, and no optimizer nor objective.

    Options such as ``{"lr": 0.1}`` are nothing of these. Where the first argument has
    targets, whatever is not about Probes was not meant to be targets, either.
    """
    if not _is_data(value):
        return False
    if isinstance(value, Mapping):
        if any(isinstance(key, NengoObject) for key in value):
            return True
        if value and not any(map(_is_data, value.values())):
            return False
    has_targets = isinstance(data, Mapping) and any(
        isinstance(key, nengo.Probe) for key in data
    )
    return not has_targets


def _are_arrays(value: Any) -> bool:
    """Whether it is what Nodes shall put out, and so no Probes."""
    if isinstance(value, Mapping):
        of_nodes = any(isinstance(key, nengo.Node) for key in value)
        return of_nodes or any(map(_is_data, value.values()))
    if isinstance(value, list | tuple):
        return any(isinstance(v, np.ndarray) or tf.is_tensor(v) for v in value)
    return isinstance(value, np.ndarray) or tf.is_tensor(value)


def _are_probes(value: Any) -> bool:
    """Whether it is a Probe or a name, or a list of some."""
    if isinstance(value, list | tuple):
        return bool(value) and all(map(_are_probes, value))
    return isinstance(value, nengo.Probe | str)


def _are_targets(value: Any) -> bool:
    """Whether the second argument of ``loss`` is targets, not an objective."""
    if not isinstance(value, Mapping):
        return _is_data(value)
    kinds = {not _is_objective(member) for member in value.values()}
    if len(kinds) > 1:
        found = ", ".join(f"{k}: {type(v).__name__}" for k, v in value.items())
        raise ValidationError(
            "Cannot tell whether these are targets, which are arrays, or objectives, "
            f"which are functions: {{{found}}}. Write `loss(data, objective={{...}})` "
            "with all arrays in `data`",
            attr="loss",
        )
    return True in kinds


def _is_objective(value: Any) -> bool:
    return (
        value is None
        or isinstance(value, str | keras.losses.Loss)
        or (callable(value) and not _is_data(value))
    )


def _no_feeds(given: dict[str, Any]) -> None:
    if given.pop("extra_feeds", None):
        raise ValidationError(
            "There is no TensorFlow session that values could be fed to. Present the "
            "output of Nodes in `data`; choose between training and inference with "
            "`loss(..., training=True)` or `configure_settings(learning_phase=...)`",
            attr="extra_feeds",
        )
