"""The input blocks of a chunk of steps: output of Nodes, data, random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from nengo.builder.operator import Operator

from nengo_dl.graph.inputs import Input, Source
from nengo_dl.graph.roles import Role
from nengo_dl.inputs.arrays import is_held
from nengo_dl.inputs.memory import aligned_zeros
from nengo_dl.inputs.sources import Presented, Sources
from nengo_dl.program.ahead import Ahead
from nengo_dl.program.calling import to_tensor
from nengo_dl.program.program import Program


@dataclass(frozen=True)
class Chunk:
    """The input of some steps.

    Attributes
    ----------
    inputs : list of tf.Tensor, shape (rows, batch, size)
        One for each input block; rows are as many as the program asks for.
    n_steps : int
        Steps that the values are good for.
    error : Exception or None
        Why it is not all steps that were asked for.
    """

    inputs: list[tf.Tensor]
    n_steps: int
    error: Exception | None = None


class Feeds:
    """Pack what the loop is fed into the input blocks of a program.

    Parameters
    ----------
    program : Program
        The compiled model.
    order : sequence of Operator
        All operators in Nengo's order.
    dt : float
        Length of a time step (s).

    Attributes
    ----------
    sources : Sources
        Where the values come from.
    """

    def __init__(self, program: Program, order: Sequence[Operator], dt: float) -> None:
        self._program = program
        self.sources = Sources(
            program.inputs, program.lowerings, order, dt, program.minibatch_size
        )
        #: the inputs of each input block
        self._inputs: dict[int, list[Input]] = {
            number: [] for number in program.layout.of_role(Role.INPUT)
        }
        for item in program.inputs:
            if item.lifted and item.signal in program.layout.places:
                self._inputs[program.layout.places[item.signal][0]].append(item)
        #: by mode and number of the block
        self._constants: dict[tuple[Ahead, int], tf.Tensor] = {}
        self._buffers: dict[tuple[Ahead, int], np.ndarray] = {}

    def nothing(self, mode: Ahead) -> list[tf.Tensor]:
        """Return input blocks for a run of no steps at all."""
        return [
            tf.zeros(self._shape(number, mode), self._program.dtype)
            for number in self._program.layout.of_role(Role.INPUT)
        ]

    def _shape(self, number: int, mode: Ahead) -> tuple[int, int, int]:
        """Return the shape of an input block."""
        program = self._program
        size = program.layout.blocks[number].size
        return program.rows(mode), program.minibatch_size, size

    def held(self, presented: Presented) -> bool:
        """Return whether the inputs are the same in all steps.

        Parameters
        ----------
        presented : mapping of Node to np.ndarray, shape (batch, n_steps, size_out)
            What the user feeds instead of a Node's own output.
        """
        return all(
            is_held(presented[item.node])
            if item.node in presented
            else item.source is Source.CONSTANT
            for inputs in self._inputs.values()
            for item in inputs
        )

    def chunk(
        self,
        first_step: int,
        n_steps: int,
        presented: Presented,
        mode: Ahead = Ahead.NEVER,
    ) -> Chunk:
        """Return the input of ``n_steps`` steps after ``first_step``.

        Parameters
        ----------
        first_step : int
            Number of the step before the first.
        n_steps : int
            Number of steps, at most the program's capacity.
        presented : mapping of Node to np.ndarray, shape (batch, n_steps, size_out)
            What the user feeds instead of a Node's own output.
        mode : Ahead
            How the program will run.
        """
        self._program.presented.first_step = first_step
        self._program.presented.values = {
            item.op: presented[item.node]
            for item in self._program.inputs
            if item.source is Source.IN_STEP and item.node in presented
        }
        functions, good, error = self.sources.call_functions(
            first_step, n_steps, presented
        )
        self.sources.begin()
        tensors = []
        for number, inputs in self._inputs.items():
            if (mode, number) in self._constants and not presented:
                tensors.append(self._constants[mode, number])
                continue
            constant = all(i.source is Source.CONSTANT for i in inputs)
            constant = constant and not presented
            array = self._buffer(number, mode, constant)
            for item in inputs:
                _, offset = self._program.layout.places[item.signal]
                # streams must not run ahead of a function that fails
                place = array[:good, :, offset : offset + item.signal.size]
                self.sources.fill(item, first_step, place, presented, functions)
            if constant:
                array[:] = array[0]
            tensors.append(to_tensor(array, self._program.dtype))
            if constant:
                # the same in every chunk
                self._constants[mode, number] = tensors[-1]
        return Chunk(tensors, good, error)

    def _buffer(self, number: int, mode: Ahead, kept: bool) -> np.ndarray:
        """Return memory for an input block: that of the last chunk, which is over.

        Rows that this chunk does not fill are not run. What the system gives new takes
        it longer than filling it takes us. Blocks that are kept have their own.
        """
        key = mode, number
        if kept or key not in self._buffers:
            dtype = self._program.dtype.as_numpy_dtype
            array = aligned_zeros(self._shape(number, mode), dtype)
            if kept:
                return array
            self._buffers[key] = array
        return self._buffers[key]
