"""Spiking neurons that gradients pass through."""

from __future__ import annotations

from collections.abc import Sequence

from nengo import neurons as nengo_neurons
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Operator

from nengo_dl.graph.rates import rate_equivalent
from nengo_dl.neurons import SpikingLeakyReLU
from nengo_dl.surrogates import Surrogate

#: types whose spikes follow from a voltage: the gradient may go through it
INTEGRATING = (
    nengo_neurons.LIF,
    nengo_neurons.AdaptiveLIF,
    nengo_neurons.SpikingRectifiedLinear,
    nengo_neurons.RegularSpiking,
    SpikingLeakyReLU,
)


class SurrogateNeurons(SimNeurons):
    """Compute what neurons do, with another derivative in the place of their own.

    Parameters
    ----------
    op : SimNeurons
        The operator whose place it takes.
    surrogate : Surrogate or "rate"
        The derivative of a spike with respect to the voltage; ``"rate"`` for that of
        the firing rate with respect to the current.

    Notes
    -----
    1. sets ``[output] + state``
    2. incs ``[]``
    3. reads ``[J]``
    4. updates ``[]``
    """

    def __init__(self, op: SimNeurons, surrogate: Surrogate | str) -> None:
        super().__init__(op.neurons, op.J, op.output, op.state, tag=op.tag)
        self.surrogate = surrogate


def with_surrogates(
    operators: Sequence[Operator], surrogate: Surrogate | str
) -> list[Operator]:
    """Return the operators with derivatives for all spiking neurons that can have one.

    Parameters
    ----------
    operators : sequence of Operator
        The operators of a model.
    surrogate : Surrogate or "rate"
        The derivative. Where spikes do not follow from a voltage, because they are
        drawn at random, nothing is replaced.
    """
    return [
        SurrogateNeurons(op, surrogate)
        if type(op) is SimNeurons and _replaceable(op, surrogate)
        else op
        for op in operators
    ]


def _replaceable(op: SimNeurons, surrogate: Surrogate | str) -> bool:
    if type(op.neurons) not in INTEGRATING:
        return False
    return surrogate != "rate" or rate_equivalent(op.neurons) is not None
