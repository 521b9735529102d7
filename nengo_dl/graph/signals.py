"""Facts about Nengo Signals that every later stage needs, in plain NumPy.

A Signal is described here by the positions of its elements in its base, counted in
row-major order, because that is how blocks store it. A sparse Signal counts its
stored values only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from nengo.builder.operator import Copy, DotInc, ElementwiseInc, Operator, Reset
from nengo.builder.signal import Signal


def size(signal: Signal) -> int:
    """Return the number of stored elements of ``signal``."""
    # to ask whether it is sparse takes several times as long
    value = signal.initial_value
    return value.size if isinstance(value, np.ndarray) else coordinates(signal)[2].size


def coordinates(signal: Signal) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``(rows, columns, values)``, each of shape (nnz,), of a sparse Signal."""
    matrix: Any = signal.initial_value
    if hasattr(matrix, "indices") and hasattr(matrix, "allocate"):
        # nengo.transforms.SparseMatrix, which works without SciPy too
        rows, columns = np.asarray(matrix.indices).T
        return rows, columns, np.asarray(matrix.data)
    coo = matrix.tocoo()
    return coo.row, coo.col, coo.data


def initial_elements(signal: Signal) -> np.ndarray:
    """Return the initial values of ``signal``, shape (size,)."""
    value = signal.initial_value
    return value.ravel() if isinstance(value, np.ndarray) else coordinates(signal)[2]


def runs(signal: Signal) -> Iterator[tuple[int, int]]:
    """Yield ``(start, stop)`` for each contiguous stretch of the base it covers.

    The stretches come in the order in which the Signal's elements stand.
    """
    if not signal.is_view:
        yield 0, size(signal)
        return
    if signal.initial_value.flags.c_contiguous:
        yield signal.elemoffset, signal.elemoffset + signal.size
        return
    elements = np.full(signal.shape, signal.elemoffset, dtype=np.int64)
    for axis, (length, stride) in enumerate(
        zip(signal.shape, signal.elemstrides, strict=True)
    ):
        shape = [1] * signal.ndim
        shape[axis] = length
        elements += (np.arange(length) * stride).reshape(shape)
    flat = elements.ravel()
    edges = np.flatnonzero(np.diff(flat) != 1) + 1
    for piece in np.split(flat, edges):
        yield int(piece[0]), int(piece[-1]) + 1


def written(op: Operator) -> list[Signal]:
    """Return the signals that ``op`` changes, in Nengo's order."""
    return [*op.sets, *op.incs, *op.updates]


#: most operators of most models, of which to ask for attributes takes long in vain
_WITHOUT_PAYLOAD = frozenset((Copy, DotInc, ElementwiseInc, Reset))


def payload_of(op: Operator) -> Any:
    """Return the NeuronType or Process that ``op`` simulates, or None."""
    if type(op) in _WITHOUT_PAYLOAD:
        return None
    return getattr(op, "neurons", getattr(op, "process", None))


def describe(op: Operator) -> str:
    """Return the operator's class and what it was built for, for messages."""
    return f"{type(op).__name__} '{op.tag}'" if op.tag else describe_with_signals(op)


def describe_with_signals(op: Operator) -> str:
    """Return the operator's class, its tag, and the signals that it reads and changes.

    Nengo names signals after the objects that they belong to.
    """
    reads, changes = (
        ", ".join(dict.fromkeys(str(signal.name) for signal in signals))
        for signals in (op.reads, written(op))
    )
    tag = f" '{op.tag}'" if op.tag else ""
    return f"{type(op).__name__}{tag} ({f'{reads} -> {changes}'.strip()})"
