"""Training: epochs of minibatches over a differentiable form of the model."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder import Model
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal
from nengo.exceptions import ValidationError

from nengo_dl.config import Settings
from nengo_dl.graph.gradients import Reach
from nengo_dl.graph.inputs import Input, Source
from nengo_dl.graph.signals import describe_with_signals
from nengo_dl.program.compile_through_time import compile_through_time
from nengo_dl.program.epoch import Epoch, Term
from nengo_dl.program.program import Program
from nengo_dl.program.through_time import ThroughTime
from nengo_dl.runtime.blame import warn_user
from nengo_dl.runtime.optimizers import Optimizers
from nengo_dl.runtime.progress import stage
from nengo_dl.runtime.sources import Sources
from nengo_dl.runtime.store import StateStore
from nengo_dl.runtime.streams import MAX_SEED

#: seconds that one call of compiled code should take: progress is shown between calls
CALL = 0.3

Arrays = Mapping[Any, np.ndarray]


@dataclass(frozen=True)
class _Form:
    """A differentiable form of the model, and what feeds it."""

    through_time: ThroughTime
    inputs: tuple[Input, ...]
    sources: Sources
    reach: Reach


class Trainer:
    """Optimise the parameters of a model, or measure its losses.

    Parameters
    ----------
    model : nengo.builder.Model
        The built model.
    order : sequence of Operator
        Its operators in Nengo's order.
    trainable : dict of {Signal: bool}
        The parameters, and which of them an optimizer may change.
    settings : Settings
        What the user configured.
    program : Program
        The simulation.
    store : StateStore
        Where its parameters and its state are.
    """

    def __init__(
        self,
        model: Model,
        order: Sequence[Operator],
        trainable: dict[Signal, bool],
        settings: Settings,
        program: Program,
        store: StateStore,
    ) -> None:
        self._model = model
        self._order = order
        self._trainable = trainable
        self._settings = settings
        self._program = program
        self._store = store
        self._variables = store.keras_variables()
        self._optimizers = Optimizers()
        self._forms: dict[tuple, _Form] = {}
        self._epochs: dict[tuple, Epoch] = {}
        self._rng = np.random.RandomState()

    def reset(self, seed: int) -> None:
        """Begin anew with whatever is random."""
        self._rng = np.random.RandomState(seed % 2**32)

    def train(
        self,
        inputs: Arrays,
        targets: Arrays,
        n_steps: int,
        terms: Sequence[Term],
        optimizer: Any,
        n_epochs: int = 1,
        shuffle: bool = True,
        truncation: int | None = None,
        progress_bar: Any = True,
    ) -> np.ndarray:
        """Change the parameters so that the sum of some terms becomes smaller.

        Parameters
        ----------
        inputs : mapping of Node to np.ndarray, shape (n_items, n_steps, size_out)
            What to present.
        targets : mapping of Probe to np.ndarray, shape (n_items, n_steps, size)
            What is wanted.
        n_steps : int
            Length of each item.
        terms : sequence of Term
            What is minimised.
        optimizer : keras.optimizers.Optimizer, str or tf.compat.v1.train.Optimizer
            How.
        n_epochs : int
            How often each item is presented.
        shuffle : bool
            Whether items come in another order in each epoch.
        truncation : int, optional
            Steps that gradients go back.
        progress_bar : bool or nengo.utils.progress.ProgressBar
            Whether to show progress.

        Returns
        -------
        np.ndarray, shape (n_epochs,)
            The loss of each epoch, a mean over its minibatches, each measured before
            the update that it led to.
        """
        trained = [variable for variable in self._variables if variable.trainable]
        found = self._optimizers.of(optimizer, trained)

        def update(gradients: Sequence[tf.Tensor]) -> None:
            found.apply(gradients, trained)

        form = self._form(terms, training=True)
        self._check_reach(form)
        key = (tuple((t.probes, t.function) for t in terms), id(found), truncation)
        if key not in self._epochs:
            self._epochs[key] = self._epoch(
                form,
                terms,
                update=update,
                trained=[variable.value for variable in trained],
                truncation=truncation,
            )
        run = _Run(self, form, self._epochs[key], inputs, targets, n_steps)
        total = n_epochs * run.n_minibatches
        losses = np.zeros(n_epochs)
        with stage("Training", total, progress_bar, shows=("loss",)) as tracker:
            try:
                for epoch in range(n_epochs):
                    order = np.arange(run.n_items)
                    if shuffle:
                        order = self._rng.permutation(order)
                    done = np.zeros(0)
                    for part in run.minibatches(order):
                        done = np.append(done, part.sum(axis=1))
                        tracker.update(
                            epoch * run.n_minibatches + len(done), loss=done.mean()
                        )
                    losses[epoch] = done.mean()
            finally:
                self._store.changed()
        return losses

    def loss(
        self,
        inputs: Arrays,
        targets: Arrays,
        n_steps: int,
        terms: Sequence[Term],
        training: bool = False,
        progress_bar: Any = True,
    ) -> np.ndarray:
        """Return the terms for each minibatch, shape (n_minibatches, n_terms).

        With ``training``, rates stand in for spikes as they do in training.
        """
        form = self._form(terms, training)
        key = (tuple((t.probes, t.function) for t in terms), training)
        if key not in self._epochs:
            self._epochs[key] = self._epoch(form, terms)
        run = _Run(self, form, self._epochs[key], inputs, targets, n_steps)
        parts = []
        with stage("Measuring", run.n_minibatches, progress_bar) as tracker:
            for part in run.minibatches(np.arange(run.n_items)):
                parts.append(part)
                tracker.update(sum(map(len, parts)))
        return np.concatenate(parts)

    def _form(self, terms: Sequence[Term], training: bool) -> _Form:
        """Return the model as a function of time, for the probes of some terms."""
        probes = tuple(dict.fromkeys(probe for term in terms for probe in term.probes))
        key = (probes, training)
        if key not in self._forms:
            through_time, inputs, reached = compile_through_time(
                self._model,
                self._order,
                self._trainable,
                self._settings,
                probes,
                self._program.minibatch_size,
                training,
            )
            sources = Sources(
                inputs,
                through_time.loop.lowerings,
                self._order,
                self._model.dt,
                self._program.minibatch_size,
            )
            self._forms[key] = _Form(through_time, inputs, sources, reached)
        form = self._forms[key]
        form.sources.rewind(self._rng.randint(MAX_SEED))
        return form

    def _check_reach(self, form: _Form) -> None:
        """Warn about what lets no gradient pass; refuse if nothing can be trained."""
        for op in form.reach.blocked:
            warn_user(
                f"No gradient passes through {describe_with_signals(op)}, which is "
                "Python code or spikes without a rate. Parameters whose output goes "
                "through there are trained by other ways or not at all."
            )
        if not form.reach.trained:
            raise ValidationError(
                "There is nothing to train: no parameter that is trainable has an "
                "influence on the probes of the objective that a gradient can follow. "
                "Expected some: see `nengo_dl.configure_settings(trainable=..., "
                "inference_only=...)`, and the warnings about what lets no gradient "
                "pass",
                attr="trainable",
            )

    def _epoch(self, form: _Form, terms: Sequence[Term], **options: Any) -> Epoch:
        compiled = self._program.jit_compile and not form.through_time.calls_python
        return Epoch(
            form.through_time,
            self._program.layout,
            self._store.params,
            terms,
            jit_compile=compiled,
            **options,
        )


class _Run:
    """Data of one call, as tensors, and the calls of compiled code that it takes."""

    def __init__(
        self,
        trainer: Trainer,
        form: _Form,
        epoch: Epoch,
        inputs: Arrays,
        targets: Arrays,
        n_steps: int,
    ) -> None:
        program = trainer._program
        self._batch = program.minibatch_size
        self._dtype = program.dtype.as_numpy_dtype
        self._form, self._epoch, self._n_steps = form, epoch, n_steps
        self._device = program.device
        self._state = trainer._store.initial_state
        self._presented = inputs
        self.n_items = len(next(iter((*inputs.values(), *targets.values()))))
        self.n_minibatches = self.n_items // self._batch
        with tf.device(self._device):
            self._items = {
                item.signal: self._tensor(inputs[item.node])
                for item in form.inputs
                if item.node in inputs and item.lifted
            }
            self._targets = {p: self._tensor(values) for p, values in targets.items()}

    def _tensor(self, array: np.ndarray) -> tf.Tensor:
        return tf.constant(np.asarray(array, self._dtype))

    def minibatches(self, order: np.ndarray) -> Any:
        """Run all minibatches; yield the losses of some at a time."""
        inputs = self._form.inputs
        alone = any(
            item.source in (Source.PROCESS, Source.DRAWS)
            or (item.source is Source.IN_STEP and item.node in self._presented)
            for item in inputs
            if item.node not in self._presented or not item.lifted
        )
        with tf.device(self._device):
            chosen = tf.constant(order, tf.int32)
            shared = None
            done, count = 0, 1
            while done < self.n_minibatches:
                stop = done + (1 if alone else min(count, self.n_minibatches - done))
                if alone or shared is None:
                    shared = self._shared(order[done * self._batch :][: self._batch])
                begin = time.perf_counter()
                losses = self._epoch(
                    self._items,
                    shared,
                    self._targets,
                    self._state,
                    chosen,
                    done,
                    stop,
                ).numpy()
                seconds = (time.perf_counter() - begin) / (stop - done)
                yield losses[done:stop]
                # the first call compiles too, and says nothing about the others
                count = 1 if done == 0 else max(1, int(CALL / max(seconds, 1e-6)))
                done = stop

    def _shared(self, items: np.ndarray) -> dict[Signal, tf.Tensor]:
        """Return inputs that no data are presented for, for the next minibatch."""
        sources = self._form.sources
        own: Mapping[nengo.Node, np.ndarray] = {
            node: array[items] for node, array in self._presented.items()
        }
        self._form.through_time.loop.presented.values = {
            item.op: own[item.node]
            for item in self._form.inputs
            if item.source is Source.IN_STEP and item.node in own
        }
        functions, _, error = sources.call_functions(0, self._n_steps, own)
        if error is not None:
            raise error
        sources.begin()
        values = {}
        for item in self._form.inputs:
            if item.lifted and item.signal is not None and item.node not in own:
                out = np.zeros(
                    (self._n_steps, self._batch, item.signal.size), self._dtype
                )
                sources.fill(item, 0, out, own, functions)
                values[item.signal] = tf.constant(out)
        return values
