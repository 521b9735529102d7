"""The operators of a model and the order that their signals impose on them."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError
from nengo.utils.simulator import validate_ops

from nengo_dl.graph.signals import describe

#: what operators do with a Signal within one time step, in this order
_ORDER = ("sets", "incs", "reads", "updates")


@dataclass(frozen=True)
class OpGraph:
    """Operators, their edges, and Nengo's own order of execution.

    Attributes
    ----------
    operators : tuple of Operator
        In the order in which ``nengo.Simulator`` (not optimized) steps them.
    successors : mapping of Operator to collection of Operator
        Whoever has to run after each operator, within one time step.
    """

    operators: tuple[Operator, ...]
    successors: Mapping[Operator, Iterable[Operator]]


def nengo_order(operators: Iterable[Operator]) -> tuple[Operator, ...]:
    """Return the operators in the order in which Nengo steps them.

    Raises
    ------
    BuildError
        If the operators form a cycle; the message names its members.
    """
    operators = tuple(dict.fromkeys(operators))
    return tuple(operators[i] for i in _ordered(operators, _successors(operators)))


def dependencies(operators: Iterable[Operator]) -> OpGraph:
    """Derive the graph of ``operators`` from the signals they share.

    Nengo's rule for each signal: sets, then incs, then reads, then updates.

    Raises
    ------
    BuildError
        If the operators form a cycle; the message names its members.
    """
    operators = tuple(dict.fromkeys(operators))
    successors = _successors(operators)
    order = _ordered(operators, successors)
    return OpGraph(
        tuple(operators[i] for i in order),
        {
            op: [operators[i] for i in followers]
            for op, followers in zip(operators, successors, strict=True)
        },
    )


#: for each operator, by its number: who has to run after it, each once
_Successors = list[list[int]]


def _successors(operators: Sequence[Operator]) -> _Successors:
    """Return the edges, as sets in the order in which Nengo adds them.

    Nengo's own function needs several times as long, which is felt with 100,000
    operators.
    """
    users, views = _users(operators)
    for kind in ("sets", "updates"):
        _validate(operators, users[kind], views)
    overlaps = {base: _Overlaps(tuple(found)) for base, found in views.items()}
    successors: _Successors = [[] for _ in operators]
    for last, kind in enumerate(_ORDER):
        earlier = [users[name] for name in _ORDER[:last]]
        for signal, followers in users[kind].items() if last else ():
            among = overlaps.get(signal.base) if overlaps else None
            for other in (signal,) if among is None else among.of(signal):
                for used in earlier:
                    for i in used.get(other, ()):
                        successors[i] += followers
    return [list(dict.fromkeys(s)) if len(s) > 1 else s for s in successors]


#: the numbers of the operators that do one of these things with each Signal
_Users = dict[Signal, list[int]]

#: all Signals on each base of which there are views, but for those only updated:
#: nobody has to wait for that
_Views = dict[Signal, dict[Signal, None]]


def _users(operators: Sequence[Operator]) -> tuple[dict[str, _Users], _Views]:
    """Return who sets, increments, reads and updates each Signal, and the views."""
    users: dict[str, _Users] = {kind: defaultdict(list) for kind in _ORDER}
    sets, incs, reads, updates = users.values()
    views: _Views = {}
    for i, op in enumerate(operators):
        # what is together in memory is best asked for at once
        for used, signals in (
            (sets, op.sets),
            (incs, op.incs),
            (reads, op.reads),
            (updates, op.updates),
        ):
            for signal in signals:
                used[signal].append(i)
                if signal.is_view:
                    views[signal.base] = {}
    for used in (sets, incs, reads) if views else ():
        for signal in used:
            if signal.base in views:
                views[signal.base][signal] = None
    return users, views


class _Overlaps:
    """Which of the Signals on one base share memory with a Signal on it.

    They are compared all at once: each with each in Python is felt where an array of
    some hundred ensembles has a view for each of them.

    Parameters
    ----------
    signals : tuple of Signal
        The base, if it is asked for, and its views.
    """

    def __init__(self, signals: tuple[Signal, ...]) -> None:
        self._signals = signals
        bounds = np.array([_bounds(s) for s in signals], np.uint64).reshape(-1, 2)
        self._starts, self._stops = bounds.T
        self._places = {signal: i for i, signal in enumerate(signals)}

    def of(self, signal: Signal) -> Iterator[Signal]:
        """Yield those that may share memory with a Signal, in their order.

        As `numpy.may_share_memory` says it, which compares where arrays begin and end;
        a Signal without elements shares memory with itself alone.
        """
        start, stop = _bounds(signal)
        found = (self._starts < stop) & (self._stops > start)
        if start == stop:
            found[:] = False
        own = self._places.get(signal)
        if own is not None:
            found[own] = True
        return map(self._signals.__getitem__, found.nonzero()[0].tolist())


def _bounds(signal: Signal) -> tuple[int, int]:
    """Return the first byte of a Signal's memory, and the one behind the last."""
    value = signal.initial_value
    if not value.size:
        return 0, 0
    # NumPy 1.26 and 2 have a function for this, each in another place
    reach = [(n - 1) * step for n, step in zip(value.shape, value.strides, strict=True)]
    first = value.__array_interface__["data"][0]
    return (
        first + sum(step for step in reach if step < 0),
        first + sum(step for step in reach if step > 0) + value.itemsize,
    )


def _validate(operators: Sequence[Operator], users: _Users, views: _Views) -> None:
    """Let Nengo look at those Signals that it could object to.

    That is where several operators change one, or parts of one that overlap. Nengo
    compares each part with each.
    """
    parts: dict[Signal, list[Signal]] = defaultdict(list)
    for signal in users if views else ():
        if signal.base in views:
            parts[signal.base].append(signal)
    doubtful = [signal for signal, numbers in users.items() if len(numbers) > 1]
    for base, signals in parts.items():
        if len(signals) > 1 and (base in users or not _are_apart(signals)):
            doubtful += signals
    ops = {signal: [operators[i] for i in users[signal]] for signal in doubtful}
    validate_ops(ops, {}, {})


def _are_apart(signals: Iterable[Signal]) -> bool:
    """Return whether no two Signals can share memory."""
    bounds = sorted(_bounds(signal) for signal in signals if signal.size)
    return all(first[1] <= second[0] for first, second in itertools.pairwise(bounds))


def _ordered(operators: Sequence[Operator], successors: _Successors) -> list[int]:
    """Return an order in which each operator runs as soon as it has become free.

    It is the order of Nengo, whose function takes time with the square of the number of
    operators.

    Raises
    ------
    BuildError
        If the operators form a cycle.

    References
    ----------
    A. B. Kahn, "Topological sorting of large networks", *Communications of the ACM*,
    5(11), 558-562, 1962.
    """
    waiting = [0] * len(successors)
    for following in successors:
        for i in following:
            waiting[i] += 1
    order = [i for i, n in enumerate(waiting) if not n]
    for i in order:  # which grows
        for follower in successors[i]:
            waiting[follower] -= 1
            if not waiting[follower]:
                order.append(follower)
    if len(order) < len(successors):
        cycle = " -> ".join(describe(operators[i]) for i in _find_cycle(successors))
        raise BuildError(
            f"The operators of this model form a cycle within one time step: {cycle}. "
            "Give at least one connection on the way a synapse (0 for a delay of one "
            "step) instead of `synapse=None`."
        )
    return order


def in_sequence(graph: OpGraph, ops: Sequence[Operator]) -> OpGraph:
    """Return the graph with ``ops`` bound to run one after the other.

    ``ops`` have to come in an order that the graph allows: Nengo's own. The others keep
    their places, as far as they do not have to wait for one of ``ops``.
    """
    if len(ops) < 2:
        return graph
    successors = dict(graph.successors)
    for op, following in itertools.pairwise(ops):
        successors[op] = list(dict.fromkeys([*successors[op], following]))
    return OpGraph(_sorted(graph.operators, successors), successors)


def _sorted(
    operators: Sequence[Operator],
    successors: Mapping[Operator, Iterable[Operator]],
) -> tuple[Operator, ...]:
    """Return the order closest to that of ``operators`` in which none has to wait."""
    place = {op: i for i, op in enumerate(operators)}
    waiting = dict.fromkeys(operators, 0)
    for op in operators:
        for follower in successors[op]:
            waiting[follower] += 1
    ready = [place[op] for op, n in waiting.items() if not n]
    order = []
    while ready:
        op = operators[heapq.heappop(ready)]
        order.append(op)
        for follower in successors[op]:
            waiting[follower] -= 1
            if not waiting[follower]:
                heapq.heappush(ready, place[follower])
    return tuple(order)


def _find_cycle(successors: _Successors) -> list[int]:
    """Return the operators of one cycle, its first member again at the end."""
    unfinished = dict.fromkeys(range(len(successors)))
    while True:
        # what nobody leads to, or leads nowhere, is on no cycle
        ends = [
            i for i in unfinished if not any(s in unfinished for s in successors[i])
        ]
        if not ends:
            break
        for i in ends:
            del unfinished[i]
    path = [next(iter(unfinished))]
    while path[-1] not in path[:-1]:
        path.append(next(s for s in successors[path[-1]] if s in unfinished))
    return path[path.index(path[-1]) :]
