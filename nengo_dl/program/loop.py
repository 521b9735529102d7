"""The compiled loop over time, for plans without Python in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from nengo_dl.lowering.registry import Lowering
from nengo_dl.lowering.values import SignalValues
from nengo_dl.program.recording import Recording
from nengo_dl.program.stages import trace


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
    lowerings: Sequence[Lowering],
    values: SignalValues,
    carried: Sequence[int],
    state: Sequence[tf.Tensor],
    inputs: dict[int, tf.Tensor],
    recordings: Sequence[Recording],
    rows: Sequence[tf.Tensor],
    n_steps: tf.Tensor,
    capacity: int,
    unroll: int = 1,
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Run ``n_steps`` time steps.

    Parameters
    ----------
    lowerings : sequence of Lowering
        One time step; none of them calls Python.
    values : SignalValues
        Parameters, and what was hoisted out of the loop.
    carried : sequence of int
        The blocks that go round the loop.
    state : sequence of tf.Tensor, shape (batch, size)
        Their values before the first step.
    inputs : dict of {int: tf.Tensor}, shape (capacity, batch, size)
        The input blocks, time first.
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

    Returns
    -------
    state : list of tf.Tensor, shape (batch, size)
        The carried blocks after the last step.
    rows : list of tf.Tensor, shape (capacity, batch, *probe shape)
        The buffer of each recording.
    """
    row_source = iter(rows)
    row_of = [None if r.every_step else next(row_source) for r in recordings]
    buffers = tuple(
        tf.TensorArray(
            values.dtype,
            size=recording.capacity(capacity),
            element_shape=(values.minibatch_size, *recording.view.shape),
            clear_after_read=False,
        )
        for recording in recordings
    )

    def one_step(i: tf.Tensor, state: tuple, buffers: tuple) -> tuple:
        fed = {block: tf.gather(series, i) for block, series in inputs.items()}
        now = values.begin_step(dict(zip(carried, state, strict=True)), fed)
        trace(lowerings, now)
        buffers = tuple(
            buffer.write(i if rows is None else tf.gather(rows, i), sample(now, r))
            for buffer, rows, r in zip(buffers, row_of, recordings, strict=True)
        )
        return i + 1, tuple(now.block(b) for b in carried), buffers

    def iteration(*loop_state: tf.Tensor) -> tuple:
        for _ in range(unroll):
            loop_state = one_step(*loop_state)
        return loop_state

    loop_state = (tf.constant(0), tuple(state), buffers)
    loop_state = tf.while_loop(
        lambda i, *_: i + unroll <= n_steps, iteration, loop_state
    )
    if unroll > 1:
        loop_state = tf.while_loop(lambda i, *_: i < n_steps, one_step, loop_state)
    _, final, buffers = loop_state
    return list(final), [buffer.stack() for buffer in buffers]


def sample(values: SignalValues, recording: Recording) -> tf.Tensor:
    """Return what a probe sees, shape (batch, *shape)."""
    value = values.read(recording.view)
    if not recording.view.batched:
        value = value[None]
    shape = (values.minibatch_size, *recording.view.shape)
    return value if tuple(value.shape) == shape else tf.broadcast_to(value, shape)
