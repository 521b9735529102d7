"""Spiking neurons whose spikes gradients pass through, for training.

Forward they are the spiking neurons themselves. Backward, what a spike takes from the
voltage counts as constant, and so does the refractory time: gradients that went through
resets would be those of an instant, and infinite.

References
----------
E. O. Neftci, H. Mostafa and F. Zenke, "Surrogate gradient learning in spiking neural
networks", IEEE Signal Processing Magazine 36(6), 2019.
"""

from __future__ import annotations

from collections.abc import (
    Callable,
    Collection,
    Hashable,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import tensorflow as tf
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError, ValidationError
from nengo.neurons import NeuronType

from nengo_dl.graph.draws import DrawnNeurons, Draws
from nengo_dl.graph.rates import with_type
from nengo_dl.graph.surrogate_neurons import RateGradientNeurons, SurrogateNeurons
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.neurons.base import LowerNeurons, check_neuron_type
from nengo_dl.lowering.neurons.spike import count, fire
from nengo_dl.lowering.registry import (
    Lowering,
    fed_draws,
    lower,
    merge_kind,
    register,
    registered,
)
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.surrogates import Surrogate


@dataclass(frozen=True)
class LowerSurrogateNeurons(LowerNeurons):
    r"""Spiking neurons whose spikes have the derivative :math:`f` of a surrogate.

    .. math:: \frac{\partial a}{\partial v'} = \frac{\alpha}{\Delta t} f(v' - 1)

    A subclass is derived from the lowering of the spiking neurons too, and computes
    spikes from voltages by `fire` or `count`, with ``self.surrogate``.

    Attributes
    ----------
    surrogate : nengo_dl.surrogates.Surrogate
        What ``configure_settings(surrogate=...)`` says.

    Examples
    --------
    LIF neurons of another name:

    >>> from dataclasses import dataclass
    >>> import nengo
    >>> from nengo_dl.lowering import LowerSurrogateNeurons, fire, register_surrogate
    >>> from nengo_dl.lowering.neurons.lif import LowerLIF
    >>> class SameLIF(nengo.LIF):
    ...     pass
    >>> @register_surrogate(SameLIF)
    ... @dataclass(frozen=True)
    ... class LowerSurrogateSameLIF(LowerSurrogateNeurons, LowerLIF):
    ...     def spikes(self, voltage):
    ...         return fire(voltage - 1, self.surrogate)
    """

    surrogate: Surrogate

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return the derivative, and what the spiking neurons must have in common."""
        own = super().merge_key(op)
        return None if own is None else (own, op.surrogate)

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context, **fields: Any) -> Lowering:
        """Return the lowering of a group; ``fields`` are those that subclasses add."""
        surrogate = group.ops[0].surrogate
        return super().build_pre(group, context, surrogate=surrogate, **fields)


@dataclass(frozen=True)
class Firing(LowerSurrogateNeurons):
    r"""One spike at a time, of neurons with a refractory time, and the surrogate.

    .. math:: \frac{\partial a}{\partial v'} = \frac{\alpha}{\Delta t} f(v' - 1)
    """

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return spikes and state; no gradient goes through refractory times."""
        spikes, voltage, refractory, *more = super().step(j, *state)
        return spikes, voltage, tf.stop_gradient(refractory), *more

    def spikes(self, voltage: tf.Tensor) -> tf.Tensor:
        """Return 1 for voltages above the threshold, else 0."""
        return fire(voltage - 1, self.surrogate)


@dataclass(frozen=True)
class Counting(LowerSurrogateNeurons):
    r"""Any number of spikes; the threshold :math:`k` next to the voltage counts.

    .. math:: \frac{\partial a}{\partial v'} = \frac{\alpha}{\Delta t} f(v' - k)
    """

    #: whether negative voltages have passed 0 too
    down: ClassVar[bool] = True

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return spikes and state; gradients of the voltage do not pass its spikes."""
        spikes, rest = super().step(j, *state)
        # `rest` is the voltage without the spikes, and they have their own gradient
        voltage = rest + spikes * (self.dt / self.amplitude)
        return spikes, _value_with_gradient_of(rest, voltage)

    def spikes(self, voltage: tf.Tensor) -> tf.Tensor:
        """Return the whole thresholds that voltages have passed."""
        return count(voltage, self.surrogate, self.down)


@register(RateGradientNeurons)
@dataclass(frozen=True)
class LowerRateGradient(Lowering):
    r"""Spikes forward, backward the derivative of the firing rate.

    .. math:: \frac{\partial a}{\partial J} = r'(J)

    with the rates :math:`r` of the type's rate equivalent.
    """

    spikes: LowerNeurons
    rates: LowerNeurons

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return what spiking neurons, and those with rates, must have in common."""
        kinds = merge_kind(_spikes(op)), merge_kind(_rates(op))
        return None if None in kinds else kinds

    @classmethod
    def carries(cls, op: Operator) -> Collection[Signal]:
        """Return the state variables."""
        return tuple(op.state.values())

    @classmethod
    def fed_draws(cls, op: Operator, nengo_only: bool = False) -> Draws | None:
        """Return what the spiking neurons draw; their NumPy code could not be used."""
        return fed_draws(_spikes(op))

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        spikes, rates = map(_spikes, group.ops), map(_rates, group.ops)
        return cls(_lowered(spikes, context), _lowered(rates, context))

    def with_constants(self, others: Mapping[str, tf.Tensor]) -> LowerRateGradient:
        """Return the same with other parameters; see `LowerNeurons.with_constants`."""
        return replace(
            self,
            spikes=self.spikes.with_constants(others),
            rates=self.rates.with_constants(others),
        )

    @property
    def views(self) -> tuple:
        """All views that the spiking neurons read or write."""
        return self.spikes.views

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        names = type(self.spikes).state_names
        state = [values.read(view) for view in self.spikes.state]
        j, *random = self.spikes.read_inputs(values)
        output, *new_state = self.spikes.computed(j, *random, *state)
        by_name = dict(zip(names, state, strict=True))
        rate, *_ = self.rates.computed(
            j, *(by_name[name] for name in type(self.rates).state_names)
        )
        values.set(self.spikes.output, _value_with_gradient_of(output, rate))
        for view, value in zip(self.spikes.state, new_state, strict=True):
            values.set(view, tf.stop_gradient(value))


def register_surrogate(neuron_type: type[NeuronType]) -> Callable[[Any], Any]:
    """Return a decorator that lets gradients pass through the spikes of neurons.

    Parameters
    ----------
    neuron_type : type
        A class of spiking neurons, whose spikes follow from a voltage; subclasses need
        an entry of their own.

    Returns
    -------
    callable
        Takes a subclass of `LowerSurrogateNeurons` and returns it as it is. For a type
        that draws random numbers it is derived from its `LowerDrawnNeurons` too, and is
        fed the same numbers. It runs the neurons in training with
        ``configure_settings(surrogate=...)``. With ``"rate"`` the derivative is that of
        the type that `register_rates` declares, if any.

    Raises
    ------
    ValidationError
        If one of these is not such a class.

    Warns
    -----
    NengoWarning
        If another class was registered so far. The last one counts, for simulators
        that are made from then on.

    Examples
    --------
    See `LowerSurrogateNeurons` for a class of its own. The class of LIF neurons for a
    subclass with the same step:

    >>> import nengo, nengo_dl.lowering
    >>> from nengo_dl.lowering.neurons.lif import LowerSurrogateLIF
    >>> class NamedLIF(nengo.LIF):
    ...     pass
    >>> _ = nengo_dl.lowering.register_surrogate(NamedLIF)(LowerSurrogateLIF)
    """
    check_neuron_type(neuron_type, "register_surrogate")

    def add(lowering: type[LowerSurrogateNeurons]) -> type[LowerSurrogateNeurons]:
        expected = LowerSurrogateNeurons
        if not (isinstance(lowering, type) and issubclass(lowering, expected)):
            raise ValidationError(
                "Expected a subclass of nengo_dl.lowering.LowerSurrogateNeurons, got "
                f"{lowering!r}",
                attr="lowering",
            )
        return register(SurrogateNeurons, neuron_type)(lowering)

    return add


def has_surrogate(neurons: NeuronType) -> bool:
    """Return whether gradients can pass through the spikes of the exact type."""
    return registered(SurrogateNeurons, type(neurons)) is not None


def _spikes(op: RateGradientNeurons) -> SimNeurons:
    """Return the spiking neurons, with the random numbers that they are fed, if any."""
    state = {**op.state, **op.state_extra}
    spikes = SimNeurons(op.neurons, op.J, op.output, state)
    return spikes if op.draws is None else DrawnNeurons(spikes, op.draws)


def _rates(op: RateGradientNeurons) -> SimNeurons:
    return with_type(op, op.rates)


def _lowered(ops: Iterable[SimNeurons], context: Context) -> LowerNeurons:
    """Return neurons as a computation, which must have a derivative."""
    group = OpGroup(tuple(ops))
    lowering = lower(group, context)
    if not isinstance(lowering, LowerNeurons):
        kind = type(group.ops[0].neurons).__name__
        raise BuildError(
            f'surrogate="rate" needs {kind} in TensorFlow, but it runs as '
            f"{type(lowering).__name__}. Register a LowerNeurons for it, "
            f"`nengo_dl.lowering.register(SimNeurons, {kind})`, or choose another "
            "surrogate."
        )
    return lowering


def _value_with_gradient_of(value: tf.Tensor, source: tf.Tensor) -> tf.Tensor:
    """Return ``value``; gradients go to ``source`` instead, which may be broadcast."""

    @tf.custom_gradient
    def exchange(value: tf.Tensor, source: tf.Tensor) -> tuple:
        return tf.identity(value), lambda upstream: (tf.zeros_like(upstream), upstream)

    # rates for a constant current have no batch axis, or one item, unlike spikes
    return exchange(value, tf.broadcast_to(source, value.shape))
