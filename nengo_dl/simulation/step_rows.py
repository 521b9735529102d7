"""Samples of single steps, put together before they are stored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from nengo_dl.program.calling import array_of
from nengo_dl.program.recording import Buffer

#: so many steps are put together, as far as their samples take no more memory (bytes)
STEPS, BYTES = 256, 2**20


class StepRows:
    """Collect the samples of single steps in the form in which a long loop has them.

    To store those of each step for itself would take as long as the step.

    Parameters
    ----------
    buffers : sequence of Buffer
        What the loop writes to.

    Attributes
    ----------
    first_step : int
        Number of the step before the first.
    n_steps : int
        How many there are.
    arrays : list of np.ndarray, shape (capacity, batch, *shape)
        The samples of each buffer.
    """

    def __init__(self, buffers: Sequence[Buffer]) -> None:
        self.buffers = buffers
        self.first_step = self.n_steps = 0
        self.arrays: list[np.ndarray] = []
        self._capacity = 0
        self._every_step = all(buffer.first.every_step for buffer in buffers)
        #: rows that each has
        self._filled = [0] * len(buffers)

    def clear(self) -> None:
        """Forget all samples."""
        self.n_steps = 0
        self._filled = [0] * len(self.buffers)

    def begin(self, first_step: int, outputs: Sequence[tf.Tensor]) -> None:
        """Add the samples of a step to none; see `add`."""
        self.clear()
        self.first_step = first_step
        if not self.arrays:
            self._allocate(outputs)
        self.add(first_step, outputs)

    def add(self, first_step: int, outputs: Sequence[tf.Tensor]) -> bool:
        """Add what the loop has written in a step, if there is room behind the last.

        Parameters
        ----------
        first_step : int
            Number of the step before.
        outputs : sequence of tf.Tensor, shape (rows, batch, *shape)
            Of each buffer.

        Returns
        -------
        bool
            Whether it was added. If not, store what there is, and `begin`.
        """
        row = self.n_steps
        if row == self._capacity or first_step != self.first_step + row:
            return False
        self.n_steps = row + 1
        if self._every_step:
            for array, output in zip(self.arrays, outputs, strict=True):
                array[row] = array_of(output)[0]
            return True
        filled = self._filled
        for i, (buffer, output) in enumerate(zip(self.buffers, outputs, strict=True)):
            recording = buffer.first
            if recording.count(first_step, 1):
                self.arrays[i][filled[i]] = array_of(output)[0]
                filled[i] += recording.keep_history
        return True

    def _allocate(self, outputs: Sequence[tf.Tensor]) -> None:
        """Make room for samples like those that the loop has written in a step."""
        rows = [array_of(output)[:1] for output in outputs]
        size = sum(row.nbytes for row in rows)
        self._capacity = max(1, min(STEPS, BYTES // max(size, 1)))
        self.arrays = [
            np.empty((self._capacity, *row.shape[1:]), row.dtype) for row in rows
        ]
