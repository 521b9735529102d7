"""Spiking neurons with surrogate gradients: the operators that training runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Operator
from nengo.neurons import NeuronType

from nengo_dl.graph.draws import FedNeurons
from nengo_dl.graph.rates import RatesOf
from nengo_dl.surrogates import Surrogate


class SurrogateNeurons(FedNeurons):
    """Compute what neurons do, with another derivative of their spikes.

    Parameters
    ----------
    op : SimNeurons
        The operator whose place it takes.
    surrogate : Surrogate
        The derivative of a spike with respect to the voltage.

    Notes
    -----
    1. sets ``[output] + state``
    2. incs ``[]``
    3. reads ``[J]``, then the random numbers if they are fed
    4. updates ``[]``
    """

    def __init__(self, op: SimNeurons, surrogate: Surrogate) -> None:
        super().__init__(op)
        self.surrogate = surrogate


class RateGradientNeurons(FedNeurons):
    """Compute what neurons do, with the derivative of their firing rates.

    Parameters
    ----------
    op : SimNeurons
        The operator whose place it takes.
    rates : nengo.neurons.NeuronType
        The type that gives the firing rates.

    Notes
    -----
    1. sets ``[output] + state``
    2. incs ``[]``
    3. reads ``[J]``, then the random numbers if they are fed
    4. updates ``[]``
    """

    def __init__(self, op: SimNeurons, rates: NeuronType) -> None:
        super().__init__(op)
        self.rates = rates


def with_surrogates(
    operators: Sequence[Operator],
    surrogate: Surrogate | str,
    has_surrogate: Callable[[NeuronType], bool],
    rates_of: RatesOf,
) -> list[Operator]:
    """Return the operators with derivatives for all spiking neurons that can have one.

    Parameters
    ----------
    operators : sequence of Operator
        The operators of a model.
    surrogate : Surrogate or "rate"
        The derivative of a spike with respect to the voltage; ``"rate"`` for that of
        the firing rate with respect to the current.
    has_surrogate : callable
        ``has_surrogate(neurons)`` tells whether gradients can pass through the spikes
        of a neuron type. Where spikes do not follow from a voltage, because they
        themselves are drawn at random, they cannot.
    rates_of : callable
        ``rates_of(neurons)`` returns the type that gives the firing rates, or None.

    Returns
    -------
    list of Operator
        In the same order; all others as they are.
    """
    return [
        _replaced(op, surrogate, rates_of)
        if type(op) is SimNeurons and has_surrogate(op.neurons)
        else op
        for op in operators
    ]


def _replaced(
    op: SimNeurons, surrogate: Surrogate | str, rates_of: RatesOf
) -> SimNeurons:
    if isinstance(surrogate, Surrogate):
        return SurrogateNeurons(op, surrogate)
    rates = rates_of(op.neurons)
    return op if rates is None else RateGradientNeurons(op, rates)
