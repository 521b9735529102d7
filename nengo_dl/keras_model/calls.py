"""Arguments of ``compile``, ``fit``, ``evaluate``, ``predict``, checked."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import keras
import nengo
import numpy as np
from nengo.builder.signal import Signal
from nengo.exceptions import SimulationError, ValidationError

from nengo_dl.config import Settings
from nengo_dl.distribution.workers import Workers
from nengo_dl.inputs.checks import check_split
from nengo_dl.inputs.endpoints import (
    STEPS,
    Endpoints,
    check_truncation,
    warn_about_effect_of_missing,
    warn_about_synapses,
)
from nengo_dl.inputs.names import listing
from nengo_dl.inputs.requirements import Parts, Requirements
from nengo_dl.inputs.streams import is_stream
from nengo_dl.keras_model import arguments
from nengo_dl.keras_model.arguments import Compilation
from nengo_dl.keras_model.datasets import (
    Slices,
    class_weights,
    cut,
    held_for,
    item_orders,
    stream,
)
from nengo_dl.keras_model.kept_outputs import KeptOutputs
from nengo_dl.keras_model.keras_step import KerasStep
from nengo_dl.keras_model.loop_options import (
    HELD_OUT_PARTS,
    check_options,
    compile_options,
    warn_about_ignored,
)
from nengo_dl.keras_model.model import SimulatorModel
from nengo_dl.keras_model.predictions import Predictions
from nengo_dl.keras_model.training_loop import Loop, Minibatches
from nengo_dl.program.built import Built
from nengo_dl.program.compile import compile_program
from nengo_dl.program.program import Program
from nengo_dl.program.value_keys import value_key
from nengo_dl.simulation.out_arrays import out_arrays
from nengo_dl.simulation.runner import Runner
from nengo_dl.training import optimizers
from nengo_dl.training.model_function import ModelFunction
from nengo_dl.training.trainer import NOTHING_TO_TRAIN, Trainer
from nengo_dl.user_code import warn_user
from nengo_dl.validation import flag, flags, positive_int, refused, within


class KerasCalls:
    """Train, measure and predict with the Keras model of a simulator.

    Parameters
    ----------
    model : SimulatorModel
        The model.
    endpoints : Endpoints
        The inputs and outputs of the simulator.
    trainer : Trainer
        Its optimizers and seeds.
    runner : Runner
        The simulation.
    settings : Settings
        What the user configured.
    """

    def __init__(
        self,
        model: SimulatorModel,
        endpoints: Endpoints,
        trainer: Trainer,
        runner: Runner,
        settings: Settings,
    ) -> None:
        self.model = model
        self._endpoints = endpoints
        self._trainer = trainer
        self._runner = runner
        self._settings = settings
        self._batch = endpoints.minibatch_size or 1
        self._compilation: Compilation | None = None
        self._options: dict[str, Any] = {}
        self._active: tuple[nengo.Probe, ...] | None = None

    # -- compile

    def compile(
        self,
        optimizer: Any,
        loss: Any,
        loss_weights: Any,
        metrics: Any,
        weighted_metrics: Any,
        options: dict[str, Any],
    ) -> None:
        """Choose optimizer, losses and metrics; see `Simulator.compile`."""
        options = compile_options(options)
        compilation = arguments.resolve(
            self._endpoints.outputs, loss, loss_weights, metrics, weighted_metrics
        )
        trained = [variable for _, variable in self._runner.store.trained]
        if isinstance(optimizer, str) or (optimizer is not None and not trained):
            # by its name each call means a new one
            optimizer = optimizers.resolve(optimizer)
        if trained and optimizer is not None:
            optimizer = self._trainer.optimizers.of(optimizer, trained)
        self._compilation = compilation
        self._options = {**options, "optimizer": optimizer}
        self._active = None
        self._activate(self._outputs(compilation))

    def _outputs(self, compilation: Compilation) -> tuple[nengo.Probe, ...]:
        """Return the Probes that have losses or metrics."""
        used = {*compilation.losses, *compilation.measured}
        return tuple(p for p in self._endpoints.probes if p in used)

    def _activate(self, probes: tuple[nengo.Probe, ...]) -> None:
        """Compile the Keras model for just these outputs, unless it is already."""
        if probes != self._active and self._compilation is not None:
            self._active = probes
            self.model.activate(probes)
            self.model.compile(
                **self._options,
                **self._compilation.arguments(
                    probes, self._endpoints.names, self._endpoints.dtype
                ),
            )
            options = {k: v for k, v in self._options.items() if k != "optimizer"}
            places = {probe: i for i, probe in enumerate(self._endpoints.probes)}
            chosen = [self._compilation, options]
            self.model.key = lambda: value_key(chosen, places)

    # -- fit, evaluate, predict

    def fit(
        self,
        x: Any,
        y: Any,
        n_steps: Any,
        stateful: bool,
        truncation: Any,
        validate_as: Any,
        validation_n_steps: Any,
        options: dict[str, Any],
    ) -> Any:
        """Train; see `Simulator.fit`."""
        check_options(options, "fit")
        stateful = flag(stateful, "stateful")
        if truncation is not None:
            truncation = positive_int(truncation, "truncation")
        if validation_n_steps is not None:
            validation_n_steps = positive_int(validation_n_steps, "validation_n_steps")
        as_rates = self._validates_as_rates(validate_as)
        self.model.fitting.truncation = truncation
        try:
            with self._trainer.drawing(), _with_rates(self.model.testing, as_rates):
                return self._fit(x, y, n_steps, stateful, validation_n_steps, options)
        finally:
            self.model.fitting.truncation = None

    def _validates_as_rates(self, validate_as: Any) -> bool:
        """Return whether validation is about firing rates."""
        known = isinstance(validate_as, str) and validate_as in ("rates", "spikes")
        if validate_as is not None and not known:
            raise refused(validate_as, "validate_as", "'rates', 'spikes' or None")
        if validate_as == "spikes" and self._settings.learning_phase:
            warn_user(
                "validate_as='spikes' is ignored: the network is configured with "
                "`configure_settings(learning_phase=True)`, and runs as in training"
            )
        return validate_as == "rates"

    def _fit(
        self,
        x: Any,
        y: Any,
        n_steps: Any,
        stateful: bool,
        validation_n_steps: int | None,
        options: dict[str, Any],
    ) -> Any:
        if self._settings.inference_only:
            raise SimulationError(
                "The network is configured with inference_only=True, so nothing can be "
                "trained. Expected `configure_settings(inference_only=False)`"
            )
        y = self._for_output(y)
        needs = self._requirements(x, y)
        weights = _weights_of(options)
        split = options.pop("validation_split", None)
        given = options.pop("validation_data", None)
        shuffle = options.pop("shuffle", True)
        held_out: Minibatches | None = None
        if given is not None:
            if split:
                warn_user(
                    "'validation_split' is ignored: there are 'validation_data', which "
                    "decide"
                )
            longer = replace(needs, n_steps=validation_n_steps)
            held_out = self._held_out(given, longer, n_steps)
        data: Minibatches
        if is_stream(x):
            _refuse_for_streams({**weights, "validation_split": split or None})
            by_number = shuffle and isinstance(x, keras.utils.PyDataset)
            seed = self._trainer.new_seed() if by_number else None
            data = stream(x, needs, y, n_steps, seed)
        else:
            parts = self._parts(needs, x, y, n_steps, **weights)
            check_truncation(self.model.fitting.truncation, parts[0][STEPS].shape[1])
            if split and held_out is None:
                n_items = len(parts[0][STEPS])
                n_train = check_split(n_items, split, self._batch)
                last = cut(parts, slice(n_train, n_items))
                held_out = Slices(held_for(last, validation_n_steps), self._batch)
                parts = cut(parts, slice(n_train))
            seed = self._trainer.new_seed() if shuffle else 0
            data = Slices(parts, self._batch, item_orders(self._batch, shuffle, seed))
        of_validation = {
            "validate_as": self.model.testing.as_rates,
            "validation_n_steps": validation_n_steps,
        }
        warn_about_ignored({**options, **of_validation}, held_out is not None)
        trains = self._check_reach(self.model.fitting.function)
        quiet = nullcontext() if trains else _without_keras_warning()
        with self._going_on(self.model.fitting, stateful), quiet:
            history = self._loop().fit(data, held_out, **options)
        self._explain_missing(history.history, data, held_out)
        return history

    def _check_reach(self, function: ModelFunction) -> bool:
        """Warn about what cannot be trained; return whether anything can."""
        if self._options["optimizer"] is None:
            raise SimulationError(
                "There is no optimizer: expected `sim.compile(optimizer, loss=...)` "
                "before `fit`; without one there are `evaluate` and `predict`"
            )
        self._runner.store.follow_learned()
        self._trainer.check_reach(function, refuse=False)
        self._trainer.high_rates.warn(function)
        if not function.reach.trained:
            warn_user(
                "The model does not have any trainable weights, or none that a "
                f"gradient reaches. {NOTHING_TO_TRAIN}",
                UserWarning,  # as Keras' own
            )
        return bool(function.reach.trained)

    def evaluate(
        self,
        x: Any,
        y: Any,
        n_steps: Any,
        stateful: bool,
        as_rates: bool,
        options: dict[str, Any],
    ) -> dict[str, float]:
        """Measure losses and metrics; see `Simulator.evaluate`."""
        check_options(options, "evaluate")
        stateful, as_rates = flags(stateful=stateful, as_rates=as_rates)
        y = self._for_output(y)
        needs = replace(self._requirements(x, y), n_steps=n_steps)
        weights = _weights_of(options)
        data: Minibatches
        if is_stream(x):
            _refuse_for_streams(weights)
            data = stream(x, needs, y, n_steps)
        else:
            data = Slices(self._parts(needs, x, y, n_steps, **weights), self._batch)
        options.pop("return_dict", None)
        testing = self.model.testing
        with _with_rates(testing, as_rates), self._going_on(testing, stateful):
            measured = self._loop().evaluate(data, **options)
        self._explain_missing(measured, data)
        return measured

    def predict(
        self,
        x: Any,
        n_steps: Any,
        stateful: bool,
        as_rates: bool,
        out: Any,
        options: dict[str, Any],
    ) -> dict[nengo.Probe, Any]:
        """Return the outputs of all Probes; see `Simulator.predict`."""
        check_options(options, "predict")
        stateful, as_rates = flags(stateful=stateful, as_rates=as_rates)
        kept = self._kept(out)
        needs = Requirements(self._endpoints, n_steps=n_steps)
        data: Minibatches
        if is_stream(x):
            data = stream(x, needs, None, n_steps)
        else:
            data = Slices(self._parts(needs, x, None, n_steps), self._batch)
        _weights_of(options)
        own = self.model.predicting
        with _with_rates(own, as_rates), self._going_on(own, stateful):
            self._loop().predict(data, kept, **options)
        return self._by_probe(kept.result())

    def predict_on_batch(
        self, x: Any, n_steps: Any, stateful: bool, as_rates: bool
    ) -> dict[nengo.Probe, np.ndarray]:
        """Return the outputs of all Probes for one minibatch."""
        stateful, as_rates = flags(stateful=stateful, as_rates=as_rates)
        needs = Requirements(self._endpoints, n_steps=n_steps)
        parts = needs.parts(needs.check(x, None, n_steps, one_minibatch=True))
        kept = KeptOutputs(None)
        own = self.model.predicting
        with _with_rates(own, as_rates), self._going_on(own, stateful):
            self._loop().predict(Slices(parts, self._batch), kept, verbose=0)
        return self._by_probe(kept.result())

    def _kept(self, out: Any) -> KeptOutputs:
        """Return what keeps outputs, in the arrays of the user if there are some."""
        own = out_arrays(out, self._endpoints.outputs)
        names = self._endpoints.names
        return KeptOutputs(own and {names[probe]: own[probe] for probe in own})

    # -- data

    def _requirements(self, x: Any, y: Any) -> Requirements:
        """Choose the outputs with losses or metrics; return what these require."""
        compilation = self._compilation
        if compilation is None:
            raise SimulationError(
                "Nothing was chosen to be minimised or measured: call "
                "`sim.compile(optimizer, loss=...)` first"
            )
        outputs = self._outputs(compilation)
        if compilation.for_all and not is_stream(x):
            given = dict(self._endpoints.outputs.pairs(y, "y", first_of_several=True))
            outputs = tuple(
                p for p in outputs if p in given or not compilation.uses_targets(p)
            )
        if not outputs:
            names = self._endpoints.names
            raise ValidationError(
                "There are no targets for any output with a loss or a metric, among "
                f"{listing(self._endpoints.probes, names)}. Expected y={{probe: "
                "array}, and sim.compile(loss=...)",
                attr="y",
            )
        self._activate(outputs)
        names, with_targets = self._endpoints.names, compilation.with_targets(outputs)
        self.model.testing.readouts = [
            names[p] for p in with_targets if not compilation.counts_spikes(p)
        ]
        return Requirements(
            self._endpoints,
            outputs,
            with_targets,
            {p: compilation.target_size(p) for p in outputs},
            [p for p in outputs if compilation.needs_all(p)],
        )

    def _for_output(self, y: Any) -> Any:
        """Return targets; a single array belongs to the only output, if it is one."""
        compilation = self._compilation
        several = isinstance(y, Mapping | list | tuple)
        if compilation is None or y is None or several or compilation.for_all:
            return y
        outputs = self._outputs(compilation)
        return {outputs[0]: y} if len(outputs) == 1 else y

    def _parts(
        self,
        needs: Requirements,
        x: Any,
        y: Any,
        n_steps: Any,
        sample_weight: Any = None,
        class_weight: Any = None,
    ) -> Parts:
        """Check data; return inputs, targets and weights of samples by name."""
        data = needs.check(x, y, n_steps)
        warn_about_synapses(self._settings.network, needs.outputs, data.n_steps)
        parts = needs.parts(data, sample_weight)
        if class_weight is not None:
            size = self._endpoints.outputs.size(needs.outputs[0])
            parts = (*parts[:2], class_weights(parts, class_weight, size))
        return parts

    def _held_out(self, given: Any, needs: Requirements, n_steps: Any) -> Minibatches:
        """Return data for validation."""
        named = within("validation_data", HELD_OUT_PARTS)
        if is_stream(given):
            data = stream(given, needs, None, None)
            minibatch = named(data.minibatch)
            return replace(data, minibatch=minibatch, attr="validation_data")
        with named:
            x, y, weights = keras.utils.unpack_x_y_sample_weight(given)
            parts = self._parts(needs, x, self._for_output(y), n_steps, weights)
        return Slices(parts, self._batch)

    def _explain_missing(self, losses: Mapping[str, Any], *sources: Any) -> None:
        """Warn if losses are no numbers because targets of arrays are none."""
        compilation, names = self._compilation, self._endpoints.names
        for source in sources:
            given = source.parts[1] if isinstance(source, Slices) else {}
            targets = {p: given[n] for p, n in names.items() if n in given}
            warned = [p for p in targets if compilation and compilation.needs_all(p)]
            warn_about_effect_of_missing(losses.values(), targets, warned)

    def _by_probe(self, outputs: dict[str, Any]) -> dict:
        named = ((p, self._endpoints.names[p]) for p in self._endpoints.probes)
        return {probe: outputs[name] for probe, name in named if name in outputs}

    def _loop(self) -> Loop:
        return Loop(self.model, self._options.get("steps_per_execution"))

    # -- the state of the simulation

    @contextmanager
    def _going_on(self, own: KerasStep | Predictions, stateful: bool) -> Iterator[None]:
        """Let minibatches go on where the one before them ended, if that is wanted."""
        if stateful and not self._settings.stateful:
            warn_user(
                "stateful=True is ignored: the network is configured with "
                "`configure_settings(stateful=False)`"
            )
        own.start.goes_on = stateful and self._settings.stateful
        positions = self._runner.positions() if own.shares_streams else None
        try:
            yield
            own.end()
        except BaseException:
            if positions is not None:
                self._runner.sources.return_to(positions)
            raise
        finally:
            own.start.goes_on = False


def keras_calls(
    endpoints: Endpoints,
    built: Built,
    trainer: Trainer,
    runner: Runner,
    program: Program,
    parameters: Mapping[Signal, str],
) -> KerasCalls:
    """Make the Keras model of a simulator, and what calls it.

    Parameters
    ----------
    endpoints, trainer, runner
        As for `KerasCalls`.
    built : Built
        The built model, and how it is simulated.
    program : Program
        The simulation.
    parameters : dict of {Signal: str}
        What the parameters are called.
    """

    def beside(as_rates: bool) -> Runner:
        training = bool(built.settings.learning_phase)
        own = compile_program(built, training, every_step=True, as_rates=as_rates)
        return Runner(own, built.model, built.order, True, {})

    model = SimulatorModel(
        trainer.functions,
        runner,
        program,
        endpoints.names,
        parameters,
        Predictions(runner, beside, None if built.settings.use_loop else built.unroll),
        trainer.new_seed,
        trainer.traces,
        Workers(built.replicas),
        trainer.constrain,
        trainer.one_step_spikes.judge,
    )
    return KerasCalls(model, endpoints, trainer, runner, built.settings)


@contextmanager
def _with_rates(own: KerasStep | Predictions, as_rates: bool) -> Iterator[None]:
    """Let rates stand in for spikes, if that is wanted."""
    own.as_rates = as_rates
    try:
        yield
    finally:
        own.as_rates = False


@contextmanager
def _without_keras_warning() -> Iterator[None]:
    """Keep back Keras' warning that nothing is trained: ours has said so, and why."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "The model does not have any trainable weights", UserWarning
        )
        yield


def _weights_of(options: dict[str, Any]) -> dict[str, Any]:
    """Take weights of samples and classes from the options; drop what has no use."""
    for name in ("batch_size", "validation_batch_size"):
        if options.pop(name, None) is not None:
            warn_user(
                f"{name!r} is ignored: the simulator was made with a minibatch_size, "
                "and runs no other"
            )
    given = {n: options.pop(n, None) for n in ("sample_weight", "class_weight")}
    return {name: value for name, value in given.items() if value is not None}


def _refuse_for_streams(options: dict[str, Any]) -> None:
    for name, value in options.items():
        if value is not None:
            raise ValidationError(
                f"Got {name!r} with a dataset or generator. Expected arrays; or else "
                "weights as the third part of each minibatch, and validation_data",
                attr=name,
            )
