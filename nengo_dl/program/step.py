"""One time step: what it begins with, what happens in it, what it leaves behind.

Whatever runs time steps traces a `TimeStep`: the compiled loop (`CompiledLoop`), the
one that Python drives (`DrivenLoop`), the one that is differentiated (`ThroughTime`),
what is computed ahead of a loop, and the graph for TensorBoard. They differ in where
values come from and go to, and in how Python is called: that is a `PythonCaller`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import groupby
from typing import Protocol

import numpy as np
import tensorflow as tf

from nengo_dl.lowering.in_place import parts_of
from nengo_dl.lowering.indexing import for_all_items
from nengo_dl.lowering.python_call import independent
from nengo_dl.lowering.registry import Lowering
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.layout import SignalLayout, View
from nengo_dl.program.adjoint import Recorded
from nengo_dl.program.python_errors import remembered
from nengo_dl.program.python_round import PythonCalls
from nengo_dl.program.recording import Buffer, Recording, in_buffers


class PythonCaller(Protocol):
    """A way to call Python in a time step that is being traced.

    `InGraph` lets TensorFlow call it, `CompiledCalls` the code that XLA has compiled.
    `DrivenLoop` needs none: what it traces ends where Python is called.
    """

    def call(self, calls: PythonCalls, now: SignalValues) -> None:
        """Add a round of calls to the step, and write their results."""


@dataclass(frozen=True, eq=False)
class TimeStep:
    """One time step of a model, to be traced by the loop that is around it.

    A loop takes parameters with `open`, once. In each step it calls `begin` and `run`,
    and takes `state` and `sample` from what these have computed.

    Attributes
    ----------
    lowerings : tuple of Lowering
        What is computed, in the plan's order.
    layout : SignalLayout
        Where the signals live.
    carried : tuple of int
        The blocks that go round the loop.
    minibatch_size : int or None
        Number of items in the batch; None: as many as state and inputs have.
    dtype : tf.DType
        Floating point type.
    recordings : tuple of Recording
        What is kept of each step.
    in_place : bool
        Whether large weights are written part by part: where XLA compiles the loop for
        a CPU.
    """

    lowerings: tuple[Lowering, ...]
    layout: SignalLayout
    carried: tuple[int, ...]
    minibatch_size: int | None
    dtype: tf.DType
    recordings: tuple[Recording, ...] = ()
    in_place: bool = False

    @cached_property
    def parts(self) -> Mapping[int, tuple[int, int, int]]:
        """The shapes of carried blocks that are written part by part.

        Not where Python is called, since a call that fails takes back all of a step.
        """
        if not self.in_place or self.minibatch_size != 1 or self.calls_python:
            return {}
        blocks = {i: self.layout.blocks[i] for i in self.carried}
        shapes = {i: parts_of(b, self.dtype.size) for i, b in blocks.items()}
        return {i: shape for i, shape in shapes.items() if shape is not None}

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The step, cut wherever compiled code and Python meet.

        All stages but the last end in Python calls; the last ends the time step.
        """
        stages: list[Stage] = []
        compiled: tuple[Lowering, ...] = ()
        for xla, members in groupby(self.lowerings, key=lambda lowering: lowering.xla):
            if xla:
                compiled = tuple(members)
                continue
            for together in independent(list(members)):  # type: ignore[arg-type]
                stages.append(Stage(compiled, PythonCalls(tuple(together))))
                compiled = ()
        return (*stages, Stage(compiled))

    @property
    def calls_python(self) -> bool:
        """Whether some group calls Python."""
        return not all(lowering.xla for lowering in self.lowerings)

    @property
    def fixed_views(self) -> list[View]:
        """The views of parameters that are read, each once."""
        views = (view for lowering in self.lowerings for view in lowering.views)
        return [view for view in dict.fromkeys(views) if not view.batched]

    @cached_property
    def postponed(self) -> Mapping[int, tuple[View, Callable[[tf.Tensor], tf.Tensor]]]:
        """What finishes a block's values, where a loop may carry them unfinished.

        See `Lowering.postponed`. It has to be all of the block, and nobody else's.
        """
        touched = Counter(block for low in self.lowerings for block in _blocks([low]))
        found = {}
        for lowering in self.lowerings:
            for view, finish in lowering.postponed.items():
                whole = len(view.runs) == 1 and (
                    view.size == self.layout.blocks[view.runs[0].block].size
                )
                if whole and touched[view.runs[0].block] == 1:
                    found[view.runs[0].block] = view, finish
        return found

    @cached_property
    def counted(self) -> frozenset[int]:
        """The carried blocks that only count time steps; see `Lowering.counts`."""
        views = [view for lowering in self.lowerings for view in lowering.counts]
        return frozenset(
            run.block
            for view in views
            for run in view.runs
            if view.size == self.layout.blocks[run.block].size
        )

    @cached_property
    def buffers(self) -> tuple[Buffer, ...]:
        """The arrays that a compiled loop writes samples to."""
        kinds = map(self.sample_dtype, self.recordings)
        return in_buffers(self.recordings, kinds, self.minibatch_size or 1)

    # -- what a step begins with

    def values(self, params: Mapping[int, tf.Tensor]) -> SignalValues:
        """Return the blocks of parameters, each of shape (size,), as values."""
        batch = self.minibatch_size or 1
        values = SignalValues(self.layout, params, batch, self.dtype)
        values.parts = self.parts
        return values

    def open(self, params: Mapping[int, tf.Tensor]) -> SignalValues:
        """Return parameters as values, read once for all steps."""
        values = self.values(params)
        values.hoist(self.fixed_views)
        return values

    def begin(
        self,
        values: SignalValues,
        state: Sequence[tf.Tensor],
        inputs: Mapping[int, tf.Tensor],
    ) -> SignalValues:
        """Return the values at the beginning of a step.

        Parameters
        ----------
        values : SignalValues
            Parameters.
        state : sequence of tf.Tensor, shape (batch, size)
            The carried blocks.
        inputs : mapping of int to tf.Tensor, shape (batch, size)
            The input blocks, and those that are computed ahead.
        """
        carried = dict(zip(self.carried, state, strict=True))
        n_items = self.minibatch_size
        if n_items is None:
            n_items = tf.shape([*state, *inputs.values()][0])[0]
        return values.begin_step(carried, inputs, n_items)

    # -- what happens in it

    def run(self, now: SignalValues, python: PythonCaller | None = None) -> None:
        """Trace all stages, and let ``python`` make the calls between them."""
        for stage in self.stages:
            stage.trace(now)
            if stage.calls is not None:
                assert python is not None, "groups that call Python need a PythonCaller"
                python.call(stage.calls, now)

    def needed_after(self, j: int) -> frozenset[int]:
        """Return the blocks that are still needed after the compiled part of ``j``."""
        calls = self.stages[j].calls
        return frozenset().union(
            () if calls is None else calls.blocks,
            self.carried,
            *(stage.blocks for stage in self.stages[j + 1 :]),
            *(recording.view.blocks for recording in self.recordings),
        )

    # -- what it leaves behind

    def state(self, now: SignalValues) -> Iterator[tf.Tensor]:
        """Give the carried blocks one by one, shape (batch, size) each."""
        return map(now.block, self.carried)

    def sample(self, now: SignalValues, kept: Recording | Buffer) -> tf.Tensor:
        """Return a sample of this step, shape (batch, *shape of its view)."""
        value = now.read(kept.view)
        if not kept.view.batched:
            value = value[None]
        return for_all_items(value, now.minibatch_size)

    def sample_dtype(self, kept: Recording | Buffer) -> tf.DType:
        """Return the type of what a Probe sees."""
        blocks = [self.layout.blocks[i] for i in kept.view.blocks]
        return tf.int64 if any(block.kind == "i" for block in blocks) else self.dtype


@dataclass(frozen=True)
class Stage:
    """Compiled groups, and the Python calls that follow them."""

    lowerings: tuple[Lowering, ...] = ()
    calls: PythonCalls | None = None

    @property
    def blocks(self) -> frozenset[int]:
        """The blocks that the stage, or the calls behind it, touch."""
        own = _blocks(self.lowerings)
        return own if self.calls is None else own | self.calls.blocks

    def trace(self, now: SignalValues) -> None:
        """Add the compiled groups to the graph that is being traced, in their order.

        If XLA cannot compile one of them, it is not compiled, nor is what calls this;
        then XLA compiles those around it by themselves.
        """
        whole = all(lowering.compiled for lowering in self.lowerings)
        for compiled, members in groupby(self.lowerings, key=lambda low: low.compiled):
            add = _trace if whole or not compiled else _compile
            add(tuple(members), now)


class InGraph:
    """Lets TensorFlow call Python; no gradient goes through it.

    Parameters
    ----------
    number : tf.Tensor, shape ()
        Number of the step, 1 for the first.
    recorded : Recorded, optional
        Where results come from or go to; see `nengo_dl.program.adjoint.scan`.
    """

    def __init__(self, number: tf.Tensor, recorded: Recorded | None = None) -> None:
        self._number = number
        self._recorded = recorded or Recorded()

    def call(self, calls: PythonCalls, now: SignalValues) -> None:
        """Add a round of calls to the step, and write their results."""
        with tf.name_scope("Python"):
            compute = partial(self._results, calls, now)
            calls.store(now, self._recorded(compute, len(calls.shapes)))

    def _results(self, calls: PythonCalls, now: SignalValues) -> Sequence[tf.Tensor]:
        arguments = calls.arguments(now)
        counts = [len(own) for own in arguments]
        flat = [tensor for own in arguments for tensor in own]
        dtype = now.dtype.as_numpy_dtype

        @remembered
        def host(step: np.ndarray, *arrays: np.ndarray) -> list[np.ndarray]:
            results = [np.zeros(shape, dtype) for shape in calls.shapes]
            calls.host(int(step), [np.array(a) for a in arrays], counts, results)
            return results

        results = tf.numpy_function(
            host, [self._number, *flat], [now.dtype] * len(calls.shapes)
        )
        if tf.is_tensor(results):  # called directly, TensorFlow unpacks a single result
            results = [results]
        elif not calls.shapes:  # of no results it returns the operation
            results = []
        for result, shape in zip(results, calls.shapes, strict=True):
            result.set_shape(shape)
        return results


def _blocks(lowerings: Sequence[Lowering]) -> frozenset[int]:
    return frozenset(b for low in lowerings for v in low.views for b in v.blocks)


def _trace(lowerings: Sequence[Lowering], values: SignalValues) -> None:
    for lowering in lowerings:
        with tf.name_scope(type(lowering).__name__.lstrip("_").removeprefix("Lower")):
            lowering.build_step(values)


def _compile(lowerings: Sequence[Lowering], values: SignalValues) -> None:
    """Add groups as one function that XLA compiles."""
    blocks = sorted(
        i for i in _blocks(lowerings) if values.layout.blocks[i].role.batched
    )
    structure: list = []

    def compiled() -> list[tf.Tensor]:
        _trace(lowerings, values)
        tensors, structure[:] = values.pack(blocks)
        return tensors

    traced = tf.function(compiled, jit_compile=True, autograph=False)
    # called as it is, TensorFlow would count it as traced again and again, and warn
    tensors = traced.get_concrete_function()()
    values.unpack(tensors, structure)
    values.postponed.clear()  # tensors of that function
