"""How many operations an operator does at least.

Two for each weight of a product, a multiplication and an addition, and two for each
element of an elementwise product that is added to something. A convolution uses each
weight of its kernel once for each position. Any other computation counts as one
operation for each element that it writes, however many it really is (a LIF neuron takes
about thirty). Constants and copies count nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Copy, DotInc, ElementwiseInc, Operator, Reset
from nengo.builder.signal import Signal
from nengo.builder.transforms import ConvInc, ConvTransposeInc

from nengo_dl.graph.operators import KINDS, Operators
from nengo_dl.graph.signals import size


def operations(op: Operator) -> int:
    """Return how many operations an operator does at least, for one item."""
    return _counting(type(op))(op)  # type: ignore[arg-type]


def doing(operators: Operators, least: float) -> list[Operator]:
    """Return those operators that do at least so many operations, for one item."""
    uses = operators.uses(*KINDS)
    sizes = operators.numbers.sizes[uses.signals]
    elements = np.bincount(uses.ops, sizes, minlength=len(operators))
    # all but convolutions do two operations for an element at most
    few = (2 * elements < least).tolist()
    convolutions = (ConvInc, ConvTransposeInc)
    return [
        op
        for op, is_few in zip(operators, few, strict=True)
        if (not is_few or isinstance(op, convolutions)) and operations(op) >= least
    ]


@cache
def _counting(kind: type[Operator]) -> Callable[[Operator], int]:
    """Return how to count the operations of one type of operators."""
    found = [count for base, count in _COUNTS.items() if issubclass(kind, base)]
    return found[0] if found else _written


def _written(op: Operator) -> int:
    signals: list[Signal] = [*op.sets, *op.incs, *op.updates]
    return sum(map(size, signals))


def _of_product(op: DotInc) -> int:
    # one of both may be a number
    return 2 * max(size(op.A), size(op.X))


def _of_convolution(op: ConvInc) -> int:
    return 2 * size(op.W) * int(np.prod(op.conv.output_shape.spatial_shape))


def _of_transposed_convolution(op: ConvTransposeInc) -> int:
    return 2 * size(op.W) * int(np.prod(op.conv.input_shape.spatial_shape))


def _of_copy(op: Copy) -> int:
    return size(op.dst) if op.inc else 0


#: how to count; kinds before their base classes
_COUNTS: dict[type[Operator], Callable[[Operator], int]] = {
    DotInc: _of_product,
    ElementwiseInc: lambda op: 2 * size(op.Y),
    ConvInc: _of_convolution,
    ConvTransposeInc: _of_transposed_convolution,
    Copy: _of_copy,
    Reset: lambda op: 0,
    # the neurons; what they remember is part of the same computation
    SimNeurons: lambda op: size(op.output),
}
