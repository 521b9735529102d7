"""Additions to large weights, part by part, where they are.

XLA divides what reads and writes more than 512 kB among threads, and to wake a second
one takes longer than such an addition: for 64 x 1,280 decoders 22 us instead of 14, by
its own loop with nothing else in it. What only writes a part of an array, in place, it
leaves whole. So weights go round the loop as an array of parts, and each is written by
itself. For that the axis of the parts has to be the first one, from one step to the
next, and each part has to be read from what was written before: else XLA copies all.
"""

from __future__ import annotations

import math

import tensorflow as tf

from nengo_dl.graph.roles import Role
from nengo_dl.plan.layout import Block

#: bytes that one addition may read and write, a bit less than where XLA divides it
_WHOLE = 500_000
#: more parts are not worth it: threads pay then
_MOST = 8


def parts_of(block: Block, itemsize: int) -> tuple[int, int, int] | None:
    """Return the shape in which a block of weights is written part by part, if it pays.

    Parameters
    ----------
    block : Block
        Where weights live.
    itemsize : int
        Bytes of one number.

    Returns
    -------
    tuple of int or None
        Parts, rows of one, and columns.

    Examples
    --------
    >>> import numpy as np
    >>> from nengo.builder import Signal
    >>> from nengo_dl.graph.roles import Role
    >>> from nengo_dl.lowering.in_place import parts_of
    >>> from nengo_dl.plan.layout import Block
    >>> def weights(*shape):
    ...     signals = (Signal(np.zeros(shape)),)
    ...     return Block("weights", Role.ONLINE, "f", False, signals)
    >>> parts_of(weights(64, 1280), 4)
    (2, 32, 1280)
    >>> parts_of(weights(64, 100), 4)
    """
    if block.role is not Role.ONLINE or len(block.shape) < 3:
        return None
    rows, columns = math.prod(block.shape[:-1]), block.shape[-1]
    # each number is read and written
    total = 2 * rows * columns * itemsize
    for n in range(2, _MOST + 1):
        if rows % n == 0 and total > _WHOLE >= total / n:
            return n, rows // n, columns
    return None


def add_in_parts(
    weights: tf.Tensor, change: tf.Tensor, shape: tuple[int, int, int]
) -> tf.Tensor:
    """Return weights plus their change, of the same shape as the weights.

    Parameters
    ----------
    weights, change : tf.Tensor
        Of as many elements as ``shape``.
    shape : tuple of int
        What `parts_of` returns.
    """
    array = tf.TensorArray(weights.dtype, shape[0], element_shape=shape[1:])
    array = array.unstack(tf.reshape(weights, shape))
    changes = tf.reshape(change, shape)
    for i in range(shape[0]):
        array = array.write(i, array.read(i) + changes[i])
    return tf.reshape(array.stack(), weights.shape)
