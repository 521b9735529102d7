"""Which operators of a model need the loop over time, and which run for all steps.

Only what remembers needs a loop: the state of neurons and filters, and whatever feeds
it or is fed by it within a step. Operators in front of that depend on inputs and
parameters alone; operators behind it change nothing that anybody reads again. Both can
run for all time steps at once, as one large batch: a product of 100 steps in one is
several times faster than 100 small ones. Linear filters join them where they can; see
`nengo_dl.graph.series`.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from nengo.builder.operator import Copy, Operator, TimeUpdate
from nengo.builder.signal import Signal

from nengo_dl.graph import series
from nengo_dl.graph.roles import Role
from nengo_dl.graph.series import FilterSeries


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
    ends : dict of {Signal: Signal}
        For outputs of filters that run outside of the loop: what has their values at
        the end of each step.
    """

    before: tuple[Operator, ...]
    loop: tuple[Operator, ...]
    after: tuple[Operator, ...]
    roles: dict[Signal, Role]
    ends: dict[Signal, Signal] = field(default_factory=dict)

    def known(self) -> set[Signal]:
        """Return the bases whose values are known for all steps before the loop."""
        return _written(self.before) | {
            base for base, role in self.roles.items() if role is Role.INPUT
        }


def partition(
    operators: Sequence[Operator],
    roles: Mapping[Signal, Role],
    needs_loop: Callable[[Operator], bool],
    across_time: Callable[[Operator], bool] = lambda op: False,
    runs_python: Callable[[Operator], bool] = lambda op: False,
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
    across_time : callable
        Whether an operator remembers, but can run for all steps at once nevertheless.
    runs_python : callable
        Whether an operator calls Python.

    Returns
    -------
    Phases
        An increment of a signal of the loop whose own operands are known before is
        divided: the product is computed before the loop, and a Copy adds it there.
    """
    free = {op for op in operators if not op.updates and not needs_loop(op)}
    chosen = series.candidates(operators, across_time, runs_python)
    front, back = series.without_loop(free | chosen, operators, roles)
    chosen &= front | back
    while True:
        new = series.rewrite(operators, chosen)
        ends = {output: by.end for output, by in new.series.items()}
        outputs = [s for by in new.series.values() for s in by.sets]
        phases = divide(
            new.operators,
            {**roles, **dict.fromkeys(outputs, Role.TRANSIENT)},
            needs_loop,
        )
        stuck = [op for op in phases.loop if isinstance(op, FilterSeries)]
        if not stuck:
            return replace(phases, loop=_counted(phases), ends=ends)
        chosen -= {by.op for by in stuck}


def _counted(phases: Phases) -> tuple[Operator, ...]:
    """Return the operators of the loop; a step counter only if someone reads it."""
    read = {signal.base for op in phases.after for signal in op.reads}
    counts = all(isinstance(op, TimeUpdate) for op in phases.loop)
    return () if counts and not read & _written(phases.loop) else phases.loop


def divide(
    operators: Sequence[Operator],
    roles: Mapping[Signal, Role],
    needs_loop: Callable[[Operator], bool],
) -> Phases:
    """Divide operators by when they can run; filters stay in the loop.

    Parameters
    ----------
    operators : sequence of Operator
        In Nengo's order.
    roles : mapping of Signal to Role
        The role of each base.
    needs_loop : callable
        Whether an operator has to stay in the loop, because it remembers for example.
    """
    free = [
        op
        for op in operators
        if isinstance(op, FilterSeries) or not (op.updates or needs_loop(op))
    ]
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
    own = _own(found)
    while True:
        unknown = {
            base
            for base, role in roles.items()
            if role not in given
            and base not in own
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


def _own(operators: Iterable[Operator]) -> set[Signal]:
    """Return the states of filters that run without a loop, which they alone use."""
    return {
        signal.base
        for op in operators
        if isinstance(op, FilterSeries)
        for signal in op.updates
    }


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
