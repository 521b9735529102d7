"""What of a model has to go through time step by step, and what has not.

Only what remembers needs a loop: the state of neurons and filters, and whatever feeds
it or is fed by it within a step. Operators in front of that depend on inputs and
parameters alone; operators behind it change nothing that anybody reads again. Both can
run for all time steps at once, as one large batch: a product of 100 steps in one is
several times faster than 100 small ones.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from nengo.builder.operator import Copy, Operator
from nengo.builder.signal import Signal

from nengo_dl.graph.roles import Role


@dataclass(frozen=True)
class Phases:
    """The operators of a model in three parts, each in Nengo's order.

    Attributes
    ----------
    before : tuple of Operator
        Depend on inputs and parameters only.
    loop : tuple of Operator
        Depend on the step before.
    after : tuple of Operator
        Depend on the others, and nothing in the loop depends on them.
    roles : dict of {Signal: Role}
        The role of each base, those included that `partition` has added.
    """

    before: tuple[Operator, ...]
    loop: tuple[Operator, ...]
    after: tuple[Operator, ...]
    roles: dict[Signal, Role]

    def known(self) -> set[Signal]:
        """Return the bases whose values are known for all steps before the loop."""
        return _written(self.before) | {
            base for base, role in self.roles.items() if role is Role.INPUT
        }


def partition(
    operators: Sequence[Operator],
    roles: Mapping[Signal, Role],
    needs_loop: Callable[[Operator], bool],
) -> Phases:
    """Divide operators by when they can run.

    Parameters
    ----------
    operators : sequence of Operator
        In Nengo's order.
    roles : mapping of Signal to Role
        The role of each base.
    needs_loop : callable
        Whether an operator remembers, or calls Python.

    Returns
    -------
    Phases
        An increment of a signal of the loop whose own operands are known before is
        divided: the product is computed before the loop, and a Copy adds it there.
    """
    free = [op for op in operators if not op.updates and not needs_loop(op)]
    before = _before(free, operators, roles)
    known = _written(before) | {
        b for b, r in roles.items() if r in (Role.PARAM, Role.INPUT)
    }
    rest = [op for op in operators if op not in before]
    after = _after([op for op in free if op not in before], rest, roles)

    loop: list[Operator] = []
    divided: list[Operator] = []
    sums: dict[Signal, Signal] = {}
    for op in rest:
        if op in after:
            continue
        if _divisible(op, known) and not needs_loop(op):
            target = op.incs[0]
            if target not in sums:
                sums[target] = Signal(shape=target.shape, name=f"{target.name}.before")
                loop.append(Copy(sums[target], target, inc=True, tag=op.tag))
            product = copy.copy(op)
            product.incs = [sums[target]]
            divided.append(product)
        else:
            loop.append(op)
    return Phases(
        (*(op for op in operators if op in before), *divided),
        tuple(loop),
        tuple(op for op in rest if op in after),
        {**roles, **dict.fromkeys(sums.values(), Role.TRANSIENT)},
    )


def _before(
    free: Iterable[Operator],
    operators: Sequence[Operator],
    roles: Mapping[Signal, Role],
) -> set[Operator]:
    """Return the operators that depend on inputs and parameters only."""
    writers = _by_base(operators, lambda op: (*op.sets, *op.incs, *op.updates))
    given = (Role.PARAM, Role.INPUT)
    found = set(free)
    while True:
        unknown = {
            base
            for base, role in roles.items()
            if role not in given
            and (role is not Role.TRANSIENT or not found.issuperset(writers[base]))
        }
        out = {op for op in found if any(s.base in unknown for s in op.all_signals)}
        if not out:
            return found
        found -= out


def _after(
    free: Iterable[Operator],
    operators: Sequence[Operator],
    roles: Mapping[Signal, Role],
) -> set[Operator]:
    """Return the operators that nothing in the loop depends on."""
    involved = _by_base(operators, lambda op: op.all_signals)
    written = _by_base(operators, lambda op: (*op.sets, *op.incs))
    updated = _by_base(operators, lambda op: op.updates)
    # between an increment and an update a signal has a value that no other step sees
    fleeting = {base for base in updated if updated[base] and written[base]}
    found = {
        op
        for op in free
        if all(roles[s.base] is Role.TRANSIENT for s in (*op.sets, *op.incs))
        and not any(s.base in fleeting for s in op.reads)
    }
    while True:
        out = {
            op
            for op in found
            if any(not found.issuperset(involved[s.base]) for s in (*op.sets, *op.incs))
        }
        if not out:
            return found
        found -= out


def _divisible(op: Operator, known: set[Signal]) -> bool:
    """Whether the operator's sum can be computed before it is added."""
    return (
        not (op.sets or op.updates or isinstance(op, Copy))
        and len(op.incs) == 1
        and all(signal.base in known for signal in op.reads)
    )


def _by_base(
    operators: Iterable[Operator], signals: Callable[[Operator], Iterable[Signal]]
) -> Mapping[Signal, set[Operator]]:
    found: dict[Signal, set[Operator]] = defaultdict(set)
    for op in operators:
        for signal in signals(op):
            found[signal.base].add(op)
    return found


def _written(operators: Iterable[Operator]) -> set[Signal]:
    return {signal.base for op in operators for signal in (*op.sets, *op.incs)}
