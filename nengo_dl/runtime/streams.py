"""What Nengo Processes produce, and the random streams that they draw from.

Nengo hands one random stream to all operators in its order of execution, and each
unseeded Process takes its seed from it, synapses too. To give a seeded model Nengo's
numbers, every Process is visited here in the same order, whoever runs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from nengo.builder.operator import Operator
from nengo.builder.processes import SimProcess

MAX_SEED = 2**31 - 1


class Rewindable(Protocol):
    """Python code with a memory of its own."""

    def reset(self, rng: np.random.RandomState) -> None:
        """Return to the beginning."""


class ProcessStream:
    """The output of a Process without input, computed ahead of the loop.

    Parameters
    ----------
    op : SimProcess
        The operator that Nengo would run.
    dt : float
        Length of a time step (s).
    """

    def __init__(self, op: SimProcess, dt: float) -> None:
        self.op = op
        self.dt = dt

    def reset(self, rng: np.random.RandomState) -> None:
        """Return to the beginning, with the seed that comes next in ``rng``."""
        process, output = self.op.process, self.op.output
        self._last = self._pending = np.zeros((0, *output.shape))
        state = {name: np.array(s.initial_value) for name, s in self.op.state.items()}
        self._step = process.make_step(
            (0,), output.shape, self.dt, process.get_rng(rng), state
        )

    def take(self, first_step: int, out: np.ndarray) -> None:
        """Fill ``out``, shape (n_steps, size), with what follows ``first_step``."""
        known = len(self._pending)
        out[:known] = self._pending[: len(out)]
        with np.errstate(invalid="raise", divide="ignore"):
            for i in range(known, len(out)):
                out[i] = self._step((first_step + i + 1) * self.dt)
        self._last, self._pending = out, self._pending[len(out) :]

    def give_back(self, n_steps: int) -> None:
        """Take back the last steps that were taken, because they were not used."""
        unused = self._last[len(self._last) - n_steps :]
        self._pending = np.concatenate([unused, self._pending])


def rewind(
    order: Sequence[Operator],
    items: Sequence[Mapping[Operator, Rewindable]],
    seed: int,
) -> None:
    """Start all random streams anew.

    Parameters
    ----------
    order : sequence of Operator
        All operators in Nengo's order.
    items : sequence of dict of {Operator: Rewindable}
        For each item of the batch: who runs an operator in Python.
    seed : int
        The simulator's seed. Item i draws what a simulator with seed + i would draw.
    """
    for i, hosts in enumerate(items):
        rng = np.random.RandomState((seed + i) % 2**32)
        for op in order:
            if op in hosts:
                hosts[op].reset(rng)
            elif isinstance(op, SimProcess):
                op.process.get_rng(rng)
