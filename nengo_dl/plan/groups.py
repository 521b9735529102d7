"""Groups of operators that run as one TensorFlow computation."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError

from nengo_dl.graph.opgraph import OpGraph
from nengo_dl.graph.signals import describe, payload_of


@dataclass(frozen=True)
class OpGroup:
    """Operators of one kind, none of which depends on another.

    Attributes
    ----------
    ops : tuple of Operator
        The members; their order decides how their signals are stacked.

    Examples
    --------
    >>> import numpy as np
    >>> from nengo.builder import Signal
    >>> from nengo.builder.operator import Copy
    >>> from nengo_dl.plan import OpGroup
    >>> x, y = Signal(np.ones(3), name="x"), Signal(np.zeros(3), name="y")
    >>> group = OpGroup((Copy(x, y),))
    >>> group.name
    'Copy'
    >>> group.slots  # what they set, then what they read
    [(Signal(name=y, shape=(3,)),), (Signal(name=x, shape=(3,)),)]
    """

    ops: tuple[Operator, ...]

    @property
    def slots(self) -> list[tuple[Signal, ...]]:
        """The i-th signal of every operator, for each i: sets, incs, reads, updates."""
        columns = [(*op.sets, *op.incs, *op.reads, *op.updates) for op in self.ops]
        return list(zip(*columns, strict=True))

    @property
    def name(self) -> str:
        """The operator's class, and the class of what it simulates."""
        op = self.ops[0]
        payload = payload_of(op)
        kind = type(op).__name__
        return kind if payload is None else f"{kind}.{type(payload).__name__}"


Plan = tuple[OpGroup, ...]

#: ``planner(graph, merge_key, runs_python) -> Plan``
Planner = Callable[
    [OpGraph, Mapping[Operator, Hashable], Callable[[Operator], bool]], Plan
]


def check_plan(
    plan: Sequence[OpGroup], graph: OpGraph, merge_key: Mapping[Operator, Hashable]
) -> None:
    """Check that a plan runs each operator once, with its like, after its predecessors.

    Raises
    ------
    BuildError
        If it does not; the message names the operator. Members of one group count as
        simultaneous, so they must not depend on each other. Or if it is no plan.
    """
    if not isinstance(plan, list | tuple) or not all(
        isinstance(group, OpGroup) for group in plan
    ):
        raise BuildError(
            f"The planner returned {plan!r:.100}; expected a tuple of "
            "`nengo_dl.plan.OpGroup`"
        )
    position: dict[Operator, int] = {}
    for i, group in enumerate(plan):
        if not group.ops:
            raise BuildError("The plan has a group without operators")
        for op in group.ops:
            if op in position:
                raise BuildError(f"The plan runs {describe(op)} twice")
            position[op] = i
    for op in graph.operators:
        if op not in position:
            raise BuildError(f"The plan leaves out {describe(op)}")
    if len(position) != len(graph.operators):
        raise BuildError("The plan has operators that are not in the graph")
    places = np.array([position[op] for op in graph.operators], np.intp)
    first, later = graph.edges.owners(), graph.edges.members
    early = np.flatnonzero(places[later] <= places[first])
    if early.size:
        before, after = (graph.operators[ends[early[0]]] for ends in (first, later))
        raise BuildError(
            f"The plan runs {describe(after)} before or together with "
            f"{describe(before)}, which has to come first"
        )
    for group in plan:
        first, *others = group.ops
        for op in others:
            if merge_key[op] != merge_key[first]:
                raise BuildError(
                    f"The plan runs {describe(first)} and {describe(op)} as one, whose "
                    "merge keys differ"
                )
