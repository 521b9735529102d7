"""Linear filters outside of feedback, computed for all time steps at once.

The output of a linear filter is a weighted sum of its inputs so far. Where all of these
are known at once, all outputs are too, as products of matrices. `FilterSeries` stands
for a filter that runs in this way; who reads the filter's output within a step reads
what it was at the end of the step before.

Back-propagation through time then needs no loop for them either: the gradients of all
steps are products with the transposed matrices.
"""

from __future__ import annotations

import copy
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from nengo.builder.operator import Operator
from nengo.builder.processes import SimProcess
from nengo.builder.signal import Signal, SignalDict

from nengo_dl.graph.roles import Role
from nengo_dl.graph.signals import written


class FilterSeries(Operator):
    """The output of a linear filter in all time steps, without a loop.

    Parameters
    ----------
    op : SimProcess
        The filter whose place it takes.

    Attributes
    ----------
    process : nengo.synapses.LinearFilter
        The filter.
    op : SimProcess
        As given.

    Notes
    -----
    1. sets ``[begin, end]``, the output at either end of each step
    2. incs ``[]``
    3. reads ``[input]``
    4. updates ``[output, X]``, where it starts and ends
    """

    def __init__(self, op: SimProcess) -> None:
        super().__init__(tag=op.tag)
        shape, name = op.output.shape, op.output.name
        self.op, self.process = op, op.process
        self.sets = [Signal(np.zeros(shape), name=f"{name}.{e}") for e in _ENDS]
        self.incs: list[Signal] = []
        self.reads = [op.input]
        self.updates = [op.output, op.state["X"]]

    @property
    def begin(self) -> Signal:
        """The output at the beginning of each step."""
        return self.sets[0]

    @property
    def end(self) -> Signal:
        """The output at the end of each step."""
        return self.sets[1]

    @property
    def input(self) -> Signal:
        """The Signal that is filtered."""
        return self.reads[0]

    def make_step(self, signals: SignalDict, dt: float, rng: Any) -> Callable[[], None]:
        """Return a NumPy function that computes a single time step, as Nengo has it."""
        begin, end, x, y, state = (
            signals[s] for s in (*self.sets, self.input, *self.updates)
        )
        # filters do not look at the time
        step = self.process.make_step(x.shape, y.shape, dt, rng, {"X": state})

        def run() -> None:
            begin[...] = y
            y[...] = end[...] = step(None, x)

        return run


_ENDS = ("begin", "end")


def view_of(signal: Signal, base: Signal) -> Signal:
    """Return the part of ``base`` that ``signal`` is of its own base."""
    if not signal.is_view:
        return base
    values = np.ndarray(
        signal.shape,
        base.initial_value.dtype,
        np.ascontiguousarray(base.initial_value),
        signal.offset,
        signal.initial_value.strides,
    )
    return Signal(values, name=base.name, base=base, offset=signal.offset)


def candidates(
    operators: Sequence[Operator],
    across_time: Callable[[Operator], bool],
    runs_python: Callable[[Operator], bool],
) -> set[Operator]:
    """Return the linear filters that can be computed without the loop.

    Parameters
    ----------
    operators : sequence of Operator
        The operators of a model.
    across_time : callable
        Whether an operator is a linear filter that can run for all steps at once.
    runs_python : callable
        Whether an operator calls Python, which asks for values in the loop.
    """
    writers: Mapping[Signal, int] = Counter(
        signal.base for op in operators for signal in written(op)
    )
    called = {
        signal.base for op in operators if runs_python(op) for signal in op.all_signals
    }
    return {
        op
        for op in operators
        if across_time(op)
        and all(
            not s.is_view and writers[s] == 1 and s not in called for s in op.updates
        )
    }


def without_loop(
    free: Collection[Operator],
    operators: Sequence[Operator],
    roles: Mapping[Signal, Role],
) -> tuple[set[Operator], set[Operator]]:
    """Return the operators that can run before the loop, and those behind it.

    Parameters
    ----------
    free : collection of Operator
        What needs no loop, if what it reads, or what reads it, needs none.
    operators : sequence of Operator
        All operators.
    roles : mapping of Signal to Role
        The role of each base.
    """
    ends = {signal.base for op in free for signal in op.updates}
    fixed = {base for base, role in roles.items() if role.carried and base not in ends}
    front = _grow(free, operators, needs=_inputs, gives=_outputs, never=fixed)
    back = _grow(free, operators, needs=_outputs, gives=_inputs, never=fixed)
    return front, back


def _inputs(op: Operator) -> set[Signal]:
    # Nengo gives the time to all processes; filters do not look at it
    time = op.t.base if isinstance(op, SimProcess) else None
    return {signal.base for signal in op.reads} - {time}


def _outputs(op: Operator) -> set[Signal]:
    return {signal.base for signal in written(op)}


def _grow(
    free: Collection[Operator],
    operators: Sequence[Operator],
    needs: Callable[[Operator], set[Signal]],
    gives: Callable[[Operator], set[Signal]],
    never: Collection[Signal],
) -> set[Operator]:
    """Return the operators that can be had one after the other, without a cycle.

    One needs some bases; a base can be had when all operators that give it are there.
    """
    pending = Counter(base for op in operators for base in gives(op))
    users: dict[Signal, list[Operator]] = defaultdict(list)
    missing: dict[Operator, int] = {}
    ready: list[Operator] = []
    for op in free:
        wanted = [b for b in needs(op) if pending[b] or b in never]
        missing[op] = len(wanted)
        for base in wanted:
            users[base].append(op)
        if not wanted:
            ready.append(op)
    found: set[Operator] = set()
    while ready:
        op = ready.pop()
        found.add(op)
        for base in gives(op):
            pending[base] -= 1
            if pending[base] or base in never:
                continue
            for user in users[base]:
                missing[user] -= 1
                if not missing[user]:
                    ready.append(user)
    return found


@dataclass(frozen=True)
class Rewritten:
    """Operators with some filters replaced.

    Attributes
    ----------
    operators : list of Operator
        In Nengo's order.
    series : dict of {Signal: FilterSeries}
        Who has taken over, by output of the filter.
    """

    operators: list[Operator]
    series: dict[Signal, FilterSeries]


def rewrite(operators: Iterable[Operator], chosen: Collection[Operator]) -> Rewritten:
    """Replace filters by `FilterSeries`, and let others read from these."""
    operators = list(operators)
    series = {op.output: FilterSeries(op) for op in operators if op in chosen}
    result: list[Operator] = []
    for op in operators:
        new = series[op.output] if op in chosen else op
        if any(signal.base in series for signal in op.reads):
            new = copy.copy(new)
            new.reads = [
                view_of(s, series[s.base].begin) if s.base in series else s
                for s in new.reads
            ]
        result.append(new)
    return Rewritten(result, series)
