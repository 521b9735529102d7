"""Replace products with a constant one by copies."""

from __future__ import annotations

import numpy as np
from nengo.builder.operator import Copy, DotInc, ElementwiseInc, Operator
from nengo.builder.signal import Signal

from nengo_dl.graph.signals import initial_elements
from nengo_dl.graph.simplify.facts import Facts, pure


@pure
def remove_identity_muls(facts: Facts) -> list[Operator]:
    """Turn ``Y += 1 * X`` and ``Y += I X`` into ``Y += X``.

    Gains of 1, scalar transforms of 1, and the identity encoders of Direct ensembles
    are of this kind. Trainable factors are left alone.

    Parameters
    ----------
    facts : Facts
        The operators, and what is certain about their signals.

    Returns
    -------
    list of Operator
        The operators, with copies in the place of products.

    Examples
    --------
    >>> import numpy as np
    >>> from nengo.builder import Signal
    >>> from nengo.builder.operator import DotInc
    >>> from nengo_dl.graph.simplify import Facts, remove_identity_muls
    >>> x, y = Signal(np.zeros(2)), Signal(np.zeros(2))
    >>> product = DotInc(Signal(np.eye(2)), x, y)
    >>> [type(op).__name__ for op in remove_identity_muls(Facts([product]))]
    ['Copy']
    """
    with_one = facts.reading(1.0)
    return [_rewrite(op, facts, op in with_one) for op in facts.operators]


def _rewrite(op: Operator, facts: Facts, with_one: bool) -> Operator:
    if type(op) is ElementwiseInc:
        for factor, other in ((op.A, op.X), (op.X, op.A)) if with_one else ():
            if other.shape == op.Y.shape and facts.constant(factor, 1.0):
                return Copy(other, op.Y, inc=True, tag=op.tag)
    elif type(op) is DotInc and op.X.shape == op.Y.shape and _identity(op.A, facts):
        return Copy(op.X, op.Y, inc=True, tag=op.tag)
    return op


def _identity(signal: Signal, facts: Facts) -> bool:
    """Whether the signal is a square unit matrix, or 1, at all times."""
    if signal.sparse or signal.ndim != 2 or signal.shape[0] != signal.shape[1]:
        return signal.ndim == 0 and facts.constant(signal, 1.0)
    unit = np.identity(signal.shape[0]).ravel()
    return facts.unchanging(signal) and np.array_equal(initial_elements(signal), unit)
