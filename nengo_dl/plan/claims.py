"""Arrange the Signals of a plan in blocks so that groups read slices, not gathers.

The largest group goes first and claims, slot by slot, the Signals that nobody has
claimed yet: they become one block, in the group's order. Before a later group claims
anything, its operators are put into the order in which its largest claimed slot already
stands in memory, so that one order runs through the whole model. No search is needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache

from nengo.builder.operator import Operator
from nengo.builder.signal import Signal

from nengo_dl.graph.roles import Role
from nengo_dl.graph.signals import size
from nengo_dl.plan.groups import OpGroup, Plan
from nengo_dl.plan.layout import Block, SignalLayout


def arrange(
    plan: Plan,
    roles: Mapping[Signal, Role],
    trainable: Collection[Signal] = (),
) -> tuple[Plan, SignalLayout]:
    """Give every base Signal a place, and every group its best order.

    Parameters
    ----------
    plan : tuple of OpGroup
        The groups in their order of execution.
    roles : mapping of Signal to Role
        The role of every base.
    trainable : collection of Signal
        Bases that an optimizer may change.

    Returns
    -------
    plan : tuple of OpGroup
        The same groups, their operators reordered.
    layout : SignalLayout
        Where everything lives.
    """
    blocks: list[Block] = []
    places: dict[Signal, tuple[int, int]] = {}

    def claim(name: str, bases: Iterable[Signal]) -> None:
        classes: dict[tuple[Role, str, bool], dict[Signal, None]] = {}
        for base in bases:
            if base not in places:
                role = roles[base]
                # whole numbers that are only read, as weights for example, take part
                # in products of floating point numbers
                kind = "f" if role is Role.PARAM else base.dtype.kind
                storage = (role, kind, base in trainable)
                classes.setdefault(storage, {})[base] = None
        for (role, kind, trained), members in classes.items():
            offset = 0
            for base in members:
                places[base] = (len(blocks), offset)
                offset += elements(base)
            key = f"{name}#{len(blocks)}"
            blocks.append(Block(key, role, kind, trained, tuple(members)))

    # asked for again and again
    elements = cache(size)
    slots = [group.slots for group in plan]
    totals = [[sum(map(elements, slot)) for slot in group] for group in slots]
    arranged = list(plan)
    # The more elements in its largest slot, the more a gather would cost. Among equals
    # those that write what is carried: a block that several groups write has to be put
    # together anew at the end of each step
    weights = [
        (-max(t, default=0), not _carries(g, roles))
        for t, g in zip(totals, plan, strict=True)
    ]
    for i in sorted(range(len(plan)), key=weights.__getitem__):
        bases = [[signal.base for signal in slot] for slot in slots[i]]
        order = _as_in_memory(slots[i], bases, places, elements)
        if order is not None:
            arranged[i] = OpGroup(tuple([plan[i].ops[n] for n in order]))
            bases = [[slot[n] for n in order] for slot in bases]
        name, first = plan[i].name, arranged[i].ops[0]
        for index in sorted(range(len(bases)), key=lambda n: -totals[i][n]):
            claim(f"{name}/{_slot_name(first, index)}", bases[index])
    return tuple(arranged), SignalLayout(tuple(blocks), places)


def _carries(group: OpGroup, roles: Mapping[Signal, Role]) -> bool:
    """Return whether a group updates a Signal that goes round the loop."""
    return any(roles[signal.base].carried for op in group.ops for signal in op.updates)


def _as_in_memory(
    slots: Sequence[Sequence[Signal]],
    bases: Sequence[Sequence[Signal]],
    places: Mapping[Signal, tuple[int, int]],
    elements: Callable[[Signal], int],
) -> list[int] | None:
    """Return the order in which a group's most claimed slot stands in memory.

    Operators whose Signal in it nobody has claimed yet come last. None for the order in
    which they are.

    Parameters
    ----------
    slots, bases : sequence of sequence of Signal
        The group's signals, slot by slot, and their bases.
    places : mapping of Signal to (int, int)
        What has been claimed.
    elements : callable
        Tells the size of a Signal.
    """
    claimed = [
        sum([elements(s) for s, base in zip(*pair, strict=True) if base in places])
        for pair in zip(slots, bases, strict=True)
    ]
    total = max(claimed, default=0)
    if not total or len(slots[0]) == 1:
        return None

    def position(signal: Signal, base: Signal) -> tuple[float, int]:
        if base not in places:
            return math.inf, 0
        block, offset = places[base]
        return block, offset + (signal.elemoffset if signal.is_view else 0)

    largest = claimed.index(total)
    positions = list(map(position, slots[largest], bases[largest]))
    return sorted(range(len(positions)), key=positions.__getitem__)


def _slot_name(op: Operator, index: int) -> str:
    """Return the name that an operator's class has for its signal number ``index``."""
    signal = (*op.sets, *op.incs, *op.reads, *op.updates)[index]
    state = getattr(op, "state", None) or {}
    for name, value in state.items():
        if value is signal:
            return str(name)
    for name in _properties(type(op)):  # type: ignore[arg-type]
        if getattr(op, name, None) is signal:
            return name
    return f"signal{index}"


@cache
def _properties(op_type: type[Operator]) -> tuple[str, ...]:
    """Return the names of an operator's properties; Nengo keeps its signals there."""
    return tuple(
        name for name in dir(op_type) if isinstance(getattr(op_type, name), property)
    )
