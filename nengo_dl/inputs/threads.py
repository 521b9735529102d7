"""Work on large arrays in several threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import TypeVar

import numpy as np

Result = TypeVar("Result")

#: bytes that are worth a second thread
LARGE = 4 * 2**20


def in_parts(
    function: Callable[[slice], Result], n_rows: int, n_bytes: int
) -> list[Result]:
    """Call a function with parts of the rows of an array, if it is large side by side.

    Parameters
    ----------
    function : callable
        Called with ``slice`` objects, which together are all rows. What it calls has
        to let other threads run, as NumPy does and ``ctypes``.
    n_rows : int
        Rows to be divided.
    n_bytes : int
        Size of the array.

    Returns
    -------
    list
        What the function has returned, in the order of the rows.
    """
    n_threads = _n_threads()
    if n_bytes < LARGE or n_threads < 2 or n_rows < n_threads:
        return [function(slice(None))]
    ends = np.linspace(0, n_rows, n_threads + 1).astype(int)
    parts = [slice(a, b) for a, b in pairwise(ends)]
    # in this thread too: it would only wait
    others = [_threads().submit(function, part) for part in parts[1:]]
    return [function(parts[0]), *(other.result() for other in others)]


@cache
def _n_threads() -> int:
    # more are no quicker: memory is what limits them
    return min(4, os.cpu_count() or 1)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_n_threads() - 1, "nengo_dl-arrays")
