"""DotInc: ``Y += A @ X``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from nengo.builder.operator import DotInc
from nengo.builder.signal import Signal

from nengo_dl.graph.roles import Role
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.indexing import MAX_SLICES, item_count, reshaped
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View

#: matrices with at most this many columns are multiplied element by element: XLA fuses
#: that with what follows, where a product of its own costs a call for each matrix
#: (64 matrices of 100 x 2, one item: 6 us against 10 us; of 2 x 100: 8 us against 3 us)
FEW_COLUMNS = 4

#: of products that share a vector: how many times as many may be computed as are asked
#: for, and elements of their matrices, which should stay in the cache
MAX_PADDING, MAX_STACKED = 3, 2**20


@register(DotInc)
@dataclass(frozen=True)
class LowerDotInc(Lowering):
    r"""Add matrix-vector products: :math:`y \leftarrow y + A x`.

    Equal shapes stack to one batched product. The matrices have a batch axis of their
    own where a learning rule changes them.

    References
    ----------
    The definition is that of ``nengo.builder.operator.DotInc``.
    """

    a: View
    x: View
    y: View
    precision: str | None = None
    padded: bool = False

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        first = group.ops[0]
        count = len(group.ops)
        # scalars and column vectors are matrices too
        columns = first.X.size if first.A.ndim > 0 else 1
        rows = first.A.size // columns
        if first.A.ndim == 0 or first.X.ndim == 0:
            # np.dot with a scalar is a product; as matrices: one column, or a diagonal
            return _ScaledDot(
                context.view([op.A for op in group.ops], (count, first.A.size)),
                context.view([op.X for op in group.ops], (count, first.X.size)),
                context.view([op.Y for op in group.ops], (count, first.Y.size)),
            )
        x = context.view([op.X for op in group.ops], (count, columns))
        y = context.view([op.Y for op in group.ops], (count, rows))
        one_vector = count > 1 and len({op.X for op in group.ops}) == 1
        collected = one_vector or len(x.runs) > MAX_SLICES
        if collected and context.role(first.A) is Role.PARAM:
            shared = _SharedDot.of(group, context, (rows, columns), y)
            if shared is not None:
                return shared
        return cls(
            context.view([op.A for op in group.ops], (count, rows, columns)),
            x,
            y,
            context.products,
            # outside of the loop, if the matrices stay as they are
            context.role(first.A) is Role.PARAM,
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        a, x = values.read(self.a), values.read(self.x)
        if not self.x.batched:
            x = x[None]
        values.inc(self.y, product(a, x, self.precision, self.padded))


@dataclass(frozen=True)
class _ScaledDot(Lowering):
    r"""Add products with a scalar: :math:`y \leftarrow y + a x`, one of both a number.

    References
    ----------
    The definition is that of ``nengo.builder.operator.DotInc``, and so of ``np.dot``.
    """

    a: View
    x: View
    y: View

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        values.inc(self.y, values.read(self.a) * values.read(self.x))


@dataclass(frozen=True)
class _SharedDot(Lowering):
    r"""Add products of several matrices with each vector.

    That is :math:`y_i \leftarrow y_i + A_i x`. The matrices of one vector are stacked,
    so that nobody has to collect the same vector for each of them (50 vectors of 100,
    250 rows: 23 us, and 5 us like this; one vector of 100, 2 rows: 0.3 us less).
    Vectors with fewer matrices than others get one of theirs again, whose results
    nobody reads.

    References
    ----------
    The definition is that of ``nengo.builder.operator.DotInc``.
    """

    a: View
    x: View
    y: View
    places: np.ndarray
    precision: str | None = None

    @classmethod
    def of(
        cls, group: OpGroup, context: Context, shape: tuple[int, int], y: View
    ) -> Lowering | None:
        """Return the lowering of a group, or None if it would not be faster."""
        members: dict[Signal, list[int]] = {}
        for i, op in enumerate(group.ops):
            members.setdefault(op.X, []).append(i)
        count, (rows, columns) = len(group.ops), shape
        most = max(map(len, members.values()))
        n_stacked = len(members) * most
        if most == 1 or n_stacked > MAX_PADDING * count:
            return None
        if n_stacked * rows * columns > MAX_STACKED:
            return None
        vectors = sorted(
            members, key=lambda x: (*context.layout.places[x.base], x.offset)
        )
        places = np.empty(count, np.int32)
        stacked = []
        for k, vector in enumerate(vectors):
            own = members[vector]
            places[own] = k * most + np.arange(len(own))
            stacked += own + own[:1] * (most - len(own))
        return cls(
            context.view(
                [group.ops[i].A for i in stacked], (len(vectors), most * rows, columns)
            ),
            context.view(vectors, (len(vectors), columns)),
            y,
            places,
            context.products,
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        a, x = values.read(self.a), values.read(self.x)
        if not self.x.batched:
            x = x[None]
        rows = self.y.shape[-1]
        found = product(a, x, self.precision)
        n_products = found.shape[1] * found.shape[2] // rows
        found = reshaped(found, (found.shape[0], n_products, rows))
        if not np.array_equal(self.places, np.arange(n_products)):
            found = tf.gather(found, self.places, axis=1)
        values.inc(self.y, found)


def product(
    a: tf.Tensor, x: tf.Tensor, precision: str | None = None, padded: bool = False
) -> tf.Tensor:
    """Multiply stacked matrices with stacked vectors.

    Parameters
    ----------
    a : tf.Tensor, shape (count, rows, columns) or (batch, count, rows, columns)
        The matrices.
    x : tf.Tensor, shape (batch, count, columns)
        The vectors.
    precision : str, optional
        Floating point type of the product, unless the matrices have a single row or
        few columns.
    padded : bool
        Whether matrices of a single row may get a second one, of zeros. XLA vectorizes
        the product of a matrix and a vector, but not that of two vectors: 128 of 100
        elements 7.7 us, element by element 2.4 us, with the second row 0.5 us. On a GPU
        (H100) a step with these takes 7.6 us, element by element 25.

    Returns
    -------
    tf.Tensor, shape (batch, count, rows)
    """
    rows, columns = a.shape[-2:]
    batch = x.shape[0]
    one_row = rows == 1 and batch == 1
    if padded and one_row and columns > FEW_COLUMNS and a.shape.rank == 3:
        two_rows = tf.pad(a, [[0, 0], [0, 1], [0, 0]])
        return tf.matmul(two_rows, x[0][..., None])[None, :, :1, 0]
    if columns <= FEW_COLUMNS or one_row:
        return tf.reduce_sum(a * tf.expand_dims(x, -2), axis=-1)
    if precision is not None:
        low = product(tf.cast(a, precision), tf.cast(x, precision))
        return tf.cast(low, a.dtype)
    # not einsum: TensorFlow translates it for XLA in 8 ms each, and its gradients too,
    # a matmul in less than one
    if a.shape.rank == 4:
        # one vector for all items, where each has matrices of its own
        if a.shape[0] != batch:
            x = tf.broadcast_to(x, (item_count(a), *x.shape[1:]))
        return tf.matmul(a, x[..., None])[..., 0]
    if batch == 1:
        return tf.matmul(a, x[0][..., None])[None, ..., 0]
    # like this, and not as ``a @ x``, for which XLA transposes ``x`` first: up to twice
    # the time (100 items, 128 x 784: 212 us against 151 us)
    by_matrix = tf.matmul(tf.transpose(x, (1, 0, 2)), a, transpose_b=True)
    return tf.transpose(by_matrix, (1, 0, 2))
