"""One minibatch as Keras runs it: where it starts, what it is fed, what happens.

Keras' ``train_step`` and ``test_step`` know data, targets and weights. What does not
come with the data, the state of the simulation and the inputs that nobody gives, waits
for the model in a `Frame`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nengo
import tensorflow as tf
from nengo.builder.signal import Signal
from nengo.exceptions import ValidationError

from nengo_dl.distribution.divided import Gradients
from nengo_dl.inputs.checks import real_type
from nengo_dl.inputs.endpoints import STEPS
from nengo_dl.inputs.random_streams import Position
from nengo_dl.program.adjoint import Tensors
from nengo_dl.simulation.runner import Runner
from nengo_dl.training.by_parts import ByParts
from nengo_dl.training.epoch import Epoch, Start
from nengo_dl.training.loss_functions import Reduction
from nengo_dl.training.minibatch import adapt
from nengo_dl.training.model_function import ModelFunction, ModelFunctions
from nengo_dl.training.truncation import in_parts, steps_of


@dataclass
class Frame:
    """State and generated inputs of the minibatch that the model is called with.

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
    averaged : collection of str
        Outputs of which the mean over the steps is wanted, as if it was one step.
    """

    state: Tensors
    generated: Mapping[Signal, tf.Tensor]
    first_step: int | tf.Tensor
    n_steps: int
    skipped: int | tf.Tensor = 0
    carried: Tensors | None = None
    averaged: Collection[str] = ()


class KerasStep:
    """What Keras does with each minibatch, in training or in measuring.

    Parameters
    ----------
    functions : ModelFunctions
        The model as functions of parameters, state and inputs.
    runner : Runner
        The simulation.
    names : dict of {Node or Probe: str}
        What inputs and outputs are called.
    training : bool
        Whether it is training: rates, or spikes with surrogate gradients, stand in for
        spikes, and averages over minibatches change.
    keras_step : callable
        ``train_step`` or ``test_step`` of the Keras model.

    Attributes
    ----------
    nodes : dict of {str: Node}
        The inputs by name.
    probes : tuple of Probe
        The outputs; may be changed between calls.
    start : Start
        Where the next minibatch starts.
    epochs : dict
        What runs minibatches, by the function and the shapes of the data.
    truncation : int or None
        Steps that gradients go back, with an update after so many steps.
    as_rates : bool
        Whether rates stand in for spikes outside of training, too.
    readouts : collection of str
        Outputs that are compared with targets; where inputs of one step are held for
        several, and there is one target for them, it is the mean output that is.
    layer_losses : list of tf.Tensor, shape ()
        What layers of TensorNodes have added to the loss of the latest minibatch.
    known : dict of {str: tf.Tensor} or None
        The outputs of the present minibatch, if they have been computed.
    """

    def __init__(
        self,
        functions: ModelFunctions,
        runner: Runner,
        names: Mapping[Any, str],
        training: bool,
        keras_step: Callable[[Any], Any],
    ) -> None:
        self._functions, self._runner, self._store = functions, runner, runner.store
        self._names, self._training = names, training
        self._keras_step = keras_step
        self.nodes = {n: obj for obj, n in names.items() if isinstance(obj, nengo.Node)}
        self.probes = tuple(obj for obj in names if isinstance(obj, nengo.Probe))
        lasting = () if training else runner.store.learned
        self.start = Start(runner.store.state, lasting=lasting)
        self.epochs: dict[Any, Epoch] = {}
        self.truncation: int | None = None
        self.as_rates = False
        self.readouts: Collection[str] = ()
        self.layer_losses: list[tf.Tensor] = []
        self.known: dict[str, tf.Tensor] | None = None
        self._frame: Frame | None = None
        #: how far random numbers were in the beginning, if they go on
        self._begun: list[list[Position]] = []

    @property
    def function(self) -> ModelFunction:
        """The model for the present outputs; all of it, if the simulation goes on."""
        return self._functions.of(
            self.probes,
            self._training,
            as_rates=self.as_rates,
            with_rules=True,
            whole=self.start.goes_on,
        )

    @property
    def rows(self) -> tuple[int, ...]:
        """How many items its inputs may have: a minibatch, or this process's share."""
        own = self.function.own_items
        return (self.function.minibatch_size, own.stop - own.start)

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs, in the order of the network."""
        return [self._names[probe] for probe in self.probes]

    def begin(self, seed: int) -> None:
        """Start where the simulation is.

        Random numbers are those of a seed from their beginning, or, outside of
        training, go on, as time does.
        """
        sources = self.function.feed.sources
        sources.rewind(seed)
        if self.shares_streams:
            sources.take_over(self._runner.sources)
            self._begun = sources.positions()
        self.restore()

    @property
    def shares_streams(self) -> bool:
        """Whether random numbers are those of the simulation: training has new ones."""
        return self.start.goes_on and not self._training

    def restore(self) -> None:
        """Let the next minibatch start where the simulation is."""
        sources = self.function.feed.sources
        if self.shares_streams and sources.positions() != self._begun:
            sources.return_to(self._begun)
        self.start.state, self.start.n_steps = self._store.state, self._runner.n_steps

    def end(self) -> None:
        """Let the simulation go on where the last minibatch ended, if that is wanted.

        If not, it has what rules have learned, unless that was in training.
        """
        start, store = self.start, self._store
        if start.goes_on:
            store.state = list(start.state)
            if self.shares_streams:
                self._runner.go_on_from(self.function.feed.sources, start.n_steps)
            self._runner.n_steps = start.n_steps
        elif start.carries:
            store.state = store.with_learned(store.state, start.state)

    def n_steps(self, inputs: Mapping[str, Any]) -> int:
        """Return how many steps minibatches have that look like this.

        Raises
        ------
        ValidationError
            If it cannot be told from them.
        """
        # inputs may have one step, which is held
        for name, values in sorted(inputs.items(), key=lambda item: item[0] != STEPS):
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

    def averaged(
        self, inputs: Mapping[str, Any], targets: Mapping[str, Any], n_steps: int
    ) -> frozenset[str]:
        """Return the outputs of which the mean is compared with one target.

        Parameters
        ----------
        inputs, targets : mapping of str to array, shape (n_items, n_steps, size)
            Data by name.
        n_steps : int
            How many steps are run.
        """
        held = any(v.shape[1] < n_steps for k, v in inputs.items() if k in self.nodes)
        return frozenset(
            name
            for name, values in targets.items()
            if held and name in self.readouts and values.shape[1] == 1
        )

    def specs(
        self, n_steps: int, averaged: Collection[str] = ()
    ) -> dict[str, tf.TensorSpec]:
        """Return shapes and types of the outputs by name, for so many steps."""
        specs = self.function.specs(n_steps)
        found = {self._names[probe]: specs[probe] for probe in self.probes}
        for name in averaged:
            shape = found[name].shape
            found[name] = tf.TensorSpec((shape[0], 1, *shape[2:]), found[name].dtype)
        return found

    # -- in TensorFlow

    def run(
        self,
        targets: Sequence[str],
        weights: Sequence[str],
        inputs: Mapping[nengo.Node | Signal, tf.Tensor],
        others: Sequence[tf.Tensor],
        state: Tensors,
        first_step: tf.Tensor,
        n_steps: int,
    ) -> tuple[tf.Tensor, Tensors]:
        """Run Keras' step, as the step of an `Epoch`; metrics remember what came of it.

        Parameters
        ----------
        targets, weights : sequence of str
            The outputs that have them, in the order in which they come.
        inputs, others, state, first_step, n_steps
            See `Epoch`.
        """
        function = self.function
        batch, dtype = function.minibatch_size, function.dtype
        data = {name: inputs[n] for name, n in self.nodes.items() if n in inputs}
        data[STEPS] = tf.zeros((batch, n_steps, 0), dtype)
        count = len(targets)
        given = [data, dict(zip(targets, others[:count], strict=True))]
        if weights:
            given.append(dict(zip(weights, others[count:], strict=True)))
        generated = {key: v for key, v in inputs.items() if isinstance(key, Signal)}
        frame = self._frame = Frame(
            state,
            generated,
            first_step,
            n_steps,
            averaged=self.averaged(data, given[1], n_steps),
        )

        def part(
            first: tf.Tensor, count: int, carried: Tensors | None
        ) -> tuple[tf.Tensor, Tensors]:
            frame.skipped, frame.carried = first, carried
            self._keras_step(
                tf.nest.map_structure(
                    lambda values: steps_of(values, first, count, n_steps), tuple(given)
                )
            )
            assert frame.carried is not None
            return tf.zeros(0, dtype), frame.carried

        try:
            values, carried = in_parts(part, n_steps, self.truncation)
        finally:
            self._frame = None
            self.layer_losses = []
        if not self.start.carries:
            return values, state
        live = function.live(self._params(), state)
        return values, function.state_after(live, carried, n_steps)

    def outputs(
        self, inputs: Mapping[str, tf.Tensor], seed: int
    ) -> dict[str, tf.Tensor]:
        """Return the outputs for a minibatch, or for the part of it that is due.

        Parameters
        ----------
        inputs : mapping of str to tf.Tensor, shape (minibatch_size, n_steps, size)
            Data by name; of one step where it is held. Of a minibatch that several
            processes read, the rows of this process.
        seed : int
            Of everything random, if the model is called by hand.

        Returns
        -------
        dict of {str: tf.Tensor}, shape (minibatch_size, n_steps, *shape)
            Outputs by name.
        """
        n_steps, function = self.n_steps(inputs), self.function
        given, frame = self._given(inputs, n_steps, seed)
        state = frame.state
        if self._training and not self.start.goes_on:
            # within the gradient tape: what copies begin with is trained, too
            state = self._store.begin(state)
        adapted: dict[Signal, tf.Tensor] = {}
        live = function.live(self._params(), state)
        outputs, frame.carried = function.part(
            live,
            given,
            n_steps,
            frame.carried,
            frame.first_step + frame.skipped,
            adapted,
            self._gradients,
            self.start.carries or self.truncation is not None,
        )
        if self._training:
            adapt(function.layout, self._store.params, adapted)
        self.layer_losses = function.layer_loss(live, outputs)
        return self._named(outputs, frame)

    def by_parts(
        self,
        objective: Callable[[dict[str, tf.Tensor], Any], Sequence[tf.Tensor]],
        reductions: Sequence[Reduction],
        inputs: Mapping[str, tf.Tensor],
        others: Any,
        trained: Sequence[tf.Variable],
        scale: tf.Tensor,
    ) -> tuple[list[tf.Tensor], dict[str, tf.Tensor]]:
        """Return gradients and outputs of the part that is due, in one exchange.

        Parameters
        ----------
        objective : callable
            ``objective(outputs, others)`` returns the losses of some items.
        reductions : sequence of {"mean", "sum"}
            What these are over items.
        inputs : mapping of str to tf.Tensor
            As for `outputs`.
        others : nested structure of tf.Tensor, shape (minibatch_size, ...)
            Targets and weights.
        trained : sequence of tf.Variable
            What gradients are wanted of.
        scale : tf.Tensor, shape ()
            Factor of all gradients.
        """
        n_steps, function = self.n_steps(inputs), self.function
        given, frame = self._given(inputs, n_steps, 0)

        def losses(
            outputs: Mapping[Any, tf.Tensor], own: Tensors
        ) -> Sequence[tf.Tensor]:
            rest = tf.nest.pack_sequence_as(others, own)
            return objective(self._named(outputs, frame), rest)

        found = ByParts(
            function,
            self._store,
            losses,
            reductions,
            trained,
            begins=not self.start.goes_on,
            with_outputs=True,
            with_end=self.start.carries or self.truncation is not None,
        )(
            given,
            tf.nest.flatten(others),
            frame.state,
            frame.carried,
            n_steps,
            frame.first_step + frame.skipped,
            scale,
        )
        frame.carried = found.carried
        self.layer_losses = list(tf.unstack(found.values)[len(reductions) :])
        return found.gradients, self._named(found.outputs, frame)

    def _named(
        self, outputs: Mapping[Any, tf.Tensor], frame: Frame
    ) -> dict[str, tf.Tensor]:
        """Return outputs by name, means over time where these are compared."""
        found = {self._names[probe]: outputs[probe] for probe in self.probes}
        for name in frame.averaged:
            found[name] = tf.reduce_mean(found[name], axis=1, keepdims=True)
        return found

    def _given(
        self, inputs: Mapping[str, tf.Tensor], n_steps: int, seed: int
    ) -> tuple[dict[Any, tf.Tensor], Frame]:
        """Return what the model is fed, by Node and Signal, and the frame."""
        function = self.function
        given: dict[Any, tf.Tensor] = {}
        for name, node in self.nodes.items():
            if name in inputs:
                values = tf.cast(inputs[name], function.dtype)
                held = len(values.shape) == 3 and values.shape[1] == 1
                shape = (function.n_rows(values), 1 if held else n_steps, -1)
                given[node] = tf.reshape(values, shape)
        frame = self._frame or self._by_hand(list(given), n_steps, seed)
        for signal, values in frame.generated.items():
            given[signal] = steps_of(values, frame.skipped, n_steps, frame.n_steps)
        return given, frame

    @property
    def _gradients(self) -> Gradients:
        """What gradients are asked for: of a call by hand, users may want any."""
        if self._frame is None:
            return "all"
        if not self._training:
            return "none"
        return "all" if self._store.origins else "params"

    def _params(self) -> list[tf.Tensor]:
        return [tf.convert_to_tensor(variable) for variable in self._store.params]

    def _by_hand(
        self, presented: Sequence[nengo.Node], n_steps: int, seed: int
    ) -> Frame:
        """Return a frame for a call of the model from code of the user."""
        now = self._runner.n_steps
        self.function.rewind(seed)
        with tf.init_scope():
            values = self.function.generate(presented, n_steps, first_step=now)
            generated = {signal: tf.constant(v[0]) for signal, v in values.items()}
        return Frame(self._store.state, generated, now, n_steps)
