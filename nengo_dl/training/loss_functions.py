"""Functions of outputs and targets, in whatever order they take them.

Two orders are in use: ``train`` and ``loss`` call ``f(outputs, targets)``, Keras calls
``f(y_true, y_pred)``. Who is called in which order is decided here alone.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import keras
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl import losses
from nengo_dl.inputs.shapes import TargetSize
from nengo_dl.losses.firing import OfSpikes
from nengo_dl.losses.outputs import OutputsOnly
from nengo_dl.objectives import Regularize, mse

# parameters whose names tell what they are for
_OUTPUTS = {"outputs", "output", "y_pred", "logits", "predictions"}
_TARGETS = {"targets", "target", "y_true", "labels"}

#: what becomes a number of an array
Reduction = Literal["mean", "sum"]

REDUCTIONS: dict[Reduction, Callable[[tf.Tensor], tf.Tensor]] = {
    "mean": tf.reduce_mean,
    "sum": tf.reduce_sum,
}

#: of Keras' losses, those whose targets are numbers of classes
_OF_CLASSES = {"sparse_categorical_crossentropy"}

#: those whose targets have a shape of their own
_OF_ANYTHING = {"ctc", "circle"}


@dataclass(frozen=True)
class LossFunction:
    """A function of outputs and targets, and how it is called.

    Equal ones stand for the same computation.

    Attributes
    ----------
    function : callable
        What the user gave.
    uses_targets : bool
        Whether it takes targets.
    targets_first : bool
        Whether it takes them before the outputs, as Keras does.
    per_output : bool
        Whether it is about one output by definition.
    reduction : {"mean", "sum"} or None
        What becomes a number of what it returns.
    target_size : {"equal", "class", "any"}
        Which sizes targets may have; see `nengo_dl.inputs.shapes.TargetSize`.
    needs_all : bool
        Whether it becomes NaN if a target is, as Keras' losses do; functions of users
        may know what to do.
    """

    function: Callable[..., Any]
    uses_targets: bool = True
    targets_first: bool = False
    per_output: bool = False
    reduction: Reduction | None = None
    target_size: TargetSize = "any"
    needs_all: bool = False

    def __call__(self, outputs: Any, targets: Any) -> Any:
        """Return a number, if that is what the function returns or it is reduced."""
        value = self.call(outputs, targets)
        if self.reduction is None:
            return value
        return REDUCTIONS[self.reduction](value)

    def of_known_rank(self, outputs: Any, targets: Any) -> Any:
        """Return the loss as Keras takes it: `tf.py_function` does not tell the rank.

        What has an unknown number of axes becomes a number.
        """
        value = self.call(outputs, targets)
        if tf.is_tensor(value) and value.shape.rank is None:
            return REDUCTIONS[self.reduction or "mean"](value)
        return value

    def call(self, outputs: Any, targets: Any) -> Any:
        """Return the loss for targets and outputs, in Keras' order."""
        arguments: tuple[Any, ...] = (outputs, targets)
        if not self.uses_targets:
            arguments = (outputs,)
        elif self.targets_first:
            arguments = (targets, outputs)
        try:
            return self.function(*arguments)
        except NotImplementedError as error:
            if "to a numpy array" not in str(error):
                raise
            raise ValidationError(
                f"{self.function!r:.200} calls NumPy with tensors, which have no "
                "values while a graph is made of it. Expected functions of TensorFlow "
                "or keras.ops, `tf.reduce_mean` instead of `np.mean` for example",
                attr="loss",
            ) from error


def loss_function(
    objective: Any, where: str, targets_first: bool = False, attr: str = "objective"
) -> LossFunction:
    """Return how an objective is to be called.

    Parameters
    ----------
    objective : callable, str or keras.losses.Loss
        As users give it.
    where : str
        What it was given for, in words.
    targets_first : bool
        The order of arguments for functions that do not tell it: by the names of their
        parameters, or by being objectives of NengoDL.
    attr : str
        The argument that it was given as, for errors.

    Raises
    ------
    ValidationError
        If it cannot be called with outputs, or outputs and targets.
    """
    if isinstance(objective, str):
        return _named(objective, where, attr)
    if isinstance(objective, keras.losses.Loss):
        return _loss_object(objective)
    reason = _why_not(objective)
    if reason is not None:
        raise _refused(objective, where, attr, reason)
    objective = _hashable(objective)
    first, second = _parameters(objective, where, attr)
    uses_targets = second is not None
    return LossFunction(
        objective,
        uses_targets=uses_targets,
        targets_first=uses_targets
        and (
            first in _TARGETS
            or second in _OUTPUTS
            or (targets_first and first not in _OUTPUTS and second not in _TARGETS)
        ),
        per_output=objective is mse or isinstance(objective, Regularize),
        # Keras leaves the mean to its own loops
        reduction="mean" if (first, second) == ("y_true", "y_pred") else None,
        target_size=target_size(objective) if uses_targets else "any",
        needs_all=_is_of_keras(objective),
    )


def _why_not(objective: Any) -> str | None:
    """Return why something is refused, if only ``""``; None if it can be called."""
    if isinstance(objective, type) and issubclass(objective, keras.losses.Loss):
        return f"write `{objective.__name__}()`"
    if isinstance(objective, keras.metrics.Metric):
        return "metrics go to `compile(metrics=...)`"
    return None if callable(objective) else ""


def _named(name: str, where: str, attr: str) -> LossFunction:
    if name.lower() == "mse":
        return loss_function(mse, where)
    try:
        found = keras.losses.get(name)
    except (ValueError, TypeError):
        raise _refused(name, where, attr, "Keras has no loss of this name") from None
    if isinstance(found, keras.losses.Loss):
        return _loss_object(found)
    return LossFunction(
        found,
        targets_first=True,
        per_output=True,
        reduction="mean",
        target_size=target_size(found),
        needs_all=True,
    )


def _loss_object(loss: Any) -> LossFunction:
    """Return how a loss of Keras is called.

    By its ``call``: calling the object would round everything to Keras' ``floatx``.
    """
    reduction: Reduction = "sum" if loss.reduction == "sum" else "mean"
    if isinstance(loss, OutputsOnly):
        function = functools.partial(loss.call, None)
        return LossFunction(function, False, per_output=True, reduction=reduction)
    if isinstance(loss, OfSpikes):
        return LossFunction(
            loss.call,
            targets_first=True,
            per_output=True,
            reduction=reduction,
            target_size=loss.target_size,
            needs_all=loss.needs_all,
        )
    compared = getattr(loss, "fn", loss.call)
    return LossFunction(
        loss.call,
        targets_first=True,
        per_output=True,
        reduction=reduction,
        target_size=target_size(compared),
        needs_all=_is_of_keras(compared),
    )


def _parameters(
    function: Callable[..., Any], where: str, attr: str
) -> tuple[str, str | None]:
    """Return the names of the one or two parameters that a function is called with."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return "", ""  # written in C, and no word about it
    needed: list[str] = []
    others: list[str] = []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            others += ["", ""]
        elif parameter.kind is parameter.KEYWORD_ONLY:
            if parameter.default is parameter.empty:
                raise _refused(
                    function, where, attr, f"it needs `{parameter.name}=...`"
                )
        elif parameter.kind is not parameter.VAR_KEYWORD:
            needs = parameter.default is parameter.empty
            (needed if needs else others).append(parameter.name)
    names = (needed + others)[:2]
    if len(needed) > 2 or not names:
        takes = f"{len(needed)} arguments" if names else "no arguments"
        raise _refused(function, where, attr, f"it takes {takes}")
    # a second parameter with a default is an option, if it is not called a target
    alone = len(names) == 1 or (len(needed) == 1 and names[1] not in _TARGETS)
    return names[0], None if alone else names[1]


def _hashable(function: Any) -> Callable[..., Any]:
    """Return a function that can be a key: what is compiled is kept by function."""
    try:
        hash(function)
    except TypeError:
        return function.__call__  # methods are hashed by identity
    return function


def target_size(function: Any) -> TargetSize:
    """Return which sizes targets may have for a function that takes them.

    Keras' losses and ours compare element by element. What other functions do is up to
    them.

    Parameters
    ----------
    function : callable
        A loss; may be a `functools.partial` of one.
    """
    function = _innermost(function)
    name = getattr(function, "__name__", "")
    ours = function in (mse, losses.nan_mse)
    if name in _OF_ANYTHING or not (ours or _is_of_keras(function)):
        return "any"
    return "class" if name in _OF_CLASSES else "equal"


def _is_of_keras(function: Any) -> bool:
    return str(getattr(_innermost(function), "__module__", "")).startswith("keras.")


def _innermost(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _refused(objective: Any, where: str, attr: str, reason: str) -> ValidationError:
    return ValidationError(
        f"Got {objective!r:.200} for {where}"
        + (f": {reason}" if reason else "")
        + ". Expected a function f(outputs, targets) or f(outputs); 'mse', or the name "
        "of another of Keras' losses; a loss such as `keras.losses.Huber()`; or None",
        attr=attr,
    )


@keras.saving.register_keras_serializable(package="nengo_dl")
class OutputLoss(keras.losses.Loss):
    """A loss for one output, as Keras wants it, in the precision of the simulation.

    Parameters
    ----------
    loss : callable, str or keras.losses.Loss
        What the user gave; functions are called as ``f(y_true, y_pred)`` unless they
        tell otherwise, and may leave out the targets.
    where : str
        The output, in words.
    dtype : str
        Floating point type of the simulation; Keras' own would be that of ``floatx``.

    Raises
    ------
    ValidationError
        If it cannot be called with outputs, or outputs and targets.
    """

    def __init__(self, loss: Any, where: str = "output", dtype: Any = None) -> None:
        if isinstance(loss, str) and loss.lower() == "mse":
            # in Keras' interface this is Keras' own
            loss = keras.losses.mean_squared_error
        is_object = isinstance(loss, keras.losses.Loss)
        name = getattr(loss, "name", None) or getattr(loss, "__name__", None)
        super().__init__(
            # TensorFlow refuses that of a lambda
            name=None if name is None else re.sub(r"\W", "_", name).strip("_"),
            reduction=loss.reduction if is_object else "sum_over_batch_size",
            dtype=dtype,
        )
        self.loss = loss
        self.where = where
        self._call = (
            LossFunction(loss.call, targets_first=True)
            if is_object
            else loss_function(loss, where, targets_first=True, attr="loss")
        )

    @property
    def called(self) -> Callable[..., Any]:
        """The function that compares outputs with targets."""
        return self._call.function

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss, before Keras takes means."""
        try:
            value = self._call.of_known_rank(y_pred, y_true)
        except Exception as error:
            given, shown = (tuple(v.shape) for v in (y_true, y_pred))
            if given == shown:
                raise
            # whatever the loss says of it, this is the likely reason
            raise ValidationError(
                f"The loss failed for targets of shape {given} and outputs of shape "
                f"{shown}; most losses expect equal shapes, (minibatch_size, n_steps, "
                f"size). {type(error).__name__}: {error}",
                attr="loss",
            ) from error
        if value is None or isinstance(value, str):
            raise ValidationError(
                f"The loss {self.loss!r:.200} for {self.where} returned {value!r}; "
                "expected a number, or a tensor with one for each item, such as "
                "`tf.reduce_mean(..., axis=-1)` returns",
                attr="loss",
            )
        return value

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        return {
            "loss": keras.saving.serialize_keras_object(self.loss),
            "where": self.where,
            "dtype": self.dtype,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> OutputLoss:
        """Make a loss from the arguments that `get_config` returns."""
        loss = keras.saving.deserialize_keras_object(config["loss"])
        return cls(**{**config, "loss": loss})
