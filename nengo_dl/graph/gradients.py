"""Which parameters back-propagation reaches, and which operators block gradients.

Gradients go back from the objective's Probes, against the direction of the operators
and through all time steps; see `nengo_dl.program.adjoint`. Python code, and spikes that
have neither rates nor a surrogate gradient, let none pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from nengo.builder.operator import Operator
from nengo.builder.signal import Signal

from nengo_dl.graph.needed import needed


@dataclass(frozen=True)
class Reach:
    """Which parameters gradients reach, and which operators stand in their way.

    Attributes
    ----------
    trained : frozenset of Signal
        The parameters that they reach.
    blocked : tuple of Operator
        Operators that let no gradient pass although trained parameters are behind them.
    """

    trained: frozenset[Signal]
    blocked: tuple[Operator, ...]


def reach(
    operators: Sequence[Operator],
    targets: Iterable[Signal],
    trained: Collection[Signal],
    blocks: Callable[[Operator], bool],
) -> Reach:
    """Find the parameters that back-propagation from some signals reaches.

    Parameters
    ----------
    operators : sequence of Operator
        What the signals depend on.
    targets : iterable of Signal
        What gradients are taken of.
    trained : collection of Signal
        The parameters that an optimizer may change.
    blocks : callable
        Whether an operator lets no gradient pass.
    """
    targets = list(targets)
    open_ways = [op for op in operators if not blocks(op)]
    passed = needed(open_ways, targets)
    reached = {s.base for op in passed for s in op.all_signals}
    reached |= {signal.base for signal in targets}
    walls = [
        op
        for op in operators
        if blocks(op)
        and any(s.base in reached for s in (*op.sets, *op.incs, *op.updates))
        and _behind(operators, op).intersection(trained)
    ]
    return Reach(frozenset(reached.intersection(trained)), tuple(walls))


def _behind(operators: Sequence[Operator], op: Operator) -> set[Signal]:
    """Return all signals that an operator's input depends on."""
    found = {signal.base for signal in op.reads}
    for other in needed(operators, op.reads):
        found |= {signal.base for signal in other.all_signals}
    return found
