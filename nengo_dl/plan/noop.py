"""The planner that merges nothing: for tests, and to see what merging brings."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

from nengo.builder.operator import Operator

from nengo_dl.graph.opgraph import OpGraph
from nengo_dl.plan.groups import OpGroup, Plan


def noop_planner(
    graph: OpGraph,
    merge_key: Mapping[Operator, Hashable],
    runs_python: Callable[[Operator], bool],
) -> Plan:
    """Run each operator by itself, in Nengo's order.

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
    >>> from nengo_dl.plan import noop_planner
    >>> with nengo.Network(seed=0) as net:
    ...     ensembles = [nengo.Ensemble(10, 1) for _ in range(3)]
    ...     nengo_dl.configure_settings(planner=noop_planner)
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     print(sim)  # doctest: +ELLIPSIS
    <nengo_dl.Simulator of ..., 13 operators in 7 groups>
    """
    return tuple(OpGroup((op,)) for op in graph.operators)
