"""Transforms of given sizes, drawn at random."""

import numpy as np

from tests.random_networks.draw import Draw, call
from tests.random_networks.parts import factors


def transform(
    draw: Draw, rows: int, columns: int, scale: float, repeated: bool, sparse: bool
) -> str | None:
    """Return a transform that takes ``columns`` numbers to ``rows``.

    Parameters
    ----------
    scale : float
        How large the result may be, as a multiple of the input.
    repeated : bool
        Whether indices repeat on either side, which Nengo allows for some only.
    sparse : bool
        Whether it may be sparse.

    Returns
    -------
    str or None
        None where there is none that fits.
    """
    each = scale / np.sqrt(columns)
    kinds = []
    if sparse:
        kinds += [_sparse, _scipy]
    if not repeated:
        kinds += [_dense, _dense, _distribution]
    if rows == columns:
        kinds += [_scalar, _diagonal]
    if not kinds:
        return None
    return draw.one_of(kinds)(draw, rows, columns, each)


def _scalar(draw: Draw, rows: int, columns: int, scale: float) -> str:
    return f"{draw.one_of([-1, 1]) * scale:.3g}"


def _diagonal(draw: Draw, rows: int, columns: int, scale: float) -> str:
    return draw.values(scale, rows)


def _dense(draw: Draw, rows: int, columns: int, scale: float) -> str:
    return draw.values(scale, rows, columns)


def _distribution(draw: Draw, rows: int, columns: int, scale: float) -> str:
    dist = call("nengo.dists.Uniform", f"{-scale:.3g}", f"{scale:.3g}")
    return draw.one_of([dist, call("nengo.Dense", (rows, columns), dist)])


def _places(draw: Draw, rows: int, columns: int) -> list[list[int]]:
    n = draw.integer(1, min(6, rows * columns))
    places = draw.some_of(range(rows * columns), n)
    return [[place // columns, place % columns] for place in places]


def _sparse(draw: Draw, rows: int, columns: int, scale: float) -> str:
    places = _places(draw, rows, columns)
    init = draw.one_of(
        [draw.values(scale, len(places)), f"nengo.dists.Gaussian(0, {scale:.3g})"]
    )
    if scale > 0.3 and draw.flip(0.2):
        init = [draw.one_of([-1, 1]) for _ in places]  # stays whole numbers in Nengo
    return call("nengo.Sparse", (rows, columns), indices=places, init=init)


def _scipy(draw: Draw, rows: int, columns: int, scale: float) -> str:
    at = list(zip(*_places(draw, rows, columns), strict=True))
    matrix = f"scipy.sparse.{draw.one_of(['csr', 'csc', 'coo'])}_matrix"
    entries = f"({draw.values(scale, len(at[0]))}, ({list(at[0])}, {list(at[1])}))"
    init = call(matrix, entries, shape=(rows, columns))
    return call("nengo.Sparse", (rows, columns), init=init)


def convolution(draw: Draw, columns: int, scale: float) -> str:
    """Return a convolution, or its transpose, of ``columns`` numbers."""
    dimensions = draw.integer(1, 2)
    *space, channels = draw.one_of(factors(columns, dimensions + 1))
    channels_last = draw.flip(0.5)
    shape = (*space, channels) if channels_last else (channels, *space)
    padding = draw.one_of(["same", "valid"])
    kernel = tuple(draw.integer(1, min(3, size)) for size in space)
    groups = draw.one_of([g for g in range(1, channels + 1) if channels % g == 0])
    transposed = draw.flip(0.4)
    filters = draw.integer(1, 3) * (1 if transposed else groups)
    init = f"nengo.dists.Uniform({-scale:.3g}, {scale:.3g})"
    if draw.flip(0.3):
        inner = channels if transposed else channels // groups
        init = f"np.array({draw.values(scale, *kernel, inner, filters)})"
    arguments = {
        "kernel_size": kernel,
        "strides": tuple(draw.integer(1, 2) for _ in space),
        "padding": repr(padding),
        "channels_last": channels_last,
        "init": init,
    }
    if transposed:
        return call("nengo.ConvolutionTranspose", filters, shape, **arguments)
    return call("nengo.Convolution", filters, shape, groups=groups, **arguments)
