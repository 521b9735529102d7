"""Put firing rates in the place of spikes, for training.

A spike has no useful derivative, the rate at which a neuron spikes has one. In training
each population of spiking neurons is run by the neuron type that gives its firing rate,
forward and backward; nothing else of the model changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Operator
from nengo.neurons import NeuronType

#: ``rates_of(neurons)``: the type that gives the rates of a spiking one, or None
RatesOf = Callable[[NeuronType], NeuronType | None]


def with_rates(operators: Sequence[Operator], rates_of: RatesOf) -> list[Operator]:
    """Return the operators with rates in the place of spikes.

    Parameters
    ----------
    operators : sequence of Operator
        The operators of a model.
    rates_of : callable
        ``rates_of(neurons)`` returns the neuron type that gives the firing rates of
        another one, or None if it has no such type, or needs none.

    Returns
    -------
    list of Operator
        In the same order; all but spiking neurons as they are.
    """
    return [_replaced(op, rates_of) for op in operators]


def _replaced(op: Operator, rates_of: RatesOf) -> Operator:
    if type(op) is not SimNeurons:
        return op
    rates = rates_of(op.neurons)
    return op if rates is None else with_type(op, rates)


def with_type(op: SimNeurons, neurons: NeuronType) -> SimNeurons:
    """Return an operator that runs another neuron type on the signals of ``op``."""
    state = {name: op.state[name] for name in neurons.state if name in op.state}
    return SimNeurons(neurons, op.J, op.output, state=state, tag=op.tag)
