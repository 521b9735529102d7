"""Minibatch after minibatch, forward, backward and update, as one computation.

A step of optimization of a small network takes less time than a call from Python, so
the loop over minibatches is compiled too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import nengo
import tensorflow as tf
from nengo.builder.signal import Signal

from nengo_dl.graph.roles import Role
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.layout import SignalLayout
from nengo_dl.program.adjoint import Tensors
from nengo_dl.program.through_time import Series, ThroughTime


class Term(Protocol):
    """One part of what is minimised.

    ``function(outputs, targets)`` takes lists with an entry for each probe, of tensors
    of shape (batch, n_steps, size), targets None where there are none; it returns a
    number.
    """

    @property
    def probes(self) -> tuple[nengo.Probe, ...]:
        """Whose output it depends on."""

    @property
    def function(self) -> Callable[[list, list], tf.Tensor]:
        """How it does."""


@dataclass(eq=False)
class Epoch:
    """Run a model on one minibatch after the other, and optimise it if asked to.

    Attributes
    ----------
    through_time : ThroughTime
        The model.
    layout : SignalLayout
        Where parameters and state live in the simulation.
    params : sequence of tf.Variable, shape (size,)
        The parameter blocks of the simulation, in the order of its layout.
    terms : sequence of Term
        What the losses are; their sum is minimised.
    update : callable or None
        ``update(gradients)`` changes the ``trained`` variables; None: losses only.
    trained : sequence of tf.Variable
        The variables that gradients are wanted of.
    truncation : int or None
        Steps that gradients go back; there is an update after so many steps.
    jit_compile : bool
        Whether XLA compiles it.
    origins : mapping of int to tf.Variable, shape (size,)
        Carried blocks of the simulation that begin with what a variable holds.
    per_call : int
        How many minibatches to run in one call, for whoever calls this to remember.
    """

    through_time: ThroughTime
    layout: SignalLayout
    params: Sequence[tf.Variable]
    terms: Sequence[Term]
    update: Callable[[Sequence[tf.Tensor]], None] | None = None
    trained: Sequence[tf.Variable] = ()
    truncation: int | None = None
    jit_compile: bool = True
    origins: Mapping[int, tf.Variable] = field(default_factory=dict)
    per_call: int = field(default=1, init=False)
    _call: Any = field(default=None, init=False)

    def __call__(
        self,
        items: Mapping[Signal, tf.Tensor],
        shared: Mapping[Signal, tf.Tensor],
        targets: Mapping[nengo.Probe, tf.Tensor],
        state: Tensors,
        order: tf.Tensor,
        start: int,
        stop: int,
        n_steps: int,
    ) -> tf.Tensor:
        """Run some minibatches.

        Parameters
        ----------
        items : mapping of Signal to tf.Tensor, shape (n_items, n_steps, size)
            Inputs that differ from item to item.
        shared : mapping of Signal to tf.Tensor, shape (batch, n_steps, size)
            Inputs that are the same for all minibatches of this call.
        targets : mapping of Probe to tf.Tensor, shape (n_items, n_steps, size)
            Targets of the probes that have some.
        state : sequence of tf.Tensor, shape (batch, size)
            Where each minibatch starts: the carried blocks of the simulation.
        order : tf.Tensor, shape (n_items,), int32
            The items of the first minibatch, of the second, and so on.
        start, stop : int
            Numbers of the first minibatch and of the one behind the last.
        n_steps : int
            Length of each item.

        Returns
        -------
        tf.Tensor, shape (n_minibatches, n_terms)
            The losses; those of minibatches that did not run are 0.
        """
        if self._call is None:
            signals, fixed, probes = tuple(items), tuple(shared), tuple(targets)

            def run(items: Any, shared: Any, targets: Any, *rest: Any) -> tf.Tensor:
                return self._run(
                    dict(zip(signals, items, strict=True)),
                    dict(zip(fixed, shared, strict=True)),
                    dict(zip(probes, targets, strict=True)),
                    *rest,
                )

            self._call = tf.function(run, jit_compile=self.jit_compile, autograph=False)
        return self._call(
            list(items.values()),
            list(shared.values()),
            list(targets.values()),
            list(state),
            order,
            tf.constant(start),
            tf.constant(stop),
            n_steps,
        )

    def _run(
        self,
        items: dict[Signal, tf.Tensor],
        shared: Series,
        targets: dict[nengo.Probe, tf.Tensor],
        state: Tensors,
        order: tf.Tensor,
        start: tf.Tensor,
        stop: tf.Tensor,
        n_steps: int,
    ) -> tf.Tensor:
        batch, dtype = self.through_time.minibatch_size, self.through_time.dtype
        losses = tf.zeros((order.shape[0] // batch, len(self.terms)), dtype)

        def body(i: tf.Tensor, losses: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            chosen = tf.slice(order, [i * batch], [batch])
            series = {s: tf.gather(values, chosen) for s, values in items.items()}
            wanted = {p: tf.gather(values, chosen) for p, values in targets.items()}
            own = self._minibatch({**shared, **series}, wanted, state, n_steps)
            row = tf.one_hot(i, losses.shape[0], dtype=dtype)[:, None]
            return i + 1, losses + row * own

        return tf.while_loop(lambda i, _: i < stop, body, (start, losses))[1]

    def _minibatch(
        self,
        series: Series,
        targets: dict[nengo.Probe, tf.Tensor],
        state: Tensors,
        n_steps: int,
    ) -> tf.Tensor:
        """Return the losses of one minibatch, shape (n_terms,)."""
        length = self.truncation or n_steps
        if length >= n_steps:
            return self._part(series, targets, state, None, n_steps)[0]

        def part(first: tf.Tensor, carried: Tensors | None, count: int) -> tuple:
            cut = {s: _slice(values, first, count) for s, values in series.items()}
            wanted = {p: _slice(values, first, count) for p, values in targets.items()}
            return self._part(cut, wanted, state, carried, count, first)

        def body(k: tf.Tensor, losses: tf.Tensor, carried: tuple) -> tuple:
            own, carried = part(k * length, carried, length)
            return k + 1, losses + own, tuple(carried)

        whole, rest = divmod(n_steps, length)
        # the first part starts from the simulation's state
        losses, carried = part(tf.constant(0), None, length)
        _, losses, carried = tf.while_loop(
            lambda k, *_: k < whole, body, (tf.constant(1), losses, tuple(carried))
        )
        parts = whole
        if rest:
            own, _ = part(tf.constant(whole * length), carried, rest)
            losses, parts = losses + own, parts + 1
        return losses / parts

    def _part(
        self,
        series: Series,
        targets: dict[nengo.Probe, tf.Tensor],
        state: Tensors,
        carried: Tensors | None,
        n_steps: int,
        first_step: int | tf.Tensor = 0,
    ) -> tuple[tf.Tensor, Tensors]:
        """Run some steps, and change the parameters after them."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self.trained)
            blocks = dict(
                zip(
                    self.layout.of_role(Role.PARAM),
                    map(tf.convert_to_tensor, self.params),
                    strict=True,
                )
            )
            blocks.update(zip(self.layout.carried(), state, strict=True))
            for i, origin in self.origins.items():
                blocks[i] = tf.broadcast_to(origin, blocks[i].shape)
            live = SignalValues(
                self.layout,
                blocks,
                self.through_time.minibatch_size,
                self.through_time.dtype,
            )
            adapted: dict[Signal, tf.Tensor] = {}
            outputs, carried = self.through_time(
                live, series, n_steps, carried, first_step, adapted
            )
            losses = tf.stack(
                [
                    tf.cast(
                        term.function(
                            [outputs[p] for p in term.probes],
                            [targets.get(p) for p in term.probes],
                        ),
                        self.through_time.dtype,
                    )
                    for term in self.terms
                ]
            )
            total = tf.reduce_sum(losses)
        if self.update is not None:
            adapt(self.layout, self.params, adapted)
            self.update(
                tape.gradient(
                    total,
                    self.trained,
                    unconnected_gradients=tf.UnconnectedGradients.ZERO,
                )
            )
        return losses, carried


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


def _slice(values: tf.Tensor, first: tf.Tensor, count: int) -> tf.Tensor:
    """Return ``count`` steps from ``first`` on."""
    batch, _, *shape = values.shape
    begin = [0, first, *[0] * len(shape)]
    return tf.slice(values, begin, [batch, count, *shape])
