"""Running a program: chunk by chunk, from the store and back to it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder import Model
from nengo.builder.operator import Operator
from nengo.exceptions import SimulatorClosed

from nengo_dl.display.progress import stage
from nengo_dl.graph.tensor_operator import tensor_nodes
from nengo_dl.inputs.feed import BlockFeed, BoundFeed
from nengo_dl.inputs.random_streams import Position
from nengo_dl.inputs.sources import Sources
from nengo_dl.lowering.tensor_nodes.binding import post_build
from nengo_dl.program.form import BRIEF_CAPACITY, Form
from nengo_dl.program.loop import LoopResult
from nengo_dl.program.one_step import OneStep
from nengo_dl.program.program import Program
from nengo_dl.simulation.probes import ProbeStore, Record
from nengo_dl.simulation.store import StateStore

#: runs that are over sooner (s) show no progress: a bar takes 1.5 ms, and would be the
#: larger part of a short run
SHORT = 0.1

#: that many calls of ``step()`` are worth a program for single steps where there is one
#: for many: each takes 40 us less, or much less with large inputs and Probes
MANY_CALLS = 100


class Runner:
    """Run a simulation chunk by chunk; owns everything that changes with it.

    Parameters
    ----------
    program : Program
        The compiled model.
    model : nengo.builder.Model
        The built model.
    order : sequence of Operator
        All its operators in Nengo's order.
    minibatched : bool
        Whether the data of probes have a batch axis.
    times : dict of {str: float}
        Receives how long each stage took (s), by its name.

    Attributes
    ----------
    store : StateStore
        Parameters and state.
    probes : ProbeStore
        Samples.
    n_steps : int
        Steps simulated so far.
    first_step : int
        Number of the step before the first that probes have samples of.
    """

    def __init__(
        self,
        program: Program,
        model: Model,
        order: Sequence[Operator],
        minibatched: bool,
        times: dict[str, float],
    ) -> None:
        self._program = program
        self._model = model
        self._feed = BlockFeed(program, order, model.dt)
        self._compiled: set[Form] = set()
        self._brief_calls = 0
        #: what feeds, runs and records single steps
        self._single: tuple[BoundFeed, OneStep, Record] | None = None
        self._tried_to_bind = False
        self._times = times
        #: of the last run; the first run is taken for a long one
        self._seconds_per_step = float("inf")
        self.store = StateStore(program)
        self.probes = ProbeStore(
            program.recordings, minibatched, program.minibatch_size
        )
        self.n_steps = self.first_step = 0

    @property
    def own_items(self) -> slice:
        """The items of a minibatch that this process computes."""
        return self._program.own_items

    @property
    def sources(self) -> Sources:
        """Where inputs and random numbers come from."""
        return self._feed.sources

    def run(
        self,
        n_steps: int,
        presented: Mapping[nengo.Node, np.ndarray],
        progress_bar: Any,
        stateful: bool = True,
        out: Mapping[nengo.Probe, Any] | None = None,
    ) -> None:
        """Run some steps; see `Simulator.run_steps`.

        Parameters
        ----------
        n_steps : int
            How many.
        presented : mapping of Node to np.ndarray, shape (batch, n_steps, size_out)
            What Nodes are fed instead of their own output: of all items, or of
            `own_items` alone.
        progress_bar : bool or nengo.utils.progress.ProgressBar
            Whether to show progress.
        stateful : bool
            Whether state, time and random numbers stay where the run ends. What
            learning rules have changed is a parameter, and stays in any case.
        out : mapping of Probe to object, optional
            Arrays that samples of some Probes are written into.
        """
        writing = self.probes.writing(
            out or {}, self.n_steps, n_steps, self._program.dtype.as_numpy_dtype
        )
        kept = nullcontext() if stateful else self._kept()
        with writing, kept:
            self._run(n_steps, presented, progress_bar)

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Return to the present state, time and random numbers at the end."""
        n_steps, state = self.n_steps, self.store.state
        with self.sources.kept():
            try:
                yield
            finally:
                self.n_steps = n_steps
                self.store.state = self.store.with_learned(state, self.store.state)

    def _run(
        self,
        n_steps: int,
        presented: Mapping[nengo.Node, np.ndarray],
        progress_bar: Any,
    ) -> None:
        form = self._form(n_steps, presented)
        capacity = self._program.capacity(form)
        self._compile(form, progress_bar)
        if progress_bar is True and n_steps * self._seconds_per_step < SHORT:
            progress_bar = False
        start = time.perf_counter()
        with stage("Simulating", n_steps, progress_bar) as tracker:
            done = 0
            while done < n_steps:
                size = min(capacity, n_steps - done)
                part = {n: v[:, done : done + size] for n, v in presented.items()}
                self._run_chunk(size, part, form)
                done += size
                tracker.update(done)
        self._seconds_per_step = (time.perf_counter() - start) / n_steps

    def single_step(self) -> None:
        """Run one step, as `run` does without data and without anything to show.

        What `run` asks and prepares for any number of steps takes as long as the step.
        """
        if self._single is None:
            form = self._form(1, {})
            self._compile(form, progress_bar=False)
            # there may be another form later, after many calls
            if form.brief and not self._tried_to_bind:
                self._single, self._tried_to_bind = self._bind(form), True
            if self._single is None:
                self._run_chunk(1, {}, form)
                return
        feed, run, record = self._single
        n_steps, store = self.n_steps, self.store
        inputs = feed(n_steps + 1)
        state, buffers, error = run(store.param_values(), store.state, inputs, n_steps)
        if error is not None:
            self.sources.give_back(1)
            raise error
        store.state = state
        record(n_steps, buffers)
        self.n_steps = n_steps + 1

    def _bind(self, form: Form) -> tuple[BoundFeed, OneStep, Record] | None:
        """Return what feeds, runs and records single steps, if it can be had."""
        feed, run = self._feed.bind(form), self._program.bind(form)
        if feed is None or run is None:
            return None
        return feed, run, self.probes.bind(self._program.step.buffers)

    def reset(
        self, seed: int, parameters: bool, samples: bool, processes: bool
    ) -> None:
        """Return to the beginning; see `Simulator.reset`."""
        self.store.reset(params=parameters, learned=parameters)
        if samples:
            self.probes.clear()
            self.n_steps = self.first_step = 0
        elif self.n_steps:
            # time goes on where the samples end
            counter = np.full((self._program.minibatch_size, 1), self.n_steps)
            self.store.set_value(self._model.step, counter)
        if processes:
            self.rewind(seed)
        if parameters:
            self._post_build(seed)

    def rewind(self, seed: int) -> None:
        """Start all random streams anew."""
        self.sources.rewind(seed)

    def _post_build(self, seed: int) -> None:
        """Let functions of TensorNodes that want to give their variables values."""
        rng = np.random.RandomState(seed % 2**32)
        for op in tensor_nodes(self._model.operators):
            for signal, value in post_build(op, rng).items():
                if self.store.has(signal):
                    self.store.set_value(signal, value)

    def close(self) -> None:
        """Let go of the program and the live values; samples and time stay."""
        self._single = None
        del self._program, self._feed, self.store

    def check_open(self, what: str) -> None:
        """Raise an error if there is nothing to run any more.

        Raises
        ------
        SimulatorClosed
            It says what cannot be done then.
        """
        if not hasattr(self, "store"):
            raise SimulatorClosed(
                f"Cannot {what}: the simulator is closed. Make a new Simulator, or do "
                "it within its `with` block"
            )

    def snapshot(self) -> dict[str, Any]:
        """Return all that changes while a simulation runs, without TensorFlow."""
        return {
            "n_steps": self.n_steps,
            "first_step": self.first_step,
            "values": self.store.snapshot(),
            "streams": self.positions(),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Return to a `snapshot`, of this simulation or another one of its model."""
        self.n_steps = snapshot["n_steps"]
        self.first_step = snapshot["first_step"]
        self.store.restore(snapshot["values"])
        self.sources.advance(snapshot["streams"])

    def positions(self) -> list[list[Position]]:
        """Return how far random numbers have gone; see `Sources.positions`."""
        return self.sources.positions()

    def go_to(
        self, n_steps: int, seed: int, positions: Sequence[Sequence[Position]]
    ) -> None:
        """Go to another time, forget all samples, and draw what is drawn from there on.

        Parameters
        ----------
        n_steps : int
            Steps that are over there.
        seed : int
            Seed of everything random.
        positions : list of list
            How far random numbers have gone; see `Sources.positions`.
        """
        self.probes.clear()
        self.n_steps = self.first_step = n_steps
        self.sources.rewind(seed)
        self.sources.advance(positions)

    def go_on_from(self, sources: Sources, n_steps: int) -> None:
        """Go on at another time, with random numbers where others have come to.

        Parameters
        ----------
        sources : Sources
            Who has taken our streams over, and drawn from them since.
        n_steps : int
            Steps that are over then.
        """
        self.sources.take_over(sources)
        self.sources.pass_over(sources, self.n_steps, n_steps - self.n_steps)
        self.n_steps = n_steps

    def _form(self, n_steps: int, presented: Mapping[nengo.Node, np.ndarray]) -> Form:
        """Return the form in which the program runs some steps."""
        program = self._program
        held = bool(program.parts[0]) and self._feed.held(presented)
        ahead = program.mode(n_steps, held)
        brief, long = Form(ahead, brief=True), Form(ahead)
        if n_steps > BRIEF_CAPACITY or not program.has_brief:
            return long
        self._brief_calls += 1
        compiled = self._compiled
        if long in compiled and brief not in compiled:
            return brief if self._brief_calls > MANY_CALLS else long
        return brief

    def _compile(self, form: Form, progress_bar: Any) -> None:
        """Trace and compile the program before its first step, by running none."""
        if form in self._compiled:
            return
        # a bar of Nengo's closes after its first stage, which is the simulation
        with stage("Compiling", None, progress_bar is True):
            start, traced = time.perf_counter(), self._program.trace_seconds
            self._call(self._feed.nothing(form), 0, form)
            seconds = time.perf_counter() - start
        trace = self._program.trace_seconds - traced
        self._times["trace"] = self._times.get("trace", 0.0) + trace
        self._times["compile"] = self._times.get("compile", 0.0) + seconds - trace
        self._compiled.add(form)

    def _run_chunk(
        self, n_steps: int, presented: Mapping[nengo.Node, np.ndarray], form: Form
    ) -> None:
        """Run some steps; if Python code fails, those before, then raise its error."""
        chunk = self._feed.chunk(self.n_steps, n_steps, presented, form)
        error: BaseException | None = chunk.error
        if chunk.n_steps:
            result = self._call(chunk.inputs, chunk.n_steps, form)
            self.store.state = result.state
            self.probes.append(self.n_steps, result.n_steps, result.rows)
            self.n_steps += result.n_steps
            if result.error is not None:
                self.sources.give_back(chunk.n_steps - result.n_steps)
                error = result.error
        if error is not None:
            raise error

    def _call(self, inputs: list[tf.Tensor], n_steps: int, form: Form) -> LoopResult:
        params, state = self.store.param_values(), self.store.state
        return self._program(params, state, inputs, self.n_steps, n_steps, form)
