"""The loop over time with Python in it: compiled stages, driven step by step.

XLA cannot compile a call of Python, so a step that has some is cut into stages. The
last stage of a step and the first of the next are one compiled function; with one round
of Python calls in the step, the loop therefore is one compiled call and one round of
Python calls. Measured alternatives, for one call of a small function per step: a
`tf.while_loop` around compiled segments with `tf.numpy_function` between them took 100
to 200 us, because each call changes threads twice; this loop takes about 45 us.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from nengo_dl.graph.roles import Role
from nengo_dl.lowering.registry import Lowering
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.layout import SignalLayout
from nengo_dl.program.calling import flat_call
from nengo_dl.program.loop import LoopResult, sample
from nengo_dl.program.recording import Recording
from nengo_dl.program.stages import Flat, PythonCalls, Stage, cut


@dataclass
class _Compiled:
    """A traced function with flat arguments, and what its outputs are.

    Attributes
    ----------
    call : callable
        From flat tensors to flat tensors.
    specs : list of tf.TensorSpec
        Shape and type of each output.
    places : dict of {str: list of int}
        Which outputs are the ``env`` that the next function needs, the ``arguments`` of
        the Python calls before it, and at the end of a step ``state`` and ``samples``.
    structure : list
        What the tensors of ``env`` are pieces of.
    counts : list of int
        Number of arguments of each Python call.
    """

    call: Callable[..., Sequence[tf.Tensor]]
    specs: list[tf.TensorSpec]
    places: dict[str, list[int]]
    structure: list
    counts: list[int]

    def pick(self, outputs: Sequence[tf.Tensor], what: str) -> list[tf.Tensor]:
        """Return some of the outputs by name."""
        return [outputs[i] for i in self.places[what]]


class DrivenLoop:
    """Run time steps one by one, Python calls between compiled stages.

    Parameters
    ----------
    lowerings : sequence of Lowering
        In the plan's order.
    layout : SignalLayout
        Where their signals live.
    recordings : sequence of Recording
        What is kept.
    minibatch_size : int
        Number of items in the batch.
    dtype : tf.DType
        Floating point type.
    jit_compile : bool
        Whether XLA compiles the stages.
    """

    def __init__(
        self,
        lowerings: Sequence[Lowering],
        layout: SignalLayout,
        recordings: Sequence[Recording],
        minibatch_size: int,
        dtype: tf.DType,
        jit_compile: bool,
    ) -> None:
        self.stages = cut(lowerings)
        self._layout = layout
        self._recordings = recordings
        self._minibatch_size = minibatch_size
        self._dtype = dtype
        self._jit_compile = jit_compile
        self._views = [view for low in lowerings for view in low.views]
        self._carried = layout.carried()
        self._compiled: list[_Compiled] = []

    def run(
        self,
        params: Sequence[tf.Tensor],
        state: Sequence[tf.Tensor],
        inputs: Sequence[tf.Tensor],
        first_step: int,
        n_steps: int,
    ) -> LoopResult:
        """Run some steps; arguments as for `Program`.

        If Python code fails, the steps before are complete: their state and rows are
        returned, with the error.
        """
        if not self._compiled:
            self._compile(params, state, inputs)
        first, *rest = self._compiled
        rows: list[list[np.ndarray]] = [[] for _ in self._recordings]
        kept = [r.kept(first_step, n_steps) for r in self._recordings]
        fixed = [*params, *inputs]
        outputs = first.call(tf.constant(0), *fixed, *state)
        env, arguments = first.pick(outputs, "env"), first.pick(outputs, "arguments")
        before = first
        for step in range(n_steps):
            for stage, compiled in zip(self.stages[:-1], rest, strict=True):
                calls: PythonCalls = stage.calls  # type: ignore[assignment]
                try:
                    results = calls.host([a.numpy() for a in arguments], before.counts)
                except BaseException as error:
                    return LoopResult(list(state), _stack(rows), step, error)
                outputs = compiled.call(*fixed, *env, *map(tf.constant, results))
                env = compiled.pick(outputs, "env")
                arguments = compiled.pick(outputs, "arguments")
                before = compiled
            state = before.pick(outputs, "state")
            for samples, keep, recording, value in zip(
                rows, kept, self._recordings, before.pick(outputs, "samples"), strict=True
            ):
                if keep[step]:
                    if not recording.keep_history:
                        samples.clear()
                    samples.append(value.numpy())
        return LoopResult(list(state), _stack(rows), n_steps)

    # -- tracing

    def _compile(
        self,
        params: Sequence[tf.Tensor],
        state: Sequence[tf.Tensor],
        inputs: Sequence[tf.Tensor],
    ) -> None:
        """Trace the prologue and one function for each round of Python calls."""
        self._split = (len(params), len(params) + len(inputs))
        fixed = [*map(_spec, params), *map(_spec, inputs)]
        number = tf.TensorSpec((), tf.int32)
        made = [self._function(self._prologue, [number, *fixed, *map(_spec, state)])]
        for j, stage in enumerate(self.stages[:-1]):
            previous = made[-1]
            env = [previous.specs[i] for i in previous.places["env"]]
            results = [
                tf.TensorSpec(shape, tf.as_dtype(dtype))
                for lowering in stage.calls.lowerings  # type: ignore[union-attr]
                for shape, dtype in lowering.results
            ]
            body = partial(self._between, j, previous)
            made.append(self._function(body, [*fixed, *env, *results]))
        # the last function ends where the prologue does, in the first Python calls
        assert made[-1].structure == made[0].structure
        self._compiled = made

    def _prologue(self, i: tf.Tensor, *flat: tf.Tensor) -> tuple[Flat, dict, list]:
        """Begin the first step of a chunk."""
        values, series, state = self._open(flat)
        outputs, places = Flat(), {}
        return self._begin(outputs, places, values, state, series, i)

    def _between(
        self, j: int, previous: _Compiled, *flat: tf.Tensor
    ) -> tuple[Flat, dict, list]:
        """Go from the Python calls of stage ``j`` to the next ones."""
        values, series, rest = self._open(flat)
        now = values.begin_step({}, {})
        count = len(previous.places["env"])
        i, *env = rest[:count]
        now.unpack(env, previous.structure)
        self.stages[j].calls.store(now, rest[count:])  # type: ignore[union-attr]
        following = self.stages[j + 1]
        following.trace(now)
        outputs, places = Flat(), {}
        if following.calls is not None:
            return self._close(outputs, places, now, j + 1, i)
        state = [now.block(block) for block in self._carried]
        places["state"] = outputs.add(state)
        samples = [sample(now, recording) for recording in self._recordings]
        places["samples"] = outputs.add(samples)
        return self._begin(outputs, places, values, state, series, i + 1)

    def _open(
        self, flat: Sequence[tf.Tensor]
    ) -> tuple[SignalValues, dict[int, tf.Tensor], list[tf.Tensor]]:
        """Return parameters as values, the input blocks, and the other arguments."""
        params, fixed = self._split
        blocks = self._layout.of_role(Role.PARAM)
        values = SignalValues(
            self._layout,
            dict(zip(blocks, flat[:params], strict=True)),
            self._minibatch_size,
            self._dtype,
        )
        values.hoist(self._views)
        series = zip(self._layout.of_role(Role.INPUT), flat[params:fixed], strict=True)
        return values, dict(series), list(flat[fixed:])

    def _begin(
        self,
        outputs: Flat,
        places: dict[str, list[int]],
        values: SignalValues,
        state: Sequence[tf.Tensor],
        series: dict[int, tf.Tensor],
        i: tf.Tensor,
    ) -> tuple[Flat, dict[str, list[int]], list]:
        """Begin step ``i``: trace its first stage."""
        fed = {}
        for block, array in series.items():
            # behind the last step of a chunk there is no input: a row is read again,
            # and what comes of it is thrown away
            fed[block] = tf.gather(array, tf.minimum(i, array.shape[0] - 1))
        now = values.begin_step(dict(zip(self._carried, state, strict=True)), fed)
        self.stages[0].trace(now)
        return self._close(outputs, places, now, 0, i)

    def _close(
        self,
        outputs: Flat,
        places: dict[str, list[int]],
        now: SignalValues,
        j: int,
        i: tf.Tensor,
    ) -> tuple[Flat, dict[str, list[int]], list]:
        """Add what the Python calls of stage ``j`` and what follows them need."""
        calls: PythonCalls = self.stages[j].calls  # type: ignore[assignment]
        arguments = [lowering.arguments(now) for lowering in calls.lowerings]
        needed = calls.blocks.union(
            self._carried,
            *(stage.blocks for stage in self.stages[j + 1 :]),
            *(recording.view.blocks for recording in self._recordings),
        )
        tensors, structure = now.pack(
            block
            for block in sorted(needed)
            if self._layout.blocks[block].role is not Role.PARAM
        )
        places["env"] = outputs.add([i, *tensors])
        places["arguments"] = outputs.add([t for own in arguments for t in own])
        places["counts"] = [len(own) for own in arguments]
        return outputs, places, structure

    def _function(
        self, python: Callable[..., tuple[Flat, dict, list]], specs: Sequence[Any]
    ) -> _Compiled:
        """Trace a function with flat arguments and outputs."""
        made: dict[str, Any] = {}

        def flat(*tensors: tf.Tensor) -> list[tf.Tensor]:
            outputs, made["places"], made["structure"] = python(*tensors)
            return outputs.tensors

        function = tf.function(flat, jit_compile=self._jit_compile, autograph=False)
        concrete = function.get_concrete_function(*specs)
        specs = [_spec(tensor) for tensor in concrete.outputs]
        counts = made["places"].pop("counts")
        call = flat_call(concrete)
        return _Compiled(call, specs, made["places"], made["structure"], counts)


def _spec(tensor: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec(tensor.shape, tensor.dtype)


def _stack(rows: Sequence[list[np.ndarray]]) -> list[np.ndarray]:
    return [np.stack(samples) if samples else np.zeros((0,)) for samples in rows]
