"""Which models may be divided: those whose items have nothing to do with each other."""

from __future__ import annotations

from collections.abc import Iterable

from nengo.builder.operator import Operator

from nengo_dl.graph.signals import describe_with_signals
from nengo_dl.graph.tensor_operator import SimTensorNode
from nengo_dl.lowering import registry


def joined_items(operators: Iterable[Operator], losses: bool = False) -> str | None:
    """Return what needs the items of a whole minibatch in one place, in words.

    Parameters
    ----------
    operators : iterable of Operator
        All that runs in compiled code.
    losses : bool
        Whether what layers add to the loss is asked for.

    Returns
    -------
    str or None
        None: each item can be computed anywhere.
    """
    for op in operators:
        if registry.runs_python(op):
            return f"{describe_with_signals(op)} is Python code, which has one process"
        if not isinstance(op, SimTensorNode):
            continue
        bound, label = op.bound, op.function.label
        if op.training and bound.adapted:
            return f"{label} keeps averages over whole minibatches"
        if losses and bound.adds_loss:
            return f"{label} adds a loss that is of whole minibatches"
        if bound.draws.get(op.training):
            return f"{label} draws its random numbers for all items at once"
        if bound.memory:
            return f"{label} changes variables that all items share"
    return None
