"""Losses and gradients of a divided minibatch, in one exchange between devices.

Where losses are means or sums over items, a device needs nothing of the others to
compute the gradient for its items: outputs, losses and gradients are one computation
for XLA, and what comes out is added up. In all other cases the outputs of all items are
gathered first, and gradients follow (see `nengo_dl.distribution.replicas`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import nengo
import tensorflow as tf
from nengo.builder.signal import Signal

from nengo_dl.distribution.part_arguments import PartArguments
from nengo_dl.distribution.replicas import Replicas
from nengo_dl.program.adjoint import Tensors
from nengo_dl.program.through_time import Output
from nengo_dl.simulation.store import StateStore
from nengo_dl.training.loss_functions import Reduction
from nengo_dl.training.model_function import ModelFunction

#: ``objective(outputs, others) -> values``, one for each reduction
Objective = Callable[[Mapping[Output, tf.Tensor], Tensors], Sequence[tf.Tensor]]


class Gradients(NamedTuple):
    """What comes of a minibatch.

    Attributes
    ----------
    values : tf.Tensor, shape (n_values,)
        What the objective returns; and what layers add to it, if they do.
    gradients : list of tf.Tensor, shape variable.shape
        Of the sum of these, by variable.
    outputs : dict of {Probe: tf.Tensor}, shape (batch, n_steps, ...)
        What Probes see, if that was asked for.
    carried : list of tf.Tensor, shape (batch, size)
        Where it ends, if that was asked for.
    """

    values: tf.Tensor
    gradients: list[tf.Tensor]
    outputs: dict[Output, tf.Tensor]
    carried: list[tf.Tensor]


@dataclass(frozen=True, eq=False)
class ByParts:
    """Losses and gradients of minibatches that are divided between devices.

    Attributes
    ----------
    function : ModelFunction
        The model, whose minibatches are divided.
    store : StateStore
        Where its parameters are.
    objective : callable
        ``objective(outputs, others)`` of some items returns numbers.
    reductions : sequence of {"mean", "sum"}
        What each of these numbers is over items.
    trained : sequence of tf.Variable
        What gradients are wanted of; may be empty.
    begins : bool
        Whether copies of parameters that learning rules change start as they are.
    with_outputs, with_end : bool
        Whether somebody wants to know the outputs of all items, and where they end.
    """

    function: ModelFunction
    store: StateStore
    objective: Objective
    reductions: Sequence[Reduction]
    trained: Sequence[tf.Variable] = ()
    begins: bool = True
    with_outputs: bool = False
    with_end: bool = False

    def __call__(
        self,
        inputs: Mapping[nengo.Node | Signal, tf.Tensor],
        others: Tensors,
        state: Tensors,
        carried: Tensors | None,
        n_steps: int,
        first_step: int | tf.Tensor,
        scale: tf.Tensor,
    ) -> Gradients:
        """Run some steps of a minibatch.

        Parameters
        ----------
        inputs : mapping of Node or Signal to tf.Tensor
            As for `ModelFunction`.
        others : sequence of tf.Tensor, shape (batch or n_rows, ...)
            What else the objective needs for each item, or for those of this process.
        state, carried : sequence of tf.Tensor, shape (batch, size)
            As for `ModelFunction.part`.
        n_steps : int
            How many steps.
        first_step : int or tf.Tensor
            Number of the step before the first.
        scale : tf.Tensor, shape ()
            Factor of all gradients.
        """
        function, replicas = self.function, self.function.replicas
        assert replicas is not None
        params = [tf.convert_to_tensor(variable) for variable in self.store.variables]
        whole, same, read = function.by_rows(inputs)
        batch = function.minibatch_size
        local = any(tensor.shape[0] != batch for tensor in others)
        given = PartArguments(
            shared=[params, same, tf.convert_to_tensor(first_step), scale],
            items=[
                list(state),
                None if carried is None else list(carried),
                whole,
                [] if local else list(others),
            ],
            local=[read, list(others) if local else []],
        )
        probes = list(function.through_time.outputs)
        compute = self._traced(replicas, given, n_steps)
        found = replicas.reduced(compute, *given.flat(), 1 + len(self.trained))
        values, gradients = found[0], found[1 : 1 + len(self.trained)]
        rest = found[1 + len(self.trained) :]
        n_outputs = len(probes) if self.with_outputs else 0
        outputs = dict(zip(probes, rest[:n_outputs], strict=False))
        values, gradients = self._with_layers(params, state, values, gradients, scale)
        return Gradients(values, gradients, outputs, rest[n_outputs:])

    def _traced(
        self, replicas: Replicas, given: PartArguments, n_steps: int
    ) -> Callable[..., list[tf.Tensor]]:
        """Return what computes a part, which XLA compiles, for tensors like these."""

        def compute(*tensors: tf.Tensor) -> list[tf.Tensor]:
            own = given.refilled(tensors)
            return self._part(own, n_steps, 1 / replicas.count)

        traced = tf.function(
            compute, jit_compile=self.function.jit_parts, autograph=False
        )
        with tf.device(None):
            return traced.get_concrete_function(*given.specs(replicas.part))

    def _part(
        self, given: PartArguments, n_steps: int, weight: float
    ) -> list[tf.Tensor]:
        """Return what a part adds to values and gradients, and what it has by item."""
        params, same, first, scale = given.shared
        state, carried, whole, others = given.items
        read, targets = given.local[0], [*others, *given.local[1]]
        store, function = self.store, replace(self.function, replicas=None)
        places = {id(variable): i for i, variable in enumerate(store.variables)}
        numbers = [places[id(variable)] for variable in self.trained]
        # gradients that nobody asks for would be computed, too
        params = [
            tensor if i in numbers else tf.stop_gradient(tensor)
            for i, tensor in enumerate(params)
        ]
        n_params = len(store.params)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            asked = [params[i] for i in numbers]
            tape.watch(asked)
            if self.begins:
                # within the tape: what copies begin with is trained, too
                state = store.begin(state, params[n_params:])
            outputs, end = function.part(
                function.live(params[:n_params], state),
                {**same, **whole, **read},
                n_steps,
                carried,
                first,
                keep_state=self.with_end,
            )
            values = tf.stack(
                [
                    tf.cast(value, function.dtype)
                    * (weight if reduction == "mean" else 1)
                    for value, reduction in zip(
                        self.objective(outputs, targets), self.reductions, strict=True
                    )
                ]
            )
            total = tf.reduce_sum(values) * scale
        gradients = tape.gradient(
            total, asked, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        found = [values, *gradients]
        if self.with_outputs:
            found += outputs.values()
        return [*found, *(end if self.with_end else ())]

    def _with_layers(
        self,
        params: Tensors,
        state: Tensors,
        values: tf.Tensor,
        gradients: list[tf.Tensor],
        scale: tf.Tensor,
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Add what layers want of weights, which has nothing to do with items."""
        function, store = self.function, self.store
        places = {id(variable): i for i, variable in enumerate(store.variables)}
        asked = [params[places[id(variable)]] for variable in self.trained]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(asked)
            live = function.live(params[: len(store.params)], state)
            added = function.layer_loss(live, {})
            total = tf.add_n(added) * scale if added else None
        if total is None:
            return values, gradients
        of_layers = tape.gradient(
            total, asked, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        pairs = zip(gradients, of_layers, strict=True)
        return tf.concat([values, tf.stack(added)], axis=0), [a + b for a, b in pairs]
