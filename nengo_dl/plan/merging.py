"""Which operators may run as one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping

from nengo.builder.operator import Operator
from nengo.builder.signal import Signal

from nengo_dl.graph.roles import Role


def merge_keys(
    operators: Iterable[Operator],
    roles: Mapping[Signal, Role],
    trainable: Collection[Signal],
    kind: Callable[[Operator], Hashable],
) -> dict[Operator, Hashable]:
    """Return a key for each operator; equal keys may share a group.

    The signals in one place of a group are stacked, and a block never mixes roles or
    types, so these are part of the key: a Copy of biases must not merge with a Copy of
    state, nor a trained weight with a fixed one.

    Parameters
    ----------
    operators : iterable of Operator
        What to make keys for.
    roles : mapping of Signal to Role
        The role of every base.
    trainable : collection of Signal
        Bases that an optimizer may change.
    kind : callable
        What the operator's own lowering needs to be equal; None: never merge.
    """
    keys: dict[Operator, Hashable] = {}
    for op in operators:
        own = kind(op)
        if own is None:
            keys[op] = id(op)
            continue
        storage = tuple(
            (roles[s.base], s.base.dtype.kind, s.base in trainable)
            for s in op.all_signals
        )
        shape = (len(op.sets), len(op.incs), len(op.reads), len(op.updates))
        keys[op] = (type(op), own, storage, shape)
    return keys
