"""One time step in a call of its own, for ``step()``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from nengo_dl.program.callback import Callbacks
from nengo_dl.program.calling import Call
from nengo_dl.program.recording import Recording


@dataclass(frozen=True, eq=False)
class OneStep:
    """Run a compiled loop for one step, with all that is the same each time prepared.

    Attributes
    ----------
    call : callable
        The compiled loop.
    one : tf.Tensor, shape (), int32
        The number of steps.
    callbacks : Callbacks
        The Python side of the loop.
    sampled : sequence of Recording
        One for each buffer that does not keep each step.
    capacity : int
        Steps that the loop has room for.
    device : str or None
        Where it runs.
    """

    call: Call
    one: tf.Tensor
    callbacks: Callbacks
    sampled: Sequence[Recording]
    capacity: int
    device: str | None
    #: where a buffer keeps a step, by its number and whether it does
    _rows: dict[tuple[int, bool], tf.Tensor] = field(default_factory=dict, init=False)

    def __call__(
        self,
        params: Sequence[tf.Tensor],
        state: Sequence[tf.Tensor],
        inputs: Sequence[tf.Tensor],
        first_step: int,
    ) -> tuple[list[tf.Tensor], Sequence[tf.Tensor], BaseException | None]:
        """Run the step behind ``first_step``; see `Program.__call__`.

        Returns
        -------
        state : list of tf.Tensor, shape (batch, size)
            The carried blocks after the step.
        buffers : sequence of tf.Tensor, shape (rows, batch, *shape)
            The loop's buffers, each with the samples of one or several recordings.
        error : BaseException or None
            What Python code raised; the step is not complete then.
        """
        callbacks = self.callbacks
        callbacks.begin(first_step)
        outputs: Any
        with callbacks.interruptible(one_step=True):
            if self.device is None and not self.sampled:
                outputs = self.call(self.one, *params, *state, *inputs)
            else:
                with tf.device(self.device):
                    rows = [
                        self._row(i, recording, first_step)
                        for i, recording in enumerate(self.sampled)
                    ]
                    outputs = self.call(self.one, *params, *state, *inputs, *rows)
        end = 1 + len(state)
        return outputs[1:end], outputs[end:], callbacks.error

    def _row(self, number: int, recording: Recording, first_step: int) -> tf.Tensor:
        key = number, bool(recording.count(first_step, 1))
        if key not in self._rows:
            rows = recording.rows(first_step, 1, self.capacity)
            self._rows[key] = tf.constant(rows)
        return self._rows[key]
