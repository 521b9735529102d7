"""Large arrays in pieces, so that whoever reads all of one needs memory for a piece.

Files that are mapped into memory count as memory of the process once they are read, so
what was read is given back.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

#: bytes; arrays that take more, together and in the simulator's type, are neither
#: copied nor handed to TensorFlow as a whole
LARGE = 2**28

#: bytes that are read at once
PIECE = 2**22


def is_large(arrays: Sequence[np.ndarray], dtype: Any = None) -> bool:
    """Return whether arrays are too large to be copied, in their type or another."""
    width = None if dtype is None else np.dtype(dtype).itemsize
    return sum(array.size * (width or array.itemsize) for array in arrays) > LARGE


def pieces(array: np.ndarray) -> Iterator[np.ndarray]:
    """Yield all of an array in pieces; what repeats along an axis comes once.

    Parameters
    ----------
    array : np.ndarray
        Of any shape, in memory or in a file.
    """
    array = array[tuple(slice(None) if step else slice(1) for step in array.strides)]
    row = math.prod(array.shape[1:]) * array.itemsize
    if array.ndim > 1 and row > PIECE:
        for part in array:
            yield from pieces(part)
        return
    step = max(1, PIECE // max(row, 1))
    for start in range(0, len(array), step):
        yield array[start : start + step]
        let_go(array)


def let_go(array: Any) -> None:
    """Give back memory that holds what was read of a memory-mapped file.

    It is read again when it is needed, from the system's cache as a rule.

    Parameters
    ----------
    array : object
        The array, or part of it; anything else is left alone, and so are files opened
        with mode ``"c"``, whose changes are in memory only.
    """
    mapped = None
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap) and array.mode in ("r", "r+", "w+"):
            mapped = array
        array = array.base
    if mapped is not None and hasattr(array, "madvise"):
        array.madvise(mmap.MADV_DONTNEED)
