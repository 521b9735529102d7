"""Correlation of signals with kernels, and its transpose, in any number of dimensions.

Which places of the input lie in which window is a table, made with NumPy: padding,
strides and what falls outside are settled there. The rest is gathers and products of
matrices.

TensorFlow's own convolution was measured slower in most cases, and XLA has no fast code
for it in 64 bits (28 x 28 to 26 x 26 x 32, 3 x 3, one item: 45 us against 24 us; 32 to
64 channels in 64 bits, 50 items: 180 ms against 15 ms). In a plain graph it knows no
channels in front of the spatial axes, and nowhere a kernel for each item of a
minibatch. A sum of shifted slices, each times a weight, takes XLA 6 times as long as a
product of matrices: it divides to find where in a flat block each value belongs.

Shapes, in this module: ``x`` is (batch, count, places, groups, channels), a kernel
(count, taps, groups, channels, filters), with another batch axis in front where each
item has a kernel of its own. ``count`` operators run as one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from nengo_dl.lowering.indexing import reshaped

# -- tables


def windows_table(
    spatial: Sequence[int],
    n_windows: Sequence[int],
    size: Sequence[int],
    strides: Sequence[int],
    before: Sequence[int],
) -> np.ndarray:
    """Return the place that each tap of each window sees.

    Parameters
    ----------
    spatial : sequence of int
        Length of each spatial axis of the input.
    n_windows : sequence of int
        Windows along each axis.
    size : sequence of int
        Taps of the kernel along each axis.
    strides : sequence of int
        Distance of neighbouring windows along each axis.
    before : sequence of int
        How far the first window reaches beyond the beginning of each axis.

    Returns
    -------
    np.ndarray, shape (windows, taps)
        Places are counted in row-major order. A tap outside of the input sees place
        number ``prod(spatial)``, behind the last one.
    """
    place: np.ndarray = np.zeros((1, 1), dtype=np.int64)
    inside: np.ndarray = np.ones((1, 1), dtype=bool)
    for length, count, k, stride, zeros in zip(
        spatial, n_windows, size, strides, before, strict=True
    ):
        along = np.arange(count)[:, None] * stride + np.arange(k) - zeros
        rows, taps = place.shape
        shape = (rows * count, taps * k)
        place = place[:, None, :, None] * length + along[None, :, None, :]
        place = place.reshape(shape)
        within = ((along >= 0) & (along < length))[None, :, None, :]
        inside = (inside[:, None, :, None] & within).reshape(shape)
    return np.where(inside, place, math.prod(spatial)).astype(np.int32)


def transposed_table(table: np.ndarray, n_places: int) -> np.ndarray:
    """Return the taps of all windows that see each place.

    Parameters
    ----------
    table : np.ndarray, shape (windows, taps)
        What each tap of each window sees.
    n_places : int
        Places of the input; larger numbers are outside.

    Returns
    -------
    np.ndarray, shape (n_places, most)
        Numbers of taps, ``window * taps + tap``; as many as the place with most has,
        filled up with ``table.size``.
    """
    seen = table.ravel()
    taps = np.argsort(seen, kind="stable")
    counts = np.bincount(seen, minlength=n_places)[:n_places]
    first = np.cumsum(counts) - counts
    nth = np.arange(counts.max(initial=0))
    has = nth < counts[:, None]
    chosen = np.minimum(first[:, None] + nth, table.size - 1)
    return np.where(has, taps[chosen], table.size).astype(np.int32)


# -- sums


def correlate(x: tf.Tensor, kernel: tf.Tensor, table: np.ndarray) -> tf.Tensor:
    r"""Slide kernels over signals.

    .. math:: y_{p f} = \sum_q \sum_c x_{t_{p q} c}\; w_{q c f}

    Parameters
    ----------
    x : tf.Tensor, shape (batch, count, places, groups, channels)
        The signals.
    kernel : tf.Tensor, shape ([batch,] count, taps, groups, channels, filters)
        The weights.
    table : np.ndarray, shape (windows, taps)
        The place :math:`t_{p q}` that tap q of window p sees (see `windows_table`).

    Returns
    -------
    tf.Tensor, shape (batch, count, windows, groups, filters)
    """
    kernel = _shared_if_equal(kernel, x)
    n_windows, n_taps = table.shape
    n_places = x.shape[2]
    groups, channels, filters = kernel.shape[-3:]
    if channels == filters == 1:
        # no matrices to speak of (32 groups, 28 x 28, 3 x 3, 50 items: 8 ms against 23)
        windows = _gather(x[..., 0], table)
        return tf.reduce_sum(windows * kernel[..., None, :, :, 0, 0], axis=3)[..., None]
    # Products first copies all filters for each place and tap, windows first all
    # channels for each window and tap. Less is faster (32 channels to 1 filter, 28 x
    # 28, 3 x 3: 29 us against 409 us; 1 channel to 32 filters: 105 us against 23 us)
    if n_places * filters < n_windows * channels:
        tap = np.arange(n_taps, dtype=np.int32)
        numbers = np.where(table < n_places, table * n_taps + tap, n_places * n_taps)
        return _sums_of_products(x, kernel, numbers)
    windows = _gather(x, table)
    windows = tf.transpose(windows, [0, 1, 2, 4, 3, 5])
    windows = reshaped(windows, (*windows.shape[:4], n_taps * channels))
    shape = (*kernel.shape[:-4], groups, n_taps * channels, filters)
    return _multiply(windows, tf.reshape(_swap(kernel, -4, -3), shape))


def correlate_transposed(
    x: tf.Tensor, kernel: tf.Tensor, table: np.ndarray
) -> tf.Tensor:
    r"""Let each window add a kernel, times a value, to all the places that it sees.

    .. math:: y_{t_{p q} f} \leftarrow y_{t_{p q} f} + \sum_c x_{p c}\; w_{q c f}

    Parameters
    ----------
    x : tf.Tensor, shape (batch, count, windows, groups, channels)
        The value of each window.
    kernel : tf.Tensor, shape ([batch,] count, taps, groups, channels, filters)
        The weights.
    table : np.ndarray, shape (places, most)
        The taps that see each place (see `transposed_table`).

    Returns
    -------
    tf.Tensor, shape (batch, count, places, groups, filters)
    """
    return _sums_of_products(x, _shared_if_equal(kernel, x), table)


def _sums_of_products(x: tf.Tensor, kernel: tf.Tensor, table: np.ndarray) -> tf.Tensor:
    """Multiply each place with all taps, and add up the products that a row names."""
    *lead, n_taps, groups, channels, filters = kernel.shape
    *outer, tap, group, channel, filter_ = range(kernel.shape.rank)
    matrices = tf.transpose(kernel, [*outer, group, channel, tap, filter_])
    matrices = tf.reshape(matrices, (*lead, groups, channels, n_taps * filters))
    products = _multiply(x, matrices)
    batch, count, n_places = products.shape[:3]
    products = reshaped(products, (batch, count, n_places, groups, n_taps, filters))
    products = reshaped(
        _swap(products, 3, 4), (batch, count, n_places * n_taps, groups, filters)
    )
    return tf.reduce_sum(_gather(products, table), axis=3)


def _gather(x: tf.Tensor, table: np.ndarray) -> tf.Tensor:
    """Return the elements of axis 2 that a table names, in its shape.

    The number behind the last element stands for zero.
    """
    if np.any(table == x.shape[2]):
        x = tf.concat([x, tf.zeros_like(x[:, :, :1])], axis=2)
    return tf.gather(x, table, axis=2)


def _multiply(x: tf.Tensor, matrices: tf.Tensor) -> tf.Tensor:
    """Multiply rows with matrices.

    Parameters
    ----------
    x : tf.Tensor, shape (batch, count, rows, groups, n)
    matrices : tf.Tensor, shape ([batch,] count, groups, n, m)

    Returns
    -------
    tf.Tensor, shape (batch, count, rows, groups, m)
    """
    if matrices.shape.rank == 5:
        return _swap(_swap(x, 2, 3) @ matrices, 2, 3)
    batch, count, rows, groups, n = x.shape
    m = matrices.shape[-1]
    # one product for all items of the batch: its derivative is one product too
    together = None if batch is None else batch * rows
    x = reshaped(tf.transpose(x, [1, 3, 0, 2, 4]), (count * groups, together, n))
    y = x @ tf.reshape(matrices, (count * groups, n, m))
    y = reshaped(y, (count, groups, batch, rows, m))
    return tf.transpose(y, [2, 0, 3, 1, 4])


def _swap(x: tf.Tensor, i: int, j: int) -> tf.Tensor:
    """Exchange two axes."""
    order = list(range(x.shape.rank))
    order[i], order[j] = order[j], order[i]
    return tf.transpose(x, order)


def _shared_if_equal(kernel: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Drop the kernel's batch axis while all items of the batch have the same."""
    per_item = kernel.shape.rank > x.shape.rank
    return kernel[0] if per_item and kernel.shape[0] == 1 else kernel
