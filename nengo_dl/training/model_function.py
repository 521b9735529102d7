"""The model as differentiable functions through time, fed minibatch by minibatch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder.signal import Signal

from nengo_dl.graph.gradients import Reach
from nengo_dl.graph.inputs import Input, Source
from nengo_dl.graph.roles import Role
from nengo_dl.graph.signals import initial_elements, size
from nengo_dl.inputs.sources import Sources
from nengo_dl.lowering.indexing import select
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.layout import SignalLayout
from nengo_dl.program.adjoint import Tensors
from nengo_dl.program.built import Built
from nengo_dl.program.compile import compile_through_time
from nengo_dl.program.program import Program
from nengo_dl.program.through_time import Series, ThroughTime


@dataclass(frozen=True, eq=False)
class Form:
    """What some probes see, as a function of parameters, state and inputs.

    Attributes
    ----------
    through_time : ThroughTime
        The function.
    inputs : tuple of Input
        What it has to be fed.
    sources : Sources
        Where that comes from if no data are presented.
    reach : Reach
        What gradients reach.
    layout : SignalLayout
        Where parameters and state live in the simulation.
    step : Signal
        What counts the steps of the simulation.
    """

    through_time: ThroughTime
    inputs: tuple[Input, ...]
    sources: Sources
    reach: Reach
    layout: SignalLayout
    step: Signal

    @property
    def calls_python(self) -> bool:
        """Whether some group of the loop calls Python in each step."""
        return self.through_time.calls_python

    # -- on the host

    def generated(self, presented: Collection[nengo.Node]) -> tuple[Input, ...]:
        """Return the inputs whose values change and that no data are presented for."""
        return tuple(
            item
            for item in self.inputs
            if item.signal in self._fed
            and item.source is not Source.CONSTANT
            and item.node not in presented
        )

    def generate(
        self, presented: Collection[nengo.Node], n_steps: int, first_step: int = 0
    ) -> dict[Signal, np.ndarray]:
        """Compute the values of the generated inputs for the next minibatch.

        Parameters
        ----------
        presented : collection of Node
            The Nodes that data are presented for.
        n_steps : int
            How many steps.
        first_step : int
            Number of the step before the first.

        Returns
        -------
        dict of {Signal: np.ndarray}, shape (n_steps, batch, size)
            The batch axis has length 1 where all items get the same.

        Raises
        ------
        SimulationError
            If a Python function of a Node fails.
        """
        nobody = dict.fromkeys(presented, np.zeros(0))
        functions, _, error = self.sources.call_functions(first_step, n_steps, nobody)
        if error is not None:
            raise error
        self.sources.begin()
        values = {}
        for item in self.generated(presented):
            batch = self._batch if differs(item) else 1
            values[item.signal] = out = np.zeros(
                (n_steps, batch, item.signal.size), self._dtype.as_numpy_dtype
            )
            self.sources.fill(item, first_step, out, {}, functions)
        return values

    # -- in TensorFlow

    def __call__(
        self,
        params: Tensors,
        state: Tensors,
        presented: Mapping[nengo.Node, tf.Tensor],
        generated: Mapping[Signal, tf.Tensor],
        n_steps: int,
        first_step: int | tf.Tensor = 0,
        keep_state: bool = True,
        adapted: dict[Signal, tf.Tensor] | None = None,
    ) -> tuple[dict[nengo.Probe, tf.Tensor], Tensors]:
        """Return what the probes see in one minibatch.

        Parameters
        ----------
        params : sequence of tf.Tensor, shape (size,)
            The parameter blocks of the simulation.
        state : sequence of tf.Tensor, shape (batch, size)
            Where it starts: the carried blocks of the simulation.
        presented : mapping of Node to tf.Tensor, shape (batch, n_steps, size_out)
            What is presented.
        generated : mapping of Signal to tf.Tensor, shape (n_steps, batch or 1, size)
            What `generate` returned.
        n_steps : int
            How many steps.
        first_step : int or tf.Tensor
            Number of the step before the first.
        keep_state : bool
            Whether anybody wants to know where it ends.
        adapted : dict, optional
            Filled with new values of parameters that change without a gradient.

        Returns
        -------
        outputs : dict of {Probe: tf.Tensor}, shape (batch, n_steps, *shape)
            What the probes see.
        state : sequence of tf.Tensor, shape (batch, size)
            Where it ends: the carried blocks of the simulation, or those of the start
            if nobody wants to know. What the probes do not depend on is as it was.
        """
        layout = self.layout
        blocks = dict(zip(layout.of_role(Role.PARAM), params, strict=True))
        blocks.update(zip(layout.carried(), state, strict=True))
        live = SignalValues(layout, blocks, self._batch, self._dtype)
        if self._called:
            first_step = self._hold(presented, first_step)
        series = self._series(presented, generated, n_steps)
        outputs, end = self.through_time(
            live, series, n_steps, first_step=first_step, adapted=adapted
        )
        if not keep_state:
            return outputs, state
        self._move(live, end, n_steps)
        return outputs, [live.block(i) for i in layout.carried()]

    def _series(
        self,
        presented: Mapping[nengo.Node, tf.Tensor],
        generated: Mapping[Signal, tf.Tensor],
        n_steps: int,
    ) -> Series:
        """Return the inputs of all steps, shape (batch, n_steps, size) each."""
        series = {}
        for item in self.inputs:
            if item.signal not in self._fed:
                continue
            if item.node in presented:
                rows = presented[item.node]
            elif item.source is Source.CONSTANT:
                values = initial_elements(item.signal)
                rows = tf.constant(values.astype(self._dtype.as_numpy_dtype))
            else:
                rows = tf.transpose(generated[item.signal], (1, 0, 2))
            shape = (self._batch, n_steps, item.signal.size)
            series[item.signal] = tf.broadcast_to(rows, shape)
        return series

    def _hold(
        self, presented: Mapping[nengo.Node, tf.Tensor], first_step: int | tf.Tensor
    ) -> tf.Tensor:
        """Keep what stands in for calls of Python; the step number comes after it."""
        held = [item for item in self._called if item.node in presented]
        place = self.through_time.loop.presented

        def host(step: np.ndarray, *arrays: np.ndarray) -> np.ndarray:
            pairs = zip(held, arrays, strict=True)
            place.values = {item.op: np.array(array) for item, array in pairs}
            place.first_step = int(step)
            return np.int32(step)

        number = tf.numpy_function(
            host,
            [tf.cast(first_step, tf.int32), *(presented[i.node] for i in held)],
            tf.int32,
        )
        number.set_shape(())
        return number

    def _move(self, live: SignalValues, end: Tensors, n_steps: int) -> None:
        """Write the state at the end to where the simulation keeps it."""
        if self.step in self.layout.places:
            counter = self.layout.view([self.step], ())
            live.set(counter, live.read(counter) + n_steps)
        for block, values in zip(self.through_time.carried, end, strict=True):
            stop, kept, stretches = 0, [], []
            for base in block.signals:
                start, stop = stop, stop + size(base)
                place = self.layout.places.get(base)
                if place and self.layout.blocks[place[0]].role.carried:
                    kept.append(base)
                    stretches.append((start, stop))
            if kept:
                length = sum(map(size, kept))
                live.set(self.layout.view(kept, (length,)), select(values, stretches))

    # -- what follows from the attributes

    @property
    def _batch(self) -> int:
        return self.through_time.minibatch_size

    @property
    def _dtype(self) -> tf.DType:
        return self.through_time.dtype

    @cached_property
    def _called(self) -> tuple[Input, ...]:
        """The Nodes whose functions are called in the loop."""
        return tuple(
            item
            for item in self.inputs
            if item.source is Source.IN_STEP and item.node is not None
        )

    @cached_property
    def _fed(self) -> frozenset[Signal]:
        """The signals that have to be fed."""
        through_time = self.through_time
        needed = {signal.base for signal in through_time.outputs.values()}
        for part in (through_time.before, through_time.loop, through_time.after):
            for i in part.layout.of_role(Role.INPUT):
                needed.update(part.layout.blocks[i].signals)
        lifted = {item.signal for item in self.inputs if item.lifted}
        return frozenset(needed & lifted)


def differs(item: Input) -> bool:
    """Return whether an input has other values in each item and each minibatch."""
    return item.source in (Source.PROCESS, Source.DRAWS)


class Forms:
    """The forms of one model, each compiled when it is asked for first.

    Parameters
    ----------
    built : Built
        The built model, and how it is simulated.
    program : Program
        The simulation.
    """

    def __init__(self, built: Built, program: Program) -> None:
        self._built = built
        self._program = program
        self._forms: dict[tuple, Form] = {}

    def exact(self) -> Forms:
        """Return the forms of the same model in double precision."""
        return Forms(self._built.exact(), self._program)

    def of(self, probes: Iterable[nengo.Probe], training: bool) -> Form:
        """Return the model as a function of time, for some probes.

        Parameters
        ----------
        probes : iterable of Probe
            What is asked for.
        training : bool
            Whether rates, or spikes with surrogate gradients, stand in for spikes.
        """
        probes = tuple(dict.fromkeys(probes))
        key = (probes, training)
        if key not in self._forms:
            through_time, inputs, reached = compile_through_time(
                self._built, probes, training
            )
            sources = Sources(
                inputs,
                through_time.loop.lowerings,
                self._built.order,
                self._built.model.dt,
                self._built.minibatch_size,
            )
            self._forms[key] = Form(
                through_time,
                inputs,
                sources,
                reached,
                self._program.layout,
                self._built.model.step,
            )
        return self._forms[key]
