"""Truncated back-propagation through time: a minibatch in parts, an update after each.

References
----------
Williams, R. J. and Peng, J. (1990). An efficient gradient-based algorithm for on-line
training of recurrent network trajectories. Neural Computation, 2(4).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from nengo_dl.program.adjoint import Tensors

#: ``part(first_step, n_steps, carried) -> (values, carried)``
Part = Callable[[tf.Tensor, int, Tensors | None], tuple[tf.Tensor, Tensors]]


def in_parts(part: Part, n_steps: int, length: int | None) -> tuple[tf.Tensor, Tensors]:
    """Run the parts of a minibatch one after the other.

    Parameters
    ----------
    part : callable
        ``part(first_step, n_steps, carried)`` runs ``n_steps`` steps behind
        ``first_step`` and returns some numbers, shape (n,), and where it ended, from
        where the next part goes on. For the first part ``carried`` is None.
    n_steps : int
        Steps of the minibatch.
    length : int or None
        Steps of a part, the last of which may be shorter; None: it is not divided.

    Returns
    -------
    values : tf.Tensor, shape (n,)
        The mean of the numbers over the parts.
    carried : sequence of tf.Tensor
        Where the last part ended.
    """
    if length is None or length >= n_steps:
        return part(0, n_steps, None)

    def body(k: tf.Tensor, sums: tf.Tensor, carried: tuple) -> tuple:
        values, end = part(k * length, length, carried)
        return k + 1, sums + values, tuple(end)

    whole, rest = divmod(n_steps, length)
    sums, carried = part(tf.constant(0), length, None)
    _, sums, carried = tf.while_loop(
        lambda k, *_: k < whole, body, (tf.constant(1), sums, tuple(carried))
    )
    if not rest:
        return sums / whole, carried
    values, carried = part(tf.constant(whole * length), rest, carried)
    return (sums + values) / (whole + 1), carried


def steps_of(values: Any, first: tf.Tensor | int, count: int, total: int) -> Any:
    """Return ``count`` of the ``total`` steps of an array, from ``first`` on.

    Parameters
    ----------
    values : tf.Tensor, shape (batch, total, ...)
        Arrays whose second axis is not time are returned as they are.
    first : tf.Tensor or int
        Number of steps before the first that is wanted.
    count : int
        How many are wanted.
    total : int
        Steps of the minibatch.
    """
    if count == total or values.shape.rank < 2 or values.shape[1] != total:
        return values
    batch, _, *shape = values.shape
    return tf.slice(values, [0, first, *[0] * len(shape)], [batch, count, *shape])
