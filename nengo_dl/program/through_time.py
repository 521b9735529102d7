"""A model over some time steps, differentiable by back-propagation through time.

Three parts run one after the other: operators in front of all memory and behind it take
all time steps as one large batch, and TensorFlow differentiates them as it is; the loop
between them is `nengo_dl.program.adjoint.scan`, which has its own way back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TypeAlias

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder.signal import Signal

from nengo_dl.graph.roles import Role
from nengo_dl.graph.signals import coordinates, initial_elements, runs, size
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.layout import Block, SignalLayout
from nengo_dl.program.adjoint import (
    Recorded,
    Specs,
    Tensors,
    in_line,
    scan,
    scan_in_segments,
    specs_of,
)
from nengo_dl.program.loop import check_steps
from nengo_dl.program.rematerialisation import NEVER, Rematerialisation, Storage
from nengo_dl.program.segment import Segment
from nengo_dl.program.step import InGraph, TimeStep

#: values of base Signals for all steps, shape (batch, n_steps, size)
Series = dict[Signal, tf.Tensor]

#: what stands for an output: a Probe, or a Signal that is asked for by itself
Output: TypeAlias = nengo.Probe | Signal


@dataclass(frozen=True)
class ThroughTime:
    """Run a model for some steps: in front of the loop, in it, and behind it.

    What needs no loop runs for all steps at once, with time folded into the batch.

    Attributes
    ----------
    before, loop, after : Segment
        The three parts; see `nengo_dl.graph.phases`.
    outputs : dict of {Probe or Signal: Signal}
        What probes see; and Signals that are asked for by themselves.
    minibatch_size : int
        Number of items in the batch.
    dtype : tf.DType
        Floating point type.
    last_only : frozenset of Probe
        Probes that give the last step only.
    only : int or None
        The only number of steps that there can be: there is no loop then.
    rematerialisation : Rematerialisation
        Whether the way back keeps every state, or computes most of them again.
    """

    before: Segment
    loop: Segment
    after: Segment
    outputs: Mapping[Output, Signal]
    minibatch_size: int
    dtype: tf.DType
    last_only: frozenset[nengo.Probe] = frozenset()
    only: int | None = None
    rematerialisation: Rematerialisation = NEVER

    def __call__(
        self,
        live: SignalValues,
        inputs: Series,
        n_steps: int,
        state: Tensors | None = None,
        first_step: int | tf.Tensor = 0,
        adapted: dict[Signal, tf.Tensor] | None = None,
    ) -> tuple[dict[Output, tf.Tensor], Tensors]:
        """Run all time steps; return the outputs of Probes in each, and the last state.

        Parameters
        ----------
        live : SignalValues
            Current parameters, and the state to start from.
        inputs : dict of {Signal: tf.Tensor}, shape (batch, n_steps, size)
            Values of the inputs.
        n_steps : int
            How many steps.
        state : sequence of tf.Tensor, optional
            Where an earlier call ended, to go on from there.
        first_step : int or tf.Tensor
            Number of the step before the first, for Python code.
        adapted : dict, optional
            Filled with new values of parameters that change without a gradient.

        Returns
        -------
        outputs : dict of {Probe: tf.Tensor}, shape (batch, n_steps, *shape)
            What each probe sees at the end of each step, or of the last.
        state : sequence of tf.Tensor
            Where it ends.

        Raises
        ------
        ValidationError
            If there can be no such number of steps.
        """
        check_steps(n_steps, self.only)
        adapted = {} if adapted is None else adapted
        if state is None:
            state = [_initial(live, b, self.minibatch_size) for b in self.carried]
        length = self.storage(n_steps).length
        if length < n_steps:
            return self._in_segments(
                live, inputs, n_steps, state, first_step, adapted, length
            )
        return self._run(live, inputs, n_steps, state, first_step, adapted)

    def _in_segments(
        self,
        live: SignalValues,
        inputs: Series,
        n_steps: int,
        state: Tensors,
        first_step: int | tf.Tensor,
        adapted: dict[Signal, tf.Tensor],
        length: int,
    ) -> tuple[dict[Output, tf.Tensor], Tensors]:
        """Run all steps so that the way back computes most of them again."""
        params = live.layout.of_role(Role.PARAM)
        state, parts = scan_in_segments(
            partial(self._segment, live.layout, list(inputs)),
            [_initial(live, live.layout.blocks[i], 1) for i in params],
            state,
            [
                *map(_exchange, inputs.values()),
                first_step + tf.range(1, n_steps + 1),
            ],
            n_steps,
            length,
            self._segment_specs,
        )
        values = list(zip(*parts, strict=True))
        outputs = {
            probe: _joined(of_parts, probe in self.last_only)
            for probe, of_parts in zip(self.outputs, values, strict=False)
        }
        for signal, of_parts in zip(self._adapted, values[len(outputs) :], strict=True):
            adapted[signal] = _over_parts(of_parts, length, n_steps)
        return outputs, state

    def _segment(
        self,
        layout: SignalLayout,
        inputs: Sequence[Signal],
        n_steps: int,
        constants: Tensors,
        state: Tensors,
        rows: Tensors,
        recorded: Recorded,
    ) -> tuple[Tensors, list[tf.Tensor]]:
        """Run a stretch of the steps; see `scan_in_segments`."""
        *fed, numbers = rows
        params = dict(zip(layout.of_role(Role.PARAM), constants, strict=True))
        adapted: dict[Signal, tf.Tensor] = {}
        outputs, state = self._run(
            SignalValues(layout, params, self.minibatch_size, self.dtype),
            dict(zip(inputs, map(_exchange, fed), strict=True)),
            n_steps,
            state,
            numbers[0] - 1,
            adapted,
            recorded,
        )
        values = [_exchange(outputs[probe]) for probe in self.outputs]
        return state, [*values, *(adapted[signal] for signal in self._adapted)]

    def _run(
        self,
        live: SignalValues,
        inputs: Series,
        n_steps: int,
        state: Tensors,
        first_step: int | tf.Tensor,
        adapted: dict[Signal, tf.Tensor],
        recorded: Recorded | None = None,
    ) -> tuple[dict[Output, tf.Tensor], Tensors]:
        """Run all steps, or a stretch of them; see `scan` for ``recorded``."""
        series = dict(inputs)
        ends = {signal.base for signal in self.outputs.values()}
        wanted = ends | _fed(self.loop) | _fed(self.after)
        remaining = iter(state)
        first, looped, behind = (
            [next(remaining) for _ in part.layout.carried()] for part in self.parts
        )
        at_once = partial(self._at_once, live, series, adapted, n_steps)
        first = at_once(self.before, first, wanted)
        end: Tensors = looped
        seen_at_end: Series = {}
        if self.loop.lowerings:
            end, seen_at_end = self._through_loop(
                live, series, adapted, n_steps, looped, first_step, recorded
            )
        behind = at_once(self.after, behind, ends)
        return {
            probe: self._sampled(live, {**series, **seen_at_end}, signal, n_steps)[
                :, -1 if probe in self.last_only else 0 :
            ]
            for probe, signal in self.outputs.items()
        }, [*first, *end, *behind]

    @property
    def carried(self) -> list[Block]:
        """The blocks of what is remembered from step to step."""
        return [
            part.layout.blocks[i] for part in self.parts for i in part.layout.carried()
        ]

    @property
    def parts(self) -> tuple[Segment, Segment, Segment]:
        """What runs before the loop, in it and after it."""
        return self.before, self.loop, self.after

    def specs(self, n_steps: int) -> dict[Output, tf.TensorSpec]:
        """Return shape and type of what each probe sees in so many steps."""
        return {
            probe: tf.TensorSpec(
                (
                    self.minibatch_size,
                    min(n_steps, 1) if probe in self.last_only else n_steps,
                    *signal.shape,
                ),
                self.dtype,
            )
            for probe, signal in self.outputs.items()
        }

    def storage(self, n_steps: int) -> Storage:
        """Return what the way back through so many steps needs of the way forward."""
        if self.only is not None:
            return Storage(n_steps, n_steps, 0, 0)
        size = self.dtype.size * self.minibatch_size
        state = size * sum(block.size for block in self.carried)
        # the loop keeps its state in each step; what is around it keeps everything
        around = sum(
            block.size
            for part in (self.before, self.after)
            for block in part.layout.blocks
            if block.role is not Role.PARAM
        )
        return self.rematerialisation.storage(n_steps, state, state + size * around)

    @property
    def calls_python(self) -> bool:
        """Whether some group of the loop calls Python in each step."""
        return self._looped.calls_python

    # -- in front of the loop and behind it

    def _at_once(
        self,
        live: SignalValues,
        series: Series,
        adapted: dict[Signal, tf.Tensor],
        n_steps: int,
        segment: Segment,
        state: Tensors,
        wanted: Collection[Signal],
    ) -> list[tf.Tensor]:
        """Run a segment for all steps; add what is wanted of its results.

        Returns
        -------
        list of tf.Tensor, shape (batch, size)
            What the filters in it remember at the end.
        """
        if not segment.lowerings:
            return []
        layout, batch = segment.layout, self.minibatch_size * n_steps
        params = self._params(segment, live)
        fed = zip(
            layout.of_role(Role.INPUT), self._blocks(segment, series), strict=True
        )
        inputs = {i: tf.reshape(v, (batch, layout.blocks[i].size)) for i, v in fed}
        step = self._step_of(segment, batch)
        values = step.begin(step.values(params), state, inputs)
        step.run(values)
        adapted.update(values.adapted)
        # in the order of the layout: one graph for one model, in each process
        for base, (block, _) in layout.places.items():
            if base in wanted and layout.blocks[block].role is Role.TRANSIENT:
                flat = values.read(layout.view([base], (size(base),)))
                flat = tf.broadcast_to(flat, (batch, size(base)))
                series[base] = tf.reshape(
                    flat, (self.minibatch_size, n_steps, size(base))
                )
        carried = [layout.blocks[i] for i in layout.carried()]
        return [values.read(layout.view(b.signals, (b.size,))) for b in carried]

    # -- the loop

    def _through_loop(
        self,
        live: SignalValues,
        series: Series,
        adapted: dict[Signal, tf.Tensor],
        n_steps: int,
        state: Tensors,
        first_step: int | tf.Tensor,
        recorded: Recorded | None,
    ) -> tuple[Tensors, Series]:
        """Run the loop; add what comes behind it to ``series``.

        Returns
        -------
        state : sequence of tf.Tensor
            Where the loop ends.
        seen_at_end : dict of {Signal: tf.Tensor}
            What Probes see at the end of each step.
        """
        ends = {signal.base for signal in self.outputs.values()}
        behind = _fed(self.after)
        begins = [b for b in self._produced(behind) if self._updated(b)]
        finals = [
            base
            for base in self._produced(ends | behind)
            if base in ends or base not in begins
        ]
        step = partial(self._step, begins, finals)
        given = (
            self._constants(live),
            state,
            [
                *map(_exchange, self._blocks(self.loop, series)),
                first_step + tf.range(1, n_steps + 1),
            ],
        )
        if self.only is not None:
            state, outputs = in_line(step, *given, n_steps)
        else:
            if not self._loop_specs:
                self._loop_specs.extend(specs_of(step, *given))
            specs = (self._loop_specs[0], self._loop_specs[1])
            state, outputs = scan(step, *given, n_steps, recorded, specs)
        values = iter(outputs)
        series.update({base: _exchange(next(values)) for base in begins})
        seen_at_end = {base: _exchange(next(values)) for base in finals}
        for signal, new in zip(self._adapted_in_loop, values, strict=True):
            adapted[signal] = (
                tf.reduce_mean(new, 0) if new.dtype.is_floating else new[-1]
            )
        for base, value in seen_at_end.items():
            series.setdefault(base, value)
        return state, seen_at_end

    def _constants(self, live: SignalValues) -> list[tf.Tensor]:
        """Return the views of parameters that the loop reads, once for all steps."""
        step = self._looped
        values = step.values(self._params(self.loop, live))
        return [values.read(view) for view in step.fixed_views]

    @property
    def _adapted(self) -> list[Signal]:
        return [s for part in self.parts for low in part.lowerings for s in low.adapts]

    @property
    def _adapted_in_loop(self) -> list[Signal]:
        return [signal for low in self.loop.lowerings for signal in low.adapts]

    def _step_of(self, segment: Segment, batch: int) -> TimeStep:
        layout = segment.layout
        carried = tuple(layout.carried())
        return TimeStep(segment.lowerings, layout, carried, batch, self.dtype)

    @cached_property
    def _loop_specs(self) -> list[Sequence[tf.TensorSpec]]:
        """What `specs_of` a step of the loop are, as soon as it was traced."""
        return []

    def _segment_specs(self, n_steps: int) -> Specs | None:
        """Return what `specs_of` a stretch of time are, if that is known."""
        if self._adapted or (self.loop.lowerings and not self._loop_specs):
            return None
        outputs = [
            tf.TensorSpec((s.shape[1], s.shape[0], *s.shape[2:]), s.dtype)
            for s in self.specs(n_steps).values()
        ]
        recorded = self._loop_specs[1] if self._loop_specs else ()
        return outputs, [tf.TensorSpec((n_steps, *s.shape), s.dtype) for s in recorded]

    @cached_property
    def _looped(self) -> TimeStep:
        return self._step_of(self.loop, self.minibatch_size)

    def _step(
        self,
        begins: Sequence[Signal],
        finals: Sequence[Signal],
        constants: Tensors,
        state: Tensors,
        row: Tensors,
        recorded: Recorded,
    ) -> tuple[Tensors, Tensors]:
        """Run one step of the loop; see `scan`."""
        *fed, number = row
        step = self._looped
        params = step.values({})
        params.give(dict(zip(step.fixed_views, constants, strict=True)))
        inputs = zip(step.layout.of_role(Role.INPUT), fed, strict=True)
        now = step.begin(params, state, dict(inputs))
        outputs = [self._value(now, base) for base in begins]
        step.run(now, InGraph(number, recorded))
        outputs += [self._value(now, base) for base in finals]
        outputs += [now.adapted[signal] for signal in self._adapted_in_loop]
        return list(step.state(now)), outputs

    def _value(self, values: SignalValues, base: Signal) -> tf.Tensor:
        flat = values.read(self.loop.layout.view([base], (size(base),)))
        return tf.broadcast_to(flat, (self.minibatch_size, size(base)))

    def _produced(self, bases: Iterable[Signal]) -> list[Signal]:
        """Return those of the bases that the loop computes or carries."""
        layout = self.loop.layout
        given = (Role.PARAM, Role.INPUT)
        return [
            base
            for base in layout.places
            if base in bases and layout.blocks[layout.places[base][0]].role not in given
        ]

    def _updated(self, base: Signal) -> bool:
        """Whether others read the base before it changes at the end of the step."""
        ops = (op for group in self.loop.plan for op in group.ops)
        return any(signal.base is base for op in ops for signal in op.updates)

    # -- values of whole blocks

    def _params(self, segment: Segment, live: SignalValues) -> dict[int, tf.Tensor]:
        blocks = segment.layout.blocks
        return {
            i: _initial(live, blocks[i], 1) for i in segment.layout.of_role(Role.PARAM)
        }

    def _blocks(self, segment: Segment, series: Series) -> list[tf.Tensor]:
        """Return the input blocks of a segment, shape (batch, n_steps, size)."""
        blocks = [segment.layout.blocks[i] for i in segment.layout.of_role(Role.INPUT)]
        return [
            tf.concat([series[base] for base in block.signals], axis=-1)
            if len(block.signals) > 1
            else series[block.signals[0]]
            for block in blocks
        ]

    def _sampled(
        self, live: SignalValues, series: Series, signal: Signal, n_steps: int
    ) -> tf.Tensor:
        """Return the output of a Probe of ``signal``, (batch, n_steps, *shape)."""
        base, shape = signal.base, tuple(signal.shape)
        if base in series:
            rows = series[base]
        else:  # a parameter
            block = Block("", Role.PARAM, "f", False, (base,))
            value = _initial(live, block, 1)
            rows = tf.broadcast_to(value, (self.minibatch_size, n_steps, size(base)))
        if signal is not base:
            index = np.concatenate([np.arange(a, b) for a, b in runs(signal)])
            rows = tf.gather(rows, index, axis=-1)
        if signal.sparse:  # the loop knows the stored elements only
            row, column, _ = coordinates(signal)
            places = np.zeros((row.size, *shape), self.dtype.as_numpy_dtype)
            places[np.arange(row.size), row, column] = 1
            rows = tf.tensordot(rows, places.reshape(row.size, -1), 1)
        return tf.reshape(rows, (self.minibatch_size, n_steps, *shape))


def _joined(parts: Sequence[tf.Tensor], last_only: bool) -> tf.Tensor:
    """Return what a Probe sees in all steps, or the last, from stretches of them.

    Parameters
    ----------
    parts : sequence of tf.Tensor, shape (n_stretches, n_steps, batch, *shape)
        Stretches of equal lengths, and what is left over.
    last_only : bool
        Whether the Probe gives the last step only.
    """
    flat = [tf.reshape(values, (-1, *values.shape[2:])) for values in parts]
    if last_only:
        flat = [flat[-1][-1:]]
    return _exchange(flat[0] if len(flat) == 1 else tf.concat(flat, 0))


def _over_parts(parts: Sequence[tf.Tensor], length: int, n_steps: int) -> tf.Tensor:
    """Return the mean of all steps from those of stretches; of integers the last."""
    if not parts[0].dtype.is_floating:
        return parts[-1][-1]
    lengths = [length, n_steps % length]
    sums = [tf.reduce_sum(v, 0) * n for v, n in zip(parts, lengths, strict=False)]
    return tf.add_n(sums) / n_steps


def _exchange(values: tf.Tensor) -> tf.Tensor:
    """Exchange the axes of items and steps: the loop takes and gives step by step."""
    return tf.transpose(values, (1, 0, *range(2, values.shape.rank)))


def _fed(segment: Segment) -> set[Signal]:
    """Return the bases that a segment gets from outside, parameters aside."""
    layout = segment.layout
    return {
        base for i in layout.of_role(Role.INPUT) for base in layout.blocks[i].signals
    }


def _initial(live: SignalValues, block: Block, minibatch_size: int) -> tf.Tensor:
    """Return the live values of a block's signals, or the initial ones.

    Returns
    -------
    tf.Tensor, shape (size,) for parameters, else (batch, size)
    """
    dtype = live.dtype if block.kind == "f" else tf.int64
    known = [_is_live(live.layout, base, block.role) for base in block.signals]
    if all(known):
        values = live.read(live.layout.view(block.signals, (block.size,)))
    else:
        values = tf.concat(
            [
                live.read(live.layout.view([base], (size(base),)))
                if is_live
                else tf.constant(initial_elements(base).astype(dtype.as_numpy_dtype))
                for base, is_live in zip(block.signals, known, strict=True)
            ],
            axis=-1,
        )
    if block.role.batched:
        values = tf.broadcast_to(values, (minibatch_size, block.size))
    return values


def _is_live(layout: SignalLayout, base: Signal, role: Role) -> bool:
    """Whether the simulation keeps a value of the base, for such a role."""
    if base not in layout.places:
        return False
    kept = layout.blocks[layout.places[base][0]].role
    return kept.carried if role.batched else kept is Role.PARAM
