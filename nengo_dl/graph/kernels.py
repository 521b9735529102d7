"""Kernels of convolutions in forms that Nengo has."""

from __future__ import annotations

import numpy as np


def dilated(kernel: np.ndarray, rates: tuple[int, ...]) -> np.ndarray:
    """Return a kernel with zeros between its elements, as Nengo has no dilation.

    Parameters
    ----------
    kernel : np.ndarray, shape (*sizes, ...)
        The weights.
    rates : tuple of int
        Distance between two elements, for each axis of places.

    Returns
    -------
    np.ndarray, shape (*((size - 1) * rate + 1), ...)

    Examples
    --------
    >>> import numpy as np
    >>> from nengo_dl.graph.kernels import dilated
    >>> dilated(np.array([1, 2, 3]), (2,))
    array([1, 0, 2, 0, 3])
    """
    sizes = [(n - 1) * r + 1 for n, r in zip(kernel.shape, rates, strict=False)]
    found = np.zeros((*sizes, *kernel.shape[len(rates) :]), kernel.dtype)
    found[tuple(slice(None, None, rate) for rate in rates)] = kernel
    return found
