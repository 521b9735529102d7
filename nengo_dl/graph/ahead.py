"""Large computations that a run can do for several steps at once, ahead of its loop.

What depends on inputs and parameters alone could be computed in front of the loop for
as many steps as there are inputs of. For small computations that would be a loss: their
results have to be stored and read again. A product with a large matrix is two times
faster for a thousand rows than for a hundred, and six times faster than for one; where
the inputs stay the same, as a picture that is looked at, it is needed once only.
"""

from __future__ import annotations

from collections.abc import Callable

from nengo.builder.operator import Operator
from nengo.builder.signal import Signal

from nengo_dl.graph.costs import doing, operations
from nengo_dl.graph.operators import Operators
from nengo_dl.graph.phases import divide
from nengo_dl.graph.roles import Role
from nengo_dl.graph.signals import written

#: operations per time step that are worth it: two microseconds' or more, while storing
#: and reading results takes a fraction of one
WORTH = 200_000


def ahead(
    operators: Operators,
    roles: dict[Signal, Role],
    needs_loop: Callable[[Operator], bool],
    minibatch_size: int,
) -> tuple[Operators, dict[Signal, Role]]:
    """Mark what is computed ahead of the loop, if that is worth it.

    Parameters
    ----------
    operators : Operators
        In Nengo's order.
    roles : dict of {Signal: Role}
        The role of each base.
    needs_loop : callable
        Whether an operator has to stay in the loop.
    minibatch_size : int
        Number of items in the batch.

    Returns
    -------
    operators : Operators
        In Nengo's order. Products that are computed ahead have signals of their own,
        and a Copy adds them in the loop.
    roles : dict of {Signal: Role}
        What is known ahead has the role `Role.AHEAD`.
    """
    least = WORTH / minibatch_size
    if all(map(needs_loop, doing(operators, least))):
        return operators, roles  # nothing to look for: most models
    phases = divide(operators, roles, needs_loop)
    if not any(operations(op) >= least for op in phases.before):
        return operators, roles
    known = {signal.base for op in phases.before for signal in written(op)}
    return (
        operators.like([*phases.before, *phases.loop, *phases.after]),
        {**phases.roles, **dict.fromkeys(known, Role.AHEAD)},
    )
