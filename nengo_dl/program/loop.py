"""The loop over time, as one computation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from nengo_dl.graph.roles import Role
from nengo_dl.lowering.indexing import reshaped
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.layout import Block
from nengo_dl.program.callback import Callbacks
from nengo_dl.program.recording import Recording
from nengo_dl.program.stages import Stage


@dataclass(frozen=True)
class LoopResult:
    """What a loop over time leaves behind.

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


def drive(
    stages: Sequence[Stage],
    values: SignalValues,
    carried: Sequence[int],
    state: Sequence[tf.Tensor],
    inputs: dict[int, tf.Tensor],
    recordings: Sequence[Recording],
    rows: Sequence[tf.Tensor],
    n_steps: tf.Tensor,
    capacity: int,
    unroll: int = 1,
    callbacks: Callbacks | None = None,
    use_loop: bool = True,
) -> tuple[tf.Tensor, list[tf.Tensor], list[tf.Tensor]]:
    """Run ``n_steps`` time steps.

    Parameters
    ----------
    stages : sequence of Stage
        One time step.
    values : SignalValues
        Parameters, and what was hoisted out of the loop.
    carried : sequence of int
        The blocks that go round the loop.
    state : sequence of tf.Tensor, shape (batch, size)
        Their values before the first step.
    inputs : dict of {int: tf.Tensor}, shape (capacity or 1, batch, size)
        The input blocks and what is computed ahead, time first. One row stands for
        every step.
    recordings : sequence of Recording
        What is kept.
    rows : sequence of tf.Tensor, shape (capacity,)
        For each recording that is not of every step: the row that a step goes to.
    n_steps : tf.Tensor, shape ()
        How many of the ``capacity`` steps are run. Shapes do not depend on it, so one
        compilation serves every number of steps.
    capacity : int
        Length of the buffers.
    unroll : int
        Steps in one iteration. A remainder that does not fill an iteration runs in a
        second loop, step by step.
    callbacks : Callbacks, optional
        Makes the Python calls, if there are any. When one fails, the loop ends, and the
        step that it was in leaves no trace.
    use_loop : bool
        False: run one iteration, of ``unroll`` steps, whatever ``n_steps``.

    Returns
    -------
    completed : tf.Tensor, shape ()
        Steps that are complete.
    state : list of tf.Tensor, shape (batch, size)
        The carried blocks after them.
    rows : list of tf.Tensor, shape (capacity, batch, *probe shape)
        The buffer of each recording.
    """
    row_source = iter(rows)
    row_of = [None if r.every_step else next(row_source) for r in recordings]
    buffers = tuple(
        tf.TensorArray(
            _dtype(values, recording),
            size=recording.capacity(capacity),
            element_shape=(values.minibatch_size, *recording.view.shape),
            clear_after_read=False,
        )
        for recording in recordings
    )

    def one_step(i: tf.Tensor, ok: tf.Tensor, state: tuple, buffers: tuple) -> tuple:
        fed = {
            block: series[0] if series.shape[0] == 1 else tf.gather(series, i)
            for block, series in inputs.items()
        }
        flat = {
            block: reshaped(value, (value.shape[0], values.layout.blocks[block].size))
            for block, value in zip(carried, state, strict=True)
        }
        now = values.begin_step(flat, fed)
        for stage in stages:
            stage.trace(now)
            if stage.calls is not None:
                assert callbacks is not None
                ok = callbacks.trace(stage.calls, now, i, ok)
        buffers = tuple(
            buffer.write(i if rows is None else tf.gather(rows, i), sample(now, r))
            for buffer, rows, r in zip(buffers, row_of, recordings, strict=True)
        )
        after = tuple(
            reshaped(now.block(block), old.shape)
            for block, old in zip(carried, state, strict=True)
        )
        if callbacks is None:
            return i + 1, ok, after, buffers
        after = tuple(
            tf.where(ok > 0, new, old) for new, old in zip(after, state, strict=True)
        )
        return i + ok, ok, after, buffers

    def iteration(*loop_state: Any) -> tuple:
        for _ in range(unroll):
            loop_state = one_step(*loop_state)
        return loop_state

    def more(steps: int) -> Callable[..., tf.Tensor]:
        if callbacks is None:
            return lambda i, *_: i + steps <= n_steps
        return lambda i, ok, *_: tf.logical_and(i + steps <= n_steps, ok > 0)

    # Weights that change go round the loop as matrices: XLA computes what is written to
    # a flat array element by element, dividing to find row and column, which takes five
    # times as long (PES, 64 x 1,280 decoders: 130 us per step against 25 us)
    stacked = tuple(
        reshaped(value, (value.shape[0], *loop_shape(values.layout.blocks[block])))
        for block, value in zip(carried, state, strict=True)
    )
    loop_state = (tf.constant(0), tf.constant(1), stacked, buffers)
    if use_loop:
        loop_state = tf.while_loop(more(unroll), iteration, loop_state)
        if unroll > 1:
            loop_state = tf.while_loop(more(1), one_step, loop_state)
    else:
        loop_state = iteration(*loop_state)
    completed, _, final, buffers = loop_state
    final = [
        reshaped(value, before.shape)
        for value, before in zip(final, state, strict=True)
    ]
    return completed, final, [buffer.stack() for buffer in buffers]


def sample(values: SignalValues, recording: Recording) -> tf.Tensor:
    """Return what a probe sees, shape (batch, *shape)."""
    value = values.read(recording.view)
    if not recording.view.batched:
        value = value[None]
    shape = (values.minibatch_size, *recording.view.shape)
    return value if tuple(value.shape) == shape else tf.broadcast_to(value, shape)


def loop_shape(block: Block) -> tuple[int, ...]:
    """Return the shape in which a block goes round the loop, without a batch axis.

    Without axes of length 1 blocks that hold the same values, as a filter and what
    learns from it do, are one array to XLA; it would compute each shape by itself.
    Weights keep the shape in which their changes are computed.
    """
    if block.role is Role.ONLINE:
        return block.shape
    return tuple(length for length in block.shape if length != 1) or (1,)


def _dtype(values: SignalValues, recording: Recording) -> tf.DType:
    """Return the type of what a probe sees."""
    blocks = [values.layout.blocks[i] for i in recording.view.blocks]
    return tf.int64 if any(block.kind == "i" for block in blocks) else values.dtype
