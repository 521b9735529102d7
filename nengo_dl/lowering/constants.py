"""Parameters of merged operators, as one number or one array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def merged(
    values: Sequence[float], sizes: Sequence[int], dtype: np.dtype
) -> np.ndarray:
    """Return one value for each element of a group's stacked signals.

    Parameters
    ----------
    values : sequence of float
        One for each operator.
    sizes : sequence of int
        Elements of each operator's signal.
    dtype : np.dtype
        Type of the result.

    Returns
    -------
    np.ndarray, shape () if all values are equal, else (sum of sizes,)
        A single number stays one: XLA then keeps it in a register instead of reading an
        array in every step.
    """
    if len(set(values)) == 1:
        return np.asarray(values[0], dtype=dtype)
    return np.repeat(np.asarray(values, dtype=dtype), sizes)
