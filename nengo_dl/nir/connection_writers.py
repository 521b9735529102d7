"""Connections as NIR nodes: weights, convolutions, synapses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.synapses import Synapse
from nengo.transforms import SparseMatrix

from nengo_dl.nir.approximations import synapse_difference
from nengo_dl.nir.ensemble_writers import Findings
from nengo_dl.nir.written_graph import WrittenNode
from nengo_dl.synapses import Delay

#: a matrix of more numbers than these is not made of a sparse or a sliced one
_MAX_MATRIX = 50_000_000


@dataclass(frozen=True)
class Ends:
    """What a Connection or Probe leads from and to.

    Attributes
    ----------
    size_in, size_out : int
        Sizes of the whole objects.
    pre, post : slice or list
        The elements that are connected.
    columns, rows : np.ndarray, shape (size_in,) and (size_out,)
        Factors of what is sent and of what is received.
    """

    size_in: int
    size_out: int
    pre: Any
    post: Any
    columns: np.ndarray
    rows: np.ndarray


def weight_nodes(
    weights: Any, transform: Any, ends: Ends, obj: Any, found: Findings
) -> list[WrittenNode] | None:
    """Return the nodes that stand for weights; none if these change nothing.

    Parameters
    ----------
    weights : np.ndarray or SparseMatrix
        As Nengo keeps them: factors, a matrix or a kernel.
    transform : nengo.transforms.Transform
        What they are weights of.
    ends : Ends
        Where they lead from and to.
    obj : object
        Whose weights they are, for messages.
    found : Findings
        Where problems go.

    Returns
    -------
    list of WrittenNode or None
        None if they cannot be written.
    """
    if isinstance(transform, nengo.Convolution):
        return _convolution(np.asarray(weights, float), transform, ends, obj, found)
    if not isinstance(
        transform,
        nengo.Dense | nengo.Sparse | type(None) | nengo.transforms.NoTransform,
    ):
        found.refuse(obj, f"NIR has no {type(transform).__name__}")
        return None
    if ends.size_in * ends.size_out > _MAX_MATRIX:
        found.refuse(
            obj, f"a matrix of {ends.size_out} x {ends.size_in} weights is too large"
        )
        return None
    if isinstance(weights, SparseMatrix):
        weights = weights.toarray()
    weights = np.asarray(weights, float)
    rows, columns = _indices(ends)
    if weights.ndim > 2 or (
        weights.ndim == 2 and weights.shape != (len(rows), len(columns))
    ):
        found.refuse(
            obj,
            f"its weights have shape {weights.shape}; those of a minibatch, where each "
            "item learns its own, are none that a graph could have",
        )
        return None
    if weights.ndim < 2:
        weights = np.diag(np.broadcast_to(weights, len(columns)))
    full = np.zeros((ends.size_out, ends.size_in))
    # indices may stand there several times, and then add up
    np.add.at(full, np.ix_(rows, columns), weights)
    full *= ends.columns
    full *= ends.rows[:, None]
    if np.array_equal(full, np.eye(*full.shape)) and full.shape[0] == full.shape[1]:
        return []
    return [WrittenNode("Linear", {"weight": full}, ends.size_out)]


def _indices(ends: Ends) -> tuple[np.ndarray, np.ndarray]:
    rows = np.arange(ends.size_out)[ends.post]
    return rows, np.arange(ends.size_in)[ends.pre]


def _convolution(
    kernel: np.ndarray,
    transform: nengo.Convolution,
    ends: Ends,
    obj: Any,
    found: Findings,
) -> list[WrittenNode] | None:
    """Return a convolution, between what puts channels first if they are last."""
    n_axes = transform.dimensions
    if n_axes not in (1, 2):
        found.refuse(obj, f"NIR has no convolutions over {n_axes} axes")
        return None
    padding = _padding(transform)
    if padding is None:
        found.refuse(
            obj,
            f"padding 'same' with strides {transform.strides} adds more zeros after "
            "than before, which NIR cannot say; use 'valid'",
        )
        return None
    shape_in, shape_out = transform.input_shape, transform.output_shape
    first_in = (shape_in.n_channels, *shape_in.spatial_shape)
    first_out = (shape_out.n_channels, *shape_out.spatial_shape)
    nodes = _between(ends.size_in, ends.pre, ends.columns, shape_in, first_in)
    factor = 1.0
    if nodes and nodes[0].kind == "factor":
        factor, nodes = nodes[0].parameters["factor"], []
    weight = factor * np.moveaxis(kernel, (-2, -1), (1, 0))
    conv = WrittenNode(
        f"Conv{n_axes}d",
        {
            "weight": weight,
            "stride": tuple(transform.strides),
            "padding": padding,
            "dilation": (1,) * n_axes,
            "groups": int(getattr(transform, "groups", 1)),
            "bias": np.zeros(shape_out.n_channels),
            "shape_in": first_in,
            "shape_out": first_out,
        },
        shape_out.size,
    )
    return _in_order([*nodes, conv], shape_out, ends, obj, found)


def _in_order(
    nodes: list[WrittenNode], shape: Any, ends: Ends, obj: Any, found: Findings
) -> list[WrittenNode] | None:
    """Return a convolution, and what brings its output to where it is received."""
    rows, _ = _indices(ends)
    if shape.channels_last:
        order = np.arange(shape.size).reshape(shape.shape)
        back = np.argsort(np.moveaxis(order, -1, 0).reshape(-1))
    else:
        back = np.arange(shape.size)
    every = np.arange(ends.size_out)
    if np.array_equal(back, every) and np.array_equal(rows, every):
        return _scaled(nodes, ends.rows)
    if ends.size_out * shape.size > _MAX_MATRIX:
        found.refuse(
            obj,
            "its channels are last, and to put them first takes a matrix that is too "
            "large; use channels_last=False",
        )
        return None
    full = np.zeros((ends.size_out, shape.size))
    full[rows, back] = ends.rows[rows]
    return [*nodes, WrittenNode("Linear", {"weight": full}, ends.size_out)]


def _between(
    size: int, index: Any, factors: np.ndarray, shape: Any, first: tuple[int, ...]
) -> list[WrittenNode]:
    """Return what brings elements into the order of channels first.

    A common factor is returned by itself: a kernel can take it.
    """
    order = np.arange(shape.size).reshape(shape.shape)
    if shape.channels_last:
        order = np.moveaxis(order, -1, 0)
    chosen = np.arange(size)[index][order.reshape(-1)]
    if np.array_equal(chosen, np.arange(size)) and np.all(factors == factors[0]):
        return [WrittenNode("factor", {"factor": float(factors[0])}, size)]
    weight = np.zeros((len(chosen), size))
    weight[np.arange(len(chosen)), chosen] = factors[chosen]
    return [WrittenNode("Linear", {"weight": weight, "shape_out": first}, len(chosen))]


def _scaled(nodes: list[WrittenNode], rows: np.ndarray) -> list[WrittenNode]:
    """Return the nodes with factors of the output, in the kernel if that can be."""
    conv = nodes[-1]
    n_out = conv.parameters["shape_out"][0]
    by_channel = rows.reshape(n_out, -1)
    if np.all(by_channel == by_channel[:, :1]):
        factors = by_channel[:, 0].reshape(
            -1, *[1] * (conv.parameters["weight"].ndim - 1)
        )
        conv.parameters["weight"] = conv.parameters["weight"] * factors
        return nodes
    scale = rows.reshape(conv.parameters["shape_out"])
    return [*nodes, WrittenNode("Scale", {"scale": scale}, rows.size)]


def _padding(transform: nengo.Convolution) -> Any:
    """Return NIR's padding; None if there is none."""
    if transform.padding == "valid":
        return "valid"
    if set(transform.strides) == {1}:
        return "same"
    low = []
    for n, k, stride in zip(
        transform.input_shape.spatial_shape,
        transform.kernel_size,
        transform.strides,
        strict=True,
    ):
        total = max((-(-n // stride) - 1) * stride + k - n, 0)
        if total % 2:
            return None
        low.append(total // 2)
    return tuple(low)


# -- synapses


def synapse_nodes(
    synapse: Synapse | None, size: int, dt: float, obj: Any, found: Findings
) -> list[WrittenNode] | None:
    """Return the nodes that stand for a synapse; None if there are none."""
    if synapse is None:
        return []
    if isinstance(synapse, nengo.Lowpass):
        if synapse.tau <= 0:
            delayed = {"weight": np.eye(size)}
            return [WrittenNode("Linear", delayed, size, {"role": "delayed"})]
        return [_leaky(synapse.tau, size, "synapse")]
    if isinstance(synapse, nengo.Alpha):
        return _alpha(synapse, size, dt, obj, found)
    if isinstance(synapse, Delay):
        return _delay(synapse, size, dt, obj, found)
    if isinstance(synapse, nengo.LinearFilter):
        return _linear_filter(synapse, size, dt, obj, found)
    found.refuse(obj, f"NIR has no {type(synapse).__name__} filter")
    return None


def _delay(
    synapse: Delay, size: int, dt: float, obj: Any, found: Findings
) -> list[WrittenNode] | None:
    steps = synapse.steps(dt)
    if steps % 1 and not found.stands_for(
        obj,
        f"readers of NIR delay by whole time steps, and {synapse} by {steps:g}",
        f"a delay of {round(steps)} steps",
        lambda: synapse_difference(synapse, [Delay(round(steps))], dt),
    ):
        return None
    seconds = np.full(size, round(steps) * dt)
    return [WrittenNode("Delay", {"delay": seconds}, size)]


def _leaky(tau: float, size: int, role: str) -> WrittenNode:
    parameters = {
        "tau": np.full(size, float(tau)),
        "r": np.ones(size),
        "v_leak": np.zeros(size),
    }
    notes = {"role": role} if role else {}
    return WrittenNode("LI", parameters, size, notes)


def _alpha(
    synapse: nengo.Alpha, size: int, dt: float, obj: Any, found: Findings
) -> list[WrittenNode] | None:
    pair = [nengo.Lowpass(synapse.tau)] * 2
    if not found.stands_for(
        obj,
        "NIR has no Alpha filter",
        "two LI in series, which have the same transfer function",
        lambda: synapse_difference(synapse, pair, dt),
    ):
        return None
    return _series(synapse, [synapse.tau] * 2, size)


def _series(
    synapse: nengo.LinearFilter, taus: list[float], size: int
) -> list[WrittenNode]:
    """Return LI in series; our own reader makes the filter of the first one."""
    nodes = [_leaky(tau, size, "identity") for tau in taus]
    nodes[0].notes = {
        "role": "filter",
        "num": np.array(synapse.num, float),
        "den": np.array(synapse.den, float),
    }
    return nodes


def _linear_filter(
    synapse: nengo.LinearFilter, size: int, dt: float, obj: Any, found: Findings
) -> list[WrittenNode] | None:
    num, den = np.trim_zeros(synapse.num, "f"), np.trim_zeros(synapse.den, "f")
    if not synapse.analog:
        if len(num) == 1 and num[0] == den[0] and not np.any(den[1:]):
            seconds = np.full(size, (len(den) - 1) * dt)
            return [WrittenNode("Delay", {"delay": seconds}, size)]
        found.refuse(obj, f"NIR has no digital filters other than delays: {synapse}")
        return None
    poles = np.roots(den)
    if len(num) != 1 or np.any(np.abs(poles.imag) > 1e-9) or np.any(poles.real >= 0):
        found.refuse(
            obj,
            "NIR has filters with real, negative poles and no zeros only, which this "
            f"is not: {synapse}",
        )
        return None
    taus = sorted(-1 / poles.real)
    factor = float(num[0] / den[-1])
    series = [nengo.Lowpass(tau) for tau in taus]
    if len(taus) > 1 and not found.stands_for(
        obj,
        f"NIR has no filter with {len(taus)} poles",
        f"{len(taus)} LI in series, which have the same transfer function",
        lambda: synapse_difference(synapse, series, dt),
    ):
        return None
    nodes = _series(synapse, taus, size)
    nodes[0].parameters["r"] *= factor
    return nodes


def instant_filter(synapse: Synapse, size: int) -> WrittenNode | None:
    """Return what stands for a filter that is no step late; None if there is nothing.

    Parameters
    ----------
    synapse : nengo.synapses.Synapse
        The Process of a Node.
    size : int
        How many elements it filters.
    """
    if isinstance(synapse, nengo.Lowpass):
        return _leaky(synapse.tau, size, "") if synapse.tau > 0 else None
    if not isinstance(synapse, nengo.LinearFilter) or not synapse.analog:
        return None
    if len(synapse.num) != 1 or len(synapse.den) != 2 or synapse.den[1] != 0:
        return None
    r = np.full(size, synapse.num[0] / synapse.den[0])
    return WrittenNode("I", {"r": r}, size)
