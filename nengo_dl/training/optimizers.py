"""Optimizers as users give them, made ready for the parameters of one simulator."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from nengo.base import NengoObject
from nengo.exceptions import ValidationError

from nengo_dl.compat.tf1_optimizers import TYPES, TF1Optimizer, translate
from nengo_dl.lowering.tensor_nodes.variables import storage
from nengo_dl.program.value_keys import Same, value_key
from nengo_dl.simulation.keras_variables import move, without_names
from nengo_dl.user_code import warn_user

_ACCEPTED = (
    "an optimizer of Keras, such as `keras.optimizers.Adam(0.001)`; the name of one, "
    "such as 'adam'; or one of tf.compat.v1.train: "
    + ", ".join(cls.__name__ for cls in TYPES)
)


def resolve(optimizer: Any) -> keras.optimizers.Optimizer:
    """Return the Keras optimizer that an argument stands for.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer, str or tf.compat.v1.train.Optimizer
        Optimizers of Keras are returned as they are; a name stands for a new one with
        default parameters; those of TensorFlow 1 are translated, with their own
        hyper-parameters, into one that takes the same steps.

    Raises
    ------
    ValidationError
        If it is anything else.
    """
    if isinstance(optimizer, keras.optimizers.Optimizer):
        return optimizer
    if type(optimizer) in TYPES:
        return translate(optimizer)
    if isinstance(optimizer, str):
        try:
            with without_names():
                return keras.optimizers.get(optimizer)
        except (ValueError, TypeError) as error:
            raise _refused(f"Keras has no optimizer {optimizer!r}.") from error
    if isinstance(optimizer, Mapping):
        keys = ", ".join(map(str, optimizer)) or "nothing"
        problem = f"Got a dict as the optimizer, with {keys} in it."
        if not optimizer or any(isinstance(key, NengoObject) for key in optimizer):
            problem += (
                " The current form is `train(data, optimizer)`, with inputs and "
                "targets in one dict; the older one is `train(inputs, targets, "
                "optimizer)`."
            )
        raise _refused(problem)
    optimizers = keras.optimizers.Optimizer | tf.compat.v1.train.Optimizer
    if isinstance(optimizer, type) and issubclass(optimizer, optimizers):
        raise _refused(
            f"Got the class {optimizer.__name__} instead of an optimizer: write "
            f"`{optimizer.__name__}(...)`."
        )
    if isinstance(optimizer, tf.compat.v1.train.Optimizer):
        raise _refused(
            f"{type(optimizer).__name__}, an optimizer of TensorFlow 1, is not among "
            "those that are translated."
        )
    raise _refused(f"Got {optimizer!r:.200} as the optimizer.")


def _refused(problem: str) -> ValidationError:
    return ValidationError(f"{problem} Expected {_ACCEPTED}", attr="optimizer")


class Optimizers:
    """The optimizers of one simulator, with what they remember between calls.

    Moments, accumulators and counts of steps belong to the optimizer that the user
    holds: whoever trains twice with the same one goes on where it stopped. An optimizer
    that is in use elsewhere, for another simulator or a Keras model, is left alone; a
    copy without memory takes its place here. A name always stands for a new optimizer.
    """

    def __init__(self) -> None:
        # nothing here keeps the user's optimizers alive
        self._copies: Any = weakref.WeakKeyDictionary()
        self._start: Any = weakref.WeakKeyDictionary()
        self._named: dict[str, keras.optimizers.Optimizer] = {}
        self._warned = False

    def of(
        self, optimizer: Any, variables: Sequence[Any]
    ) -> keras.optimizers.Optimizer:
        """Return an optimizer that is built for some variables.

        Parameters
        ----------
        optimizer : keras.optimizers.Optimizer, str or tf.compat.v1.train.Optimizer
            As the user gave it.
        variables : sequence of tf.Variable or keras.Variable
            What it will change; the same ones in each call for the same optimizer.

        Returns
        -------
        keras.optimizers.Optimizer
            The same object for the same optimizer, or name, and variables, so that
            what was compiled for it can be used again.

        Raises
        ------
        ValidationError
            If it is not an optimizer, or cannot be copied.

        Warns
        -----
        NengoWarning
            If the variables have too few bits to be trained.
        """
        variables = list(variables)
        self._warn_of_few_bits(variables)
        with tf.device(_device(variables)):
            return self._found(optimizer, variables)

    def _warn_of_few_bits(self, variables: Sequence[Any]) -> None:
        """Warn once of variables that most updates would not change."""
        if self._warned or all(v.dtype != "bfloat16" for v in variables):
            return
        self._warned = True
        warn_user(
            "Parameters in bfloat16 have 8 bits: updates of less than 0.4 % of a "
            "parameter are lost, and Adam, whose 0.999 is 1 there, changes none. Train "
            "with `configure_settings(dtype='float32', mixed_precision='bfloat16')`, "
            "save with `save_params`, and load into a simulator in bfloat16"
        )

    def _found(self, optimizer: Any, variables: list) -> keras.optimizers.Optimizer:
        if isinstance(optimizer, str):
            return self._of_name(optimizer, variables)
        found = self._copies.get(optimizer) if _hashable(optimizer) else None
        if found is None or not _fits(found, variables):
            found = resolve(optimizer)
            if _is_mirrored(found) or (found.built and not _fits(found, variables)):
                found = _copied(found)
            if found is not optimizer:
                self._copies[optimizer] = found
            self._build(found, variables)
        if isinstance(found, TF1Optimizer):
            found.refresh()
        elif found is not optimizer:
            _share_learning_rate(optimizer, found)
        return found

    def _of_name(self, name: str, variables: list[Any]) -> keras.optimizers.Optimizer:
        found = self._named.get(name)
        if found is None or not _fits(found, variables):
            found = self._named[name] = resolve(name)
            self._build(found, variables)
        else:
            self._restart(found)
        return found

    def _build(self, optimizer: keras.optimizers.Optimizer, variables: list) -> None:
        if not optimizer.built:
            move(optimizer.variables, _device(variables))
            with without_names():
                optimizer.build(variables)
        if optimizer not in self._start:
            self._start[optimizer] = [
                _compact(v.numpy()) for v in remembered(optimizer)
            ]

    @property
    def steps(self) -> int:
        """How many steps all optimizers have taken together."""
        return sum(int(optimizer.iterations) for optimizer in list(self._start))

    def reset(self) -> None:
        """Let all optimizers forget, as if none had taken a step here."""
        for optimizer in list(self._start):
            self._restart(optimizer)

    def _restart(self, optimizer: keras.optimizers.Optimizer) -> None:
        for variable, value in zip(
            remembered(optimizer), self._start[optimizer], strict=True
        ):
            variable.assign(np.broadcast_to(value, variable.shape))


def _device(variables: Sequence[Any]) -> str | None:
    """Return where variables are, and where what changes them has to be."""
    return storage(variables[0]).device if variables else None


def _hashable(optimizer: Any) -> bool:
    """Whether it can be the key of a weak dictionary: dicts and numbers cannot."""
    return isinstance(
        optimizer, keras.optimizers.Optimizer | tf.compat.v1.train.Optimizer
    )


def _fits(optimizer: keras.optimizers.Optimizer, variables: Sequence[Any]) -> bool:
    """Whether an optimizer was built for just these variables."""
    built_for = getattr(optimizer, "_trainable_variables", ())
    return [id(storage(v)) for v in built_for] == [id(storage(v)) for v in variables]


def _is_mirrored(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether an optimizer was made in a strategy's scope, for several devices."""
    return any(
        isinstance(storage(variable), tf.distribute.DistributedValues)
        for variable in optimizer.variables
    )


def _copied(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Return an equal optimizer that has taken no steps."""
    try:
        with warnings.catch_warnings():
            # functions need not be written to a file, which Keras warns about
            warnings.simplefilter("ignore", UserWarning)
            config = optimizer.get_config()
        rate = getattr(optimizer, "_learning_rate", None)
        if callable(rate):
            # schedules have no memory, and Keras does not copy functions
            config["learning_rate"] = rate
        with without_names():
            return type(optimizer).from_config(config)
    except Exception as error:
        raise ValidationError(
            f"The optimizer {optimizer.name!r} is in use for another simulator or "
            f"model, and it cannot be copied: {error}. Make a new one for this "
            "simulator",
            attr="optimizer",
        ) from error


def _share_learning_rate(
    source: keras.optimizers.Optimizer, copy: keras.optimizers.Optimizer
) -> None:
    """Let a copy follow the learning rate that the user has set."""
    rate = source.learning_rate
    if hasattr(rate, "assign"):
        copy.learning_rate = float(rate.numpy())


def optimizer_variables(optimizer: keras.optimizers.Optimizer) -> list[tf.Variable]:
    """Return all variables of an optimizer, its learning rate among them."""
    found = [storage(variable) for variable in optimizer.variables]
    if isinstance(optimizer, TF1Optimizer):
        found += optimizer.own_variables
    return list({id(variable): variable for variable in found}.values())


def optimizer_key(optimizer: keras.optimizers.Optimizer) -> Hashable:
    """Return a key: optimizers with equal ones compute equal updates.

    Optimizers of Keras' own are equal if their types and their configurations are; the
    learning rate does not count, which is a variable.
    """
    known = type(optimizer).__module__.split(".")[0] == "keras"
    if isinstance(optimizer, TF1Optimizer):
        known = not optimizer.changes
    if not known or getattr(optimizer, "_exclude_from_weight_decay", None):
        return Same(optimizer)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            config = optimizer.get_config()
    except Exception:  # a schedule that Keras cannot write to a file
        return Same(optimizer)
    rate = getattr(optimizer, "_learning_rate", None)
    config.pop("name", None)
    config["learning_rate"] = None if hasattr(rate, "assign") else value_key(rate)
    pattern = getattr(optimizer, "_exclude_from_weight_decay_pattern", None)
    return type(optimizer), value_key(config), value_key(pattern)


def remembered(optimizer: keras.optimizers.Optimizer) -> list[Any]:
    """Return the variables of an optimizer without its learning rate."""
    rate = optimizer.learning_rate
    return [v for v in optimizer.variables if v is not rate]


def _compact(values: np.ndarray) -> np.ndarray:
    """Return one element for an array of equal ones, as nearly all slots begin."""
    first = values.reshape(-1)[:1]
    if values.size and np.all(values == first):
        return first.reshape(()).copy()
    return values.copy()
