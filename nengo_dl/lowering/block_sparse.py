"""BsrDotInc: ``Y += A @ X`` with a matrix of dense blocks."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from nengo.builder.operator import BsrDotInc, Operator

from nengo_dl.lowering.context import Context
from nengo_dl.lowering.dot import product
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View


@register(BsrDotInc)
@dataclass(frozen=True)
class LowerBsrDotInc(Lowering):
    r"""Add products with block-sparse matrices.

    .. math:: y_I \leftarrow y_I + \sum_{(I, J)} A_{IJ}\, x_J

    for dense blocks :math:`A_{IJ}`, which stand in row I and column J of a matrix whose
    other blocks are zero. Operators merge if their blocks have equal shapes: all blocks
    are the stack of one batched product. Views give each block its part of ``x`` and of
    ``y``; blocks of one row add up.

    References
    ----------
    Nengo's optimizer makes these operators. The format, block compressed rows, is that
    of ``scipy.sparse.bsr_matrix``.

    Attributes
    ----------
    a : View, shape (n_blocks, rows, columns)
        The blocks.
    x : View, shape (n_blocks, columns)
        What each is multiplied with.
    y : View, shape (n_blocks, rows)
        Where each product goes; blocks of one row go to the same place.
    """

    a: View
    x: View
    y: View

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return the shape of one block."""
        return op.A.shape[1:]

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        ops: Any = group.ops
        _, rows, columns = ops[0].A.shape
        x, y = context.view([op.X for op in ops]), context.view([op.Y for op in ops])
        row, column = _places(ops, rows, columns)
        return cls(
            context.view([op.A for op in ops], (len(row), rows, columns)),
            x.take(column[:, None] * columns + np.arange(columns)),
            y.take(row[:, None] * rows + np.arange(rows)),
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        x = values.read(self.x)
        if not self.x.batched:
            x = x[None]
        values.inc(self.y, product(values.read(self.a), x))


def _places(ops: Any, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the row and the column of each block in the stack of all operators."""
    row, column = [], []
    rows_before = columns_before = 0
    for op in ops:
        counts = np.diff(op.indptr)
        row.append(np.repeat(np.arange(len(counts)), counts) + rows_before)
        column.append(np.asarray(op.indices)[: op.indptr[-1]] + columns_before)
        rows_before += op.Y.size // rows
        columns_before += op.X.size // columns
    return np.concatenate(row), np.concatenate(column)
