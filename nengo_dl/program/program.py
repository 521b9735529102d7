"""A model as one function: ``(params, state, inputs, n_steps) -> (state', rows)``."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import tensorflow as tf

from nengo_dl.distribution import divided
from nengo_dl.distribution.replicas import Replicas
from nengo_dl.distribution.workers import lost_workers
from nengo_dl.graph.inputs import Input
from nengo_dl.graph.roles import Role
from nengo_dl.lowering.presented import Presented
from nengo_dl.lowering.registry import Lowering
from nengo_dl.plan.groups import Plan
from nengo_dl.plan.layout import SignalLayout
from nengo_dl.program import traces
from nengo_dl.program.ahead import Ahead, compute, computed_ahead, handed_over
from nengo_dl.program.callback import Callbacks, available
from nengo_dl.program.calling import array_of, flat_call, free_order
from nengo_dl.program.driven import DrivenLoop
from nengo_dl.program.fingerprint import fingerprint, only_own
from nengo_dl.program.form import BRIEF_CAPACITY, LONG, Form
from nengo_dl.program.kept_traces import kept
from nengo_dl.program.loop import CompiledLoop, LoopResult
from nengo_dl.program.one_step import OneStep
from nengo_dl.program.recording import Recording, by_recording
from nengo_dl.program.step import TimeStep

#: no more steps than this in one call: chunks give progress bars and Ctrl-C a chance,
#: and a call costs about as much as 100 steps of a small model
MAX_CAPACITY = 1000

#: from how many steps on work is done ahead of them, and for how many in one call: all
#: that there is room for are computed, even if a shorter run needs only some of them
MIN_AT_ONCE, MAX_AT_ONCE = 8, 250

#: bytes that the inputs and rows of one call may take
MAX_BUFFER_BYTES = 16 * 2**20


@dataclass(eq=False, repr=False)
class Program:
    """A compiled model, free of any state of its own.

    Attributes
    ----------
    plan, layout, lowerings
        What each stage of the compilation made.
    inputs : tuple of Input
        What has to be fed, and what calls itself.
    recordings : tuple of Recording
        What comes out.
    presented : Presented
        Data that stand in for functions called in the loop.
    minibatch_size : int
        Number of items in the batch.
    dtype : tf.DType
        Floating point type.
    unroll : int
        Steps in one iteration of the loop, as asked for: see `unrolled`.
    jit_compile : bool
        Whether XLA compiles what it can.
    device : str or None
        Where it runs.
    use_loop : bool
        Whether there is a loop around the time steps.
    replicas : Replicas or None
        What divides minibatches between devices; None: nothing does.
    traces : int
        How often the program was traced; 0 if it shares the trace of an equal one.
    trace_seconds : float
        How long that took (s), without XLA.
    """

    plan: Plan
    layout: SignalLayout
    lowerings: tuple[Lowering, ...]
    inputs: tuple[Input, ...]
    recordings: tuple[Recording, ...]
    presented: Presented
    minibatch_size: int
    dtype: tf.DType
    unroll: int
    jit_compile: bool
    device: str | None
    use_loop: bool = True
    replicas: Replicas | None = None
    traces: int = field(default=0, init=False)
    trace_seconds: float = field(default=0.0, init=False)
    _calls: dict[Form, Callable] = field(default_factory=dict, init=False)
    _capacities: dict[Form, int] = field(default_factory=dict, init=False)
    _brief_counts: dict[int, tf.Tensor] = field(default_factory=dict, init=False)
    _callbacks: Callbacks = field(default_factory=Callbacks, init=False)
    _driven: DrivenLoop | None = field(default=None, init=False)

    def __repr__(self) -> str:
        return (
            f"<Program of {len(self.plan)} groups, {len(self.layout.blocks)} blocks, "
            f"{self.dtype.name}, batch {self.minibatch_size}>"
        )

    @property
    def part(self) -> int:
        """Number of items that are computed in one place."""
        return self.minibatch_size if self.replicas is None else self.replicas.part

    @property
    def own_items(self) -> slice:
        """The items of a minibatch that this process computes, so what it is fed."""
        if self.replicas is not None:
            return self.replicas.rows
        return slice(0, self.minibatch_size)

    @cached_property
    def step(self) -> TimeStep:
        """What runs in each time step, if nothing runs ahead."""
        return TimeStep(
            self.lowerings,
            self.layout,
            tuple(self.layout.carried()),
            self.part,
            self.dtype,
            self.recordings,
            self.jit_compile and available(self.device),
        )

    @cached_property
    def calls_python(self) -> bool:
        """Whether some group calls Python in each step."""
        return self.step.calls_python

    @cached_property
    def in_one(self) -> bool:
        """Whether the loop is one computation; otherwise Python drives it."""
        return not self.calls_python or (self.jit_compile and available(self.device))

    @cached_property
    def sampled(self) -> tuple[Recording, ...]:
        """A recording for each buffer that does not keep each step."""
        first = (buffer.first for buffer in self.step.buffers)
        return tuple(recording for recording in first if not recording.every_step)

    @property
    def has_brief(self) -> bool:
        """Whether it has another form for single steps: not where it has no buffers."""
        return self.use_loop and self.in_one

    @property
    def unrolled(self) -> int:
        """Steps in one iteration of the loop, as it runs.

        Under XLA one, whatever was asked for: with 25, steps of two ensembles took 13
        times as long, and 9 s to compile. Without a loop around them all steps are.
        """
        looped = self.jit_compile and self.use_loop
        return 1 if looped or not self.in_one else self.unroll

    @cached_property
    def parts(self) -> tuple[tuple[Lowering, ...], tuple[Lowering, ...]]:
        """The groups that can run ahead of the loop, and those that cannot."""
        if not self.in_one:
            return (), self.lowerings
        return computed_ahead(self.lowerings, self.layout)

    @cached_property
    def handed_over(self) -> tuple[int, ...]:
        """The blocks that the loop reads of what is computed ahead of it."""
        probed = (recording.view for recording in self.recordings)
        return handed_over(self.layout, self.parts[1], probed)

    def mode(self, n_steps: int, held: bool) -> Ahead:
        """Return what a run computes ahead of its loop: nothing, all steps, or once.

        Parameters
        ----------
        n_steps : int
            Steps of the whole run.
        held : bool
            Whether the inputs are the same in all steps.
        """
        if not self.parts[0]:
            return Ahead.NEVER
        if held:
            return Ahead.ONCE
        room = self.capacity(Form(Ahead.EACH))
        return (
            Ahead.EACH if room >= MIN_AT_ONCE and 2 * n_steps >= room else Ahead.NEVER
        )

    def capacity(self, form: Form = LONG) -> int:
        """Return the most steps of one call; also the length of its buffers."""
        if form not in self._capacities:
            self._capacities[form] = self._capacity(form)
        return self._capacities[form]

    def _capacity(self, form: Form) -> int:
        if not self.use_loop:
            return self.unroll
        layout = self.layout
        blocks = [] if form.ahead is Ahead.ONCE else [*layout.of_role(Role.INPUT)]
        blocks += layout.of_role(Role.AHEAD) if form.ahead is Ahead.EACH else ()
        sizes = [recording.view.size for recording in self.recordings]
        sizes += [layout.blocks[i].size for i in blocks]
        row = sum(sizes) * self.minibatch_size * self.dtype.size
        most = MAX_AT_ONCE if form.ahead is Ahead.EACH else MAX_CAPACITY
        if form.brief:
            most = min(most, BRIEF_CAPACITY)
        return max(1, min(most, MAX_BUFFER_BYTES // max(row, 1)))

    def rows(self, form: Form) -> int:
        """Return how many rows input blocks have."""
        return 1 if form.ahead is Ahead.ONCE else self.capacity(form)

    def __call__(
        self,
        params: Sequence[tf.Tensor],
        state: Sequence[tf.Tensor],
        inputs: Sequence[tf.Tensor],
        first_step: int,
        n_steps: int,
        form: Form = LONG,
    ) -> LoopResult:
        """Run some steps.

        Parameters
        ----------
        params : sequence of tf.Tensor, shape (size,)
            The parameter blocks, in the order of the layout.
        state : sequence of tf.Tensor, shape (batch, size)
            The carried blocks.
        inputs : sequence of tf.Tensor, shape (rows, batch, size)
            The input blocks; see `rows`. They have no items but `own_items`.
        first_step : int
            Number of the step before the first.
        n_steps : int
            How many steps, at most `capacity`.
        form : Form
            In which form.
        """
        with nullcontext() if self.device is None else tf.device(self.device):
            if not self.in_one:
                return self._drive(params, state, inputs, first_step, n_steps)
            rows = [
                tf.constant(recording.rows(first_step, n_steps, self.capacity(form)))
                for recording in self.sampled
            ]
            arguments = [self._count(n_steps), *params, *state, *inputs, *rows]
            call = self._calls.get(form)
            if call is None:
                key = self._key(form)
                make = partial(self._trace, arguments, form, key)
                call = self._calls[form] = traces.shared.get(key, make)
            self._callbacks.begin(first_step)
            with self._callbacks.interruptible():
                outputs = call(*arguments)
        end = 1 + len(state)
        arrays = [array_of(buffer) for buffer in outputs[end:]]
        views = [recording.view for recording in self.recordings]
        samples = by_recording(self.step.buffers, arrays, views)
        # only Python code can end the loop sooner
        done = int(outputs[0]) if self.calls_python else n_steps
        return LoopResult(outputs[1:end], samples, done, self._callbacks.error)

    def bind(self, form: Form) -> OneStep | None:
        """Return what runs one step in a form in which the program has run before.

        None where Python drives the loop, or the program has not run so.
        """
        call = self._calls.get(form)
        if call is None:
            return None
        return OneStep(
            call,
            self._count(1),
            self._callbacks,
            self.sampled,
            self.capacity(form),
            self.device,
        )

    def _count(self, n_steps: int) -> tf.Tensor:
        """Return a number of steps as a tensor; making one takes 7 us."""
        if n_steps > BRIEF_CAPACITY:
            return tf.constant(n_steps)
        if n_steps not in self._brief_counts:
            self._brief_counts[n_steps] = tf.constant(n_steps)
        return self._brief_counts[n_steps]

    def _drive(
        self,
        params: Sequence[tf.Tensor],
        state: Sequence[tf.Tensor],
        inputs: Sequence[tf.Tensor],
        first_step: int,
        n_steps: int,
    ) -> LoopResult:
        if self._driven is None:
            self._driven = DrivenLoop(self.step, self.jit_compile)
            self.traces += 1
        return self._driven.run(params, state, inputs, first_step, n_steps)

    def _key(self, form: Form) -> Hashable | None:
        """Return all that the traced loop depends on; None where Python is called."""
        if self.calls_python or self.replicas is not None:
            return None
        return fingerprint(
            [(b.size, b.kind, b.role.name) for b in self.layout.blocks],
            self.lowerings,
            [(r.view, r.period, r.keep_history) for r in self.recordings],
            form.ahead.name,
            self.capacity(form),
            self.minibatch_size,
            self.dtype.name,
            self.unrolled,
            self.use_loop,
            self.jit_compile,
            self.device,
        )

    def _trace(
        self, arguments: Sequence[tf.Tensor], form: Form, key: Hashable | None
    ) -> Callable[..., Any]:
        """Trace the compiled loop, once for any number of steps.

        Parameters
        ----------
        arguments : sequence of tf.Tensor
            What it will be called with.
        form : Form
            In which form it runs.
        key : Hashable or None
            What it depends on, as `_key` says.
        """
        layout = self.layout
        step = self.step
        ahead, looped = (
            ((), self.lowerings) if form.ahead is Ahead.NEVER else self.parts
        )
        params, inputs = layout.of_role(Role.PARAM), layout.of_role(Role.INPUT)
        loop = CompiledLoop(
            replace(step, lowerings=looped),
            self._callbacks,
            self.capacity(form),
            self.unrolled,
            self.use_loop,
        )

        def program(n_steps: tf.Tensor, *flat: tf.Tensor) -> list[tf.Tensor]:
            remaining = iter(flat)
            values = step.open({i: next(remaining) for i in params})
            state = [next(remaining) for _ in step.carried]
            series = {i: next(remaining) for i in inputs}
            if ahead:
                known = replace(step, lowerings=ahead)
                series |= compute(known, values, series, self.handed_over)
            completed, final, buffers = loop.trace(
                values, state, series, list(remaining), n_steps
            )
            return [completed, *final, *buffers]

        function = tf.function(
            program,
            jit_compile=self.jit_compile,
            autograph=False,
            experimental_attributes=free_order() if only_own(key) else None,
        )
        specs = [tf.TensorSpec(t.shape, t.dtype) for t in arguments]
        if self.replicas is not None:
            function = self._divided(program, specs)

        def trace() -> Any:
            self.traces += 1
            start = time.perf_counter()
            traced = function.get_concrete_function(*specs)
            self.trace_seconds += time.perf_counter() - start
            return traced

        if self.replicas is None:
            return kept(key, trace, self.jit_compile)
        return lost_workers()(flat_call(trace(), False))

    def _divided(
        self, program: Callable[..., Any], specs: Sequence[tf.TensorSpec]
    ) -> Callable[..., Any]:
        """Return the loop over a whole minibatch, part by part on all devices."""
        assert self.replicas is not None
        replicas, layout = self.replicas, self.layout
        n_params = len(layout.of_role(Role.PARAM))
        n_state, n_inputs = len(self.step.carried), len(layout.of_role(Role.INPUT))
        ends = (1 + n_params, n_state, n_inputs)

        def sorted_out(flat: Sequence[Any]) -> Iterator[list[Any]]:
            rest = list(flat)
            for count in ends:
                yield rest[:count]
                rest = rest[count:]
            yield rest

        def part(*flat: tf.Tensor) -> list[tf.Tensor]:
            # rows of samples come before what each item has of its own
            n_rows = len(flat) - sum(ends)
            shared, own = flat[: ends[0] + n_rows], flat[ends[0] + n_rows :]
            state, inputs = own[:n_state], map(time_first, own[n_state:])
            _, *found = program(*shared[: ends[0]], *state, *inputs, *shared[ends[0] :])
            return [*found[:n_state], *map(items_first, found[n_state:])]

        def whole(*flat: tf.Tensor) -> list[tf.Tensor]:
            head, state, inputs, rows = sorted_out(flat)
            found = divided.run(
                replicas,
                compiled,
                [*head, *rows],
                state,
                n_state + len(self.step.buffers),
                local=[*map(items_first, inputs)],
            )
            return [flat[0], *found[:n_state], *map(time_first, found[n_state:])]

        head, state, inputs, rows = sorted_out(specs)
        own = [tf.TensorSpec((self.part, *s.shape[1:]), s.dtype) for s in state]
        own += [
            tf.TensorSpec((self.part, s.shape[0], *s.shape[2:]), s.dtype)
            for s in inputs
        ]
        compiled = tf.function(
            part, jit_compile=self.jit_compile, autograph=False
        ).get_concrete_function(*head, *rows, *own)
        return tf.function(whole, autograph=False)


def items_first(values: tf.Tensor) -> tf.Tensor:
    """Exchange the axes of time and of items, which are the first two."""
    return tf.transpose(values, (1, 0, *range(2, len(values.shape))))


#: the same exchange, the other way round
time_first = items_first
