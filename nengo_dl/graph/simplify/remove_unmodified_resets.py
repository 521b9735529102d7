"""Drop resets of signals that nobody else writes."""

from __future__ import annotations

import numpy as np
from nengo.builder.operator import Operator, Reset

from nengo_dl.graph.signals import initial_elements
from nengo_dl.graph.simplify.facts import Facts, pure


@pure
def remove_unmodified_resets(facts: Facts) -> list[Operator]:
    """Remove a Reset whose target nobody increments and that starts at its value.

    The signal then is a constant that later rewrites can see through: the input of an
    ensemble without connections, for example.

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
    >>> from nengo.builder.operator import Reset
    >>> from nengo_dl.graph.simplify import Facts, remove_unmodified_resets
    >>> remove_unmodified_resets(Facts([Reset(Signal(np.zeros(3)))]))
    []
    """
    return [
        op
        for op in facts.operators
        if not (
            type(op) is Reset
            and op.dst.base not in facts.incremented
            and np.all(initial_elements(op.dst) == op.value)
        )
    ]
