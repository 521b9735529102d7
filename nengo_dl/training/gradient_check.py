"""Comparison of gradients with differences of outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder.signal import Signal
from nengo.exceptions import SimulationError

from nengo_dl.graph.signals import size
from nengo_dl.plan.layout import SignalLayout
from nengo_dl.program.python_errors import as_raised
from nengo_dl.program.xla_support import Xla
from nengo_dl.training.model_function import ModelFunction

#: how far to either side, for values of the size of 1 in double precision: less loses
#: digits to rounding, more to curvature
_STEP = 1e-6


@dataclass(frozen=True)
class _Place:
    """The place of a parameter or an input among the arguments of a function."""

    name: str
    argument: int
    start: int
    stop: int


@as_raised()
def compare(
    function: ModelFunction,
    exact: ModelFunction,
    params: Sequence[np.ndarray],
    state: Sequence[np.ndarray],
    presented: Mapping[nengo.Node, np.ndarray],
    trained: Sequence[Signal],
    n_steps: int,
    atol: float,
    rtol: float,
) -> dict[nengo.Probe, dict[str, np.ndarray]]:
    """Compare analytic with numeric derivatives.

    Parameters
    ----------
    function : ModelFunction
        The model, whose gradients are looked at.
    exact : ModelFunction
        The same in double precision, for differences.
    params : sequence of np.ndarray, shape (size,)
        Where the slopes are taken: the parameter blocks.
    state : sequence of np.ndarray, shape (batch, size)
        The state that the simulation starts from.
    presented : mapping of Node to np.ndarray, shape (batch, n_steps, size_out)
        The input.
    trained : sequence of Signal
        The parameters to look at, besides the input.
    n_steps : int
        How many steps.
    atol, rtol : float
        Largest deviation: ``atol`` plus ``rtol`` times the sum of the absolute values
        of what the derivative is a sum of.

    Returns
    -------
    dict of {Probe: {"analytic": array, "numeric": array, "names": array}}
        Derivatives of a random projection of what the probe sees, along one random
        direction in the space of each parameter and each input. Shape (n,) each.

    Raises
    ------
    SimulationError
        If two of them differ, or one is not finite; it names the signal. If a Python
        function of a Node fails; it names the Node.
    """
    rng = np.random.RandomState(0)
    nodes = tuple(presented)
    values = [*params, *presented.values()]
    projections = {
        probe: rng.randn(*spec.shape) for probe, spec in function.specs(n_steps).items()
    }
    generated = function.generate(nodes, n_steps)
    xla = Xla(function.jit_compile)

    def projected(which: ModelFunction) -> Callable[..., list[tf.Tensor]]:
        dtype = which.through_time.dtype
        # each function has Signals of its own for what is generated
        own = {
            mine.signal: tf.cast(generated[theirs.signal][0], dtype)
            for mine, theirs in zip(which.inputs, function.inputs, strict=True)
            if theirs.signal in generated
        }
        return _projected(which, projections, nodes, state, own, n_steps)

    here = [tf.cast(v, function.through_time.dtype) for v in values]
    slopes = _slopes(projected(function), here, xla)
    wide = [tf.TensorSpec(v.shape, exact.through_time.dtype) for v in values]
    numeric = _compiled(projected(exact), wide, xla)
    places = [
        *_parameters(function.layout, trained),
        *_inputs(nodes, values, len(params)),
    ]
    found: dict[nengo.Probe, dict[str, list]] = {
        probe: {"analytic": [], "numeric": [], "names": []} for probe in projections
    }
    for place in places:
        direction = rng.randn(place.stop - place.start)
        differences = _differences(numeric, values, place, direction)
        for i, (probe, lists) in enumerate(found.items()):
            own = np.ravel(slopes[i][place.argument])[place.start : place.stop]
            products = own.astype(np.float64) * direction
            _check(place.name, probe, products, differences[i], atol, rtol)
            lists["analytic"].append(products.sum())
            lists["numeric"].append(differences[i])
            lists["names"].append(place.name)
    return {
        probe: {name: np.array(values) for name, values in lists.items()}
        for probe, lists in found.items()
    }


def _projected(
    function: ModelFunction,
    projections: Mapping[nengo.Probe, np.ndarray],
    nodes: Sequence[nengo.Node],
    state: Sequence[np.ndarray],
    generated: Mapping[Signal, tf.Tensor],
    n_steps: int,
) -> Callable[..., list[tf.Tensor]]:
    """Return one number for each probe, as a function of parameters and inputs."""
    dtype = function.through_time.dtype

    def run(*arguments: tf.Tensor) -> list[tf.Tensor]:
        first = len(arguments) - len(nodes)
        outputs, _ = function(
            arguments[:first],
            [
                tf.cast(s, dtype)
                if tf.as_dtype(s.dtype).is_floating
                else tf.constant(s)
                for s in state
            ],
            {**dict(zip(nodes, arguments[first:], strict=True)), **generated},
            n_steps,
            keep_state=False,
        )
        return [
            tf.reduce_sum(tf.cast(projections[p], dtype) * y)
            for p, y in outputs.items()
        ]

    return run


def _compiled(
    run: Callable[..., Any], specs: Sequence[tf.TensorSpec], xla: Xla
) -> Callable[..., Any]:
    """Return a function as a graph."""
    traced = tf.function(run, jit_compile=xla.used, autograph=False)
    return traced.get_concrete_function(*specs)


def _slopes(
    numbers: Callable[..., list[tf.Tensor]], here: Sequence[tf.Tensor], xla: Xla
) -> list[list[tf.Tensor]]:
    """Return the gradients of some numbers, without XLA if that lacks something."""
    specs = [tf.TensorSpec(t.shape, t.dtype) for t in here]
    gradients = _gradients(numbers)
    try:
        return _compiled(gradients, specs, xla)(*here)
    except tf.errors.OpError as error:
        xla.give_up(error)
        return _compiled(gradients, specs, xla)(*here)


def _gradients(
    numbers: Callable[..., list[tf.Tensor]],
) -> Callable[..., list[list[tf.Tensor]]]:
    """Return the gradients of some numbers, as a function of the same arguments."""

    def run(*arguments: tf.Tensor) -> list[list[tf.Tensor]]:
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(arguments)
            results = numbers(*arguments)
        return [
            tape.gradient(y, list(arguments), unconnected_gradients="zero")
            for y in results
        ]

    return run


def _differences(
    numbers: Callable[..., Sequence[tf.Tensor]],
    values: Sequence[np.ndarray],
    place: _Place,
    direction: np.ndarray,
) -> list[float]:
    """Return the slopes of some numbers where one argument moves in a direction."""
    sides = []
    for sign in (1, -1):
        # in C order, so that what is flat is a view
        moved = [np.array(v, np.float64, order="C") for v in values]
        flat = moved[place.argument].reshape(-1)
        flat[place.start : place.stop] += sign * _STEP * direction
        sides.append([float(y) for y in numbers(*map(tf.constant, moved))])
    return [(above - below) / (2 * _STEP) for above, below in zip(*sides, strict=True)]


def _check(
    name: str,
    probe: nengo.Probe,
    products: np.ndarray,
    difference: float,
    atol: float,
    rtol: float,
) -> None:
    analytic = products.sum()
    limit = atol + rtol * np.abs(products).sum()
    if np.isfinite(analytic) and abs(analytic - difference) <= limit:
        return
    raise SimulationError(
        f"The gradient of {probe} with respect to {name} is wrong: {analytic:.6g} "
        "along a random direction, where differences of the output give "
        f"{difference:.6g}; expected them to be equal to within {limit:.2g}. Where a "
        "function has a jump or a corner, it has no gradient"
    )


def _parameters(layout: SignalLayout, trained: Sequence[Signal]) -> list[_Place]:
    """Return where parameters are among the blocks of parameters."""
    blocks = [i for i, block in enumerate(layout.blocks) if not block.role.batched]
    places = []
    for signal in trained:
        block, offset = layout.places[signal]
        number = blocks.index(block)
        places.append(_Place(str(signal.name), number, offset, offset + size(signal)))
    return places


def _inputs(
    nodes: Sequence[nengo.Node], values: Sequence[np.ndarray], first: int
) -> list[_Place]:
    """Return where inputs are."""
    return [
        _Place(str(node), first + i, 0, values[first + i].size)
        for i, node in enumerate(nodes)
    ]
