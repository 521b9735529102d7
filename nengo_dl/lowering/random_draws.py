"""Which random numbers are drawn ahead and fed to the step, for all that draw some."""

from __future__ import annotations

from nengo.builder.operator import Operator

from nengo_dl.graph.draws import Draws
from nengo_dl.lowering.neurons import drawn
from nengo_dl.lowering.tensor_nodes import lowering


def fed_draws(op: Operator, nengo_only: bool = False) -> Draws | None:
    """Return what an operator is fed, or None.

    Parameters
    ----------
    op : Operator
        Any operator.
    nengo_only : bool
        Feed neurons with numbers that Nengo would draw, or not at all.
    """
    return lowering.draws_of(op) or drawn.draws_of(op, nengo_only)
