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
    """Run each operator by itself, in Nengo's order."""
    return tuple(OpGroup((op,)) for op in graph.operators)
