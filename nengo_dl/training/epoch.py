"""Minibatch after minibatch as one compiled computation, and the calls that it takes.

A step of optimization of a small network takes less time than a call from Python, so
the loop over minibatches is compiled too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder.signal import Signal

from nengo_dl.graph.inputs import Source
from nengo_dl.graph.signals import initial_elements
from nengo_dl.inputs.memory import as_tensor
from nengo_dl.program.adjoint import Tensors
from nengo_dl.program.python_errors import as_raised
from nengo_dl.program.traces import Traced, Traces
from nengo_dl.program.xla_support import lacking, warn_without_xla
from nengo_dl.simulation.store import StateStore
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
    ) -> tf.Tensor:
        """Process a minibatch; return numbers to report, shape (n_values,)."""


class Epoch:
    """Run a model on all minibatches of data that are in memory, again and again.

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
    store : StateStore
        The simulation's values; each minibatch begins in its initial state, but
        for what it has learned.
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
    state : sequence of tf.Tensor, optional
        Where each minibatch begins, if not in the initial state.
    first_step : int
        Number of the time step before the first of each minibatch.
    jit_compile : bool
        Whether XLA compiles it, if it compiles the model.
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
        store: StateStore,
        variables: Sequence[tf.Variable],
        device: str | None,
        traces: Traces,
        key: Callable[[], Hashable],
        owner: Any = None,
        state: Tensors | None = None,
        first_step: int = 0,
        jit_compile: bool = True,
    ) -> None:
        self._function, self._step, self._n_values = function, step, n_values
        self._n_steps = n_steps
        self._batch = function.through_time.minibatch_size
        self._dtype = function.through_time.dtype
        self._variables = list(variables)
        self._device, self._traces = device, traces
        self._key, self._owner = key, owner
        self._jit_compile = jit_compile and function.jit_compile
        self._state = store.fresh_state if state is None else state
        self._first_step = first_step
        self._presented = {
            item.node: inputs[item.node]
            for item in function.inputs
            if item.node in inputs
        }
        self.n_items, self.n_minibatches = n_items, n_items // self._batch
        with tf.device(device):
            self._items = [
                as_tensor(array, self._dtype) for array in self._presented.values()
            ]
            self._others = [as_tensor(array, self._dtype) for array in others]
        self._generated = function.generated(self._presented)
        #: whether minibatches differ in what they are fed besides the data
        self._renewed = any(map(differs, self._generated))
        self._room = self._capacity() if self._renewed else 1
        self._constants = self._constant_inputs()
        self._warned = False

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
        size = sum(item.signal.size for item in self._generated if differs(item))
        row = size * self._batch * self._n_steps * self._dtype.size
        return max(1, min(self.n_minibatches, MAX_GENERATED // max(row, 1)))

    def rewind(self, seed: int, first_step: int = 0) -> None:
        """Restart the random streams, and set the time at which minibatches begin."""
        self._function.rewind(seed)
        self._first_step = first_step

    def run(self, order: np.ndarray, one_by_one: bool = False) -> Iterator[np.ndarray]:
        """Run all minibatches.

        Parameters
        ----------
        order : np.ndarray, shape (n_items,)
            The items of the first minibatch, of the second, and so on.
        one_by_one : bool
            Whether somebody looks at the parameters after each of them.

        Yields
        ------
        np.ndarray, shape (n_minibatches, n_values)
            What ``step`` returned for the minibatches of one call.
        """
        with tf.device(self._device):
            chosen = tf.constant(order, tf.int32)
            traced = self._traced
            if not self._warned:
                self._warned = True
                for message in traced.warnings:
                    warn_user(message)
            fed: list[tf.Tensor] | None = None
            done = 0
            while done < self.n_minibatches:
                count = 1 if one_by_one else traced.per_call
                count = min(count, self.n_minibatches - done)
                if self._renewed:
                    count = min(count, self._room)
                if fed is None or self._renewed:
                    fed = self._feed(count)
                arguments = [chosen]
                arguments += map(tf.constant, (done, done + count, self._first_step))
                arguments += [*self._state, *self._items, *fed, *self._others]
                begin = time.perf_counter()
                try:
                    with as_raised():
                        values = traced(arguments, self._variables)[0].numpy()
                except tf.errors.OpError as error:
                    traced = self._without_xla(error)
                    continue
                traced.took(time.perf_counter() - begin, count)
                yield values[done : done + count]
                done += count

    def _without_xla(self, error: Exception) -> Traced:
        """Return the function without XLA if that is what failed; nothing has run."""
        lack = lacking(error) if self._jit_compile else None
        if lack is None:
            raise error
        warn_without_xla(lack)
        self._jit_compile = False
        del self._traced
        return self._traced

    def _feed(self, count: int) -> list[tf.Tensor]:
        """Return generated inputs for the next minibatches, as tensors."""
        arrays = self._function.generate(
            self._presented, self._n_steps, count, self._first_step
        )
        fed = []
        for item in self._generated:
            array = arrays[item.signal]
            if differs(item) and count < self._room:
                # shapes are the same in each call
                full = np.zeros((self._room, *array.shape[1:]), array.dtype)
                full[:count] = array
                array = full
            fed.append(tf.constant(array))
        return [*fed, *self._constants.values()]

    @cached_property
    def _traced(self) -> Traced:
        """The compiled function."""
        generated = [
            (
                self._room if differs(item) else 1,
                self._batch if differs(item) else 1,
                self._n_steps,
                item.signal.size,
            )
            for item in self._generated
        ]
        number = tf.TensorSpec((), tf.int32)
        specs = [tf.TensorSpec((self.n_items,), tf.int32), *[number] * 3]
        specs += map(_spec, [*self._state, *self._items])
        specs += [tf.TensorSpec(shape, self._dtype) for shape in generated]
        specs += map(_spec, [*self._constants.values(), *self._others])
        return self._traces.get(
            lambda: (
                self._key(),
                self._function.key,
                self._function.places(self._presented),
                tuple(map(_type, specs)),
                tuple(map(_type, self._variables)),
                self._n_steps,
                self._jit_compile,
                self._device,
            ),
            lambda: Traced(self._run, specs, self._variables, self._jit_compile),
            self._owner,
        )

    # -- in TensorFlow

    def _run(
        self,
        order: tf.Tensor,
        start: tf.Tensor,
        stop: tf.Tensor,
        first_step: tf.Tensor,
        *flat: tf.Tensor,
    ) -> list[tf.Tensor]:
        """Run minibatches ``start`` to ``stop``; return their values, 0 for others."""
        remaining = iter(flat)

        def take(like: Collection) -> list[tf.Tensor]:
            return [next(remaining) for _ in like]

        state, items = take(self._state), take(self._items)
        generated, constants = take(self._generated), take(self._constants)
        others = take(self._others)
        n_minibatches = order.shape[0] // self._batch
        values = tf.zeros((n_minibatches, self._n_values), self._dtype)

        def body(i: tf.Tensor, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            chosen = tf.slice(order, [i * self._batch], [self._batch])
            inputs: dict[Any, tf.Tensor] = {
                node: tf.gather(array, chosen)
                for node, array in zip(self._presented, items, strict=True)
            }
            inputs.update(zip(self._constants, constants, strict=True))
            for item, array in zip(self._generated, generated, strict=True):
                own = array[0] if array.shape[0] == 1 else tf.gather(array, i - start)
                inputs[item.signal] = own
            wanted = [tf.gather(array, chosen) for array in others]
            own = self._step(inputs, wanted, state, first_step, self._n_steps)
            row = tf.one_hot(i, n_minibatches, dtype=self._dtype)[:, None]
            return i + 1, values + row * own

        return [tf.while_loop(lambda i, _: i < stop, body, (start, values))[1]]


def _spec(tensor: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec(tensor.shape, tensor.dtype)


def _type(of: Any) -> tuple[tuple[int, ...], str]:
    """Return shape and type of a tensor, a variable or a TensorSpec."""
    return tuple(of.shape), of.dtype.name
