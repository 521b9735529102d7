"""The input blocks of a chunk of steps: output of Nodes, data, random numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder.operator import Operator
from nengo.exceptions import SimulationError

from nengo_dl.graph.inputs import Input, Source
from nengo_dl.graph.roles import Role
from nengo_dl.graph.signals import initial_elements
from nengo_dl.lowering.numpy_operator import NumPyOperator
from nengo_dl.lowering.python_function import failure, store
from nengo_dl.program.calling import to_tensor
from nengo_dl.program.program import Program
from nengo_dl.runtime.streams import (
    DrawStream,
    ProcessStream,
    Rewindable,
    Stream,
    rewind,
)

#: bytes; TensorFlow copies arrays that do not begin at a multiple of it
_ALIGNMENT = 64


@dataclass(frozen=True)
class Chunk:
    """The input of some steps.

    Attributes
    ----------
    inputs : list of tf.Tensor, shape (capacity, batch, size)
        One for each input block.
    n_steps : int
        Steps that the values are good for.
    error : Exception or None
        Why it is not all steps that were asked for.
    """

    inputs: list[tf.Tensor]
    n_steps: int
    error: Exception | None = None


class Feeds:
    """Compute what the loop is fed, in Nengo's order and from Nengo's streams.

    Parameters
    ----------
    program : Program
        The compiled model.
    order : sequence of Operator
        All operators in Nengo's order.
    dt : float
        Length of a time step (s).
    """

    def __init__(self, program: Program, order: Sequence[Operator], dt: float) -> None:
        self._program = program
        self._order = order
        self._dt = dt
        batch = program.minibatch_size
        processes = {
            item: [ProcessStream(item.op, dt) for _ in range(batch)]
            for item in program.inputs
            if item.source is Source.PROCESS
        }
        self._draws = {
            item: [DrawStream(item.draws, i) for i in range(batch)]
            for item in program.inputs
            if item.draws is not None
        }
        #: where the values of an input come from, for each item of the batch
        self._streams: dict[Input, Sequence[Stream]] = {**processes, **self._draws}
        self._hosts: list[dict[Operator, Rewindable]] = [
            {item.op: streams[i] for item, streams in processes.items()}
            for i in range(batch)
        ]
        for lowering in program.lowerings:
            if isinstance(lowering, NumPyOperator):
                for op, stepped in zip(lowering.ops, lowering.stepped, strict=True):
                    for i in range(batch):
                        self._hosts[i][op] = stepped[i]
        #: the sources of each input block
        self._sources: dict[int, list[Input]] = {
            number: [] for number in program.layout.of_role(Role.INPUT)
        }
        for item in program.inputs:
            if item.lifted and item.signal in program.layout.places:
                self._sources[program.layout.places[item.signal][0]].append(item)
        #: the streams that the last chunk has taken from
        self._taken: list[Stream] = []
        self._constants: dict[int, tf.Tensor] = {}

    def rewind(self, seed: int) -> None:
        """Start all random streams anew."""
        rewind(self._order, self._hosts, seed)
        for streams in self._draws.values():
            for stream in streams:
                stream.reset(seed)

    def positions(self) -> list[list[int]]:
        """Return how far each stream has gone, for each item of the batch."""
        return [[stream.position for stream in own] for own in self._streams.values()]

    def advance(self, positions: Sequence[Sequence[int]], step: int) -> None:
        """Let streams that are at their beginning go on to where others were.

        Parameters
        ----------
        positions : list of list of int
            What `positions` returned.
        step : int
            Steps of the simulation that are over there.
        """
        for streams, own in zip(self._streams.values(), positions, strict=True):
            for stream, position in zip(streams, own, strict=True):
                stream.advance(position, step)

    def nothing(self) -> list[tf.Tensor]:
        """Return input blocks for a run of no steps at all."""
        program = self._program
        return [
            tf.zeros(
                (
                    program.capacity,
                    program.minibatch_size,
                    program.layout.blocks[number].size,
                ),
                program.dtype,
            )
            for number in program.layout.of_role(Role.INPUT)
        ]

    def chunk(
        self,
        first_step: int,
        n_steps: int,
        presented: Mapping[nengo.Node, np.ndarray],
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
        """
        self._program.presented.first_step = first_step
        self._program.presented.values = {
            item.op: presented[item.node]
            for item in self._program.inputs
            if item.source is Source.IN_STEP and item.node in presented
        }
        functions, good, error = self._call_functions(first_step, n_steps, presented)
        batch = self._program.minibatch_size
        self._taken.clear()
        tensors = []
        for number, sources in self._sources.items():
            if number in self._constants and not presented:
                tensors.append(self._constants[number])
                continue
            block = self._program.layout.blocks[number]
            array = _zeros(
                (self._program.capacity, batch, block.size),
                self._program.dtype.as_numpy_dtype,
            )
            for item in sources:
                _, offset = self._program.layout.places[item.signal]
                stop = offset + item.signal.size
                # streams must not run ahead of a function that fails
                place = array[:good, :, offset:stop]
                if item.node in presented:
                    place[...] = presented[item.node][:, :good].swapaxes(0, 1)
                elif item.source is Source.CONSTANT:
                    place[...] = initial_elements(item.signal)
                elif item.source is Source.FUNCTION:
                    place[...] = functions[item]
                else:
                    for i, stream in enumerate(self._streams[item]):
                        stream.take(first_step, place[:, i])
                        self._taken.append(stream)
            constant = all(i.source is Source.CONSTANT for i in sources)
            if constant and not presented:
                array[:] = array[0]
            tensors.append(to_tensor(array, self._program.dtype))
            if constant and not presented:
                # the same in every chunk
                self._constants[number] = tensors[-1]
        return Chunk(tensors, good, error)

    def give_back(self, n_steps: int) -> None:
        """Take back the last steps of a chunk, because they did not run."""
        for stream in self._taken:
            stream.give_back(n_steps)

    def _call_functions(
        self, first_step: int, n_steps: int, presented: Mapping[nengo.Node, np.ndarray]
    ) -> tuple[dict[Input, np.ndarray], int, Exception | None]:
        """Call functions of time for all steps, step by step in Nengo's order.

        Returns
        -------
        values : dict of {Input: np.ndarray}, shape (good, 1, size)
            What they returned.
        good : int
            Steps before the first that failed.
        error : Exception or None
            How it failed.
        """
        called = [
            item
            for item in self._program.inputs
            if item.source is Source.FUNCTION and item.node not in presented
        ]
        if not called:
            return {}, n_steps, None
        functions = [item.op.fn for item in called]
        times = [(first_step + i + 1) * self._dt for i in range(n_steps)]
        columns: list[list] = [[] for _ in called]
        good = n_steps
        error: Exception | None = None
        try:
            # plain calls first: checks of a thousand single values would take longer
            # than the simulation
            for t in times:
                for function, column in zip(functions, columns, strict=True):
                    result = function(t)
                    # a function may return the same, changed, object each time
                    if isinstance(result, np.ndarray | list):
                        result = result.copy()
                    column.append(result)
        except Exception as raised:
            good = len(columns[-1])
            culprit = next(j for j, c in enumerate(columns) if len(c) == good)
            error = failure(called[culprit].op, (times[good],), raised)
            error.__cause__ = raised
        values: dict[Input, np.ndarray] = {}
        for item, column in zip(called, columns, strict=True):
            if item.signal is not None:
                values[item], why = _stack(item, column[:good], times)
                if why is not None:
                    good, error = len(values[item]), why
        return {item: v[:good, None] for item, v in values.items()}, good, error


def _zeros(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return zeros that TensorFlow can use where they are, without a copy.

    Copying a buffer of 1000 steps takes up to 5 ms, even if one step of it is run.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.zeros(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def _stack(
    item: Input, column: list, times: list[float]
) -> tuple[np.ndarray, Exception | None]:
    """Turn what a function returned into an array, shape (n_steps, size).

    The array ends before the first value that is not valid; the error says why.
    """
    n_steps, size = len(column), item.signal.size
    try:
        array = np.asarray(column, dtype=float)
        if array.shape in ((n_steps,), (n_steps, size)) and np.isfinite(array).all():
            return np.broadcast_to(array.reshape(n_steps, -1), (n_steps, size)), None
    except (TypeError, ValueError):
        pass
    # something is unusual: look at the values one by one, as Nengo does
    array = np.empty((n_steps, size))
    for i, result in enumerate(column):
        try:
            store(item.op, (times[i],), result, array[i])
        except SimulationError as error:
            return array[:i], error
    return array, None
