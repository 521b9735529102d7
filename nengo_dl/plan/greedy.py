"""Merge what is available, first what need not wait for more of its kind."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping

import numpy as np
from nengo.builder.operator import Operator

from nengo_dl.graph.opgraph import OpGraph, released
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
    operators, edges = graph.operators, graph.edges
    keys = [merge_key[op] for op in operators]
    chains = chain_lengths(edges, keys)
    waiting = np.bincount(edges.members, minlength=len(operators))
    # how many operators of a key begin chains of which length, and are not available
    hidden: dict[Hashable, Counter[int]] = defaultdict(Counter)
    for key, length in zip(keys, chains, strict=True):
        hidden[key][length] += 1
    available: dict[Hashable, list[int]] = defaultdict(list)
    longest: dict[Hashable, int] = defaultdict(int)

    def appear(ops: np.ndarray) -> None:
        for i in ops.tolist():
            key, length = keys[i], chains[i]
            available[key].append(i)
            if length > longest[key]:
                longest[key] = length
            lengths = hidden[key]
            lengths[length] -= 1
            if not lengths[length]:
                del lengths[length]

    in_python = False

    def preference(key: Hashable) -> tuple[bool, bool, int]:
        ops = available[key]
        same_kind = runs_python(operators[ops[0]]) == in_python
        ripe = longest[key] > max(hidden[key], default=0)
        return same_kind, ripe, len(ops)

    plan = []
    appear(np.flatnonzero(waiting == 0))
    while available:
        key = max(available, key=preference)
        ops = available.pop(key)
        del longest[key]
        in_python = runs_python(operators[ops[0]])
        plan.append(OpGroup(tuple([operators[i] for i in ops])))
        appear(released(edges.of(np.array(ops)), waiting))
    return tuple(plan)
