"""Optimizers of TensorFlow 1, as Keras optimizers that take exactly the same steps.

Their formulas differ from those of Keras in small ways: where epsilon stands, what
slots start with, whether the learning rate is part of the momentum. So a translated
optimizer calls the operation that TensorFlow 1 calls, with its own hyper-parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError

_v1 = tf.compat.v1.train


@dataclass(frozen=True)
class Rule:
    """What an optimizer of TensorFlow 1 does with one variable.

    Attributes
    ----------
    step : callable
        TensorFlow's operation; the names below are those of its arguments.
    learning_rate : str
        Attribute of the TensorFlow 1 optimizer with the learning rate.
    numbers : dict of {str: str}
        Its other numbers, and the attributes that they are in.
    slots : dict of {str: float or str}
        What is kept for each variable: the value it starts with, or an attribute.
    powers : dict of {str: str}
        Numbers of which a growing power is kept, one for all variables.
    flags : dict of {str: str}
        Switches, and the attributes that they are in.
    rate, gradient : str
        What the operation calls the learning rate and the gradient.
    prepare : callable
        What is done with the numbers before the operation gets them.
    """

    step: Callable[..., Any]
    learning_rate: str = "_learning_rate"
    numbers: Mapping[str, str] = field(default_factory=dict)
    slots: Mapping[str, float | str] = field(default_factory=dict)
    powers: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)
    rate: str = "lr"
    gradient: str = "grad"
    prepare: Callable[[dict[str, Any]], dict[str, Any]] = lambda values: values


def _fold_beta(values: dict[str, Any]) -> dict[str, Any]:
    """Add `beta` of Ftrl to the l2 strength, in the precision of the numbers."""
    beta, rate = values.pop("beta"), tf.convert_to_tensor(values["lr"])
    least = tf.constant(1e-36, rate.dtype)
    share = tf.cast(beta, rate.dtype) / (2 * tf.maximum(rate, least))
    return {**values, "l2": tf.cast(values["l2"], rate.dtype) + share}


_FTRL_NUMBERS = {
    "l1": "_l1_regularization_strength",
    "l2": "_l2_regularization_strength",
    "lr_power": "_learning_rate_power",
    "beta": "_beta",
}
_FTRL_SLOTS: dict[str, float | str] = {
    "accum": "_initial_accumulator_value",
    "linear": 0.0,
}
_RMS_NUMBERS = {"rho": "_decay", "momentum": "_momentum", "epsilon": "_epsilon"}

RULES: dict[str, Rule] = {
    "GradientDescent": Rule(
        tf.raw_ops.ResourceApplyGradientDescent, rate="alpha", gradient="delta"
    ),
    "Momentum": Rule(
        tf.raw_ops.ResourceApplyMomentum,
        numbers={"momentum": "_momentum"},
        slots={"accum": 0.0},
        flags={"use_nesterov": "_use_nesterov"},
    ),
    "Adam": Rule(
        tf.raw_ops.ResourceApplyAdam,
        learning_rate="_lr",
        numbers={"beta1": "_beta1", "beta2": "_beta2", "epsilon": "_epsilon"},
        slots={"m": 0.0, "v": 0.0},
        powers={"beta1_power": "beta1", "beta2_power": "beta2"},
    ),
    "RMSProp": Rule(
        tf.raw_ops.ResourceApplyRMSProp,
        numbers=_RMS_NUMBERS,
        slots={"ms": 1.0, "mom": 0.0},
    ),
    "CenteredRMSProp": Rule(
        tf.raw_ops.ResourceApplyCenteredRMSProp,
        numbers=_RMS_NUMBERS,
        slots={"ms": 1.0, "mg": 0.0, "mom": 0.0},
    ),
    "Adagrad": Rule(
        tf.raw_ops.ResourceApplyAdagrad, slots={"accum": "_initial_accumulator_value"}
    ),
    "Adadelta": Rule(
        tf.raw_ops.ResourceApplyAdadelta,
        learning_rate="_lr",
        numbers={"rho": "_rho", "epsilon": "_epsilon"},
        slots={"accum": 0.0, "accum_update": 0.0},
    ),
    "Ftrl": Rule(
        tf.raw_ops.ResourceApplyFtrl,
        numbers=_FTRL_NUMBERS,
        slots=_FTRL_SLOTS,
        prepare=_fold_beta,
    ),
    "ShrinkingFtrl": Rule(
        tf.raw_ops.ResourceApplyFtrlV2,
        numbers={
            **_FTRL_NUMBERS,
            "l2_shrinkage": "_l2_shrinkage_regularization_strength",
        },
        slots=_FTRL_SLOTS,
        prepare=_fold_beta,
    ),
}


#: the optimizers that are translated; a subclass may have changed the step
TYPES: tuple[type, ...] = (
    _v1.GradientDescentOptimizer,
    _v1.MomentumOptimizer,
    _v1.AdamOptimizer,
    _v1.RMSPropOptimizer,
    _v1.AdagradOptimizer,
    _v1.AdadeltaOptimizer,
    _v1.FtrlOptimizer,
)


def translate(optimizer: Any) -> TF1Optimizer:
    """Return a Keras optimizer that takes the steps of one of TensorFlow 1.

    Parameters
    ----------
    optimizer : tf.compat.v1.train.Optimizer
        One of `TYPES`. Its hyper-parameters may be numbers, tensors, variables, or
        functions that return them. A function that returns a tensor becomes part of
        the compiled step; one that returns a number is called by `refresh`.

    Raises
    ------
    ValidationError
        If a hyper-parameter has no value, being a tensor of a ``tf.Graph``.
    """
    name = type(optimizer).__name__.removesuffix("Optimizer")
    if name == "RMSProp" and optimizer._centered:
        name = "CenteredRMSProp"
    if name == "Ftrl" and optimizer._l2_shrinkage_regularization_strength > 0:
        name = "ShrinkingFtrl"
    rule = RULES[name]
    return TF1Optimizer(
        rule=name,
        learning_rate=getattr(optimizer, rule.learning_rate),
        numbers={k: getattr(optimizer, a) for k, a in rule.numbers.items()},
        slots={
            k: getattr(optimizer, start) if isinstance(start, str) else start
            for k, start in rule.slots.items()
        },
        flags={k: bool(getattr(optimizer, a)) for k, a in rule.flags.items()},
        name=optimizer.get_name(),
    )


@keras.saving.register_keras_serializable(package="nengo_dl")
class TF1Optimizer(keras.optimizers.Optimizer):
    """Take the steps of an optimizer of TensorFlow 1.

    Parameters
    ----------
    rule : str
        Key of `RULES`.
    learning_rate : float, tf.Tensor, tf.Variable or callable
        As TensorFlow 1 takes it.
    numbers, slots, flags : dict
        Values of what the rule names.
    name : str, optional
        Name of the optimizer.
    """

    def __init__(
        self,
        rule: str,
        learning_rate: Any,
        numbers: Mapping[str, Any] | None = None,
        slots: Mapping[str, float] | None = None,
        flags: Mapping[str, bool] | None = None,
        name: str | None = None,
    ) -> None:
        rate = Number(learning_rate, "learning_rate", settable=True)
        super().__init__(learning_rate=float(rate), name=name)
        if rate.changes or rate.dtype != tf.float32:
            # Keras would round it to its own precision, or fix it
            self.learning_rate = rate
        self.rule = rule
        self._start = dict(slots or {})
        self._flags = dict(flags or {})
        self._numbers = {k: Number(v, k) for k, v in (numbers or {}).items()}

    def build(self, variables: Any) -> None:
        """Create what is kept for each variable."""
        if self.built:
            return
        super().build(variables)
        self._slots = [
            {
                slot: self.add_variable_from_reference(
                    variable, name=slot, initializer=_constant(start)
                )
                for slot, start in self._start.items()
            }
            for variable in variables
        ]
        self._powers = {
            power: self.add_variable(
                (), _constant(float(number)), dtype=number.dtype.name, name=power
            )
            for power, number in self._raised().items()
        }

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Change one variable.

        Parameters
        ----------
        gradient : tf.Tensor, shape variable.shape
            Gradient of what is minimized.
        variable : tf.Variable
            One of those that the optimizer was built for.
        learning_rate : tf.Tensor or keras.Variable, shape ()
            The learning rate.
        """
        rule = RULES[self.rule]
        slots = self._slots[self._get_variable_index(variable)]
        values = rule.prepare(
            {
                rule.rate: learning_rate,
                rule.gradient: gradient,
                **{k: number() for k, number in self._numbers.items()},
                **self._powers,
            }
        )
        rule.step(
            var=variable.handle,
            **{slot: kept.handle for slot, kept in slots.items()},
            **{k: tf.cast(value, variable.dtype) for k, value in values.items()},
            **self._flags,
        )

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Change all variables; see `keras.optimizers.Optimizer.apply`."""
        super().apply(grads, trainable_variables)
        if len(grads):
            for power, number in self._raised().items():
                kept = self._powers[power]
                kept.assign(kept * number())

    def _raised(self) -> dict[str, Number]:
        powers = RULES[self.rule].powers
        return {power: self._numbers[number] for power, number in powers.items()}

    def refresh(self) -> None:
        """Call the functions that hyper-parameters were given as, and keep the result.

        Only those that return numbers: tensors are read in every step.
        """
        for number in self._all_numbers():
            number.refresh()

    @property
    def changes(self) -> bool:
        """Whether a hyper-parameter besides the learning rate may change by itself."""
        return any(number.changes for number in self._all_numbers())

    @property
    def own_variables(self) -> list[tf.Variable]:
        """The hyper-parameters that are variables, and not Keras'."""
        found = (number.variable for number in self._all_numbers())
        return [variable for variable in found if variable is not None]

    def _all_numbers(self) -> list[Number]:
        numbers = (*self._numbers.values(), self._learning_rate)
        return [number for number in numbers if isinstance(number, Number)]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer."""
        return {
            "rule": self.rule,
            "learning_rate": float(self.learning_rate),
            "numbers": {k: float(number) for k, number in self._numbers.items()},
            "slots": dict(self._start),
            "flags": dict(self._flags),
            "name": self.name,
        }


class Number:
    """A hyper-parameter in the forms that TensorFlow 1 takes, and in its precision.

    TensorFlow 1 rounds Python's floats to 32 bits, whatever is trained.

    Parameters
    ----------
    value : float, tf.Tensor, tf.Variable or callable
        The hyper-parameter.
    name : str
        Its name, for errors.
    settable : bool
        Whether `assign` will be called.

    Attributes
    ----------
    dtype : tf.DType
        Its precision.
    changes : bool
        Whether it may have another value later.

    Raises
    ------
    ValidationError
        If it is not a number.
    """

    def __init__(self, value: Any, name: str, settable: bool = False) -> None:
        self._value = value
        current = self._current()
        try:
            number = float(np.asarray(tf.convert_to_tensor(current)))
        except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
            raise ValidationError(
                "Expected a number, a tensor with a value, or a function that returns "
                f"one of these; got {value!r}",
                attr=name,
            ) from error
        found = tf.convert_to_tensor(current).dtype
        self.dtype: tf.DType = found if found.is_floating else tf.float32
        self._is_read = hasattr(current, "assign") or (
            callable(value) and tf.is_tensor(current)
        )
        self.changes = self._is_read or callable(value)
        settable = settable or self.changes
        keep = tf.Variable if settable and not self._is_read else tf.constant
        self._kept = keep(number, dtype=self.dtype)

    def _current(self) -> Any:
        return self._value() if callable(self._value) else self._value

    def __call__(self) -> tf.Tensor:
        """Return the value, shape (); in a graph, that of the moment it runs."""
        return tf.convert_to_tensor(self._current() if self._is_read else self._kept)

    def __float__(self) -> float:
        return float(self())

    @property
    def variable(self) -> tf.Variable | None:
        """The variable that holds the number, if it is one of ours."""
        return self._kept if hasattr(self._kept, "assign") else None

    def refresh(self) -> None:
        """Call the function that gives the number, if there is one."""
        if callable(self._value) and not self._is_read:
            self._kept.assign(float(self._value()))

    def assign(self, value: Any) -> None:
        """Set the number, as Keras' callbacks do with learning rates.

        Raises
        ------
        TypeError
            If a function gives the number.
        """
        if callable(self._value):
            raise TypeError(
                f"The learning rate is what {self._value!r} returns, so it cannot be "
                "set to something else"
            )
        (self._value if self._is_read else self._kept).assign(float(value))


def _constant(value: float) -> Callable[..., tf.Tensor]:
    """Return an initializer; that of Keras would round to its own precision."""

    def initial(shape: Any, dtype: Any = None) -> tf.Tensor:
        return tf.constant(value, dtype, shape)

    return initial
