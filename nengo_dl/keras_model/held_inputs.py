"""State and generated inputs of minibatches, held in variables while Keras runs.

Keras calls one compiled function again and again. What does not come with its data, the
state of the simulation and the inputs that nobody gives, waits for it in variables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder.signal import Signal
from nengo.exceptions import ValidationError

from nengo_dl.inputs.checks import real_type
from nengo_dl.inputs.endpoints import STEPS
from nengo_dl.program.adjoint import Tensors
from nengo_dl.program.traces import Traces
from nengo_dl.simulation.store import StateStore
from nengo_dl.training.minibatch import adapt
from nengo_dl.training.model_function import (
    ModelFunction,
    ModelFunctions,
    differs,
)
from nengo_dl.training.truncation import steps_of


@dataclass(eq=False)
class _Held:
    """Generated inputs for the minibatches of one call of a compiled function.

    Attributes
    ----------
    slots : int
        How many minibatches these are at most.
    renewed : bool
        Whether each minibatch has values of its own; otherwise each pass.
    slot : tf.Variable
        Number of the minibatch that comes next.
    variables : dict of {Signal: tf.Variable}, shape (slots, batch or 1, n_steps, size)
        The values, minibatch by minibatch.
    waiting : int
        How many minibatches have values; 0 at the beginning of a pass.
    """

    slots: int
    renewed: bool
    slot: tf.Variable
    variables: dict[Signal, tf.Variable] = field(default_factory=dict)
    waiting: int = 0

    def fill(self, generate: Callable[[int, int], dict[Signal, np.ndarray]]) -> None:
        """Generate inputs for the minibatches of the next call of a compiled function.

        Parameters
        ----------
        generate : callable
            ``generate(k, n)`` returns those of ``n`` minibatches from the k-th on that
            is to come, shape (n or 1, batch or 1, n_steps, size) each.
        """
        used = int(self.slot.numpy()) if self.slots > 1 else 1
        # an epoch may end before all have been used
        left = max(0, self.waiting - used)
        new = generate(left, self.slots - left)
        for signal, values in new.items():
            if signal not in self.variables:
                shape = (self.slots, *values.shape[1:])
                self.variables[signal] = tf.Variable(
                    np.zeros(shape, values.dtype), trainable=False
                )
            variable = self.variables[signal]
            if left:
                kept = variable.numpy()[self.waiting - left : self.waiting]
                count = self.slots - left
                own = np.broadcast_to(values, (count, *values.shape[1:]))
                values = np.concatenate([kept, own])
            variable.assign(np.broadcast_to(values, variable.shape))
        self.waiting = self.slots
        self.slot.assign(0)

    def next(self) -> dict[Signal, tf.Tensor]:
        """Return the values for the next minibatch, in a function that is traced."""
        if self.slots == 1:
            return {signal: v[0] for signal, v in self.variables.items()}
        values = {s: tf.gather(v, self.slot) for s, v in self.variables.items()}
        self.slot.assign_add(1)
        return values


@dataclass
class Frame:
    """State and generated inputs of the minibatch whose function is being traced.

    Attributes
    ----------
    state : sequence of tf.Tensor, shape (batch, size)
        Where the minibatch starts: the carried blocks of the simulation.
    generated : mapping of Signal to tf.Tensor, shape (batch or 1, n_steps or 1, size)
        What it is fed.
    first_step : int or tf.Tensor
        Number of the step before the first.
    n_steps : int
        Steps of the whole minibatch.
    skipped : int or tf.Tensor
        Steps of it that earlier parts have run.
    carried : sequence of tf.Tensor or None
        Where the part before this one ended.
    """

    state: Tensors
    generated: Mapping[Signal, tf.Tensor]
    first_step: int | tf.Tensor
    n_steps: int
    skipped: int | tf.Tensor = 0
    carried: Tensors | None = None


class Pass:
    """A pass over data: run the model on one minibatch after the other, for Keras.

    Parameters
    ----------
    functions : ModelFunctions
        The model as functions of parameters, state and inputs.
    store : StateStore
        Parameters and state of the simulation.
    names : dict of {Node or Probe: str}
        What inputs and outputs are called.
    probes : sequence of Probe
        The outputs.
    training : bool
        Whether rates, or spikes with surrogate gradients, stand in for spikes.
    device : str or None
        Where it runs.
    adapts : bool
        Whether averages over minibatches change, as they do in training.

    Attributes
    ----------
    nodes : dict of {str: Node}
        The inputs by name.
    first_step : int
        Number of time steps that are over where a pass begins.
    probes : tuple of Probe
        As given; may be changed between passes.
    stateful : bool
        Whether each minibatch goes on where the one before it ended.
    slots : int
        Minibatches in one call of a compiled function, at most.
    compiled : Traces
        What Keras has compiled.
    frame : Frame or None
        What the minibatch gets whose function is being traced; None: what `prepare`
        has put into variables.
    """

    def __init__(
        self,
        functions: ModelFunctions,
        store: StateStore,
        names: Mapping[Any, str],
        probes: Sequence[nengo.Probe],
        training: bool,
        device: str | None,
        adapts: bool = False,
    ) -> None:
        self._adapts = adapts
        self._functions = functions
        self._store = store
        self._names = names
        self.nodes = {n: obj for obj, n in names.items() if isinstance(obj, nengo.Node)}
        self._training = training
        self._device = device
        self._held: dict[tuple, _Held] = {}
        self._seed: int | None = None
        self.first_step = 0
        self.probes = tuple(probes)
        self.stateful = False
        self.slots = 1
        self.compiled = Traces()
        self.frame: Frame | None = None
        with tf.device(device):
            self._state = [tf.Variable(t, trainable=False) for t in store.state]
            self._clock = tf.Variable(0, trainable=False, dtype=tf.int32)

    @property
    def form(self) -> ModelFunction:
        """The model for the present outputs."""
        return self._functions.of(self.probes, self._training)

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs, in the order of the network."""
        return [self._names[probe] for probe in self.probes]

    # -- on the host

    def begin(self, seed: int, first_step: int) -> None:
        """Start from the state of the simulation.

        Parameters
        ----------
        seed : int
            Of everything random.
        first_step : int
            Number of time steps simulated so far.
        """
        self.first_step = first_step
        self._seed = seed
        self.restore()
        for feed in self._held.values():
            feed.waiting = 0

    def restore(self) -> None:
        """Let the next minibatch start where the simulation is."""
        self._clock.assign(self.first_step)
        for variable, value in zip(self._state, self._store.state, strict=True):
            variable.assign(value)

    def end(self) -> int:
        """Hand the state over to the simulation; return its number of time steps."""
        self._store.state = [tf.convert_to_tensor(v.numpy()) for v in self._state]
        return int(self._clock.numpy())

    def key(self, inputs: Mapping[str, Any]) -> tuple:
        """Return the key of a compiled function: steps, Nodes with data, outputs.

        Parameters
        ----------
        inputs : mapping of str to tf.Tensor or tf.TensorSpec
            What the minibatches look like.

        Raises
        ------
        ValidationError
            If the number of time steps cannot be told from it.
        """
        given = frozenset(name for name in inputs if name in self.nodes)
        return self.n_steps(inputs), given, self.probes, self.stateful, self.slots

    def specs(self, inputs: Mapping[str, Any]) -> dict[str, tf.TensorSpec]:
        """Return shapes and types of the outputs by name, given those of the inputs."""
        specs = self.form.through_time.specs(self.n_steps(inputs))
        return {self._names[probe]: specs[probe] for probe in self.probes}

    def prepare(self, inputs: Mapping[str, Any]) -> None:
        """Write generated inputs into variables, for the next call by Keras."""
        key = self.key(inputs)
        feed = self._held.get(key)
        if feed is not None and feed.waiting and not feed.renewed:
            return
        n_steps, form = key[0], self.form
        if self._seed is not None:
            form.rewind(self._seed)
            self._seed = None
        presented = [self.nodes[name] for name in inputs if name in self.nodes]
        first_step = int(self._clock.numpy())
        stride = n_steps if self.stateful else 0
        with tf.device(self._device):
            if feed is None:
                renewed = self.stateful or any(map(differs, form.generated(presented)))
                slot = tf.Variable(0, trainable=False, dtype=tf.int32)
                feed = _Held(self.slots if renewed else 1, renewed, slot)
                self._held[key] = feed
            feed.fill(
                lambda k, n: form.generate(
                    presented, n_steps, n, first_step + k * stride, stride
                )
            )

    # -- in TensorFlow

    def run(self, params: Tensors, inputs: Mapping[str, tf.Tensor]) -> dict:
        """Return the outputs for the next minibatch, for which `prepare` was called.

        Parameters
        ----------
        params : sequence of tf.Tensor, shape (size,)
            The parameter blocks of the simulation.
        inputs : mapping of str to tf.Tensor, shape (minibatch_size, n_steps, size)
            Data by name.

        Returns
        -------
        dict of {str: tf.Tensor}, shape (minibatch_size, n_steps, *shape)
            Outputs by name.
        """
        frame = self.frame or self._prepared(inputs)
        n_steps, function = self.n_steps(inputs), self.form
        batch, dtype = function.minibatch_size, function.dtype
        given: dict[Any, tf.Tensor] = {
            signal: steps_of(values, frame.skipped, n_steps, frame.n_steps)
            for signal, values in frame.generated.items()
        }
        for name, node in self.nodes.items():
            if name in inputs:
                values = tf.cast(inputs[name], dtype)
                given[node] = tf.reshape(values, (batch, n_steps, -1))
        state = list(frame.state)
        if self._adapts and not self.stateful:
            # within the gradient tape: what copies begin with is trained, too
            state = self._store.begin(state)
        live = function.live(params, state)
        adapted: dict[Signal, tf.Tensor] = {}
        outputs, frame.carried = function.part(
            live,
            given,
            n_steps,
            frame.carried,
            frame.first_step + frame.skipped,
            adapted,
        )
        if self._adapts:
            adapt(function.layout, self._store.params, adapted)
        if self.stateful:
            done = frame.skipped + n_steps
            state = function.state_after(live, frame.carried, done)
            for variable, value in zip(self._state, state, strict=True):
                variable.assign(value)
            self._clock.assign_add(n_steps)
        return {self._names[probe]: outputs[probe] for probe in self.probes}

    def _prepared(self, inputs: Mapping[str, tf.Tensor]) -> Frame:
        """Return state and generated inputs of the next minibatch, from variables."""
        key = self.key(inputs)
        state = [tf.convert_to_tensor(variable) for variable in self._state]
        generated = self._held[key].next()
        return Frame(state, generated, tf.convert_to_tensor(self._clock), key[0])

    @contextmanager
    def framed(self, inputs: Mapping[str, tf.Tensor]) -> Iterator[Frame]:
        """Let all parts of a minibatch, in truncated training, share one `Frame`."""
        outer = self.frame
        self.frame = outer or self._prepared(inputs)
        try:
            yield self.frame
        finally:
            self.frame = outer

    def n_steps(self, inputs: Mapping[str, Any]) -> int:
        """Return how many steps minibatches have that look like this."""
        for name, values in inputs.items():
            expected = "(minibatch_size, n_steps, size)"
            real_type(values, f"Data for {name!r}", expected, "x")
            shape = values.shape
            known = len(shape) == 3 and shape[1] is not None
            if known and (name == STEPS or name in self.nodes):
                return int(shape[1])
        raise ValidationError(
            "The number of time steps cannot be told from the data: expected arrays "
            "of shape (minibatch_size, n_steps, size) under the names "
            f"{', '.join(self.nodes)}, and n_steps known before they are computed",
            attr="x",
        )
