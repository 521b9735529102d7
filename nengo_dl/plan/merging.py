"""Which operators may run as one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping

import numpy as np
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal

from nengo_dl.graph.adjacency import Adjacency
from nengo_dl.graph.operators import KINDS, Operators
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
    operators = Operators.of(operators)
    # planners look keys up again and again, and numbers are found much faster
    numbers: dict[Hashable, int] = {}
    keys: dict[Operator, int] = {}
    for op, places in zip(operators, _places(operators, roles, apart), strict=True):
        own = kind(op)
        key = op if own is None else (type(op), own, places)
        keys[op] = numbers.setdefault(key, len(numbers))
    return keys


def _places(
    operators: Operators, roles: Mapping[Signal, Role], apart: Collection[Signal]
) -> Iterator[bytes]:
    """Yield for each operator how all its Signals are stored, as a key."""
    signals, bases = operators.numbers.signals, operators.bases(*KINDS)
    storages: dict[Hashable, int] = {}
    storage = np.zeros(len(signals), np.int32)
    for number in np.unique(bases).tolist():
        base = signals[number]
        stored = (roles[base], base.dtype.kind, base in apart)
        storage[number] = storages.setdefault(stored, len(storages))
    # what is set, and what is read, stands apart, however many there are of each
    kinds = np.repeat(
        np.arange(len(KINDS)), [len(operators.uses(k).ops) for k in KINDS]
    )
    places = (storage[bases] * len(KINDS) + kinds).astype(np.int32)
    by_op = Adjacency.of_pairs(len(operators), operators.uses(*KINDS).ops, places)
    content, width = by_op.members.tobytes(), places.itemsize
    stops = (np.cumsum(by_op.counts) * width).tolist()
    for start, stop in itertools.pairwise([0, *stops]):
        yield content[start:stop]
