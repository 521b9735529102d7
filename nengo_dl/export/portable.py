"""The time steps of a simulator as TensorFlow functions of named tensors.

Every format is made of these functions. They trace the `TimeStep` that the simulation
runs, with its groups in its order, so that they round as the simulation does; what they
do not have is Python, random streams and anything else that belongs to the process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal

from nengo_dl.export.portable_names import portable_names
from nengo_dl.graph.inputs import Input, Source
from nengo_dl.graph.roles import Role
from nengo_dl.graph.signals import initial_elements
from nengo_dl.lowering.indexing import for_all_items
from nengo_dl.lowering.values import SignalValues
from nengo_dl.program.program import Program
from nengo_dl.program.python_round import PythonCalls
from nengo_dl.program.recording import Recording
from nengo_dl.program.step import TimeStep

#: tensors by name
Named = dict[str, tf.Tensor]


@dataclass(frozen=True, eq=False)
class Portable:
    """A network as pure functions of tensors by name.

    Attributes
    ----------
    program : Program
        What the simulation runs.
    names : dict of {Node, Probe or int: str}
        Names of the Nodes that are fed, of the Probes that are asked for, and of the
        carried blocks.
    params : tuple of np.ndarray, shape (size,)
        The parameter blocks.
    state : tuple of np.ndarray, shape (minibatch_size or 1, size)
        The carried blocks at the beginning.
    minibatch_size : int or None
        Number of items; None: any number.
    n_steps : int or None
        How many steps `run` takes; None: any number.
    recorded : dict of {Signal: np.ndarray}, shape (n_recorded, size)
        Values of inputs that were computed before; they begin anew after the last.
    """

    program: Program
    names: Mapping[nengo.Node | nengo.Probe | int, str]
    params: tuple[np.ndarray, ...]
    state: tuple[np.ndarray, ...]
    minibatch_size: int | None
    n_steps: int | None
    recorded: Mapping[Signal, np.ndarray]

    # -- what goes in and out

    @property
    def dtype(self) -> tf.DType:
        """Floating point type of inputs and outputs."""
        return self.program.dtype

    @property
    def nodes(self) -> tuple[nengo.Node, ...]:
        """The Nodes that are fed."""
        return tuple(key for key in self.names if isinstance(key, nengo.Node))

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """What is recorded of the Probes that are asked for."""
        return tuple(r for r in self.program.recordings if r.probe in self.names)

    @property
    def probes(self) -> tuple[nengo.Probe, ...]:
        """The Probes that are asked for."""
        return tuple(recording.probe for recording in self.recordings)

    @cached_property
    def counter(self) -> str | None:
        """Name of the state that counts steps; None if nothing was recorded."""
        return self.names[-1] if self.recorded else None

    @property
    def input_names(self) -> list[str]:
        """What the inputs are called."""
        return [self.names[node] for node in self.nodes]

    @property
    def output_names(self) -> list[str]:
        """What the outputs are called."""
        return [self.names[probe] for probe in self.probes]

    @property
    def param_names(self) -> list[str]:
        """What the parameter blocks are called."""
        layout = self.program.layout
        keys = {i: layout.blocks[i].key for i in layout.of_role(Role.PARAM)}
        return list(portable_names(keys).values())

    @property
    def n_recorded(self) -> int | None:
        """How many steps were recorded of what Python computes."""
        return next((len(rows) for rows in self.recorded.values()), None)

    @property
    def state_names(self) -> list[str]:
        """What the state is called."""
        names = [self.names[i] for i in self._step.carried]
        return names if self.counter is None else [*names, self.counter]

    def initial_state(self) -> dict[str, np.ndarray]:
        """Return where a simulation begins, shape (minibatch_size or 1, size) each."""
        values = list(self.state)
        if self.counter is not None:
            values.append(np.zeros((len(values[0]) if values else 1, 1), np.int32))
        return dict(zip(self.state_names, values, strict=True))

    def step_specs(self) -> dict[str, tf.TensorSpec]:
        """Return shape and type of what `step` takes."""
        batch = self.minibatch_size
        state = {
            name: tf.TensorSpec((batch, value.shape[1]), value.dtype, name=name)
            for name, value in self.initial_state().items()
        }
        inputs = {
            name: tf.TensorSpec((batch, node.size_out), self.dtype, name=name)
            for node, name in zip(self.nodes, self.input_names, strict=True)
        }
        return {**state, **inputs}

    def run_specs(self) -> dict[str, tf.TensorSpec]:
        """Return shape and type of what `run` takes."""
        batch, n_steps = self.minibatch_size, self.n_steps
        if not self.nodes:
            if n_steps is not None:
                return {}
            return {"n_steps": tf.TensorSpec((), tf.int32, name="n_steps")}
        return {
            name: tf.TensorSpec((batch, n_steps, node.size_out), self.dtype, name=name)
            for node, name in zip(self.nodes, self.input_names, strict=True)
        }

    # -- what is computed

    def step(
        self, params: Sequence[tf.Tensor] | None, tensors: Mapping[str, tf.Tensor]
    ) -> Named:
        """Take one time step.

        Parameters
        ----------
        params : sequence of tf.Tensor, shape (size,), or None
            The parameter blocks; None: as constants.
        tensors : mapping of str to tf.Tensor, shape (batch, size)
            Inputs and state by name.

        Returns
        -------
        dict of {str: tf.Tensor}
            Outputs, shape (batch, ...), and the next state.
        """
        state = [tensors[name] for name in self.state_names]
        outputs, after = self._once(self._opened(params), state, tensors)
        return {
            **dict(zip(self.output_names, outputs, strict=True)),
            **dict(zip(self.state_names, after, strict=True)),
        }

    def run(
        self,
        params: Sequence[tf.Tensor] | None,
        tensors: Mapping[str, tf.Tensor],
        scatter: bool = False,
    ) -> Named:
        """Run from the beginning of a simulation.

        Parameters
        ----------
        params : sequence of tf.Tensor, shape (size,), or None
            The parameter blocks; None: as constants.
        tensors : mapping of str to tf.Tensor, shape (batch, n_steps, size)
            Inputs by name; ``n_steps`` where there are none.
        scatter : bool
            Whether outputs are written into tensors, rather than into arrays of
            tensors, whose items some runtimes want to know the shape of.

        Returns
        -------
        dict of {str: tf.Tensor}, shape (batch, n_steps, ...)
            Outputs; of Probes that keep no history the last step.
        """
        batch, n_steps = self._extent(tensors)
        values = self._opened(params)
        series = {name: _exchange(tensors[name]) for name in self.input_names}
        state = tuple(
            tf.broadcast_to(value, (batch, value.shape[1]))
            for value in self.initial_state().values()
        )
        buffers = tuple(
            _room(
                recording,
                n_steps if recording.keep_history else 1,
                batch,
                self._step.sample_dtype(recording),
                scatter,
            )
            for recording in self.recordings
        )

        def one(i: tf.Tensor, state: tuple, buffers: tuple) -> tuple:
            now = {name: tf.gather(rows, i) for name, rows in series.items()}
            outputs, after = self._once(values, state, now)
            kept = zip(self.recordings, buffers, outputs, strict=True)
            written = tuple(
                _with_row(buffer, i if recording.keep_history else 0, output)
                for recording, buffer, output in kept
            )
            return i + 1, tuple(after), written

        _, _, buffers = tf.while_loop(
            lambda i, *_: i < n_steps, one, (tf.constant(0), state, buffers)
        )
        outputs = (_exchange(_rows(buffer)) for buffer in buffers)
        return dict(zip(self.output_names, outputs, strict=True))

    # -- parts of it

    @cached_property
    def _step(self) -> TimeStep:
        return replace(self.program.step, minibatch_size=self.minibatch_size)

    @cached_property
    def _fed(self) -> dict[Signal, Input]:
        return {item.signal: item for item in self.program.inputs}

    def _opened(self, params: Sequence[tf.Tensor] | None) -> SignalValues:
        """Return the parameters, read once for all steps."""
        blocks = self.program.layout.of_role(Role.PARAM)
        if params is None:
            params = [tf.constant(value) for value in self.params]
        return self._step.open(dict(zip(blocks, params, strict=True)))

    def _extent(self, tensors: Mapping[str, tf.Tensor]) -> tuple:
        """Return the number of items and of steps, as numbers if they are known."""
        batch, n_steps = self.minibatch_size, self.n_steps
        if self.nodes:
            shape = tf.shape(tensors[self.input_names[0]])
            batch = shape[0] if batch is None else batch
            n_steps = shape[1] if n_steps is None else n_steps
        elif n_steps is None:
            n_steps = tensors["n_steps"]
        return batch, n_steps

    def _once(
        self,
        values: SignalValues,
        state: Sequence[tf.Tensor],
        inputs: Mapping[str, tf.Tensor],
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """Take one step from values and state in their order; return both anew."""
        step, layout = self._step, self.program.layout
        carried = state[: len(step.carried)]
        count = state[-1] if self.recorded else None
        n_items = self.minibatch_size
        if n_items is None:
            n_items = tf.shape([*carried, *inputs.values()][0])[0]
        blocks = {
            i: self._block(layout.blocks[i].signals, inputs, count, n_items)
            for i in layout.of_role(Role.INPUT)
        }
        now = step.begin(values, carried, blocks)
        step.run(now, _Fed(self._functions(inputs)))
        outputs = [step.sample(now, recording) for recording in self.recordings]
        after = list(step.state(now))
        return outputs, after if count is None else [*after, count + 1]

    def _block(
        self,
        signals: Sequence[Signal],
        inputs: Mapping[str, tf.Tensor],
        count: tf.Tensor | None,
        n_items: int | tf.Tensor,
    ) -> tf.Tensor:
        """Return the values of an input block, shape (batch, size)."""
        parts = [
            for_all_items(self._values(signal, inputs, count), n_items)
            for signal in signals
        ]
        return parts[0] if len(parts) == 1 else tf.concat(parts, axis=-1)

    def _functions(self, inputs: Mapping[str, tf.Tensor]) -> dict[Operator, tf.Tensor]:
        """Return what stands in for functions that the simulation calls in its loop."""
        return {
            item.op: inputs[self.names[item.node]]
            for item in self.program.inputs
            if item.source is Source.IN_STEP and item.node in self.names
        }

    def _values(
        self, signal: Signal, inputs: Mapping[str, tf.Tensor], count: tf.Tensor | None
    ) -> tf.Tensor:
        """Return the values of an input in this step, shape (batch or 1, size)."""
        node = self._fed[signal].node
        if node in self.names:
            return inputs[self.names[node]]
        if signal in self.recorded:
            rows = self.recorded[signal].astype(self.dtype.as_numpy_dtype)
            assert count is not None
            return tf.gather(tf.constant(rows), count[:, 0] % len(rows))
        values = initial_elements(signal).astype(self.dtype.as_numpy_dtype)
        return tf.constant(values)[None]


class _Fed:
    """Puts data in the place of what functions of time would return.

    Parameters
    ----------
    values : mapping of Operator to tf.Tensor, shape (batch, size)
        What is fed, by the operator that would call the function.
    """

    def __init__(self, values: Mapping[Operator, tf.Tensor]) -> None:
        self._values = values

    def call(self, calls: PythonCalls, now: SignalValues) -> None:
        """Write the data where the functions' results would go."""
        for lowering in calls.lowerings:
            (op,) = lowering.called
            lowering.store(now, [self._values[op] for _ in lowering.writes])


def _room(
    recording: Recording,
    n_rows: int | tf.Tensor,
    batch: int | tf.Tensor,
    dtype: tf.DType,
    scatter: bool,
) -> Any:
    """Return room for the samples of a Probe: a tensor, or an array of tensors."""
    shape = recording.view.shape
    if scatter:
        return tf.zeros((n_rows, batch, *shape), dtype)
    known = None if tf.is_tensor(batch) else batch
    return tf.TensorArray(dtype, size=n_rows, element_shape=(known, *shape))


def _with_row(buffer: Any, i: int | tf.Tensor, value: tf.Tensor) -> Any:
    """Return room for samples with one more in it."""
    if isinstance(buffer, tf.TensorArray):
        return buffer.write(i, value)
    return tf.tensor_scatter_nd_update(buffer, [[i]], value[None])


def _rows(buffer: Any) -> tf.Tensor:
    """Return all samples, shape (n_steps, batch, ...)."""
    return buffer.stack() if isinstance(buffer, tf.TensorArray) else buffer


def _exchange(values: tf.Tensor) -> tf.Tensor:
    """Exchange the axes of items and steps."""
    return tf.transpose(values, (1, 0, *range(2, values.shape.rank)))
