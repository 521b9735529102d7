"""The operators of a model and the order that their signals impose on them."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

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


def dependencies(operators: Sequence[Operator]) -> OpGraph:
    """Derive the graph of ``operators`` from the signals they share.

    Nengo's rule for each signal: sets, then incs, then reads, then updates.

    Raises
    ------
    BuildError
        If the operators form a cycle; the message names its members.
    """
    successors = _successors(operators)
    order = _first_come_first_served(successors)
    if len(order) < len(successors):
        cycle = " -> ".join(describe(op) for op in _find_cycle(successors))
        raise BuildError(
            f"The operators of this model form a cycle within one time step: {cycle}. "
            "Give at least one connection on the way a synapse (0 for a delay of one "
            "step) instead of `synapse=None`."
        )
    return OpGraph(order, successors)


def _successors(operators: Sequence[Operator]) -> dict[Operator, dict[Operator, None]]:
    """Return the edges, as sets in the order in which Nengo adds them.

    Nengo's own function needs two and a half times as long, which is felt with 100,000
    operators.
    """
    users = _users(operators)
    validate_ops(users["sets"], users["updates"], users["incs"])
    views: dict[Signal, dict[Signal, None]] = {}
    for kind in _ORDER[:-1]:
        for signal in users[kind]:
            views.setdefault(signal.base, {})[signal] = None

    successors: dict[Operator, dict[Operator, None]] = {op: {} for op in operators}
    for last, kind in enumerate(_ORDER):
        for signal, followers in users[kind].items() if last else ():
            for view in views.get(signal.base, ()):
                if view is not signal and not signal.may_share_memory(view):
                    continue
                for earlier in _ORDER[:last]:
                    for op in users[earlier].get(view, ()):
                        successors[op].update(dict.fromkeys(followers))
    return successors


def _users(
    operators: Sequence[Operator],
) -> dict[str, dict[Signal, list[Operator]]]:
    """Return who sets, increments, reads and updates each Signal."""
    users: dict[str, dict[Signal, list[Operator]]] = {
        kind: defaultdict(list) for kind in _ORDER
    }
    of_kind = tuple(users.values())
    for op in operators:
        used = (op.sets, op.incs, op.reads, op.updates)
        for signals, who in zip(used, of_kind, strict=True):
            for signal in signals:
                who[signal].append(op)
    return users


def _first_come_first_served(
    successors: Mapping[Operator, Collection[Operator]],
) -> tuple[Operator, ...]:
    """Return an order in which each operator runs as soon as it has become free.

    It is the order of Nengo, whose function takes time with the square of the number of
    operators. Operators of a cycle, and what follows them, are missing.

    References
    ----------
    A. B. Kahn, "Topological sorting of large networks", *Communications of the ACM*,
    5(11), 558-562, 1962.
    """
    waiting = dict.fromkeys(successors, 0)
    for following in successors.values():
        for op in following:
            waiting[op] += 1
    free = deque(op for op, n in waiting.items() if not n)
    order = []
    while free:
        op = free.popleft()
        order.append(op)
        for follower in successors[op]:
            waiting[follower] -= 1
            if not waiting[follower]:
                free.append(follower)
    return tuple(order)


def in_sequence(graph: OpGraph, ops: Sequence[Operator]) -> OpGraph:
    """Return the graph with ``ops`` bound to run one after the other.

    ``ops`` have to come in an order that the graph allows: Nengo's own. The others keep
    their places, as far as they do not have to wait for one of ``ops``.
    """
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


def _find_cycle(
    successors: Mapping[Operator, Iterable[Operator]],
) -> list[Operator]:
    """Return the operators of one cycle, its first member again at the end."""
    unfinished = set(successors)
    while True:
        # what nobody leads to, or leads nowhere, is on no cycle
        ends = {
            op for op in unfinished if not any(s in unfinished for s in successors[op])
        }
        if not ends:
            break
        unfinished -= ends
    path = [next(op for op in successors if op in unfinished)]
    while path[-1] not in path[:-1]:
        path.append(next(s for s in successors[path[-1]] if s in unfinished))
    return path[path.index(path[-1]) :]
