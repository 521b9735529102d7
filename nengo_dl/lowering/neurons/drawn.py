"""What neuron types that draw random numbers have in common: the numbers are fed."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Operator

from nengo_dl.graph.draws import DrawnNeurons, Draws
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.neurons.base import LowerNeurons
from nengo_dl.lowering.numpy_operator import NumPyOperator
from nengo_dl.lowering.registry import Lowering, lowering_of, register
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View


@dataclass(frozen=True)
class LowerDrawnNeurons(LowerNeurons):
    """Populations that turn rates into spikes at random.

    Their input is the rate of a base type. Where that can be negative, so can spikes.
    Subclasses say what has to be drawn in each step, and implement `build_step`.
    """

    random: View
    sizes: tuple[int, ...]
    negative: bool

    @classmethod
    def draws(cls, op: SimNeurons) -> Draws:
        """Return the random numbers that one population needs in each step."""
        raise NotImplementedError

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return whether there are negative rates: the equations differ."""
        return "drawn neurons", bool(op.neurons.negative)

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context, **fields: Any) -> Lowering:
        """Return the lowering of a group."""
        signals = [op.draws for op in group.ops]
        return super().build_pre(
            group,
            context,
            random=context.view(signals, (sum(signal.size for signal in signals),)),
            sizes=tuple(op.J.size for op in group.ops),
            negative=bool(group.ops[0].neurons.negative),
            **fields,
        )


_DRAWS: dict[type, Callable[[SimNeurons], Draws]] = {}


def drawn_neurons(neuron_type: type) -> Callable[[Any], Any]:
    """Return a decorator that registers a `LowerDrawnNeurons` for a NeuronType."""

    def add(lowering: type[LowerDrawnNeurons]) -> type[LowerDrawnNeurons]:
        _DRAWS[neuron_type] = lowering.draws
        return register(DrawnNeurons, neuron_type)(lowering)

    return add


def draws_of(op: Operator, nengo_only: bool = False) -> Draws | None:
    """Return the random numbers that can be drawn ahead for an operator, or None.

    Parameters
    ----------
    op : Operator
        Any operator. As everywhere, the exact type of neurons decides; a lowering that
        the user has registered for the type comes first.
    nengo_only : bool
        Return only numbers that Nengo would draw. Without any, the operator stays what
        it is, and its own NumPy code draws in the loop.
    """
    found = _DRAWS.get(type(op.neurons)) if type(op) is SimNeurons else None
    if found is None or lowering_of(op) is not NumPyOperator:
        return None
    draws = found(op)
    return draws if draws.nengo or not nengo_only else None
