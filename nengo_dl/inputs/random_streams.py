"""Streams of random numbers and Processes, computed ahead of the loop.

Nengo hands one random stream to all operators in its order of execution, and each
unseeded Process takes its seed from it, synapses too. To give a seeded model Nengo's
numbers, every Process is visited here in the same order, whoever runs it. Neurons that
draw random numbers have streams of their own, which come with the built model.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from nengo.base import Process
from nengo.builder.operator import Operator
from nengo.builder.processes import SimProcess
from nengo.exceptions import SimulationError

from nengo_dl.graph.draws import Draws
from nengo_dl.graph.number_range import beyond, cast_into, is_beyond
from nengo_dl.graph.python_calls import Calling

#: below which Nengo draws seeds
MAX_SEED = np.iinfo(np.int32).max


class Rewindable(Protocol):
    """Python code with a memory of its own."""

    def reset(self, rng: np.random.RandomState) -> None:
        """Return to the beginning."""


class Stream:
    """Values of time steps, one after the other; those not used can be given back."""

    #: steps that were taken since the beginning
    position = 0

    def _begin(self, shape: tuple[int, ...]) -> None:
        """Forget what was taken; a step has values of the given shape."""
        self._last = self._pending = np.zeros((0, *shape))
        self.position = 0

    def _compute(self, steps: Sequence[int], out: np.ndarray) -> None:
        """Fill ``out``, shape (n_steps, size), with what nobody has seen yet."""
        raise NotImplementedError

    def take(self, steps: Sequence[int], out: np.ndarray) -> None:
        """Fill ``out`` with the values of the next steps.

        Parameters
        ----------
        steps : sequence of int, length n_steps
            Numbers of the steps, 1 for the first of a simulation; those of several
            minibatches stand one behind the other.
        out : np.ndarray, shape (n_steps, size)
            Where to write them.
        """
        known = min(len(self._pending), len(out))
        out[:known] = self._pending[:known]
        if known < len(out):
            self._compute(steps[known:], out[known:])
        self._last, self._pending = out, self._pending[known:]
        self.position += len(out)

    def give_back(self, n_steps: int) -> None:
        """Take back the last steps that were taken, because they were not used."""
        unused = self._last[len(self._last) - n_steps :]
        self._pending = np.concatenate([unused, self._pending])
        self.position -= n_steps

    def take_over(self, other: Stream) -> None:
        """Go on where another stream of the same operator is, in its place."""
        vars(self).update(vars(other))

    def advance(self, position: int, step: int) -> None:
        """Go to a position at which ``step`` steps of the simulation are over."""
        size = math.prod(self._last.shape[1:])
        while self.position < position:
            count = min(position - self.position, 1000)
            first = step - (position - self.position) + 1
            self.take(range(first, first + count), np.empty((count, size)))


class ProcessStream(Stream):
    """The output of a Process without input.

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
        self._begin(output.shape)
        state = {name: np.array(s.initial_value) for name, s in self.op.state.items()}
        self._step = process.make_step(
            (0,), output.shape, self.dt, process.get_rng(rng), state
        )

    def _compute(self, steps: Sequence[int], out: np.ndarray) -> None:
        """Step the Process."""
        # at the precision of what the Process returns, so that nothing overflows
        values = np.empty(out.shape)
        with (
            np.errstate(invalid="raise", divide="ignore"),
            Calling(lambda: [self.op], 0) as now,
        ):
            for i, step in enumerate(steps):
                now.step = step
                values[i] = self._step(step * self.dt)
        if not cast_into(out, values):
            first = next(i for i, row in enumerate(values) if is_beyond(row, out.dtype))
            raise SimulationError(
                f"{self.op.process} of {self.op.output.name} returned "
                f"{values[first]!r:.100} at t={steps[first] * self.dt:g} s: "
                f"{beyond(out.dtype)}"
            )


class DrawStream(Stream):
    """The random numbers of neurons.

    Parameters
    ----------
    draws : Draws
        What they draw.
    item : int
        Number of the batch item. The first draws from the stream that the model was
        built with, the others from streams of their own.
    """

    def __init__(self, draws: Draws, item: int = 0) -> None:
        self.draws = draws
        self.item = item

    def reset(self, seed: int) -> None:
        """Return to the beginning; ``seed`` is the simulator's."""
        self._begin(self.draws.shape)
        # never drawn from itself: the model may be simulated again
        self._rng = copy.deepcopy(self.draws.rng)
        if not self.draws.nengo:
            own = self._rng.randint(MAX_SEED)
            self._rng = np.random.RandomState([own, (seed + self.item) % 2**32])
        elif self.item:
            own = self._rng.randint(MAX_SEED)
            self._rng = np.random.RandomState((own + self.item) % MAX_SEED)

    def _compute(self, steps: Sequence[int], out: np.ndarray) -> None:
        """Draw the numbers of all steps at once."""
        out[...] = self.draws.sample(self._rng, len(out)).reshape(len(out), -1)


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
        if not hosts:
            continue  # nobody draws: to find that out for 100 items would take 10 ms
        rng = np.random.RandomState((seed + i) % 2**32)
        for op in order:
            if op in hosts:
                hosts[op].reset(rng)
            elif isinstance(op, SimProcess):
                _pass_over(op.process, rng)


def _pass_over(process: Process, rng: np.random.RandomState) -> None:
    """Take from ``rng`` what a Process takes for a stream that nobody will use."""
    if type(process).get_rng is not Process.get_rng:
        process.get_rng(rng)
    elif process.seed is None:
        # to make a RandomState takes 30 times as long, which thousands of synapses feel
        rng.randint(MAX_SEED)
