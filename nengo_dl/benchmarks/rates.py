"""How fast this machine moves and multiplies numbers, measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

#: smaller sets of numbers are in the first cache all the same, and take less time than
#: the loop around them
MIN_BYTES = 2**16
#: nothing is measured with more than this; it is far beyond any cache
MAX_BYTES = 2**28
#: bytes that one measurement moves
VOLUME = 2**28
REPETITIONS = 5
#: rows and columns of the matrices that are multiplied
SIZE = 1024


def bandwidth(n_bytes: float, device: str | None = None) -> float:
    r"""Return how many bytes per second are moved, again and again the same ones.

    Caches decide: what fits into them is moved ten times faster. So the measurement is
    made with as many bytes as are in use, rounded up to a power of two. It is the
    larger one of two: :math:`x \leftarrow c x + a` in a loop that XLA compiles, and
    on a CPU also a product of a matrix and a vector in NumPy, which only reads.

    Parameters
    ----------
    n_bytes : float
        Size of the working set.
    device : str, optional
        TensorFlow's name of the device.

    Returns
    -------
    float
        Bytes per second, those that are read and those that are written.
    """
    size = MIN_BYTES
    while size < min(n_bytes, MAX_BYTES):
        size *= 2
    return _bandwidth(size, device)


@cache
def product_rate(dtype: str = "float32", device: str | None = None) -> float:
    """Return how many operations per second a product of two large matrices does.

    Parameters
    ----------
    dtype : str
        Type of the numbers.
    device : str, optional
        TensorFlow's name of the device.

    Returns
    -------
    float
        Multiplications and additions per second.
    """
    with tf.device(device):
        matrix = tf.ones((SIZE, SIZE), dtype)
        seconds = _best(lambda: tf.matmul(matrix, matrix)[0, 0].numpy())
    return 2 * SIZE**3 / seconds


@cache
def _bandwidth(size: int, device: str | None) -> float:
    found = [_read_and_write(size, device)]
    if device is None or "cpu" in device.lower():
        found.append(_read(size))
    return max(found)


def _read_and_write(size: int, device: str | None) -> float:
    count = size // 8  # elements of each of two vectors in single precision
    loops = max(1, VOLUME // size)

    def run(x: tf.Tensor, a: tf.Tensor) -> tf.Tensor:
        return tf.while_loop(
            lambda i, _: i < loops, lambda i, x: (i + 1, 0.5 * x + a), (0, x)
        )[1][0]

    with tf.device(device):
        compiled = tf.function(run, jit_compile=True, autograph=False)
        x, a = tf.ones(count), tf.ones(count)
        seconds = _best(lambda: compiled(x, a).numpy())
    return 3 * 4 * count * loops / seconds


def _read(size: int) -> float:
    columns = int(np.sqrt(size // 4))
    matrix = np.ones((size // 4 // columns, columns), np.float32)
    vector = np.ones(columns, np.float32)
    loops = max(1, VOLUME // size)

    def run() -> None:
        for _ in range(loops):
            matrix @ vector

    return matrix.nbytes * loops / _best(run)


def _best(action: Callable[[], Any]) -> float:
    """Return the shortest time (s) of several: what the machine can do."""
    action()
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)
