"""How many weights each element of a Connection's input goes through."""

from __future__ import annotations

from itertools import product
from typing import Any

import nengo
import numpy as np
from nengo.transforms import SparseMatrix


def fan_out(transform: Any, weights: Any, size_in: int) -> np.ndarray:
    """Return the number of weights other than 0 of each input element.

    Parameters
    ----------
    transform : nengo.transforms.Transform or None
        How the Connection transforms its input; it matters for convolutions alone.
    weights : np.ndarray, SparseMatrix or None
        The weights, as ``sim.data[connection].weights`` has them.
    size_in : int
        Number of input elements.

    Returns
    -------
    np.ndarray of int, shape (size_in,)

    Examples
    --------
    >>> import numpy as np
    >>> from nengo_dl.activity.fan_out import fan_out
    >>> fan_out(None, np.array([[1, 0, 2], [3, 0, 0]]), 3).tolist()
    [2, 0, 1]
    """
    if isinstance(weights, SparseMatrix):
        columns = np.asarray(weights.indices)[:, 1]
        nonzero = np.ravel(weights.data) != 0
        return np.bincount(columns[nonzero], minlength=size_in)
    if weights is None:
        return np.ones(size_in, int)
    if isinstance(transform, nengo.Convolution) and np.ndim(weights) > 2:
        return _of_kernel(transform, np.asarray(weights) != 0)
    if isinstance(transform, nengo.transforms.ConvolutionTranspose):
        # each input pixel meets the whole kernel, but for what is cut off at the border
        per_channel = np.count_nonzero(
            weights, axis=(*range(np.ndim(weights) - 2), np.ndim(weights) - 1)
        )
        spatial = transform.input_shape.spatial_shape
        channels = np.broadcast_to(per_channel, (*spatial, per_channel.size))
        return _flat(channels, transform.channels_last)
    nonzero = np.asarray(weights) != 0
    if nonzero.ndim < 2:
        return np.broadcast_to(nonzero, (size_in,)).astype(int)
    return np.count_nonzero(nonzero.reshape(-1, *nonzero.shape[-2:])[0], axis=0)


def _of_kernel(transform: nengo.Convolution, nonzero: np.ndarray) -> np.ndarray:
    """Return what `fan_out` does for a convolution, where it reaches the border too."""
    n_axes = nonzero.ndim - 2
    sizes = transform.input_shape.spatial_shape
    outputs = transform.output_shape.spatial_shape
    n_in, n_per_group = transform.input_shape.n_channels, nonzero.shape[-2]
    n_groups = n_in // n_per_group
    # of the groups of channels, each has its own part of the outputs
    per_channel = nonzero.reshape(*nonzero.shape[:-1], n_groups, -1).sum(axis=-1)
    per_channel = np.moveaxis(per_channel, -1, -2).reshape(*nonzero.shape[:-2], n_in)
    counts = np.zeros((*sizes, n_in), int)
    for position in product(*map(range, nonzero.shape[:n_axes])):
        rows = [
            _places(size, n, k, stride, length, transform.padding)
            for size, n, k, stride, length in zip(
                sizes,
                outputs,
                position,
                transform.strides,
                nonzero.shape[:n_axes],
                strict=True,
            )
        ]
        counts[np.ix_(*rows)] += per_channel[position]
    return _flat(counts, transform.channels_last)


def _places(
    size: int, n_outputs: int, k: int, stride: int, length: int, padding: str
) -> np.ndarray:
    """Return which inputs along an axis meet the k-th element of a kernel."""
    before = 0
    if padding == "same":
        before = max((n_outputs - 1) * stride + length - size, 0) // 2
    places = np.arange(n_outputs) * stride + k - before
    return places[(places >= 0) & (places < size)]


def _flat(counts: np.ndarray, channels_last: bool) -> np.ndarray:
    return (counts if channels_last else np.moveaxis(counts, -1, 0)).ravel()
