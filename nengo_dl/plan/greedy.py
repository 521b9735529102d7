"""Merge what is available, most complete group first."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping

from nengo.builder.operator import Operator

from nengo_dl.graph.opgraph import OpGraph
from nengo_dl.plan.groups import OpGroup, Plan


def greedy_planner(
    graph: OpGraph,
    merge_key: Mapping[Operator, Hashable],
    runs_python: Callable[[Operator], bool],
) -> Plan:
    """Run, again and again, the best group of operators that is available.

    An operator is available once all its predecessors have run; available operators
    never depend on each other. Among the keys at hand the planner prefers

    1. those that call Python if the last group did, else those that do not: every
       change between the two cuts the compiled step;
    2. those of which no further member is still to become available: waiting would
       bring nothing;
    3. those with most members.

    Takes time linear in edges, times the number of distinct keys for each group.

    Parameters
    ----------
    graph : OpGraph
        ``graph.operators`` in Nengo's order, and ``graph.successors`` of each.
    merge_key : mapping of {Operator: hashable}
        Operators of different keys may not share a group.
    runs_python : callable
        Tells whether an operator calls Python from inside the loop.

    Returns
    -------
    tuple of OpGroup
        Groups in the order in which they run.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> from nengo_dl.plan import greedy_planner
    >>> with nengo.Network(seed=0) as net:
    ...     ensembles = [nengo.Ensemble(10, 1) for _ in range(3)]
    ...     nengo_dl.configure_settings(planner=greedy_planner)
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     print(sim)  # doctest: +ELLIPSIS
    <nengo_dl.Simulator of ..., 13 operators in 3 groups>
    """
    waiting_for = dict.fromkeys(graph.operators, 0)
    for op in graph.operators:
        for later in graph.successors[op]:
            waiting_for[later] += 1
    remaining = Counter(merge_key[op] for op in graph.operators)
    available: dict[Hashable, list[Operator]] = defaultdict(list)
    for op in graph.operators:
        if not waiting_for[op]:
            available[merge_key[op]].append(op)

    in_python = False

    def preference(key: Hashable) -> tuple[bool, bool, int]:
        ops = available[key]
        same_kind = runs_python(ops[0]) == in_python
        return same_kind, len(ops) == remaining[key], len(ops)

    plan = []
    while available:
        key = max(available, key=preference)
        ops = available.pop(key)
        remaining[key] -= len(ops)
        in_python = runs_python(ops[0])
        plan.append(OpGroup(tuple(ops)))
        for op in ops:
            for later in graph.successors[op]:
                waiting_for[later] -= 1
                if not waiting_for[later]:
                    available[merge_key[later]].append(later)
    return tuple(plan)
