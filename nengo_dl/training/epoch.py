"""Minibatch after minibatch as one compiled computation, and the calls that it takes.

A step of optimization of a small network takes less time than a call from Python, so
the loop over minibatches is compiled too.
"""

from __future__ import annotations

import time
from collections.abc import (
    Callable,
    Collection,
    Generator,
    Hashable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder.signal import Signal

from nengo_dl.distribution.shares import share_of
from nengo_dl.distribution.workers import Workers
from nengo_dl.graph.inputs import Input, Source
from nengo_dl.graph.signals import initial_elements
from nengo_dl.inputs.blocks import Block, Blocks
from nengo_dl.program.adjoint import Tensors
from nengo_dl.program.python_errors import as_raised
from nengo_dl.program.traces import Traced, Traces
from nengo_dl.program.xla_support import Xla
from nengo_dl.training.model_function import ModelFunction, differs
from nengo_dl.user_code import warn_user

#: bytes of random numbers and other generated inputs that one call may be fed
MAX_GENERATED = 4 * 2**20


class Step(Protocol):
    """A function of one minibatch; see `nengo_dl.training.minibatch.Minibatch`."""

    def __call__(
        self,
        inputs: Mapping[nengo.Node | Signal, tf.Tensor],
        others: Sequence[tf.Tensor],
        state: Tensors,
        first_step: tf.Tensor,
        n_steps: int,
        /,
    ) -> tuple[tf.Tensor, Tensors]:
        """Process a minibatch.

        Returns
        -------
        values : tf.Tensor, shape (n_values,)
            Numbers to report.
        state : sequence of tf.Tensor, shape (batch, size)
            Where it ends, if a minibatch depends on the one before it.
        """


@dataclass(eq=False)
class Start:
    """Where the next minibatch starts.

    Attributes
    ----------
    state : sequence of tf.Tensor, shape (batch, size)
        The carried blocks of the simulation.
    n_steps : int
        Time steps that are over there.
    goes_on : bool
        Whether each minibatch starts where the one before it ended.
    lasting : tuple of bool
        Which blocks go on from one minibatch to the next in any case, because they are
        parameters that learning rules change; empty: none.
    """

    state: Tensors
    n_steps: int = 0
    goes_on: bool = False
    lasting: tuple[bool, ...] = ()

    @property
    def carries(self) -> bool:
        """Whether a minibatch depends on the one before it."""
        return self.goes_on or any(self.lasting)

    def after(self, first: Tensors, end: Tensors) -> list[tf.Tensor]:
        """Return where a minibatch starts, given where the one before it ended.

        Parameters
        ----------
        first, end : sequence of tf.Tensor, shape (batch, size)
            Where the very first one started, and the end of the one before it.
        """
        if self.goes_on:
            return list(end)
        return [
            new if lasts else old
            for old, new, lasts in zip(first, end, self.lasting, strict=True)
        ]


class Epoch:
    """Run a model on all minibatches of some arrays, again and again.

    Parameters
    ----------
    function : ModelFunction
        The model.
    step : callable
        What is done with each minibatch; it may change ``variables``.
    n_values : int
        How many numbers it returns.
    inputs : mapping of Node to np.ndarray, shape (n_items, n_steps, size_out)
        What to present.
    others : sequence of np.ndarray, shape (n_items, ...)
        What else there is for each item: targets, weights.
    n_items, n_steps : int
        How many items there are, a multiple of the minibatch's size, and their length.
    start : Start
        Where the first minibatch starts; afterwards where another one would, if a
        minibatch depends on the one before it.
    variables : sequence of tf.Variable
        All that ``step`` reads and changes, in an order that equal steps share.
    device : str or None
        Where it runs.
    traces : Traces
        Where compiled functions are kept.
    key : callable
        Returns what ``step`` depends on, beside the types of variables and data.
    owner : object, optional
        What variables may belong to that are not among ``variables``.
    xla : Xla, optional
        Whether XLA compiles it, if it compiles the model; what shares it gives XLA up
        together.
    run_eagerly : bool
        Whether TensorFlow runs it operation by operation, so that code of users can be
        debugged.
    by_rows : bool
        Whether of ``others``, too, ``step`` needs the rows of this process alone.
    """

    def __init__(
        self,
        function: ModelFunction,
        step: Step,
        n_values: int,
        inputs: Mapping[nengo.Node, np.ndarray],
        others: Sequence[np.ndarray],
        n_items: int,
        n_steps: int,
        start: Start,
        variables: Sequence[tf.Variable],
        device: str | None,
        traces: Traces,
        key: Callable[[], Hashable],
        owner: Any = None,
        xla: Xla | None = None,
        run_eagerly: bool = False,
        by_rows: bool = False,
    ) -> None:
        self._function, self._step, self._n_values = function, step, n_values
        self._n_steps, self._start = n_steps, start
        self._batch = function.minibatch_size
        self._dtype = function.through_time.dtype
        self._variables = list(variables)
        self._device, self._traces = device, traces
        self._key, self._owner = key, owner
        self._xla = Xla(True) if xla is None else xla
        self._run_eagerly, self._by_rows = run_eagerly, by_rows
        self._workers = Workers(function.replicas)
        self._share = share_of(function.replicas)
        self._presented = [item.node for item in function.inputs if item.node in inputs]
        self.n_items, self.n_minibatches = n_items, n_items // self._batch
        self.present(inputs, others)
        self._generated = function.generated(self._presented)
        #: whether minibatches differ in what they are fed besides the data
        self._renewed = any(map(self._is_renewed, self._generated))
        self._room = self._capacity() if self._renewed else 1
        self._constants = self._constant_inputs()
        self._fed: list[tf.Tensor] | None = None
        self._made: dict[bool, Traced] = {}
        self._warned = False

    def present(
        self,
        inputs: Mapping[nengo.Node, np.ndarray],
        others: Sequence[np.ndarray],
    ) -> None:
        """Take other data, of the same Nodes and shapes."""
        arrays = [*(inputs[node] for node in self._presented), *others]
        with tf.device(self._device):
            self._data = Blocks(
                arrays,
                self._dtype,
                self.n_items,
                self._batch,
                self._device,
                self._share,
                len(arrays if self._by_rows else self._presented),
            )

    def _is_renewed(self, item: Input) -> bool:
        """Return whether an input is generated anew for each minibatch."""
        return self._start.goes_on or differs(item)

    def _constant_inputs(self) -> dict[Signal, tf.Tensor]:
        """Return inputs that never change: arguments, so that values do not matter."""
        return {
            item.signal: tf.constant(
                initial_elements(item.signal).reshape(1, 1, -1), self._dtype
            )
            for item in self._function.fed
            if item.source is Source.CONSTANT and item.node not in self._presented
        }

    def _capacity(self) -> int:
        """Return how many minibatches have generated inputs in one call, at most."""
        size = sum(i.signal.size for i in self._generated if self._is_renewed(i))
        row = size * self._batch * self._n_steps * self._dtype.size
        n_minibatches = self._data.n_items // self._batch
        return max(1, min(n_minibatches, MAX_GENERATED // max(row, 1)))

    def run(
        self, order: np.ndarray, at_most: int | None = None, again: bool = False
    ) -> Generator[np.ndarray]:
        """Run all minibatches.

        Parameters
        ----------
        order : np.ndarray, shape (n_items,)
            The items of the first minibatch, of the second, and so on.
        at_most : int, optional
            After how many of them somebody looks at the parameters.
        again : bool
            Whether to feed what was fed before, where minibatches do not differ.

        Yields
        ------
        np.ndarray, shape (n_minibatches, n_values)
            What ``step`` returned for the minibatches of one call.
        """
        if not again:
            self._fed = None
        # whoever takes the values may raise an error or stop, and has its own device:
        # so the scope is around each computation, and not around `yield`
        with closing(self._run_blocks(order, at_most)) as parts:
            while True:
                with tf.device(self._device):
                    values = next(parts, None)
                if values is None:
                    return
                yield values

    def _run_blocks(
        self, order: np.ndarray, at_most: int | None
    ) -> Generator[np.ndarray]:
        """Run all minibatches, in the device scope of `run`."""
        done = 0
        with closing(self._data.in_order(order)) as blocks:
            for block in blocks:
                yield from self._run_block(block, done, at_most)
                done += block.n_minibatches

    def _run_block(
        self, block: Block, before: int, at_most: int | None
    ) -> Iterator[np.ndarray]:
        """Run the minibatches of a block, and yield their values as `run` does.

        Parameters
        ----------
        block : Block
            The data.
        before : int
            How many minibatches were run before.
        at_most : int or None
            As for `run`.
        """
        start, chosen = self._start, tf.constant(block.order, tf.int32)
        n_nodes = len(self._presented)
        items, others = block.arrays[:n_nodes], block.arrays[n_nodes:]
        compiled = self._xla.used and self._function.jit_compile
        traced = None if self._run_eagerly else self._traced(compiled)
        if traced is not None and not self._warned:
            self._warned = True
            for message in traced.warnings:
                warn_user(message)
        done = 0
        while done < block.n_minibatches:
            count = block.n_minibatches - done
            if at_most is not None:
                count = min(count, at_most - (before + done) % at_most)
            if self._renewed:
                count = min(count, self._room)
            if traced is not None and at_most is None and count > 1:
                # processes whose clocks divide them otherwise would wait forever
                count = min(count, self._workers.agree(traced.per_call))
            if self._fed is None or self._renewed:
                self._fed = self._feed(count)
            arguments = [chosen]
            arguments += map(tf.constant, (done, done + count, start.n_steps))
            arguments += [*start.state, *items, *self._fed, *others]
            begin = time.perf_counter()
            try:
                with as_raised():
                    values, *end = (
                        self._run(*arguments)
                        if traced is None
                        else traced(arguments, self._variables)
                    )
                    rows = values.numpy()
            except tf.errors.OpError as error:
                if traced is None or not compiled:
                    raise
                self._xla.give_up(error)
                compiled, traced = False, self._traced(False)
                continue
            if traced is not None:
                traced.took(time.perf_counter() - begin, count)
            if start.carries:
                start.state = end
            if start.goes_on:
                start.n_steps += count * self._n_steps
            yield rows[done : done + count]
            done += count

    def pass_over(self, n_epochs: int) -> None:
        """Draw what would be fed in some epochs, as if they had been run."""
        for _ in range(n_epochs if self._renewed else 0):
            done = 0
            while done < self.n_minibatches:
                count = min(self.n_minibatches - done, self._room)
                self._feed(count)
                done += count

    def _feed(self, count: int) -> list[tf.Tensor]:
        """Return generated inputs for the next minibatches, as tensors."""
        arrays = self._function.generate(
            self._presented,
            self._n_steps,
            count,
            self._start.n_steps,
            self._n_steps if self._start.goes_on else 0,
        )
        fed = []
        for item in self._generated:
            array = arrays[item.signal]
            if self._is_renewed(item) and count < self._room:
                # shapes are the same in each call
                full = np.zeros((self._room, *array.shape[1:]), array.dtype)
                full[:count] = array
                array = full
            fed.append(tf.constant(array))
        return [*fed, *self._constants.values()]

    def _traced(self, compiled: bool) -> Traced:
        """Return the function that runs minibatches, compiled by XLA or not."""
        if compiled in self._made:
            return self._made[compiled]
        generated = [
            (
                self._room if self._is_renewed(item) else 1,
                self._batch if differs(item) else 1,
                self._n_steps,
                item.signal.size,
            )
            for item in self._generated
        ]
        number = tf.TensorSpec((), tf.int32)
        items = self._data.specs
        specs = [tf.TensorSpec((self._data.n_items,), tf.int32), *[number] * 3]
        specs += map(_spec, self._start.state)
        specs += items[: len(self._presented)]
        specs += [tf.TensorSpec(shape, self._dtype) for shape in generated]
        specs += map(_spec, self._constants.values())
        specs += items[len(self._presented) :]
        self._made[compiled] = self._traces.get(
            lambda: (
                self._key(),
                self._function.key,
                self._function.places(self._presented),
                tuple(map(_type, specs)),
                tuple(map(_type, self._variables)),
                self._n_steps,
                (self._start.goes_on, self._start.lasting),
                compiled,
                self._device,
            ),
            lambda: Traced(self._run, specs, self._variables, compiled),
            self._owner,
        )
        return self._made[compiled]

    # -- in TensorFlow

    def _run(
        self,
        order: tf.Tensor,
        start: tf.Tensor,
        stop: tf.Tensor,
        first_step: tf.Tensor,
        *flat: tf.Tensor,
    ) -> list[tf.Tensor]:
        """Run minibatches ``start`` to ``stop``.

        Returns
        -------
        list of tf.Tensor
            Their values, 0 for others; and where the last one ends, if each goes on
            where the one before it ended.
        """
        remaining = iter(flat)

        def take(like: Collection) -> list[tf.Tensor]:
            return [next(remaining) for _ in like]

        first, items = take(self._start.state), take(self._presented)
        generated, constants = take(self._generated), take(self._constants)
        others = list(remaining)
        n_minibatches = order.shape[0] // self._batch
        goes_on, carries = self._start.goes_on, self._start.carries

        def body(i: tf.Tensor, values: tf.Tensor, *carried: tf.Tensor) -> tuple:
            data = self._data.minibatch([*items, *others], order, i)
            n_nodes = len(self._presented)
            inputs: dict[Any, tf.Tensor] = dict(
                zip(self._presented, data[:n_nodes], strict=True)
            )
            inputs.update(zip(self._constants, constants, strict=True))
            for item, array in zip(self._generated, generated, strict=True):
                own = array[0] if array.shape[0] == 1 else tf.gather(array, i - start)
                inputs[item.signal] = own
            number = first_step + (i - start) * self._n_steps if goes_on else first_step
            own, end = self._step(
                inputs,
                data[n_nodes:],
                carried if carries else first,
                number,
                self._n_steps,
            )
            row = tf.one_hot(i, n_minibatches, dtype=self._dtype)[:, None]
            return (
                i + 1,
                values + row * own,
                *(self._start.after(first, end) if carries else ()),
            )

        values = tf.zeros((n_minibatches, self._n_values), self._dtype)
        variables = (start, values, *(first if carries else ()))
        return list(tf.while_loop(lambda i, *_: i < stop, body, variables)[1:])


def _spec(tensor: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec(tensor.shape, tensor.dtype)


def _type(of: Any) -> tuple[tuple[int, ...], str]:
    """Return shape and type of a tensor, a variable or a TensorSpec."""
    return tuple(of.shape), of.dtype.name
