"""Arrange the Signals of a plan in blocks so that groups read slices, not gathers.

The largest group goes first and claims, slot by slot, the Signals that nobody has
claimed yet: they become one block, in the group's order. Before a later group claims
anything, its operators are put into the order in which its largest claimed slot already
stands in memory, so that one order runs through the whole model. No search is needed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
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

    def claim(name: str, signals: Iterable[Signal]) -> None:
        classes: dict[tuple[Role, str, bool], dict[Signal, None]] = {}
        for signal in signals:
            base = signal.base
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
                offset += size(base)
            key = f"{name}#{len(blocks)}"
            blocks.append(Block(key, role, kind, trained, tuple(members)))

    # Among equals those that write what is carried: a block that several groups write
    # has to be put together anew at the end of each step
    order = sorted(
        range(len(plan)),
        key=lambda i: (-_weight(plan[i]), not _carries(plan[i], roles)),
    )
    arranged = list(plan)
    for i in order:
        group = arranged[i] = _follow_memory(plan[i], places)
        slots = sorted(enumerate(group.slots), key=lambda item: -_total(item[1]))
        for index, slot in slots:
            claim(f"{group.name}/{_slot_name(group.ops[0], index)}", slot)
    return tuple(arranged), SignalLayout(tuple(blocks), places)


def _total(slot: Iterable[Signal]) -> int:
    return sum(size(signal) for signal in slot)


def _weight(group: OpGroup) -> int:
    """Elements in its largest slot: the larger, the more a gather would cost."""
    return max((_total(slot) for slot in group.slots), default=0)


def _carries(group: OpGroup, roles: Mapping[Signal, Role]) -> bool:
    """Return whether it writes what the next step needs."""
    return any(roles[signal.base].carried for op in group.ops for signal in op.updates)


def _follow_memory(group: OpGroup, places: Mapping[Signal, tuple[int, int]]) -> OpGroup:
    """Order the operators as their most claimed slot stands in memory.

    Those whose Signal in it nobody has claimed yet come last.
    """
    if len(group.ops) == 1:
        return group
    claimed = [
        (sum(size(signal) for signal in slot if signal.base in places), slot)
        for slot in group.slots
    ]
    total, largest = max(claimed, key=lambda item: item[0], default=(0, ()))
    if not total:
        return group

    def position(item: tuple[Operator, Signal]) -> tuple[float, int]:
        signal = item[1]
        if signal.base not in places:
            return math.inf, 0
        block, offset = places[signal.base]
        return block, offset + (0 if signal.sparse else signal.elemoffset)

    pairs = sorted(zip(group.ops, largest, strict=True), key=position)
    return OpGroup(tuple(op for op, _ in pairs))


def _slot_name(op: Operator, index: int) -> str:
    """Return what the operator calls its signal number ``index``."""
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
