"""Arguments of ``train``, ``loss``, ``run_batch`` and others, checked and passed on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

import keras
import nengo
import numpy as np
from nengo.builder import Model
from nengo.exceptions import ValidationError

from nengo_dl.config import Settings
from nengo_dl.display.profiling import profiling
from nengo_dl.inputs import endpoints
from nengo_dl.inputs.endpoints import Endpoints, TrainingData
from nengo_dl.inputs.shapes import TargetSize
from nengo_dl.inputs.streams import ByEpoch, Stream, is_stream
from nengo_dl.program.program import Program
from nengo_dl.program.rematerialisation import Storage
from nengo_dl.simulation.runner import Runner
from nengo_dl.training import run_batch, terms
from nengo_dl.training.loss_functions import Reduction
from nengo_dl.training.passes import (
    check_supply,
    checked,
    minibatch_of,
    refuse_to_end,
)
from nengo_dl.training.run_batch import Batches
from nengo_dl.training.simulator_function import SimulatorFunction
from nengo_dl.training.summaries import Board, Summaries
from nengo_dl.training.terms import Term
from nengo_dl.training.trainer import Trainer, drawing
from nengo_dl.user_code import warn_user
from nengo_dl.validation import (
    finite_number,
    flag,
    flags,
    function_of,
    positive_int,
)


class TrainingCalls:
    """Train a model, measure it, and run it on minibatches, as users say.

    Parameters
    ----------
    model : nengo.builder.Model
        The built model.
    endpoints : Endpoints
        The inputs and outputs of the simulator.
    settings : Settings
        What the user configured.
    trainer : Trainer
        Trains and measures.
    runner : Runner
        The simulation.
    program : Program
        Its program.
    board : Board or None
        Where summaries go.
    """

    def __init__(
        self,
        model: Model,
        endpoints: Endpoints,
        settings: Settings,
        trainer: Trainer,
        runner: Runner,
        program: Program,
        board: Board | None,
    ) -> None:
        self._model = model
        self._endpoints = endpoints
        self._settings = settings
        self._trainer = trainer
        self._store = runner.store
        self._batches = Batches(trainer.functions, runner, program, trainer.traces)
        self._board = board

    def function(
        self, probes: Any, training: bool, as_rates: bool
    ) -> SimulatorFunction:
        """Return the network as a pure function; see `Simulator.function`."""
        found = self._wanted(probes, "probes")
        training, as_rates = flags(training=training, as_rates=as_rates)
        function = self._trainer.functions.of(
            found, training, any_state=True, as_rates=as_rates
        )
        function.rewind(self._trainer.measuring_seed())
        return SimulatorFunction(function, self._store, self._endpoints)

    def storage(self, n_steps: int) -> Storage:
        """Return what training with targets for all Probes keeps of some steps."""
        function = self._trainer.functions.of(self._model.probes, training=True)
        return function.through_time.storage(n_steps)

    @drawing
    def train(
        self,
        data: Any,
        optimizer: Any,
        n_epochs: int,
        objective: Any,
        shuffle: bool,
        truncation: int | None,
        summaries: Sequence[Any] | None,
        profile: str | None,
        progress_bar: Any,
        steps_per_epoch: int | None,
    ) -> np.ndarray:
        """Optimise the trainable parameters; see `Simulator.train`."""
        self._refuse_without_training()
        n_epochs, shuffle = positive_int(n_epochs, "n_epochs"), flag(shuffle, "shuffle")
        found: TrainingData | ByEpoch[TrainingData]
        if is_stream(data):
            found, wanted, first = self._streamed(
                data,
                objective,
                "sum",
                steps_per_epoch,
                "steps_per_epoch",
                shuffle,
                n_epochs,
            )
        else:
            _refuse_steps(steps_per_epoch, "steps_per_epoch")
            found, wanted = self._work(data, objective, "sum")
            first = found
        endpoints.warn_about_synapses(
            self._model.toplevel, first.targets, first.n_steps
        )
        shortened = endpoints.check_truncation(truncation, first.n_steps)
        with profiling(profile), self._summaries(summaries) as written:
            losses = self._trainer.train(
                found,
                wanted,
                optimizer,
                n_epochs,
                shuffle,
                # later minibatches of a dataset may be longer than the first
                truncation if found is not first else shortened,
                progress_bar,
                written,
            )
        _explain_missing(losses, found, wanted)
        return losses

    @drawing
    def loss(
        self,
        data: Any,
        objective: Any,
        combine: Callable[[list], Any],
        progress_bar: Any,
        training: bool,
        as_rates: bool,
        steps: int | None,
    ) -> Any:
        """Measure how well the network does; see `Simulator.loss`."""
        function_of(combine, "combine", "a function of a list")
        training, as_rates = flags(training=training, as_rates=as_rates)
        found: TrainingData | ByEpoch[TrainingData]
        if is_stream(data):
            found, wanted, _ = self._streamed(data, objective, "mean", steps, "steps")
        else:
            _refuse_steps(steps, "steps")
            found, wanted = self._work(data, objective, "mean")
        values = self._trainer.loss(found, wanted, training, progress_bar, as_rates)
        _explain_missing(values, found, wanted)
        return sum(combine(list(column)) for column in values.T)

    def check_gradients(
        self,
        outputs: nengo.Probe | Sequence[nengo.Probe] | None,
        atol: float,
        rtol: float,
        inputs: Any,
        n_steps: int | None,
        unroll: int,
    ) -> dict[nengo.Probe, dict[str, np.ndarray]]:
        """Compare gradients with differences; see `Simulator.check_gradients`.

        Without inputs and a number of steps, two times ``unroll`` steps are taken.
        """
        self._refuse_without_training()
        if self._settings.surrogate is not None:
            raise ValidationError(
                "Surrogate gradients are no slopes of the output, so there is nothing "
                "to compare them with. Expected surrogate=None",
                attr="surrogate",
            )
        probes = self._wanted(outputs, "outputs")
        expected = "a finite number of at least 0"
        atol = finite_number(atol, "atol", least=0, expected=expected)
        rtol = finite_number(rtol, "rtol", least=0, expected=expected)
        if inputs is None:
            n_steps = (
                2 * unroll if n_steps is None else positive_int(n_steps, "n_steps")
            )
            shape = (self._endpoints.minibatch_size or 1, n_steps)
            rng = np.random.RandomState(0)
            inputs = {
                node: rng.uniform(-1, 1, (*shape, node.size_out))
                for node in self._endpoints.nodes
            }
        attrs = ("inputs", "targets")
        arrays = self._endpoints.check(
            inputs, None, n_steps, attrs=attrs, one_minibatch=True
        )
        return self._trainer.check_gradients(
            probes, arrays.inputs, arrays.n_steps, atol, rtol
        )

    @drawing
    def run_batch(
        self,
        data: Any,
        outputs: dict[Any, Any],
        n_epochs: int,
        truncation: int | None,
        shuffle: bool,
        profile: str | None,
        training: bool,
        callback: Callable[[dict, None], Any] | None,
        combine: Callable[[list], Any],
        isolate_state: bool,
        as_rates: bool,
        seed: int,
    ) -> dict[Any, Any]:
        """Compute something from the outputs of minibatches; see `Simulator.run_batch`.

        Parameters
        ----------
        seed : int
            Of everything random.
        """
        n_epochs = positive_int(n_epochs, "n_epochs")
        training, as_rates = flags(training=training, as_rates=as_rates)
        shuffle, isolate_state = flags(shuffle=shuffle, isolate_state=isolate_state)
        function_of(combine, "combine", "a function of a list")
        if callback is not None:
            expected = "a function callback(values, None), or None"
            function_of(callback, "callback", expected)
        inputs, targets, n_steps = self._endpoints.split(data)
        wanted = run_batch.resolve(outputs, self._endpoints, tuple(targets or ()))
        functions = [(own.probes, own.target_size) for own in wanted.values()]
        arrays = self._endpoints.check(
            inputs, targets, n_steps, sizes=_sizes(functions)
        )
        truncation = endpoints.check_truncation(truncation, arrays.n_steps)
        orders: Iterable[np.ndarray] = repeat(np.arange(arrays.n_items), n_epochs)
        if shuffle:
            rng = np.random.RandomState(self._trainer.measuring_seed())
            orders = (rng.permutation(order) for order in orders)
        found: list[dict[Any, Any]] = []
        with profiling(profile):
            for values in self._batches.run(
                arrays,
                wanted,
                orders,
                truncation,
                training,
                as_rates,
                isolate_state,
                seed,
            ):
                if callback is not None:
                    callback(values, None)
                found.append(values)
                if combine is np.stack:
                    run_batch.check_stacked(
                        values, found[0], truncation, arrays.n_steps
                    )
        return run_batch.combined(found, combine)

    def _wanted(self, probes: Any, attr: str) -> list[nengo.Probe]:
        """Return the Probes that a user means; by default all of them."""
        if isinstance(probes, nengo.Probe | str):
            probes = [probes]
        outputs = self._endpoints.outputs
        wanted = outputs.objects if probes is None else probes
        several = isinstance(wanted, list | tuple | set | frozenset | Mapping)
        if not several or not wanted:
            raise ValidationError(
                f"Expected a Probe, or a list of some, got {probes!r:.100}; the Probes "
                f"are {outputs.listing}",
                attr=attr,
            )
        return [outputs.find(probe, attr) for probe in wanted]

    def _refuse_without_training(self) -> None:
        if self._settings.inference_only:
            raise ValidationError(
                "The network is configured with inference_only=True, so nothing can be "
                "trained. Expected `configure_settings(inference_only=False)`",
                attr="inference_only",
            )

    def _work(
        self, data: Any, objective: Any, reduction: Reduction
    ) -> tuple[TrainingData, tuple[Term, ...]]:
        """Check data and objectives of a call, and return them."""
        inputs, targets, n_steps = self._endpoints.split(data)
        wanted, sizes = self._terms(objective, tuple(targets or ()), reduction)
        arrays = self._endpoints.check(inputs, targets, n_steps, sizes=sizes)
        _warn_about_missing(arrays, wanted)
        return arrays, wanted

    def _streamed(
        self,
        data: Any,
        objective: Any,
        reduction: Reduction,
        steps: int | None,
        option: str,
        shuffle: bool = False,
        n_epochs: int = 1,
    ) -> tuple[ByEpoch[TrainingData], tuple[Term, ...], TrainingData]:
        """Return the minibatches of a dataset or generator, objectives, and the first.

        The first minibatch tells which Probes have targets; it comes again.
        """
        if steps is not None:
            steps = positive_int(steps, option)
        by_number = shuffle and isinstance(data, keras.utils.PyDataset)
        rng = np.random.RandomState(self._trainer.new_seed()) if by_number else None
        check: dict[str, Any] = {"endpoints": self._endpoints}
        source = Stream(
            data,
            lambda element: checked(element, **check),
            "data",
            rng,
            self._endpoints.share,
        )
        found = ByEpoch(source, steps, option, refuse_to_end)
        check_supply(source, steps, n_epochs)
        _, targets = minibatch_of(source.first(), self._endpoints)
        wanted, sizes = self._terms(objective, tuple(targets), reduction)
        check.update(probes=tuple(targets), sizes=sizes)
        first = source.minibatch(source.first())
        _warn_about_missing(first, wanted)
        return found, wanted, first

    def _terms(
        self, objective: Any, targets: tuple[nengo.Probe, ...], reduction: Reduction
    ) -> tuple[tuple[Term, ...], dict[nengo.Probe, TargetSize]]:
        """Return the objectives of a call, and which sizes targets may have."""
        wanted = terms.resolve(
            objective,
            targets,
            self._endpoints.probes,
            names=self._endpoints.names,
            reduction=reduction,
            dt=self._endpoints.dt,
        )
        return wanted, _sizes([(term.probes, term.target_size) for term in wanted])

    def _summaries(self, objects: Sequence[Any] | None) -> Summaries:
        """Return a writer of summaries about some objects, for TensorBoard."""
        objects = () if objects is None else objects
        # which also refuses what is no list of objects
        found = Summaries(None, objects, self._model, self._store)
        if len(objects) and self._board is None:
            warn_user(
                "`summaries` are ignored: the simulator has no directory for them. "
                "Expected `Simulator(..., tensorboard=directory)`"
            )
        if len(objects) and self._board is not None:
            return Summaries(self._board, objects, self._model, self._store)
        return found


def _warn_about_missing(data: TrainingData, wanted: Iterable[Term]) -> None:
    """Warn if targets are not a number where an objective cannot do without."""
    endpoints.warn_about_missing(data.targets, _needed(wanted))


def _explain_missing(losses: np.ndarray, data: Any, wanted: Iterable[Term]) -> None:
    """Warn if losses are no numbers because targets are none."""
    if isinstance(data, TrainingData):
        endpoints.warn_about_effect_of_missing([losses], data.targets, _needed(wanted))


def _needed(wanted: Iterable[Term]) -> list[nengo.Probe]:
    """Return the Probes whose loss is known to be no number if a target is none."""
    return [probe for term in wanted if term.needs_all for probe in term.probes]


def _refuse_steps(steps: Any, option: str) -> None:
    """Refuse a number of minibatches for data that have one."""
    if steps is not None:
        raise ValidationError(
            f"Got {option}={steps!r:.100} with arrays, all of which are presented. "
            "Expected a dataset or generator, or no such argument",
            attr=option,
        )


def _sizes(
    functions: Iterable[tuple[Sequence[nengo.Probe], TargetSize]],
) -> dict[nengo.Probe, TargetSize]:
    """Return which sizes targets may have, by Probe: what all its functions take."""
    found: dict[nengo.Probe, set[TargetSize]] = {}
    for probes, size in functions:
        for probe in probes:
            found.setdefault(probe, set()).add(size)
    strictest: tuple[TargetSize, ...] = ("equal", "class", "any")
    return {
        probe: next((size for size in strictest if size in own), "any")
        for probe, own in found.items()
    }
