"""Neuron types and processes that run as NumPy inside the loop.

The exact type decides: a user's subclass of a known type may have changed its step, and
so arrives here too.
"""

from __future__ import annotations

from typing import Any

from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Operator
from nengo.builder.processes import SimProcess

from nengo_dl.graph.draws import DrawnNeurons, Draws
from nengo_dl.lowering.numpy_operator import NumPyOperator
from nengo_dl.lowering.registry import register, registered

register(SimProcess)(NumPyOperator)


@register(SimNeurons)
class NumPyNeurons(NumPyOperator):
    r"""Neuron types without a lowering that computes their step from what Nengo has.

    .. math:: (a, s) \leftarrow f(J, s)

    If a lowering is registered for the type that is fed random numbers, the operator
    gives its place to one that reads these, and nothing runs as NumPy.

    References
    ----------
    See `NumPyOperator`.
    """

    @classmethod
    def fed_draws(cls, op: Operator, nengo_only: bool = False) -> Draws | None:
        """Return what the type draws in each step, if it is known ahead, or None."""
        lowering: Any = registered(DrawnNeurons, type(op.neurons))
        return None if lowering is None else lowering.fed_draws(op, nengo_only)
