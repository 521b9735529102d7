"""Merge what is available, first what need not wait for more of its kind."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping

from nengo.builder.operator import Operator

from nengo_dl.graph.opgraph import OpGraph
from nengo_dl.plan.chains import chain_lengths
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
    2. those of which all members that are still to become available could run in fewer
       groups than those that are: waiting would bring nothing;
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
    chains = chain_lengths(graph, merge_key)
    # how many operators of a key begin chains of which length, and are not available
    hidden: dict[Hashable, Counter[int]] = defaultdict(Counter)
    available: dict[Hashable, list[Operator]] = defaultdict(list)
    longest: dict[Hashable, int] = defaultdict(int)

    def appear(op: Operator) -> None:
        key = merge_key[op]
        available[key].append(op)
        longest[key] = max(longest[key], chains[op])

    for op in graph.operators:
        if waiting_for[op]:
            hidden[merge_key[op]][chains[op]] += 1
        else:
            appear(op)

    in_python = False

    def preference(key: Hashable) -> tuple[bool, bool, int]:
        ops = available[key]
        same_kind = runs_python(ops[0]) == in_python
        ripe = longest[key] > max(hidden[key], default=0)
        return same_kind, ripe, len(ops)

    plan = []
    while available:
        key = max(available, key=preference)
        ops = available.pop(key)
        del longest[key]
        in_python = runs_python(ops[0])
        plan.append(OpGroup(tuple(ops)))
        for op in ops:
            for later in graph.successors[op]:
                waiting_for[later] -= 1
                if not waiting_for[later]:
                    appear(later)
                    lengths = hidden[merge_key[later]]
                    lengths[chains[later]] -= 1
                    if not lengths[chains[later]]:
                        del lengths[chains[later]]
    return tuple(plan)
