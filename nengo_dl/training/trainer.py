"""Training: epochs of minibatches over the model as a differentiable function."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any, TypeVar, cast

import keras
import nengo
import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.display.progress import stage
from nengo_dl.graph.inputs import Source
from nengo_dl.graph.roles import Role
from nengo_dl.graph.signals import describe_with_signals
from nengo_dl.graph.tensor_operator import tensor_nodes
from nengo_dl.inputs.endpoints import TrainingData
from nengo_dl.inputs.random_streams import MAX_SEED
from nengo_dl.inputs.streams import ByEpoch
from nengo_dl.program.built import Built
from nengo_dl.program.program import Program
from nengo_dl.program.traces import Traces, shared
from nengo_dl.program.value_keys import value_key
from nengo_dl.simulation.store import StateStore
from nengo_dl.training.epoch import Epoch, Start
from nengo_dl.training.gradient_check import compare
from nengo_dl.training.high_rates import HighRates
from nengo_dl.training.layer_rules import assigned_weights
from nengo_dl.training.minibatch import Minibatch
from nengo_dl.training.model_function import ModelFunction, ModelFunctions
from nengo_dl.training.one_step_spikes import OneStepSpikes
from nengo_dl.training.optimizer_step import OptimizerStep
from nengo_dl.training.optimizers import Optimizers
from nengo_dl.training.passes import OfArrays, OfStream, Passes
from nengo_dl.training.summaries import Summaries
from nengo_dl.training.terms import Term
from nengo_dl.user_code import warn_user

NOTHING_TO_TRAIN = (
    "There is nothing to train: no parameter that is trainable has an influence on the "
    "probes of the objective that a gradient can follow. Expected some: see "
    "`nengo_dl.configure_settings(trainable=..., inference_only=...)`, and the "
    "warnings about what lets no gradient pass"
)

_Call = TypeVar("_Call", bound=Callable[..., Any])


def drawing(call: _Call) -> _Call:
    """Run a method of an object that has a trainer within `Trainer.drawing`."""

    @wraps(call)
    def drawing_call(self: Any, *args: Any, **options: Any) -> Any:
        with self._trainer.drawing():
            return call(self, *args, **options)

    return cast(_Call, drawing_call)


class Trainer:
    """Train a model with epochs of minibatches, or measure its losses.

    Parameters
    ----------
    built : Built
        The built model, and how it is simulated.
    program : Program
        The simulation.
    store : StateStore
        Where its parameters and its state are.

    Attributes
    ----------
    functions : ModelFunctions
        The model as differentiable functions.
    traces : Traces
        What was compiled for this simulation alone.
    optimizers : Optimizers
        The optimizers that were used, with what they remember.
    one_step_spikes : OneStepSpikes
        Warns about them where losses are measured.
    high_rates : HighRates
        Warns about them where networks are trained.
    """

    def __init__(self, built: Built, program: Program, store: StateStore) -> None:
        self._program = program
        self._store = store
        self.optimizers = Optimizers()
        self.functions = ModelFunctions(built, program)
        self.traces = Traces(beneath=shared)
        self.one_step_spikes = OneStepSpikes(built.settings)
        self.high_rates = HighRates(built.model, store)
        self._rng = self._measuring = np.random.RandomState()

    def reset(self, seed: int, optimizers: bool = False) -> None:
        """Restart random numbers from a seed, and reset optimizers if asked to."""
        self._rng = np.random.RandomState(seed % 2**32)
        self._measuring = np.random.RandomState([seed % 2**32, 1])
        if optimizers:
            self.optimizers.reset()

    @property
    def progress(self) -> list[Any]:
        """Where the random numbers of training are: orders of items, seeds."""
        name, keys, *others = self._rng.get_state(legacy=True)
        return [name, np.asarray(keys).tolist(), *others]

    def go_on(self, progress: Any) -> None:
        """Go on with the random numbers where a training was; see `progress`.

        Raises
        ------
        ValidationError
            If it is no such thing; nothing has changed then.
        """
        try:
            name, keys, *others = progress
            given = np.array(keys)
            # NumPy 1.26 takes numbers that are too large modulo 2**32
            state = given.astype(np.uint32)
            if not np.array_equal(state, given):
                raise ValueError("expected whole numbers below 2**32")
            self._rng.set_state((name, state, *others))
        except (IndexError, OverflowError, TypeError, ValueError) as error:
            raise ValidationError(
                "The file does not say where the random numbers of training are, but "
                f"{progress!r:.100}. Expected a file that `save_params` has written",
                attr="path",
            ) from error

    def train(
        self,
        data: TrainingData | ByEpoch[TrainingData],
        terms: Sequence[Term],
        optimizer: Any,
        n_epochs: int = 1,
        shuffle: bool = True,
        truncation: int | None = None,
        progress_bar: Any = True,
        summaries: Summaries | None = None,
    ) -> np.ndarray:
        """Change the parameters so that the sum of some terms becomes smaller.

        Parameters
        ----------
        data : TrainingData or ByEpoch
            What to present, and what is wanted.
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
        summaries : Summaries, optional
            Written to after each update.

        Returns
        -------
        np.ndarray, shape (n_epochs,)
            The loss of each epoch, a mean over its minibatches, each measured before
            the update that it led to.
        """
        self._store.follow_learned()
        trained = self._trained()
        found = self.optimizers.of(optimizer, trained)
        update = OptimizerStep(found, trained, self.constrain)
        function = self._function(terms, self.new_seed(), training=True)
        self.check_reach(function)
        self.high_rates.warn(function)
        passes = self._passes(
            data,
            shuffle,
            partial(
                self._epoch,
                function,
                terms,
                Start(self._store.fresh_state),
                ("train", update.key, truncation),
                update.variables,
                owner=found,
                update=update,
                truncation=truncation,
            ),
        )
        number = passes.n_minibatches
        total = None if number is None else n_epochs * number
        losses = np.zeros(n_epochs)
        before = 0
        one_by_one = summaries is not None and summaries.wanted
        with stage("Training", total, progress_bar, "compiling") as tracker:
            try:
                for epoch in range(n_epochs):
                    done: list[np.ndarray] = []
                    count, added = 0, 0.0
                    for part in passes.run(1 if one_by_one else None):
                        done.append(part.sum(axis=1))
                        count, added = count + len(part), added + done[-1].sum()
                        if summaries is not None:
                            summaries.write(terms, part)
                        tracker.update(before + count, loss=added / count)
                    losses[epoch] = np.concatenate(done).mean()
                    before += count
            finally:
                # some keep averages of the parameters, which are the result
                found.finalize_variable_values(trained)
                self._store.changed()
        return losses

    def loss(
        self,
        data: TrainingData | ByEpoch[TrainingData],
        terms: Sequence[Term],
        training: bool = False,
        progress_bar: Any = True,
        as_rates: bool = False,
    ) -> np.ndarray:
        """Return the terms for each minibatch, shape (n_minibatches, n_terms).

        One more if layers of TensorNodes add to the loss.

        With ``training``, everything runs as it does in training; with ``as_rates``,
        rates stand in for spikes, and the rest runs as in simulations.
        """
        function = self._function(terms, self.measuring_seed(), training, as_rates)
        store = self._store
        start = Start(store.fresh_state, lasting=() if training else store.learned)
        key = ("loss", start.lasting)

        def measuring(data: TrainingData) -> Epoch:
            if not training:
                self.one_step_spikes.judge(function, data.n_steps)
            return self._epoch(function, terms, start, key, data=data)

        passes = self._passes(data, False, measuring)
        parts: list[np.ndarray] = []
        with stage(
            "Measuring", passes.n_minibatches, progress_bar, "compiling"
        ) as tracker:
            done = 0
            for part in passes.run():
                parts.append(part)
                done += len(part)
                tracker.update(done)
        if start.carries:
            store.state = store.with_learned(store.state, start.state)
        return np.concatenate(parts)

    def _passes(
        self,
        data: TrainingData | ByEpoch[TrainingData],
        shuffle: bool,
        make: Callable[..., Epoch],
    ) -> Passes:
        """Return what runs all minibatches, given what makes an `Epoch` of some."""
        if isinstance(data, ByEpoch):
            return OfStream(data, lambda own: make(data=own))
        items = np.arange(data.n_items)

        def order() -> np.ndarray:
            return self._rng.permutation(items) if shuffle else items

        return OfArrays(make(data=data), order)

    def _epoch(
        self,
        function: ModelFunction,
        terms: Sequence[Term],
        start: Start,
        key: tuple,
        variables: Sequence[tf.Variable] = (),
        owner: Any = None,
        *,
        data: TrainingData,
        **options: Any,
    ) -> Epoch:
        """Return an `Epoch` that runs all minibatches of some data."""
        probes = tuple(data.targets)
        places = {p: i for i, p in enumerate(function.through_time.outputs)}
        step = Minibatch(function, self._store, terms, probes, **options)
        return Epoch(
            function,
            step,
            len(terms) + self.functions.rules.has_losses,
            data.inputs,
            list(data.targets.values()),
            data.n_items,
            data.n_steps,
            start,
            [*self._store.variables, *variables],
            self._program.device,
            self.traces,
            lambda: value_key([key, terms, probes], places),
            owner=owner,
            by_rows=step.by_rows,
        )

    def check_gradients(
        self,
        probes: Sequence[nengo.Probe],
        presented: Mapping[nengo.Node, np.ndarray],
        n_steps: int,
        atol: float,
        rtol: float,
    ) -> dict[nengo.Probe, dict[str, np.ndarray]]:
        """Compare gradients with differences; see `gradient_check.compare`."""
        function = self.functions.of(probes, training=True)
        exact = self.functions.exact().of(probes, training=True)
        if self.functions.mixed or any(
            item.source is Source.DRAWS for item in function.inputs
        ):
            # TensorFlow draws other numbers in another precision, and what is rounded
            # on purpose would differ
            function = exact
        function.rewind(0)
        self.check_reach(function, refuse=not presented)
        layout = self._program.layout
        return compare(
            function,
            exact,
            [variable.numpy() for variable in self._store.params],
            [values.numpy() for values in self._store.fresh_state],
            presented,
            sorted(
                (
                    signal
                    for signal in function.reach.trained & set(layout.places)
                    if layout.blocks[layout.places[signal][0]].role is Role.PARAM
                ),
                key=layout.places.__getitem__,
            ),
            n_steps,
            atol,
            rtol,
        )

    def optimizer(self, optimizer: Any) -> keras.optimizers.Optimizer:
        """Return a Keras optimizer for the given one, built for the parameters."""
        return self.optimizers.of(optimizer, self._trained())

    @property
    def constrain(self) -> Callable[[Collection[int]], None] | None:
        """What applies constraints of layers after an update; None: there are none."""
        rules = self.functions.rules
        if not rules.constraints:
            return None
        return partial(rules.constrain, self._program.layout, self._store.params)

    def _trained(self) -> list[tf.Variable]:
        return [variable for _, variable in self._store.trained]

    def _function(
        self,
        terms: Sequence[Term],
        seed: int,
        training: bool,
        as_rates: bool = False,
    ) -> ModelFunction:
        """Return the model as a function of time, for the probes of some terms."""
        probes = (p for term in terms for p in term.probes)
        function = self.functions.of(
            probes, training, as_rates=as_rates, with_rules=True
        )
        function.rewind(seed)
        return function

    def new_seed(self) -> int:
        """Return a seed for training, the next one from the seed of the simulator."""
        return self._rng.randint(MAX_SEED)

    def measuring_seed(self) -> int:
        """Return a seed for what does not train, and leaves training as it is."""
        return self._measuring.randint(MAX_SEED)

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Take back the random numbers of a call that fails before anything is trained.

        If it has trained, those who train again shall not get the same order of items.
        """
        streams, steps = (self._rng, self._measuring), self.optimizers.steps
        before = [rng.get_state() for rng in streams]
        try:
            yield
        except Exception:
            if self.optimizers.steps == steps:
                for rng, state in zip(streams, before, strict=True):
                    rng.set_state(state)
            raise

    def check_reach(self, function: ModelFunction, refuse: bool = True) -> None:
        """Warn about what will not be trained; refuse if nothing can be trained.

        Parameters
        ----------
        function : ModelFunction
            The model.
        refuse : bool
            Whether nothing to train is an error.
        """
        for op in function.reach.blocked:
            warn_user(
                f"No gradient passes through {describe_with_signals(op)}, which is "
                "Python code or spikes without a rate. Parameters whose output goes "
                "through there are trained by other ways or not at all."
            )
        for op in tensor_nodes(function.operators):
            names = assigned_weights(op)
            if names:
                warn_user(
                    f"{op.function.label} assigns to {', '.join(names)} in training, "
                    "so no optimizer changes it here, as one would in Keras. Expected "
                    "variables that are either trained or assigned to "
                    "(trainable=False)."
                )
        if refuse and not function.reach.trained:
            raise ValidationError(NOTHING_TO_TRAIN, attr="trainable")
