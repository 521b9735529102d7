"""Which operators may run as one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping

from nengo.builder.operator import Operator
from nengo.builder.signal import Signal

from nengo_dl.graph.roles import Role


def merge_keys(
    operators: Iterable[Operator],
    roles: Mapping[Signal, Role],
    apart: Collection[Signal],
    kind: Callable[[Operator], Hashable],
) -> dict[Operator, int]:
    """Return a number for each operator; those of equal numbers may share a group.

    The signals in one place of a group are stacked, and a block never mixes roles or
    types, so these decide too: a Copy of biases must not merge with a Copy of
    state.

    Parameters
    ----------
    operators : iterable of Operator
        What to make keys for.
    roles : mapping of Signal to Role
        The role of every base.
    apart : collection of Signal
        Bases that must not be stacked with others: those that an optimizer may change,
        where gradients are computed of what they are stacked with.
    kind : callable
        What the operator's own lowering needs to be equal; None: never merge.
    """
    storage: dict[Signal, int] = {}
    storages: dict[Hashable, int] = {}
    for base, role in roles.items():
        stored = (role, base.dtype.kind, base in apart)
        storage[base] = storages.setdefault(stored, len(storages))
    # planners look keys up again and again, and numbers are found much faster
    numbers: dict[Hashable, int] = {}
    keys: dict[Operator, int] = {}
    for op in operators:
        own = kind(op)
        key: Hashable = op
        if own is not None:
            places = []
            for signals in (op.sets, op.incs, op.reads, op.updates):
                for signal in signals:
                    places.append(storage[signal.base])
                places.append(-1)  # ends the part
            key = (type(op), own, tuple(places))
        keys[op] = numbers.setdefault(key, len(numbers))
    return keys
