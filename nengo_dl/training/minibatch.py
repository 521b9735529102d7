"""One minibatch of `train` or `loss`: outputs, losses, gradients, an update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import nengo
import tensorflow as tf
from nengo.builder.signal import Signal

from nengo_dl.distribution.divided import Gradients
from nengo_dl.graph.roles import Role
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.layout import SignalLayout
from nengo_dl.program.adjoint import Tensors
from nengo_dl.program.through_time import Output
from nengo_dl.simulation.store import StateStore
from nengo_dl.training.by_parts import ByParts
from nengo_dl.training.model_function import ModelFunction
from nengo_dl.training.optimizer_step import OptimizerStep
from nengo_dl.training.terms import Term
from nengo_dl.training.truncation import in_parts, steps_of


@dataclass(frozen=True, eq=False)
class Minibatch:
    """One minibatch of training: losses, gradients, and the update of parameters.

    Attributes
    ----------
    function : ModelFunction
        The model.
    store : StateStore
        Where the parameters of the simulation are.
    terms : sequence of Term
        What the losses are; their sum is minimised.
    probes : sequence of Probe
        Those that have targets.
    update : OptimizerStep or None
        ``update(gradients)`` changes the parameters that are trained; None: there are
        losses only.
    truncation : int or None
        Steps that gradients go back; there is an update after so many steps.
    """

    function: ModelFunction
    store: StateStore
    terms: Sequence[Term]
    probes: Sequence[nengo.Probe]
    update: OptimizerStep | None = None
    truncation: int | None = None

    def __call__(
        self,
        inputs: Mapping[nengo.Node | Signal, tf.Tensor],
        targets: Sequence[tf.Tensor],
        state: Tensors,
        first_step: int | tf.Tensor,
        n_steps: int,
    ) -> tuple[tf.Tensor, Tensors]:
        """Return the losses of one minibatch, and where it ends.

        Of each term, and what layers of TensorNodes add to them, if they do.

        Training ends where it starts: what rules learn meanwhile is forgotten.

        Parameters
        ----------
        inputs : mapping of Node or Signal to tf.Tensor, shape (batch, n_steps, size)
            What it is fed.
        targets : sequence of tf.Tensor, shape (batch, n_steps, size)
            What is wanted of ``probes``.
        state : sequence of tf.Tensor, shape (batch, size)
            Where it starts: the carried blocks of the simulation.
        first_step : int or tf.Tensor
            Number of the step before the first.
        n_steps : int
            How many steps.
        """

        def part(
            first: tf.Tensor, count: int, carried: Tensors | None
        ) -> tuple[tf.Tensor, Tensors]:
            own = {k: steps_of(v, first, count, n_steps) for k, v in inputs.items()}
            wanted = {
                probe: steps_of(values, first, count, n_steps)
                for probe, values in zip(self.probes, targets, strict=True)
            }
            return self._part(own, wanted, state, carried, count, first_step + first)

        losses, carried = in_parts(part, n_steps, self.truncation)
        if self.update is not None or not self.store.learns:
            return losses, state
        live = self.function.live(self._params(), state)
        return losses, self.function.state_after(live, carried, n_steps)

    def _part(
        self,
        inputs: Mapping[nengo.Node | Signal, tf.Tensor],
        targets: Mapping[nengo.Probe, tf.Tensor],
        state: Tensors,
        carried: Tensors | None,
        n_steps: int,
        first_step: int | tf.Tensor,
    ) -> tuple[tf.Tensor, Tensors]:
        """Run some steps, and change the parameters after them."""
        if self.by_rows:
            return self._by_parts(inputs, targets, state, carried, n_steps, first_step)
        function, params = self.function, self.store.params
        dtype = function.through_time.dtype
        trained = [variable for _, variable in self.store.trained]
        adapted: dict[Signal, tf.Tensor] = {}
        gradients: Gradients = "none" if self.update is None else "params"
        if self.store.origins and self.update is not None:
            gradients = "all"
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            if self.update is not None:
                tape.watch(trained)
            if self.update is not None:
                # within the gradient tape: what copies begin with is trained, too
                state = self.store.begin(state)
            live = function.live(self._params(), state)
            outputs, carried = function.part(
                live,
                inputs,
                n_steps,
                carried,
                first_step,
                adapted,
                gradients,
                self.truncation is not None or self.update is None,
            )
            losses = tf.stack(
                [
                    tf.cast(
                        term.function(
                            [outputs[p] for p in term.probes],
                            [targets.get(p) for p in term.probes],
                        ),
                        dtype,
                    )
                    for term in self.terms
                ]
                + function.layer_loss(live, outputs)
            )
            total = tf.reduce_sum(losses)
            if self.update is not None:
                total = self.update.scaled(total)
        if self.update is not None:
            adapt(function.layout, params, adapted)
            zero = tf.UnconnectedGradients.ZERO
            self.update(tape.gradient(total, trained, unconnected_gradients=zero))
        return losses, carried

    @property
    def by_rows(self) -> bool:
        """Whether losses are computed where outputs are, on each device for its items.

        Of targets, a process needs the rows of its items then.
        """
        return self.function.divides_gradients and all(
            term.over_items is not None for term in self.terms
        )

    def _by_parts(
        self,
        inputs: Mapping[nengo.Node | Signal, tf.Tensor],
        targets: Mapping[nengo.Probe, tf.Tensor],
        state: Tensors,
        carried: Tensors | None,
        n_steps: int,
        first_step: int | tf.Tensor,
    ) -> tuple[tf.Tensor, Tensors]:
        """Do what `_part` does, with one exchange between devices."""

        def losses(
            outputs: Mapping[Output, tf.Tensor], wanted: Tensors
        ) -> list[tf.Tensor]:
            own = dict(zip(targets, wanted, strict=True))
            return [
                term.function(
                    [outputs[p] for p in term.probes], [own.get(p) for p in term.probes]
                )
                for term in self.terms
            ]

        update = self.update
        one = tf.ones((), self.function.dtype)
        trained = [variable for _, variable in self.store.trained]
        found = ByParts(
            self.function,
            self.store,
            losses,
            [term.over_items or "mean" for term in self.terms],
            () if update is None else trained,
            begins=update is not None,
            with_end=self.truncation is not None
            or (update is None and self.store.learns),
        )(
            inputs,
            list(targets.values()),
            state,
            carried,
            n_steps,
            first_step,
            one if update is None else update.scaled(one),
        )
        if update is not None:
            update(found.gradients)
        return found.values, found.carried

    def _params(self) -> list[tf.Tensor]:
        return [tf.convert_to_tensor(variable) for variable in self.store.params]


def adapt(
    layout: SignalLayout,
    params: Sequence[tf.Variable],
    new: Mapping[Signal, tf.Tensor],
) -> None:
    """Write new values of parameters that change without a gradient.

    Parameters
    ----------
    layout : SignalLayout
        Where parameters live in the simulation.
    params : sequence of tf.Variable, shape (size,)
        The parameter blocks, in the order of the layout.
    new : mapping of Signal to tf.Tensor
        The values.
    """
    for i, variable in zip(layout.of_role(Role.PARAM), params, strict=True):
        block = layout.blocks[i]
        if new.keys() & set(block.signals):
            own = SignalValues(layout, {i: variable.value()}, 1, variable.dtype)
            for signal in block.signals:
                if signal in new:
                    value = tf.cast(new[signal], variable.dtype)
                    own.set(layout.view([signal], signal.shape), value)
            variable.assign(own.read(layout.view(block.signals, (block.size,))))
