"""Which neuron type gives the firing rates of a spiking one: a table to register in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nengo.exceptions import BuildError, ValidationError
from nengo.neurons import NeuronType

from nengo_dl.lowering.neurons.base import check_neuron_type
from nengo_dl.lowering.neurons.declared import check_rates_function
from nengo_dl.lowering.registry import warn_if_replaced
from nengo_dl.neurons import LeakyReLU

RatesFunction = Callable[[Any, float | None], NeuronType]

_RATES: dict[type[NeuronType], RatesFunction] = {}


def register_rates(
    neuron_type: type[NeuronType],
) -> Callable[[RatesFunction], RatesFunction]:
    """Return a decorator that says what trains in the place of spiking neurons.

    Parameters
    ----------
    neuron_type : type
        A class of spiking neurons; subclasses need an entry of their own.

    Returns
    -------
    callable
        Takes ``f(neurons, smoothing)``, which returns the neuron type that gives the
        firing rates of ``neurons``; ``smoothing`` is `configure_settings`'
        ``lif_smoothing``. State variables of equal names are shared, and it must have
        no others.

    Raises
    ------
    ValidationError
        If it is not a class of neurons, or what is decorated is not a function
        of these two arguments.

    Warns
    -----
    NengoWarning
        If something else gave its rates so far. The last one counts.

    Examples
    --------
    >>> import nengo, nengo_dl.lowering
    >>> class MyLIF(nengo.LIF):
    ...     pass
    >>> @nengo_dl.lowering.register_rates(MyLIF)
    ... def rates(neurons, smoothing):
    ...     return nengo.LIFRate(tau_rc=neurons.tau_rc, tau_ref=neurons.tau_ref)
    """
    check_neuron_type(neuron_type, "register_rates")

    def add(function: RatesFunction) -> RatesFunction:
        if not callable(function) or isinstance(function, type):
            raise ValidationError(
                "Expected a function of a neuron type and a smoothing that returns "
                "another neuron type, such as `lambda neurons, smoothing: "
                f"nengo.LIFRate(neurons.tau_rc)`; got {function!r}",
                attr="function",
            )
        check_rates_function(function)
        warn_if_replaced(
            function, _RATES.get(neuron_type), f"rates of {neuron_type.__name__}"
        )
        _RATES[neuron_type] = function
        return function

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

    Raises
    ------
    BuildError
        If what was registered returns something else, or a type that has other state.
    """
    function = _RATES.get(type(neurons))
    if function is None:
        return None
    rates = function(neurons, smoothing)
    if not isinstance(rates, NeuronType):
        raise BuildError(
            f"What is registered as the rates of {neurons} returned {rates!r}; "
            "expected an instance of a neuron type, such as nengo.LIFRate()"
        )
    if missing := sorted(set(rates.state) - set(neurons.state)):
        raise BuildError(
            f"{rates} is registered as the rates of {neurons}, but has the state "
            f"{', '.join(missing)}, which {type(neurons).__name__} has not. It can "
            "only share the state of the spiking neurons; register rates without it."
        )
    return rates


def attributes(neurons: NeuronType, *names: str) -> dict[str, Any]:
    """Return some attributes by name: arguments for a type that has the same."""
    return {name: getattr(neurons, name) for name in names}


def given_rates(neurons: Any, smoothing: float | None) -> NeuronType:
    """Return the input times ``amplitude``: another operator has computed the rates."""
    return LeakyReLU(negative_slope=1, amplitude=neurons.amplitude)
