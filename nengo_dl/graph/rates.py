"""Rate equivalents of spiking neurons: what training puts in their place.

A spike has no useful derivative, the rate at which a neuron spikes has one. In training
each population of spiking neurons is run by the neuron type that gives its firing rate,
forward and backward; nothing else of the model changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nengo import neurons as nengo_neurons
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Operator
from nengo.exceptions import ValidationError
from nengo.neurons import NeuronType

from nengo_dl.neurons import LeakyReLU, SoftLIFRate, SpikingLeakyReLU


def _same(neurons: NeuronType, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(neurons, name) for name in names}


_LIF = ("tau_rc", "tau_ref", "amplitude")
_ADAPTIVE = ("tau_n", "inc_n", *_LIF)


def _lif(neurons: NeuronType, smoothing: float | None) -> NeuronType:
    if smoothing:
        return SoftLIFRate(sigma=smoothing, **_same(neurons, _LIF))
    return nengo_neurons.LIFRate(**_same(neurons, _LIF))


def _relayed(neurons: NeuronType, smoothing: float | None) -> NeuronType:
    """Types that spike at rates that another operator has computed, their input."""
    return LeakyReLU(negative_slope=1, amplitude=neurons.amplitude)


Equivalent = Callable[[NeuronType, float | None], NeuronType]

_EQUIVALENTS: dict[type, Equivalent] = {
    nengo_neurons.LIF: _lif,
    nengo_neurons.AdaptiveLIF: lambda n, _: nengo_neurons.AdaptiveLIFRate(
        **_same(n, _ADAPTIVE)
    ),
    nengo_neurons.SpikingRectifiedLinear: lambda n, _: nengo_neurons.RectifiedLinear(
        amplitude=n.amplitude
    ),
    SpikingLeakyReLU: lambda n, _: LeakyReLU(n.negative_slope, amplitude=n.amplitude),
    nengo_neurons.RegularSpiking: _relayed,
    nengo_neurons.StochasticSpiking: _relayed,
    nengo_neurons.PoissonSpiking: _relayed,
}


def register_rates(kind: type[NeuronType]) -> Callable[[Equivalent], Equivalent]:
    """Return a decorator that says what trains in the place of spiking neurons.

    Parameters
    ----------
    kind : type
        A class of spiking neurons; subclasses need an entry of their own. Registering
        it again replaces what was there.

    Returns
    -------
    callable
        Takes ``f(neurons, smoothing)``, which returns the neuron type that gives the
        firing rates of ``neurons``; ``smoothing`` is `configure_settings`'
        ``lif_smoothing``. State variables of equal names are shared.

    Raises
    ------
    ValidationError
        If it is not a class of neurons.

    Examples
    --------
    >>> import nengo, nengo_dl.lowering
    >>> class MyLIF(nengo.LIF):
    ...     pass
    >>> @nengo_dl.lowering.register_rates(MyLIF)
    ... def rates(neurons, smoothing):
    ...     return nengo.LIFRate(tau_rc=neurons.tau_rc, tau_ref=neurons.tau_ref)
    """
    if not (isinstance(kind, type) and issubclass(kind, NeuronType)):
        raise ValidationError(
            "Expected a class of neurons, such as `@register_rates(MyNeuronType)`; got "
            f"{kind!r}",
            attr="kind",
        )

    def add(equivalent: Equivalent) -> Equivalent:
        _EQUIVALENTS[kind] = equivalent
        return equivalent

    return add


def rate_equivalent(
    neurons: NeuronType, smoothing: float | None = None
) -> NeuronType | None:
    """Return the type that gives the rates of a spiking one.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType
        Any neuron type.
    smoothing : float, optional
        Width of the soft threshold that LIF neurons get, in units of current; None for
        the rates of `nengo.LIFRate`, whose slope has no bound where firing begins.

    Returns
    -------
    nengo.neurons.NeuronType or None
        None if the exact type has no equivalent, or needs none.
    """
    make = _EQUIVALENTS.get(type(neurons))
    return None if make is None else make(neurons, smoothing)


def with_rates(
    operators: Sequence[Operator], smoothing: float | None = None
) -> list[Operator]:
    """Return the operators with rates in the place of spikes."""
    return [_replaced(op, smoothing) for op in operators]


def _replaced(op: Operator, smoothing: float | None) -> Operator:
    if type(op) is not SimNeurons:
        return op
    rates = rate_equivalent(op.neurons, smoothing)
    if rates is None:
        return op
    state = {name: op.state[name] for name in rates.state if name in op.state}
    return SimNeurons(rates, op.J, op.output, state=state, tag=op.tag)
