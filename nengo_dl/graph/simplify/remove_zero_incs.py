"""Drop products with a constant zero: they add nothing."""

from __future__ import annotations

from nengo.builder.operator import Copy, DotInc, ElementwiseInc, Operator

from nengo_dl.graph.simplify.facts import Facts, pure


@pure
def remove_zero_incs(facts: Facts) -> list[Operator]:
    """Remove increments whose increment is always zero.

    ``Y += A X`` with A or X constant at zero, and ``y += x`` with x constant at zero,
    leave their target alone. A product that a Node without output feeds, or a
    connection with ``transform=0``, ends here.

    Parameters
    ----------
    facts : Facts
        The operators, and what is certain about their signals.

    Returns
    -------
    list of Operator
        The operators that remain.

    Examples
    --------
    >>> import numpy as np
    >>> from nengo.builder import Signal
    >>> from nengo.builder.operator import Copy
    >>> from nengo_dl.graph.simplify import Facts, remove_zero_incs
    >>> x, y = Signal(np.zeros(3)), Signal(np.zeros(3))
    >>> remove_zero_incs(Facts([Copy(x, y, inc=True)]))
    []
    """
    gone = {op for op in facts.reading(0.0) if _is_increment(op)}
    return [op for op in facts.operators if op not in gone]


def _is_increment(op: Operator) -> bool:
    """Whether all that the operator does is to add a product, or what it reads."""
    kind = type(op)
    return kind is DotInc or kind is ElementwiseInc or (kind is Copy and op.inc)
