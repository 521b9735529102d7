"""What all neuron types have in common: input current in, activity and state out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError, ValidationError
from nengo.neurons import NeuronType

from nengo_dl.lowering.constants import merged
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.neurons.declared import (
    check_fields,
    check_names,
    check_step,
    parameter_of,
    state_of,
)
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View

#: the parameters that can be trained, see `nengo_dl.graph.trained_attributes`
TRAINED = ("tau_rc", "tau_ref", "tau_n", "inc_n")


@dataclass(frozen=True)
class LowerNeurons(Lowering):
    r"""Populations of one neuron type, stacked to one vector of neurons.

    .. math:: (a, s) \leftarrow f(J, s)

    for currents :math:`J`, activities :math:`a` and state variables :math:`s`.
    Subclasses name the attributes of the NeuronType that are their ``parameters`` and
    implement `step`. Populations of different sizes and parameters merge: a parameter
    that differs becomes an array.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import nengo, tensorflow as tf
    >>> from nengo.builder.neurons import SimNeurons
    >>> from nengo_dl.lowering import LowerNeurons, register
    >>> class Squared(nengo.RectifiedLinear):
    ...     def step(self, dt, J, output):
    ...         output[...] = self.amplitude * J**2
    >>> @register(SimNeurons, Squared)
    ... @dataclass(frozen=True)
    ... class LowerSquared(LowerNeurons):
    ...     parameters = ("amplitude",)
    ...
    ...     def step(self, j):
    ...         return (self.amplitude * j**2,)
    """

    #: attributes of the NeuronType that the equations use
    parameters: ClassVar[tuple[str, ...]] = ()
    #: names of the state variables, in the order of Nengo's operator
    state_names: ClassVar[tuple[str, ...]] = ()
    #: what `step` gets before the state variables: names and words
    step_inputs: ClassVar[Mapping[str, str]] = {"j": "the input currents"}

    current: View
    output: View
    state: tuple[View, ...]
    constants: dict[str, np.ndarray]
    dt: np.floating

    @classmethod
    def check_class(cls, payload_type: type | None) -> None:
        """Refuse fields and names that do not fit, and a `step` of other arguments.

        Raises
        ------
        ValidationError
            If the class declares something that cannot be.
        """
        check_fields(cls)
        check_names(cls)
        check_step(cls, LowerNeurons.step)

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return a constant: all populations of one type merge."""
        return "neurons"

    @classmethod
    def carries(cls, op: Operator) -> Collection[Signal]:
        """Return the state variables."""
        return tuple(op.state.values())

    @classmethod
    def attributes(cls, op: Operator, dt: float) -> Mapping[str, float | str]:
        """Return the time constants and increments among the parameters."""
        return {
            name: float(parameter_of(cls, op, name))
            for name in TRAINED
            if name in cls.parameters
        }

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context, **fields: Any) -> Lowering:
        """Return the lowering of a group; ``fields`` are those that subclasses add."""
        ops = group.ops
        sizes = [op.J.size for op in ops]
        total = (sum(sizes),)
        return cls(
            context.view([op.J for op in ops], total),
            context.view([op.output for op in ops], total),
            tuple(
                context.view([state_of(cls, op, name) for op in ops], total)
                for name in cls.state_names
            ),
            {
                name: merged(
                    [parameter_of(cls, op, name) for op in ops], sizes, context.dtype
                )
                for name in cls.parameters
            },
            # of the simulation's own type: NumPy 1 widens `float32 / float`
            context.dtype.type(context.dt),
            **fields,
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        state = [values.read(view) for view in self.state]
        output, *new_state = self.computed(*self.read_inputs(values), *state)
        values.set(self.output, output)
        for view, value in zip(self.state, new_state, strict=True):
            values.set(view, value)

    def read_inputs(self, values: SignalValues) -> tuple[tf.Tensor, ...]:
        """Return what `step` gets before the state variables."""
        return (values.read(self.current),)

    def with_constants(self, others: Mapping[str, tf.Tensor]) -> LowerNeurons:
        """Return the same with other values of some parameters, one for each neuron.

        Parameters
        ----------
        others : mapping of {str: tf.Tensor}, shape (n_neurons,)
            By name; those that the neurons have not play no part.
        """
        mine = {name: others[name] for name in self.constants if name in others}
        return replace(self, constants={**self.constants, **mine})

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return the activity and the new state of all neurons.

        Parameters
        ----------
        j : tf.Tensor, shape (batch, n_neurons)
            Input currents.
        *state : tf.Tensor, shape (batch, n_neurons)
            State variables, in the order of ``state_names``.

        Returns
        -------
        tuple of tf.Tensor, shape (batch, n_neurons)
            The activity, then each state variable. Without state variables it is a
            tuple of one: ``return (activity,)``.
        """
        raise NotImplementedError

    def computed(self, current: tf.Tensor, *others: tf.Tensor) -> list[tf.Tensor]:
        """Call `step`, and return the activity and the new state.

        Raises
        ------
        BuildError
            If it returns something else.
        """
        names = ("the activity", *self.state_names)
        found = self.step(current, *others)
        if not isinstance(found, tuple | list) or len(found) != len(names):
            raise self._refused(found, names)
        neurons = current.shape[-1]
        tensors = []
        for name, value in zip(names, found, strict=True):
            try:
                tensor = tf.convert_to_tensor(value, current.dtype)
            except (TypeError, ValueError) as error:
                raise self._refused(value, names, f" as {name}") from error
            if tensor.shape.rank == 0 or tensor.shape[-1] != neurons:
                raise self._refused(value, names, f" as {name}")
            tensors.append(tensor)
        return tensors

    def _refused(self, found: Any, names: Sequence[str], place: str = "") -> BuildError:
        if isinstance(found, tuple | list):
            given = f"a {type(found).__name__} of {len(found)}"
        elif hasattr(found, "shape") and hasattr(found, "dtype"):
            dtype = getattr(found.dtype, "name", found.dtype)
            given = f"{type(found).__name__} of shape {tuple(found.shape)}, {dtype}"
        else:
            given = repr(found)
        count = f"{len(names)} tensor{'s' * (len(names) > 1)}"
        return BuildError(
            f"{type(self).__name__}.step returned {given}{place}; expected a tuple of "
            f"{count} ({', '.join(names)}), each of the dtype and shape of the input "
            "current, (batch, neurons)"
        )

    def __getattr__(self, name: str) -> Any:
        # parameters read like the symbols of the equations: self.tau_rc
        if name in type(self).parameters:
            return self.constants[name]
        raise AttributeError(name)


def check_neuron_type(neuron_type: Any, decorator: str) -> None:
    """Check what a decorator is given.

    Raises
    ------
    ValidationError
        If it is not a class of neurons; the message shows how to use the decorator.
    """
    if not (isinstance(neuron_type, type) and issubclass(neuron_type, NeuronType)):
        raise ValidationError(
            f"Expected a class of neurons, such as `@{decorator}(MyNeuronType)`; got "
            f"{neuron_type!r}",
            attr="neuron_type",
        )


def neurons(neuron_type: type) -> Callable[[Any], Any]:
    """Return a decorator that registers a `LowerNeurons` for a NeuronType class."""
    return register(SimNeurons, neuron_type)
