"""The operators of a model and the order that their signals impose on them."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nengo.builder.operator import Operator
from nengo.exceptions import BuildError
from nengo.utils.graphs import toposort
from nengo.utils.simulator import operator_dependency_graph

from nengo_dl.graph.signals import describe


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
    successors = operator_dependency_graph(list(operators))
    try:
        order = toposort(successors)
    except BuildError as error:
        cycle = " -> ".join(describe(op) for op in _find_cycle(successors))
        raise BuildError(
            f"The operators of this model form a cycle within one time step: {cycle}. "
            "Give at least one connection on the way a synapse (0 for a delay of one "
            "step) instead of `synapse=None`."
        ) from error
    return OpGraph(tuple(order), successors)


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
