r"""What the hardware needs for a time step at least.

A time step has to move bytes and to do operations. Both are counted in the plan of a
simulator, so whatever simplifications remove does not count:

- bytes: parameters are read once; what goes round the loop is read and written; the
  input of the step is read, and what probes keep is written. All of it for each item of
  a minibatch, except parameters, which items share. Values that live within a step only
  could stay in registers, and count nothing.
- operations: as `nengo_dl.graph.costs` counts them.

Memory and arithmetic units work at the same time, so the floor is the longer one of

.. math:: \frac{\text{bytes}}{\text{bandwidth}}, \qquad
          \frac{\text{operations}}{\text{rate}}

with the bandwidth of this machine for as many bytes as are in use, and its rate in a
product of large matrices; `nengo_dl.benchmarks.rates` measures both. No simulation
reaches the floor of a network of many small computations: starting each of them takes
time too, and the rate of a large product is far above that of small ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nengo.builder.operator import SparseDotInc

from nengo_dl.benchmarks.rates import bandwidth, product_rate
from nengo_dl.graph.costs import operations
from nengo_dl.graph.roles import Role
from nengo_dl.graph.signals import size
from nengo_dl.simulator import Simulator, program_of

if TYPE_CHECKING:
    from nengo_dl.program.program import Program

#: bytes that say where an element of a sparse matrix stands
INDEX_BYTES = 4


@dataclass(frozen=True)
class Work:
    """The least work of one time step: operations, and bytes that are moved.

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


def work_of(simulator: Simulator, held: bool = False) -> Work:
    """Return what a time step of a simulator has to do.

    Parameters
    ----------
    simulator : Simulator
        The simulator.
    held : bool
        Whether its inputs stay the same. What depends on them and on parameters alone
        has to be done once then, not in each step.
    """
    return work_of_program(program_of(simulator), held)


def work_of_program(program: Program, held: bool = False) -> Work:
    """Return what a time step of a program has to do."""
    items, layout, width = program.minibatch_size, program.layout, program.dtype.size
    lowerings = program.lowerings
    fed: Sequence[int] = layout.of_role(Role.INPUT)
    if held and program.parts[0]:
        lowerings, fed = program.parts[1], program.handed_over
    run = set(map(id, lowerings))
    groups = [
        group
        for group, lowering in zip(program.plan, program.lowerings, strict=True)
        if id(lowering) in run
    ]
    touched = {
        i for lowering in lowerings for view in lowering.views for i in view.blocks
    }
    params = [i for i in layout.of_role(Role.PARAM) if i in touched]
    carried = [*layout.of_role(Role.STATE), *layout.of_role(Role.ONLINE)]

    def elements(blocks: Iterable[int]) -> int:
        return sum(layout.blocks[i].size for i in blocks)

    state = items * elements(carried)
    once = elements(params) + items * elements(fed)
    once += items * sum(recording.view.size for recording in program.recordings)
    operators = [op for group in groups for op in group.ops]
    indices = sum(
        INDEX_BYTES * size(op.A) for op in operators if isinstance(op, SparseDotInc)
    )
    return Work(
        width * (once + 2 * state) + indices,
        width * (once + state) + indices,
        items * sum(map(operations, operators)),
    )
