"""The operators of a model and the order that their signals impose on them."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError
from nengo.utils.simulator import validate_ops

from nengo_dl.graph.adjacency import Adjacency
from nengo_dl.graph.operators import KINDS, Operators
from nengo_dl.graph.signals import describe


@dataclass(frozen=True, eq=False)
class OpGraph:
    """Operators, their edges, and Nengo's own order of execution.

    Attributes
    ----------
    operators : tuple of Operator
        In the order in which ``nengo.Simulator`` (not optimized) steps them.
    edges : Adjacency
        Whoever has to run after each operator, within one time step, by their places
        in ``operators``.
    """

    operators: tuple[Operator, ...]
    edges: Adjacency

    @cached_property
    def successors(self) -> Mapping[Operator, Sequence[Operator]]:
        """Whoever has to run after each operator, within one time step."""
        operators = self.operators
        return {
            op: [operators[i] for i in followers]
            for op, followers in zip(operators, self.edges.lists(), strict=True)
        }


def nengo_order(operators: Iterable[Operator]) -> Operators:
    """Return the operators in the order in which Nengo steps them.

    Raises
    ------
    BuildError
        If the operators form a cycle; the message names its members.
    """
    operators = _distinct(operators)
    order = _ordered(operators, _edges(operators))
    return operators.like([operators[i] for i in order.tolist()])


def dependencies(operators: Iterable[Operator]) -> OpGraph:
    """Derive the graph of ``operators`` from the signals they share.

    Nengo's rule for each signal: sets, then incs, then reads, then updates.

    Raises
    ------
    BuildError
        If the operators form a cycle; the message names its members.
    """
    operators = _distinct(operators)
    edges = _edges(operators)
    return _in_order(operators, edges, _ordered(operators, edges))


def _distinct(operators: Iterable[Operator]) -> Operators:
    """Return the operators, each once."""
    operators = Operators.of(operators)
    once = dict.fromkeys(operators)
    return operators if len(once) == len(operators) else operators.like(once)


def _in_order(
    operators: Sequence[Operator], edges: Adjacency, order: np.ndarray
) -> OpGraph:
    """Return the graph, its operators in another order."""
    return OpGraph(tuple([operators[i] for i in order.tolist()]), edges.ordered(order))


def _edges(operators: Operators) -> Adjacency:
    """Return the edges, those of each operator in the order in which Nengo adds them.

    Nengo's own function needs many times as long, which is felt with 100,000 operators.
    """
    views = _views(operators)
    for kind in ("sets", "updates"):
        _validate(operators, kind, views)
    sharing = _sharing(operators, views)
    sources, followers = [], []
    for i, kind in enumerate(KINDS[1:], start=1):
        later, earlier = operators.uses(kind), operators.uses(*KINDS[:i])
        # Signals by their rank, which is the order in which this kind of use meets them
        signals, first, ranks = np.unique(
            later.signals, return_index=True, return_inverse=True
        )
        order = np.argsort(first)
        signals, ranks = signals[order], np.argsort(order)[ranks]
        waiting = Adjacency.of_pairs(len(signals), ranks, later.ops)
        # who did something before with what shares memory with each
        users = Adjacency.of_pairs(len(sharing.counts), earlier.signals, earlier.ops)
        others = sharing.of(signals)
        met = np.repeat(np.arange(len(signals)), sharing.counts[signals])
        met = np.repeat(met, users.counts[others])
        sources.append(np.repeat(users.of(others), waiting.counts[met]))
        followers.append(waiting.of(met))
    pairs = map(np.concatenate, (sources, followers))
    return Adjacency.of_pairs(len(operators), *pairs).distinct()


#: of each base of which there are views: all Signals on it, but for those only updated,
#: since nobody has to wait for that; all by their numbers
_Views = dict[int, list[int]]


def _views(operators: Operators) -> _Views:
    """Return what the Signals share memory with that are views, or have views."""
    used, bases = operators.uses(*KINDS).signals, operators.bases(*KINDS)
    views: _Views = {base: [] for base in np.unique(bases[bases != used]).tolist()}
    if views:
        signals = operators.uses("sets", "incs", "reads").signals
        bases = operators.bases("sets", "incs", "reads")
        concerned = np.isin(bases, list(views))
        pairs = zip(bases[concerned].tolist(), signals[concerned].tolist(), strict=True)
        for base, signal in dict.fromkeys(pairs):
            views[base].append(signal)
    return views


def _sharing(operators: Operators, views: _Views) -> Adjacency:
    """Return for each Signal those that it shares memory with, itself included."""
    numbers = operators.numbers
    n = len(numbers.signals)
    if not views:
        return Adjacency(np.ones(n, np.intp), np.arange(n))
    overlaps = {
        base: _Overlaps(numbers.signals, found) for base, found in views.items()
    }
    used = np.unique(operators.uses("incs", "reads", "updates").signals)
    concerned = used[np.isin(numbers.bases[used], list(views))]
    alone = np.delete(np.arange(n), concerned)
    owners, members = [alone], [alone]
    for number in concerned.tolist():
        found = overlaps[int(numbers.bases[number])].of(number)
        owners.append(np.full_like(found, number))
        members.append(found)
    return Adjacency.of_pairs(n, np.concatenate(owners), np.concatenate(members))


class _Overlaps:
    """Which of the Signals on one base share memory with a Signal on it.

    They are compared all at once: each with each in Python is felt where an array of
    some hundred ensembles has a view for each of them.

    Parameters
    ----------
    signals : list of Signal
        All Signals, by their numbers.
    found : list of int
        The numbers of the base, if it is asked for, and of its views.
    """

    def __init__(self, signals: Sequence[Signal], found: Sequence[int]) -> None:
        self._signals = signals
        self._found = np.array(found, np.intp)
        bounds = [_bounds(signals[number]) for number in found]
        self._starts, self._stops = np.array(bounds, np.uint64).reshape(-1, 2).T

    def of(self, number: int) -> np.ndarray:
        """Return the numbers of those that may share memory with a Signal, in order.

        As `numpy.may_share_memory` says it, which compares where arrays begin and end;
        a Signal without elements shares memory with itself alone.
        """
        start, stop = _bounds(self._signals[number])
        shares = (self._starts < stop) & (self._stops > start) & (start < stop)
        return self._found[shares | (self._found == number)]


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


def _validate(operators: Operators, kind: str, views: _Views) -> None:
    """Let Nengo look at those Signals that it could object to.

    That is where several operators change one, or parts of one that overlap. Nengo
    compares each part with each.
    """
    uses, signals = operators.uses(kind), operators.numbers.signals
    doubtful = np.flatnonzero(np.bincount(uses.signals) > 1).tolist()
    parts: dict[int, list[int]] = {base: [] for base in views}
    for number in dict.fromkeys(uses.signals.tolist()) if views else ():
        base = int(operators.numbers.bases[number])
        if base in parts:
            parts[base].append(number)
    for base, found in parts.items():
        if len(found) > 1 and (
            base in found or not _are_apart([signals[i] for i in found])
        ):
            doubtful += found
    if not doubtful:
        return
    ops: dict[Signal, list[Operator]] = {signals[number]: [] for number in doubtful}
    for i, number in zip(*map(np.ndarray.tolist, uses), strict=True):
        if signals[number] in ops:
            ops[signals[number]].append(operators[i])
    validate_ops(ops, {}, {})


def _are_apart(signals: Iterable[Signal]) -> bool:
    """Return whether no two Signals can share memory."""
    bounds = sorted(_bounds(signal) for signal in signals if signal.size)
    return all(first[1] <= second[0] for first, second in itertools.pairwise(bounds))


def _ordered(operators: Sequence[Operator], edges: Adjacency) -> np.ndarray:
    """Return an order in which each operator runs as soon as it has become free.

    It is the order of Nengo, whose function takes time with the square of the number of
    operators. All that are free are taken at once; those that become free thereby
    follow in the order in which the last that each had to wait for has run.

    Raises
    ------
    BuildError
        If the operators form a cycle.

    References
    ----------
    A. B. Kahn, "Topological sorting of large networks", *Communications of the ACM*,
    5(11), 558-562, 1962.
    """
    n = len(operators)
    waiting = np.bincount(edges.members, minlength=n)
    free = np.flatnonzero(waiting == 0)
    order = [free]
    while len(free):
        free = released(edges.of(free), waiting)
        order.append(free)
    found = np.concatenate(order)
    if len(found) < n:
        cycle = " -> ".join(describe(operators[i]) for i in _find_cycle(edges.lists()))
        raise BuildError(
            f"The operators of this model form a cycle within one time step: {cycle}. "
            "Give at least one connection on the way a synapse (0 for a delay of one "
            "step) instead of `synapse=None`."
        )
    return found


def released(followers: np.ndarray, waiting: np.ndarray) -> np.ndarray:
    """Return those that have nobody to wait for any more, once some operators ran.

    Parameters
    ----------
    followers : np.ndarray of int
        Who has to run after each of those that ran, in the order in which they ran.
    waiting : np.ndarray of int, shape (n_operators,)
        How many each operator waits for; changed in place.

    Returns
    -------
    np.ndarray of int
        In the order in which the last that they had waited for has run.
    """
    found, last, counts = np.unique(
        followers[::-1], return_index=True, return_counts=True
    )
    waiting[found] -= counts
    free = waiting[found] == 0
    return found[free][np.argsort(-last[free])]


def in_sequence(graph: OpGraph, ops: Sequence[Operator]) -> OpGraph:
    """Return the graph with ``ops`` bound to run one after the other.

    ``ops`` have to come in an order that the graph allows: Nengo's own. The others keep
    their places, as far as they do not have to wait for one of ``ops``.
    """
    if len(ops) < 2:
        return graph
    place = {op: i for i, op in enumerate(graph.operators)}
    bound = np.array([place[op] for op in ops])
    owners = np.concatenate([graph.edges.owners(), bound[:-1]])
    members = np.concatenate([graph.edges.members, bound[1:]])
    edges = Adjacency.of_pairs(len(place), owners, members).distinct()
    return _in_order(graph.operators, edges, np.array(_sorted(edges)))


def _sorted(edges: Adjacency) -> list[int]:
    """Return the order closest to the present one in which nobody has to wait."""
    successors = edges.lists()
    waiting = np.bincount(edges.members, minlength=len(successors)).tolist()
    ready = [i for i, n in enumerate(waiting) if not n]
    order = []
    while ready:
        i = heapq.heappop(ready)
        order.append(i)
        for follower in successors[i]:
            waiting[follower] -= 1
            if not waiting[follower]:
                heapq.heappush(ready, follower)
    return order


def _find_cycle(successors: Sequence[Sequence[int]]) -> list[int]:
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
