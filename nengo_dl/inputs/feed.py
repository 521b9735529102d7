"""What a model is fed: output of Nodes, data, random numbers.

`Feed` computes it for any number of minibatches of any number of steps, whatever runs
the model. `BlockFeed` packs it into the input blocks of a simulation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from nengo.builder.operator import Operator

from nengo_dl.graph.inputs import Input, Source
from nengo_dl.graph.roles import Role
from nengo_dl.graph.signals import initial_elements
from nengo_dl.inputs.held import is_held
from nengo_dl.inputs.memory import aligned_zeros
from nengo_dl.inputs.sources import Presented, Sources
from nengo_dl.lowering.presented import Presented as CalledInLoop
from nengo_dl.program.calling import array_of, to_tensor
from nengo_dl.program.form import LONG, Form
from nengo_dl.program.program import Program


class Feed:
    """Compute what a model is fed, for any number of minibatches ahead.

    Parameters
    ----------
    sources : Sources
        Where the values come from, with its random streams.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources

    @property
    def inputs(self) -> Sequence[Input]:
        """What has to be fed."""
        return self.sources.inputs

    def fill(
        self,
        places: Iterable[tuple[Input, np.ndarray]],
        n_steps: int,
        n_minibatches: int = 1,
        presented: Presented | None = None,
        first_step: int = 0,
        stride: int = 0,
    ) -> tuple[int, Exception | None]:
        """Write the values of some inputs for the next minibatches.

        Functions of time are called once for each time step that there is, in Nengo's
        order, whether or not their values are wanted.

        Parameters
        ----------
        places : iterable of (Input, np.ndarray)
            The inputs, and where to write them, shape (n_minibatches, n_steps, batch,
            size): views, if the memory has another order of axes. The batch axis may
            have length 1 for what is the same for all items.
        n_steps : int
            Steps of each minibatch.
        n_minibatches : int
            How many minibatches.
        presented : mapping of Node to np.ndarray, shape (batch, n_steps, size_out)
            What Nodes are fed instead of their own output, in each minibatch.
        first_step : int
            Number of the step before the first.
        stride : int
            Steps from the beginning of one minibatch to that of the next: 0 if all
            begin at ``first_step``, ``n_steps`` if each goes on where the one before it
            ended.

        Returns
        -------
        good : int
            Steps of each minibatch that were written: all of them, unless a function or
            a Process failed.
        error : Exception or None
            How it failed.
        """
        presented = {} if presented is None else presented
        functions, good, error = self.sources.call_functions(
            first_step, n_steps * (n_minibatches if stride else 1), presented
        )
        if stride and error is None:
            good = n_steps
            functions = {
                item: values.reshape(n_minibatches, n_steps, *values.shape[1:])
                for item, values in functions.items()
            }
        self.sources.begin()
        steps = [
            first_step + minibatch * stride + step + 1
            for minibatch in range(n_minibatches)
            for step in range(good)
        ]
        asked = good
        for item, place in places:
            # streams must not run ahead of a function that fails
            written, why = self.sources.fill(
                item, steps, place[:, :asked], presented, functions
            )
            if why is not None and (error is None or written < good):
                good, error = min(written, good), why
        if good < asked:
            self.sources.end_at(good)
        return good, error


@dataclass(frozen=True)
class Chunk:
    """The values of all input blocks for some time steps of a simulation.

    Attributes
    ----------
    inputs : list of tf.Tensor, shape (rows, batch, size)
        One for each input block; rows are as many as the program asks for, and items
        those of this process.
    n_steps : int
        Steps that the values are good for.
    error : Exception or None
        Why it is not all steps that were asked for.
    """

    inputs: list[tf.Tensor]
    n_steps: int
    error: Exception | None = None


@dataclass(frozen=True)
class BoundFeed:
    """Feed one step of a simulation after the other, always by the same tensors.

    Attributes
    ----------
    inputs : list of tf.Tensor, shape (rows, batch, size)
        One for each input block.
    fill : callable
        Writes to the memory of these; see `Sources.bind`.
    presented : lowering.presented.Presented
        Data that stand in for functions called in the loop.
    """

    inputs: list[tf.Tensor]
    fill: Callable[[int], None]
    presented: CalledInLoop

    def __call__(self, step: int) -> list[tf.Tensor]:
        """Return the input blocks of a step, 1 for the first."""
        if self.presented.values:
            self.presented.values = {}
        self.fill(step)
        return self.inputs


class BlockFeed(Feed):
    """Pack what the loop is fed into the input blocks of a program.

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
        dtype = program.dtype.as_numpy_dtype
        super().__init__(
            Sources(
                program.inputs,
                program.lowerings,
                order,
                dt,
                program.minibatch_size,
                dtype,
                program.own_items,
            )
        )
        self._program = program
        items = program.own_items
        self._n_items = items.stop - items.start
        #: the inputs of each input block
        self._inputs: dict[int, list[Input]] = {
            number: [] for number in program.layout.of_role(Role.INPUT)
        }
        for item in program.inputs:
            if item.lifted and item.signal in program.layout.places:
                self._inputs[program.layout.places[item.signal][0]].append(item)
        #: the blocks that hold constants alone
        self._constant = {
            number
            for number, inputs in self._inputs.items()
            if all(item.source is Source.CONSTANT for item in inputs)
        }
        #: by form and number of the block
        self._constants: dict[tuple[Form, int], tf.Tensor] = {}
        self._buffers: dict[tuple[Form, int], np.ndarray] = {}
        #: tensors that use the memory of these buffers
        self._tensors: dict[tuple[Form, int], tf.Tensor] = {}

    def nothing(self, form: Form) -> list[tf.Tensor]:
        """Return input blocks for a run of no steps at all."""
        return [
            tf.zeros(self._shape(number, form), self._program.dtype)
            for number in self._program.layout.of_role(Role.INPUT)
        ]

    def _shape(self, number: int, form: Form) -> tuple[int, int, int]:
        """Return the shape of an input block."""
        program = self._program
        size = program.layout.blocks[number].size
        return program.rows(form), self._n_items, size

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
        form: Form = LONG,
    ) -> Chunk:
        """Return the input of ``n_steps`` steps after ``first_step``.

        Parameters
        ----------
        first_step : int
            Number of the step before the first.
        n_steps : int
            Number of steps, at most the program's capacity.
        presented : mapping of Node to np.ndarray, shape (batch, n_steps, size_out)
            What the user feeds instead of a Node's own output; of a minibatch that is
            divided between processes, all of it or the items of this process.
        form : Form
            How the program will run.
        """
        if self._n_items < self._program.minibatch_size:
            items = self._program.own_items
            presented = {
                node: array if len(array) == self._n_items else array[items]
                for node, array in presented.items()
            }
        self._program.presented.first_step = first_step
        self._program.presented.values = presented and {
            item.op: presented[item.node]
            for item in self._program.inputs
            if item.source is Source.IN_STEP and item.node in presented
        }
        arrays = {
            number: self._buffer(number, form, self._is_constant(number, presented))
            for number in self._inputs
            if (form, number) not in self._constants or presented
        }
        good, error = self.fill(
            [
                (item, self._place(item, arrays[number][None]))
                for number in arrays
                for item in self._inputs[number]
            ],
            n_steps,
            presented=presented,
            first_step=first_step,
        )
        tensors = []
        for number in self._inputs:
            if number not in arrays:
                tensors.append(self._constants[form, number])
                continue
            array = arrays[number]
            if self._is_constant(number, presented):
                array[:] = array[0]
                tensors.append(to_tensor(array, self._program.dtype))
                # the same in every chunk
                self._constants[form, number] = tensors[-1]
            else:
                tensors.append(self._tensor(number, form, array))
        return Chunk(tensors, good, error)

    def bind(self, form: Form) -> BoundFeed | None:
        """Return what feeds one step after the other, with nothing presented.

        Parameters
        ----------
        form : Form
            How the program runs.

        Returns
        -------
        BoundFeed or None
            None if tensors do not share the memory of arrays, as on a GPU.
        """
        dtype = self._program.dtype
        places: dict[Input, np.ndarray] = {}
        tensors = []
        for number, inputs in self._inputs.items():
            # memory of its own: what runs with data leave in buffers must not come here
            array = aligned_zeros(self._shape(number, form), dtype.as_numpy_dtype)
            for item in inputs:
                place = self._place(item, array)
                if item.source is Source.CONSTANT:
                    place[...] = initial_elements(item.signal)
                else:
                    places[item] = place[0]
            tensors.append(to_tensor(array, dtype))
            changes = number not in self._constant
            if changes and not np.shares_memory(array_of(tensors[-1]), array):
                return None
        presented = self._program.presented
        return BoundFeed(tensors, self.sources.bind(places), presented)

    def _is_constant(self, number: int, presented: Presented) -> bool:
        """Return whether an input block holds constants alone."""
        return number in self._constant and not presented

    def _place(self, item: Input, array: np.ndarray) -> np.ndarray:
        """Return the part of an input block's array that an input has."""
        _, offset = self._program.layout.places[item.signal]
        return array[..., offset : offset + item.signal.size]

    def _tensor(self, number: int, form: Form, array: np.ndarray) -> tf.Tensor:
        """Return a buffer as a tensor.

        TensorFlow uses the memory of the buffer where it can; then one tensor shows
        what is in it in all chunks. Making one takes half as long as a step.
        """
        key = form, number
        if key in self._tensors:
            return self._tensors[key]
        tensor = to_tensor(array, self._program.dtype)
        if np.shares_memory(array_of(tensor), array):
            self._tensors[key] = tensor
        return tensor

    def _buffer(self, number: int, form: Form, kept: bool) -> np.ndarray:
        """Return memory for an input block: that of the last chunk, which is over.

        Rows that this chunk does not fill are not run. What the system gives new takes
        it longer than filling it takes us. Blocks that are kept have their own.
        """
        key = form, number
        if kept or key not in self._buffers:
            dtype = self._program.dtype.as_numpy_dtype
            array = aligned_zeros(self._shape(number, form), dtype)
            if kept:
                return array
            self._buffers[key] = array
        return self._buffers[key]
