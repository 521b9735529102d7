r"""What the hardware needs for a time step at least.

A time step has to move bytes and to do operations. Both are counted in the plan of a
simulator, so whatever simplifications remove does not count:

- bytes: parameters are read once; what goes round the loop is read and written; the
  input of the step is read, and what probes keep is written. All of it for each item of
  a minibatch, except parameters, which items share. Values that live within a step only
  could stay in registers, and count nothing.
- operations: two for each weight of a product, a multiplication and an addition, and
  two for each element of an elementwise product that is added to something. A
  convolution uses each weight of its kernel once for each position. Any other
  computation counts as one operation for each element that it writes, however many it
  really is (a LIF neuron takes about thirty). Constants and copies count nothing.

Memory and arithmetic units work at the same time, so the floor is the longer one of

.. math:: \frac{\text{bytes}}{\text{bandwidth}}, \qquad
          \frac{\text{operations}}{\text{rate}}

with the bandwidth of this machine for as many bytes as are in use, and its rate in a
product of large matrices; `nengo_dl.benchmarks.rates` measures both. No simulation
reaches the floor of a network of many small computations: starting each of them takes
time too, and the rate of a large product is far above that of small ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import (
    Copy,
    DotInc,
    ElementwiseInc,
    Operator,
    Reset,
    SparseDotInc,
)
from nengo.builder.signal import Signal
from nengo.builder.transforms import ConvInc, ConvTransposeInc

from nengo_dl.benchmarks.rates import bandwidth, product_rate
from nengo_dl.graph.roles import Role
from nengo_dl.graph.signals import size

if TYPE_CHECKING:
    from nengo_dl.program.program import Program
    from nengo_dl.simulator import Simulator

#: bytes that say where an element of a sparse matrix stands
INDEX_BYTES = 4


@dataclass(frozen=True)
class Work:
    """What one time step has to do.

    Attributes
    ----------
    bytes : int
        Bytes that are read and written.
    resident : int
        Bytes that are in use: those that are read and written count once.
    operations : int
        Additions, multiplications and so on.
    """

    bytes: int
    resident: int
    operations: int

    def seconds(self, dtype: str = "float32", device: str | None = None) -> float:
        """Return the shortest time (s) that this machine could need for it."""
        return max(
            self.bytes / bandwidth(self.resident, device),
            self.operations / product_rate(dtype, device),
        )


def work_of(simulator: Simulator) -> Work:
    """Return what a time step of a simulator has to do."""
    return work_of_program(simulator._program)


def work_of_program(program: Program) -> Work:
    """Return what a time step of a program has to do."""
    items, layout, width = program.minibatch_size, program.layout, program.dtype.size

    def elements(*roles: Role) -> int:
        return sum(
            layout.blocks[i].size for role in roles for i in layout.of_role(role)
        )

    carried = items * elements(Role.STATE, Role.ONLINE)
    once = elements(Role.PARAM) + items * elements(Role.INPUT)
    once += items * sum(recording.view.size for recording in program.recordings)
    operators = [op for group in program.plan for op in group.ops]
    indices = sum(
        INDEX_BYTES * size(op.A) for op in operators if isinstance(op, SparseDotInc)
    )
    return Work(
        width * (once + 2 * carried) + indices,
        width * (once + carried) + indices,
        items * sum(map(operations, operators)),
    )


def operations(op: Operator) -> int:
    """Return how many operations an operator does at least, for one item."""
    for kind, count in _COUNTS.items():
        if isinstance(op, kind):
            return count(op)
    return _written(op)


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
