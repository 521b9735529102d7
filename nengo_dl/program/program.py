"""A model as one function: ``(params, state, inputs, n_steps) -> (state', rows)``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from nengo_dl.graph.inputs import Input
from nengo_dl.graph.roles import Role
from nengo_dl.lowering.python_call import PythonCalls
from nengo_dl.lowering.registry import Lowering
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import Plan
from nengo_dl.plan.layout import SignalLayout
from nengo_dl.program.loop import LoopResult, drive
from nengo_dl.program.recording import Recording
from nengo_dl.program.step import Step

#: no more steps than this in one call: chunks give progress bars and Ctrl-C a chance,
#: and a call costs about as much as 100 steps of a small model
MAX_CAPACITY = 1000

#: bytes that the inputs and rows of one call may take
MAX_BUFFER_BYTES = 16 * 2**20


@dataclass(frozen=True, eq=False)
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
    python : PythonCalls
        The Python side of calls in the loop.
    minibatch_size : int
        Number of items in the batch.
    dtype : tf.DType
        Floating point type.
    unroll : int
        Steps in one iteration of the loop.
    jit_compile : bool
        Whether XLA compiles what it can.
    device : str or None
        Where it runs.
    """

    plan: Plan
    layout: SignalLayout
    lowerings: tuple[Lowering, ...]
    inputs: tuple[Input, ...]
    recordings: tuple[Recording, ...]
    python: PythonCalls
    minibatch_size: int
    dtype: tf.DType
    unroll: int
    jit_compile: bool
    device: str | None

    def __post_init__(self) -> None:
        whole = self.jit_compile and not self.calls_python
        function = tf.function(self._trace, jit_compile=whole, autograph=False)
        object.__setattr__(self, "_function", function)

    @property
    def calls_python(self) -> bool:
        """Whether some group calls Python, so that the loop is cut in segments."""
        return self.calls_per_step > 0

    @property
    def calls_per_step(self) -> int:
        """How often Python is called in each step."""
        return sum(not lowering.xla for lowering in self.lowerings)

    @property
    def traces(self) -> int:
        """How often the program was traced."""
        return int(self._function.experimental_get_tracing_count())  # type: ignore[attr-defined]

    @property
    def capacity(self) -> int:
        """The most steps of one call; also the length of its input buffers."""
        sizes = [self.layout.blocks[i].size for i in self.layout.of_role(Role.INPUT)]
        sizes += [recording.view.size for recording in self.recordings]
        row = sum(sizes) * self.minibatch_size * self.dtype.size
        return max(1, min(MAX_CAPACITY, MAX_BUFFER_BYTES // max(row, 1)))

    def __call__(
        self,
        params: Sequence[tf.Tensor],
        state: Sequence[tf.Tensor],
        inputs: Sequence[tf.Tensor],
        rows: Sequence[tf.Tensor],
        n_steps: int,
    ) -> LoopResult:
        """Run some steps.

        Parameters
        ----------
        params : sequence of tf.Tensor, shape (size,)
            The parameter blocks, in the order of the layout.
        state : sequence of tf.Tensor, shape (batch, size)
            The carried blocks.
        inputs : sequence of tf.Tensor, shape (capacity, batch, size)
            The input blocks.
        rows : sequence of tf.Tensor, shape (capacity,)
            See `Recording.rows`; one for each recording that is not of every step.
        n_steps : int
            How many steps, at most `capacity`.
        """
        with tf.device(self.device):
            final, buffers = self._function(  # type: ignore[attr-defined]
                list(params), list(state), list(inputs), list(rows), tf.constant(n_steps)
            )
        return LoopResult(final, buffers)

    def _trace(
        self,
        params: list[tf.Tensor],
        state: list[tf.Tensor],
        inputs: list[tf.Tensor],
        rows: list[tf.Tensor],
        n_steps: tf.Tensor,
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        layout = self.layout
        carried = layout.carried()
        step = Step(
            self.lowerings,
            [recording.view for recording in self.recordings],
            carried,
            by_segments=self.jit_compile and self.calls_python,
        )
        values = SignalValues(
            layout,
            dict(zip(layout.of_role(Role.PARAM), params, strict=True)),
            self.minibatch_size,
            self.dtype,
        )
        values.hoist(step.views)
        result = drive(
            step,
            values,
            carried,
            state,
            dict(zip(layout.of_role(Role.INPUT), inputs, strict=True)),
            self.recordings,
            rows,
            n_steps,
            self.capacity,
            self.unroll,
        )
        return result.state, result.rows
