"""The loop over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from nengo_dl.lowering.values import SignalValues
from nengo_dl.program.recording import Recording
from nengo_dl.program.step import Step


@dataclass(frozen=True)
class LoopResult:
    """What a loop over time leaves behind.

    Attributes
    ----------
    state : list of tf.Tensor, shape (batch, size)
        The carried blocks after the last step.
    rows : list of tf.Tensor, shape (capacity, batch, *probe shape)
        The buffer of each recording.
    """

    state: list[tf.Tensor]
    rows: list[tf.Tensor]


def drive(
    step: Step,
    values: SignalValues,
    carried: Sequence[int],
    state: Sequence[tf.Tensor],
    inputs: dict[int, tf.Tensor],
    recordings: Sequence[Recording],
    rows: Sequence[tf.Tensor],
    n_steps: tf.Tensor,
    capacity: int,
    unroll: int = 1,
) -> LoopResult:
    """Run ``n_steps`` time steps.

    Parameters
    ----------
    step : Step
        One time step.
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

    def one_step(i: tf.Tensor, token: tf.Tensor, state: tuple, buffers: tuple) -> tuple:
        fed = {block: tf.gather(series, i) for block, series in inputs.items()}
        now = values.begin_step(dict(zip(carried, state, strict=True)), fed)
        now.token = token
        step.build(now)
        buffers = tuple(
            buffer.write(i if rows is None else tf.gather(rows, i), _sample(now, r))
            for buffer, rows, r in zip(buffers, row_of, recordings, strict=True)
        )
        return i + 1, now.token, tuple(now.block(b) for b in carried), buffers

    def iteration(*loop_state: tf.Tensor) -> tuple:
        for _ in range(unroll):
            loop_state = one_step(*loop_state)
        return loop_state

    loop_state = (tf.constant(0), values.token, tuple(state), buffers)
    loop_state = tf.while_loop(
        lambda i, *_: i + unroll <= n_steps, iteration, loop_state
    )
    if unroll > 1:
        loop_state = tf.while_loop(lambda i, *_: i < n_steps, one_step, loop_state)
    _, _, final, buffers = loop_state
    return LoopResult(list(final), [buffer.stack() for buffer in buffers])


def _sample(values: SignalValues, recording: Recording) -> tf.Tensor:
    """Return what a probe sees, shape (batch, *shape)."""
    value = values.read(recording.view)
    if not recording.view.batched:
        value = value[None]
    shape = (values.minibatch_size, *recording.view.shape)
    return value if tuple(value.shape) == shape else tf.broadcast_to(value, shape)
