"""SparseDotInc: ``Y += A @ X`` with a sparse matrix."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from nengo.builder.operator import Operator, SparseDotInc

from nengo_dl.graph.signals import coordinates
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.indexing import accumulate
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View


@register(SparseDotInc)
@dataclass(frozen=True)
class LowerSparseDotInc(Lowering):
    r"""Add sparse products: :math:`y_r \leftarrow y_r + \sum_{(r, c)} a_{rc}\, x_c`.

    Matrices of any shapes merge: they become the blocks of one block-diagonal matrix.
    The sum over each row is a gather of its products (see `indexing.accumulate`).

    References
    ----------
    The definition is that of ``nengo.builder.operator.SparseDotInc``.
    """

    a: View
    x: View
    y: View
    columns: np.ndarray
    rows: np.ndarray

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return a constant: all sparse products merge."""
        return "sparse"

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        rows, columns = [], []
        row = column = 0
        for op in group.ops:
            own_rows, own_columns, _ = coordinates(op.A)
            rows.append(own_rows + row)
            columns.append(own_columns + column)
            row += op.Y.size
            column += op.X.size
        return cls(
            context.view([op.A for op in group.ops]),
            context.view([op.X for op in group.ops], (column,)),
            context.view([op.Y for op in group.ops], (row,)),
            np.concatenate(columns).astype(np.int32),
            np.concatenate(rows).astype(np.int32),
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        if not self.rows.size:
            return
        x = values.read(self.x)
        if not self.x.batched:
            x = x[None]
        products = values.read(self.a) * tf.gather(x, self.columns, axis=-1)
        sums, targets = accumulate(products, [(int(r), int(r) + 1) for r in self.rows])
        touched = np.array([start for start, _ in targets])
        values.inc(self.y.take(touched), sums)
