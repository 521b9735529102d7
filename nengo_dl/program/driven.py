"""The loop over time with Python in it: compiled stages, driven step by step.

XLA cannot compile a call of Python, so a step that has some is cut into stages. The
last stage of a step and the first of the next are one compiled function; with one round
of Python calls in the step, the loop therefore is one compiled call and one round of
Python calls. Measured alternative, for one small function called in each step: a
`tf.while_loop` around compiled segments with `tf.numpy_function` between them took 100
to 200 us a step, because each call changes threads twice; this loop takes 40 to 60 us.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from nengo_dl.graph.roles import Role
from nengo_dl.lowering.values import SignalValues
from nengo_dl.program.calling import flat_call, to_tensor
from nengo_dl.program.loop import LoopResult
from nengo_dl.program.packing import Outputs, Packing
from nengo_dl.program.python_round import PythonCalls
from nengo_dl.program.step import TimeStep


@dataclass
class _Interface:
    """The meaning of the flat outputs of a traced function.

    Attributes
    ----------
    env : list of int
        The outputs that the next function needs.
    structure : list
        What the tensors of ``env``, behind the first, are pieces of.
    host : int
        The one output that Python looks at.
    packing : Packing
        What it consists of: arguments of the calls, then samples of the probes.
    counts : list of int
        Number of arguments of each call.
    state : list of int
        The carried blocks, where a step ends.
    """

    env: list[int]
    structure: list
    host: int
    packing: Packing
    counts: list[int]
    state: list[int]


@dataclass
class _Compiled:
    """A traced function from flat tensors to flat tensors."""

    call: Callable[..., Sequence[tf.Tensor]]
    specs: list[tf.TensorSpec]
    interface: _Interface


class DrivenLoop:
    """Run time steps one by one, Python calls between compiled stages.

    Parameters
    ----------
    step : TimeStep
        What runs again and again.
    jit_compile : bool
        Whether XLA compiles the stages.
    """

    def __init__(self, step: TimeStep, jit_compile: bool) -> None:
        self._step = step
        self._jit_compile = jit_compile
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
        rounds = [
            (stage.calls, Packing(tuple(stage.calls.shapes)), compiled)
            for stage, compiled in zip(self._step.stages[:-1], rest, strict=True)
            if stage.calls is not None
        ]
        rows: list[list[np.ndarray]] = [[] for _ in self._step.recordings]
        kept = [r.kept(first_step, n_steps) for r in self._step.recordings]
        fixed = [*params, *inputs]
        outputs = first.call(tf.constant(0), *fixed, *state)
        now = first.interface
        seen = now.packing.views(outputs[now.host].numpy())
        dtype = self._step.dtype.as_numpy_dtype
        for step in range(n_steps):
            for calls, packing, compiled in rounds:
                # a new array each time: TensorFlow may go on using its memory
                vector = np.empty(packing.size, dtype)
                results = packing.views(vector)
                try:
                    calls.host(first_step + step + 1, seen, now.counts, results)
                except BaseException as error:
                    return LoopResult(list(state), _stack(rows), step, error)
                env = [outputs[i] for i in now.env]
                outputs = compiled.call(
                    *fixed, *env, to_tensor(vector, self._step.dtype)
                )
                now = compiled.interface
                seen = now.packing.views(outputs[now.host].numpy())
            state = [outputs[i] for i in now.state]
            for i, recording in enumerate(self._step.recordings):
                if kept[i][step]:
                    if not recording.keep_history:
                        rows[i].clear()
                    rows[i].append(seen[i - len(rows)])
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
        for j, stage in enumerate(self._step.stages[:-1]):
            previous = made[-1]
            env = [previous.specs[i] for i in previous.interface.env]
            packing = Packing(tuple(stage.calls.shapes))  # type: ignore[union-attr]
            results = tf.TensorSpec((packing.size,), self._step.dtype)
            body = partial(self._between, j, previous.interface, packing)
            made.append(self._function(body, [*fixed, *env, results]))
        # the last function ends where the prologue does, in the first Python calls
        assert made[-1].interface.structure == made[0].interface.structure
        self._compiled = made

    def _prologue(
        self, i: tf.Tensor, *flat: tf.Tensor
    ) -> tuple[list[tf.Tensor], _Interface]:
        """Begin the first step of a chunk."""
        values, series, state = self._open(flat)
        return self._begin(values, series, state, i)

    def _between(
        self, j: int, previous: _Interface, packing: Packing, *flat: tf.Tensor
    ) -> tuple[list[tf.Tensor], _Interface]:
        """Go from the Python calls of stage ``j`` to the next ones."""
        values, series, (i, *env, results) = self._open(flat)
        now = values.begin_step({}, {})
        now.unpack(env, previous.structure)
        self._step.stages[j].calls.store(now, packing.split(results))  # type: ignore[union-attr]
        following = self._step.stages[j + 1]
        following.trace(now)
        if following.calls is not None:
            return self._close(now, j + 1, i)
        state = list(self._step.state(now))
        samples = [
            tf.cast(self._step.sample(now, recording), self._step.dtype)
            for recording in self._step.recordings
        ]
        return self._begin(values, series, state, i + 1, samples)

    def _open(
        self, flat: Sequence[tf.Tensor]
    ) -> tuple[SignalValues, dict[int, tf.Tensor], list[tf.Tensor]]:
        """Return parameters as values, the input blocks, and the other arguments."""
        params, fixed = self._split
        layout = self._step.layout
        blocks = zip(layout.of_role(Role.PARAM), flat[:params], strict=True)
        series = zip(layout.of_role(Role.INPUT), flat[params:fixed], strict=True)
        return self._step.open(dict(blocks)), dict(series), list(flat[fixed:])

    def _begin(
        self,
        values: SignalValues,
        series: dict[int, tf.Tensor],
        state: Sequence[tf.Tensor],
        i: tf.Tensor,
        samples: Sequence[tf.Tensor] = (),
    ) -> tuple[list[tf.Tensor], _Interface]:
        """Begin step ``i``: trace its first stage."""
        fed = {}
        for block, array in series.items():
            # behind the last step of a chunk there is no input: a row is read again,
            # and what comes of it is thrown away
            fed[block] = tf.gather(array, tf.minimum(i, array.shape[0] - 1))
        now = self._step.begin(values, state, fed)
        self._step.stages[0].trace(now)
        return self._close(now, 0, i, state, samples)

    def _close(
        self,
        now: SignalValues,
        j: int,
        i: tf.Tensor,
        state: Sequence[tf.Tensor] = (),
        samples: Sequence[tf.Tensor] = (),
    ) -> tuple[list[tf.Tensor], _Interface]:
        """Return the tensors for the Python calls of stage ``j`` and what follows."""
        calls: PythonCalls = self._step.stages[j].calls  # type: ignore[assignment]
        arguments = calls.arguments(now)
        env, structure = now.pack(
            block
            for block in sorted(self._step.needed_after(j))
            if self._step.layout.blocks[block].role is not Role.PARAM
        )
        seen = [*(tensor for own in arguments for tensor in own), *samples]
        packing = Packing(tuple(tuple(tensor.shape) for tensor in seen))
        host = packing.pack(seen) if seen else tf.zeros(0, self._step.dtype)
        outputs = Outputs()
        interface = _Interface(
            outputs.add([i, *env]),
            structure,
            outputs.add([host])[0],
            packing,
            [len(own) for own in arguments],
            outputs.add(state),
        )
        return outputs.tensors, interface

    def _function(
        self,
        python: Callable[..., tuple[list[tf.Tensor], _Interface]],
        specs: Sequence[Any],
    ) -> _Compiled:
        """Trace a function with flat arguments and outputs."""
        made: list[_Interface] = []

        def flat(*tensors: tf.Tensor) -> list[tf.Tensor]:
            outputs, interface = python(*tensors)
            made.append(interface)
            return outputs

        function = tf.function(flat, jit_compile=self._jit_compile, autograph=False)
        concrete = function.get_concrete_function(*specs)
        specs = [_spec(tensor) for tensor in concrete.outputs]
        return _Compiled(flat_call(concrete, self._jit_compile), specs, made[-1])


def _spec(tensor: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec(tensor.shape, tensor.dtype)


def _stack(rows: Sequence[list[np.ndarray]]) -> list[np.ndarray]:
    return [np.stack(samples) if samples else np.zeros((0,)) for samples in rows]
