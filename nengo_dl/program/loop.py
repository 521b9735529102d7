"""The loop over time, as one computation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.graph.roles import Role
from nengo_dl.lowering.indexing import reshaped
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.layout import Block
from nengo_dl.program.callback import Callbacks, CompiledCalls
from nengo_dl.program.recording import Buffer
from nengo_dl.program.step import TimeStep


class LoopResult(NamedTuple):
    """The results of a loop over time: state, samples, number of steps, error.

    Attributes
    ----------
    state : list of tf.Tensor, shape (batch, size)
        The carried blocks after the last step.
    rows : list of tf.Tensor, shape (capacity, batch, *probe shape)
        The buffer of each recording; its first rows are the samples.
    n_steps : int
        Steps that are complete.
    error : BaseException or None
        What Python code raised in the step behind the last complete one.
    """

    state: list[tf.Tensor]
    rows: Sequence[Any]
    n_steps: int
    error: BaseException | None = None


@dataclass(frozen=True, eq=False)
class CompiledLoop:
    """The loop over time as one computation, with Python calls in it if there are any.

    Attributes
    ----------
    step : TimeStep
        What runs again and again.
    callbacks : Callbacks
        The Python side of its calls. When one fails, the loop ends, and the step that
        it was in leaves no trace.
    capacity : int
        Length of the buffers.
    unroll : int
        Steps in one iteration. A remainder that does not fill an iteration runs in a
        second loop, step by step.
    use_loop : bool
        False: run one iteration, of ``unroll`` steps, whatever ``n_steps``.
    """

    step: TimeStep
    callbacks: Callbacks
    capacity: int
    unroll: int = 1
    use_loop: bool = True

    def trace(
        self,
        values: SignalValues,
        state: Sequence[tf.Tensor],
        inputs: Mapping[int, tf.Tensor],
        rows: Sequence[tf.Tensor],
        n_steps: tf.Tensor,
    ) -> tuple[tf.Tensor, list[tf.Tensor], list[tf.Tensor]]:
        """Add the loop to the graph that is being traced.

        Parameters
        ----------
        values : SignalValues
            Parameters, read ahead of the loop.
        state : sequence of tf.Tensor, shape (batch, size)
            The carried blocks before the first step.
        inputs : mapping of int to tf.Tensor, shape (capacity or 1, batch, size)
            The input blocks and what is computed ahead, time first. One row stands for
            every step.
        rows : sequence of tf.Tensor, shape (capacity,)
            For each buffer that is not of every step: the row that a step goes to.
        n_steps : tf.Tensor, shape ()
            How many of the ``capacity`` steps are run. Shapes do not depend on it, so
            one compilation serves every number of steps.

        Returns
        -------
        completed : tf.Tensor, shape ()
            Steps that are complete.
        state : list of tf.Tensor, shape (batch, size)
            The carried blocks after them.
        arrays : list of tf.Tensor, shape (capacity, batch, *shape)
            What was written to each buffer of the step.
        """
        remaining = iter(rows)
        places = [
            None if buffer.first.every_step else next(remaining)
            for buffer in self.step.buffers
        ]
        one_step = partial(self._one_step, values, inputs, places, state)

        def iteration(*loop_state: Any) -> tuple:
            for _ in range(self.unroll):
                loop_state = one_step(*loop_state)
            return loop_state

        def more(steps: int) -> Callable[..., tf.Tensor]:
            last = n_steps - (steps - 1) if steps > 1 else n_steps
            if not self.step.calls_python:
                return lambda i, *_: i < last
            return lambda i, ok, *_: tf.logical_and(i < last, ok > 0)

        arrays = tuple(map(self._array, self.step.buffers))
        stacked = self._stacked(state)
        loop_state = (tf.constant(0), tf.constant(1), stacked, arrays)
        if self.use_loop:
            loop_state = tf.while_loop(more(self.unroll), iteration, loop_state)
            if self.unroll > 1:
                loop_state = tf.while_loop(more(1), one_step, loop_state)
        else:
            loop_state = iteration(*loop_state)
        completed, _, carried, arrays = loop_state
        final = self._finished(self._flat(carried, state, completed), completed)
        return completed, final, [array.stack() for array in arrays]

    def _one_step(
        self,
        values: SignalValues,
        inputs: Mapping[int, tf.Tensor],
        places: Sequence[tf.Tensor | None],
        first: Sequence[tf.Tensor],
        i: tf.Tensor,
        ok: tf.Tensor,
        state: tuple,
        arrays: tuple,
    ) -> tuple:
        """Take step ``i``; ``ok`` is 0 once Python code has failed.

        ``first`` are the carried blocks before step 0.
        """
        fed = {
            block: series[0] if series.shape[0] == 1 else tf.gather(series, i)
            for block, series in inputs.items()
        }
        python = CompiledCalls(self.callbacks, i, ok, self.capacity)
        before = self._finished(self._flat(state, first, i), i)
        now = self.step.begin(values, before, fed)
        self.step.run(now, python)
        arrays = tuple(
            array.write(
                i if place is None else tf.gather(place, i),
                self.step.sample(now, buffer),
            )
            for array, place, buffer in zip(
                arrays, places, self.step.buffers, strict=True
            )
        )
        after = tuple(
            reshaped(new, old.shape)
            for new, old in zip(self._unfinished(now), state, strict=True)
        )
        if not self.step.calls_python:
            return i + 1, ok, after, arrays
        ok = python.ok
        after = tuple(
            tf.where(ok > 0, new, old) for new, old in zip(after, state, strict=True)
        )
        return i + ok, ok, after, arrays

    def _unfinished(self, now: SignalValues) -> Iterator[tf.Tensor]:
        """Give the carried blocks after a step, some before their last operation."""
        postponed = self.step.postponed
        for block, value in zip(self.step.carried, self.step.state(now), strict=True):
            if block in self.step.counted:
                continue
            if block in postponed:
                view, _ = postponed[block]
                yield now.postponed.get(view, value)
            else:
                yield value

    def _finished(
        self, state: Sequence[tf.Tensor], completed: tf.Tensor
    ) -> list[tf.Tensor]:
        """Apply the last operation to what `_unfinished` gave.

        What the loop begins with, before any step is complete, may be any numbers, and
        is as it should be.
        """
        postponed = self.step.postponed
        return [
            tf.where(completed > 0, postponed[block][1](value), value)
            if block in postponed
            else value
            for block, value in zip(self.step.carried, state, strict=True)
        ]

    def _stacked(self, state: Sequence[tf.Tensor]) -> tuple:
        """Return the carried blocks as they go round the loop.

        Weights that change go round it as matrices: XLA computes what is written to a
        flat array element by element, dividing to find row and column, which takes five
        times as long (PES, 64 x 1,280 decoders: 130 us per step against 25 us). What
        counts the steps follows from the loop's own counter, and stays outside.
        """
        blocks = self.step.layout.blocks
        return tuple(
            reshaped(
                value,
                self.step.parts.get(i) or (value.shape[0], *loop_shape(blocks[i])),
            )
            for i, value in zip(self.step.carried, state, strict=True)
            if i not in self.step.counted
        )

    def _flat(
        self,
        carried: Sequence[tf.Tensor],
        first: Sequence[tf.Tensor],
        completed: tf.Tensor,
    ) -> list[tf.Tensor]:
        """Undo `_stacked`, after so many complete steps since ``first``."""
        blocks, remaining = self.step.layout.blocks, iter(carried)
        flat = []
        for i, before in zip(self.step.carried, first, strict=True):
            if i in self.step.counted:
                flat.append(before + tf.cast(completed, before.dtype))
            else:
                value = next(remaining)
                batch = 1 if i in self.step.parts else value.shape[0]
                flat.append(reshaped(value, (batch, blocks[i].size)))
        return flat

    def _array(self, buffer: Buffer) -> tf.TensorArray:
        return tf.TensorArray(
            self.step.sample_dtype(buffer),
            size=buffer.first.capacity(self.capacity),
            element_shape=(self.step.minibatch_size, *buffer.view.shape),
            clear_after_read=False,
        )


def loop_shape(block: Block) -> tuple[int, ...]:
    """Return the shape in which a block goes round the loop, without a batch axis.

    Without axes of length 1 blocks that hold the same values, as a filter and what
    learns from it do, are one array to XLA; it would compute each shape by itself.
    Weights keep the shape in which their changes are computed.
    """
    if block.role is Role.ONLINE:
        return block.shape
    return tuple(length for length in block.shape if length != 1) or (1,)


def check_steps(n_steps: int, only: int | None) -> None:
    """Check that there can be so many steps, where there is no loop around them.

    Raises
    ------
    ValidationError
        If only another number can be run.
    """
    if only is not None and n_steps != only:
        raise ValidationError(
            f"Got {n_steps} time steps in a network configured with use_loop=False; "
            f"expected {only}, which is the simulator's unroll_simulation",
            attr="n_steps",
        )
