"""Streams of random numbers and Processes, computed ahead of the loop.

Nengo hands one random stream to all operators in its order of execution, and each
unseeded Process takes its seed from it, synapses too. To give a seeded model Nengo's
numbers, every Process is visited here in the same order, whoever runs it. Neurons that
draw random numbers have streams of their own, which come with the built model.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Protocol

import numpy as np
from nengo.base import Process
from nengo.builder.operator import Operator
from nengo.builder.processes import SimProcess
from nengo.exceptions import SimulationError

from nengo_dl.graph.draws import Draws
from nengo_dl.graph.number_range import beyond, cast_into, is_beyond
from nengo_dl.graph.python_calls import Calling
from nengo_dl.graph.signals import payload_of

#: below which Nengo draws seeds
MAX_SEED = np.iinfo(np.int32).max


#: what a stream has given: number of the first step, how many, and how many times
Stretch = tuple[int, int, int]

#: how far it has gone, in types that files can keep
Position = list[Any]


class Going(Protocol):
    """What goes on from step to step in Python, and can be followed."""

    @property
    def position(self) -> Position:
        """How far it has gone."""

    def advance(self, position: Position) -> None:
        """Go from the beginning to where another one was."""

    def take_over(self, other: Any) -> None:
        """Go on where another one of the same operator is, in its place."""

    def keep(self) -> None:
        """Begin to remember what is given, so that it can be given again."""

    def return_kept(self) -> None:
        """Give again what has been given since `keep`."""


class Rewindable(Going, Protocol):
    """One of them that takes its seed from the simulator's random numbers."""

    def reset(self, rng: np.random.RandomState) -> None:
        """Return to the beginning."""


class Stream:
    """Values of time steps, one after the other; those not used can be given back."""

    _stretches: tuple[Stretch, ...] = ()
    _kept: list[np.ndarray] | None = None

    def _begin(self, shape: tuple[int, ...]) -> None:
        """Forget what was taken; a step has values of the given shape."""
        self._last = self._pending = np.zeros((0, *shape))
        self._stretches = ()

    def _compute(
        self, steps: Sequence[int], out: np.ndarray
    ) -> tuple[int, Exception | None]:
        """Fill ``out``, shape (n_steps, size), with what nobody has seen yet.

        Returns
        -------
        good : int
            How many rows were filled.
        error : Exception or None
            Why not all of them.
        """
        raise NotImplementedError

    def take(
        self, steps: Sequence[int], out: np.ndarray
    ) -> tuple[int, Exception | None]:
        """Fill ``out`` with the values of the next steps.

        Parameters
        ----------
        steps : sequence of int, length n_steps
            Numbers of the steps, 1 for the first of a simulation; those of several
            minibatches stand one behind the other.
        out : np.ndarray, shape (n_steps, size)
            Where to write them.

        Returns
        -------
        good : int
            How many steps have values.
        error : Exception or None
            Why not all of them.
        """
        good, error = min(len(self._pending), len(out)), None
        out[:good] = self._pending[:good]
        self._pending = self._pending[good:]
        if good < len(out):
            computed, error = self._compute(steps[good:], out[good:])
            good += computed
        self._last = out[:good]
        if self._kept is not None:
            self._kept.append(self._last.copy())
        self._stretches = _joined(self._stretches, steps[:good])
        return good, error

    @property
    def taken(self) -> int:
        """Steps that were taken last."""
        return len(self._last)

    def give_back(self, n_steps: int) -> None:
        """Take back the last steps that were taken, because they were not used."""
        if not n_steps:
            return
        used = len(self._last) - n_steps
        self._pending = np.concatenate([self._last[used:], self._pending])
        self._last = self._last[:used]
        if self._kept:
            self._kept[-1] = self._kept[-1][:used]
        self._stretches = _without(self._stretches, n_steps)

    def keep(self) -> None:
        """Begin to remember what is taken, so that all of it can be given back."""
        self._kept = []

    def return_kept(self) -> None:
        """Take back all that was taken since `keep`."""
        kept, self._kept = self._kept, None
        for rows in reversed(kept or ()):
            self._last = rows
            self.give_back(len(rows))

    @property
    def position(self) -> Position:
        """What it has given since its beginning."""
        return [list(stretch) for stretch in self._stretches]

    def take_over(self, other: Stream) -> None:
        """Go on where another stream of the same operator is, in its place."""
        vars(self).update(vars(other))

    def advance(self, position: Position) -> None:
        """Go from the beginning to where another stream was, through the same steps."""
        for first, count, times in position:
            for _ in range(times):
                self.pass_over(first, count)
        self._stretches = tuple((first, n, times) for first, n, times in position)

    def pass_over(self, first: int, n_steps: int) -> None:
        """Take steps, from a number on, and use them for nothing."""
        size = math.prod(self._last.shape[1:])
        for start in range(first, first + n_steps, 1000):
            steps = range(start, min(start + 1000, first + n_steps))
            _, error = self.take(steps, np.empty((len(steps), size)))
            if error is not None:
                raise error


def _joined(
    stretches: tuple[Stretch, ...], steps: Sequence[int]
) -> tuple[Stretch, ...]:
    """Return stretches of steps and those that come next, in as few as possible."""
    found = list(stretches)
    for (start, count), equal in groupby(_runs(steps)):
        times = len(list(equal))
        if found:
            first, length, before = found[-1]
            if (start, count) == (first, length):
                found[-1] = (first, length, before + times)
                continue
            if before == 1 and start == first + length:
                found[-1] = (first, length + count, 1)
                times -= 1
        if times:
            found.append((start, count, times))
    return tuple(found)


def _runs(steps: Sequence[int]) -> Iterable[tuple[int, int]]:
    """Return where consecutive numbers begin, and how many there are.

    Training in minibatches of one step has as many as it has minibatches.
    """
    if len(steps) < 2 or isinstance(steps, range):
        return [(int(steps[0]), len(steps))] if steps else []
    numbers = np.asarray(steps)
    starts = np.flatnonzero(np.diff(numbers, prepend=numbers[0]) != 1)
    counts = np.diff(starts, append=len(numbers))
    return zip(numbers[starts].tolist(), counts.tolist(), strict=True)


def _without(stretches: tuple[Stretch, ...], n_steps: int) -> tuple[Stretch, ...]:
    """Return stretches of steps without the last of them."""
    while n_steps:
        *before, (first, length, times) = stretches
        if times > 1:
            before.append((first, length, times - 1))
        if length > n_steps:
            before.append((first, length - n_steps, 1))
        stretches, n_steps = tuple(before), max(n_steps - length, 0)
    return stretches


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

    def _compute(
        self, steps: Sequence[int], out: np.ndarray
    ) -> tuple[int, Exception | None]:
        """Step the Process; the steps before one that fails are good."""
        # at the precision of what the Process returns, so that nothing overflows
        values, good = np.empty(out.shape), 0
        error: Exception | None = None
        try:
            with (
                np.errstate(invalid="raise", divide="ignore"),
                Calling(lambda: [self.op], 0) as now,
            ):
                for step in steps:
                    now.step = step
                    values[good] = self._step(step * self.dt)
                    good += 1
        except Exception as raised:
            error = raised
        if not cast_into(out[:good], values[:good]):
            good = next(i for i, row in enumerate(values) if is_beyond(row, out.dtype))
            error = SimulationError(
                f"{self.op.process} of {self.op.output.name} returned "
                f"{values[good]!r:.100} at t={steps[good] * self.dt:g} s: "
                f"{beyond(out.dtype)}"
            )
        return good, error


class DrawStream(Stream):
    """The random numbers of neurons.

    Parameters
    ----------
    draws : Draws
        What they draw.
    item : int
        Number of the batch item. The first draws from the stream that the model was
        built with, the others from streams of their own.
    op : Operator, optional
        Who is fed the numbers, for messages.
    """

    def __init__(self, draws: Draws, item: int = 0, op: Operator | None = None) -> None:
        self.draws = draws
        self.item = item
        self.op = op

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

    def _compute(
        self, steps: Sequence[int], out: np.ndarray
    ) -> tuple[int, Exception | None]:
        """Draw the numbers of all steps at once."""
        found = np.asarray(self.draws.sample(self._rng, len(out)))
        expected = (len(out), *self.draws.shape)
        if found.shape != expected or found.dtype.kind not in "fiub":
            return 0, self._refused(found, expected)
        out[...] = found.reshape(len(out), -1)
        return len(out), None

    def _refused(self, found: np.ndarray, expected: tuple[int, ...]) -> SimulationError:
        owner = "" if self.op is None else f" of {payload_of(self.op) or self.op}"
        return SimulationError(
            f"`sample` in the Draws{owner} returned an array of shape {found.shape}, "
            f"{found.dtype}, for n_steps={expected[0]}; expected numbers of shape "
            f"{expected}, that is (n_steps, *shape) with shape={self.draws.shape} as "
            "given to Draws. Correct one of the two"
        )


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
