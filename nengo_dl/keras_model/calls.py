"""Arguments of ``compile``, ``fit``, ``evaluate``, ``predict``, checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import nengo
import numpy as np
import tensorflow as tf
from nengo.exceptions import SimulationError, ValidationError

from nengo_dl.config import Settings
from nengo_dl.inputs.checks import check_split, positive_int
from nengo_dl.inputs.endpoints import (
    STEPS,
    Endpoints,
    check_truncation,
    warn_about_synapses,
)
from nengo_dl.inputs.names import listing
from nengo_dl.inputs.requirements import Parts, Requirements
from nengo_dl.keras_model import arguments
from nengo_dl.keras_model.arguments import Compilation
from nengo_dl.keras_model.datasets import (
    class_weights,
    dataset,
    is_stream,
    item_orders,
    stream,
)
from nengo_dl.keras_model.held_inputs import Pass
from nengo_dl.keras_model.in_memory import OPTIONS, InMemory
from nengo_dl.keras_model.model import SimulatorModel
from nengo_dl.keras_model.options import check_options
from nengo_dl.program.program import Program
from nengo_dl.program.value_keys import value_key
from nengo_dl.simulation.runner import Runner
from nengo_dl.training import optimizers
from nengo_dl.training.model_function import ModelFunction
from nengo_dl.training.trainer import NOTHING_TO_TRAIN, Trainer
from nengo_dl.user_code import warn_user


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
    device : str or None
        Where the simulation runs.
    """

    def __init__(
        self,
        model: SimulatorModel,
        endpoints: Endpoints,
        trainer: Trainer,
        runner: Runner,
        settings: Settings,
        device: str | None,
    ) -> None:
        self._device = device
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
        compilation = arguments.resolve(
            self._endpoints.outputs, loss, loss_weights, metrics, weighted_metrics
        )
        trained = [variable for _, variable in self._runner.store.trained]
        if isinstance(optimizer, str) or not trained:
            # by its name each call means a new one
            optimizer = optimizers.resolve(optimizer)
        if trained:
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

    # -- fit, evaluate, predict

    def fit(
        self,
        x: Any,
        y: Any,
        n_steps: Any,
        stateful: bool,
        truncation: Any,
        options: dict[str, Any],
    ) -> Any:
        """Train; see `Simulator.fit`."""
        check_options(options, "fit")
        if truncation is not None:
            truncation = positive_int(truncation, "truncation")
        self.model.truncation = truncation
        try:
            return self._fit(x, y, n_steps, stateful, options)
        finally:
            self.model.truncation = None

    def _fit(
        self, x: Any, y: Any, n_steps: Any, stateful: bool, options: dict[str, Any]
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
        held_out = options.pop("validation_data", None)
        shuffle = options.pop("shuffle", True)
        if held_out is not None:
            held_out = self._held_out(held_out, needs, n_steps)
        if is_stream(x):
            _refuse_for_streams({**weights, "validation_split": split or None})
            data = stream(x, needs, y, n_steps)
            shuffle = shuffle and isinstance(x, keras.utils.PyDataset)
        else:
            parts = self._parts(needs, x, y, n_steps, **weights)
            check_truncation(self.model.truncation, parts[0][STEPS].shape[1])
            if split and held_out is None:
                n_items = len(parts[0][STEPS])
                n_train = check_split(n_items, split, self._batch)
                held_out = _cut(parts, n_train, n_items)
                parts = _cut(parts, 0, n_train)
            seed = self._trainer.new_seed() if shuffle else 0
            if self._is_compiled(stateful, options) and (
                held_out is None or isinstance(held_out, tuple)
            ):
                self._check_reach(self.model.fitting.form)
                orders = item_orders(self._batch, shuffle, seed)
                return self._in_memory().fit(parts, held_out, orders, **options)
            data = dataset(parts, self._batch, shuffle, seed)
            shuffle = False
        if isinstance(held_out, tuple):
            held_out = dataset(held_out, self._batch)
        self._check_reach(self.model.fitting.form)
        with self._going_on(self.model.fitting, stateful):
            return self.model.fit(
                data, validation_data=held_out, shuffle=shuffle, **options
            )

    def _check_reach(self, function: ModelFunction) -> None:
        """Warn about what cannot be trained; go on if nothing can, as Keras does."""
        self._trainer.check_reach(function, refuse=False)
        if not function.reach.trained:
            warn_user(
                "The model does not have any trainable weights, or none that a "
                f"gradient reaches. {NOTHING_TO_TRAIN}",
                UserWarning,  # as Keras' own
            )

    def evaluate(
        self, x: Any, y: Any, n_steps: Any, stateful: bool, options: dict[str, Any]
    ) -> dict[str, float]:
        """Measure losses and metrics; see `Simulator.evaluate`."""
        check_options(options, "evaluate")
        y = self._for_output(y)
        needs = self._requirements(x, y)
        weights = _weights_of(options)
        if is_stream(x):
            _refuse_for_streams(weights)
            data = stream(x, needs, y, n_steps)
        else:
            parts = self._parts(needs, x, y, n_steps, **weights)
            if self._is_compiled(stateful, options):
                return self._in_memory().evaluate(parts, **options)
            data = dataset(parts, self._batch)
        with self._going_on(self.model.testing, stateful):
            found = self.model.evaluate(data, **{**options, "return_dict": True})
        # Keras sorts by name
        return {name: found[name] for name in self.model.get_metrics_result()}

    def predict(
        self, x: Any, n_steps: Any, stateful: bool, options: dict[str, Any]
    ) -> dict[nengo.Probe, np.ndarray]:
        """Return the outputs of all Probes; see `Simulator.predict`."""
        check_options(options, "predict")
        needs = Requirements(self._endpoints)
        if is_stream(x):
            data = stream(x, needs, None, n_steps)
        else:
            data = dataset(self._parts(needs, x, None, n_steps), self._batch)
        with self._going_on(self.model.predicting, stateful):
            return self._by_probe(self.model.predict(data, **options))

    def predict_on_batch(
        self, x: Any, n_steps: Any, stateful: bool
    ) -> dict[nengo.Probe, np.ndarray]:
        """Return the outputs of all Probes for one minibatch."""
        needs = Requirements(self._endpoints)
        inputs, _, _ = needs.parts(needs.check(x, None, n_steps, one_minibatch=True))
        tensors = {name: tf.constant(array) for name, array in inputs.items()}
        with self._going_on(self.model.predicting, stateful):
            return self._by_probe(self.model.predict_on_batch(tensors))

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
        return Requirements(
            self._endpoints,
            outputs,
            [p for p in outputs if compilation.uses_targets(p)],
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
            size = needs.outputs[0].size_in
            parts = (*parts[:2], class_weights(parts, class_weight, size))
        return parts

    def _held_out(self, given: Any, needs: Requirements, n_steps: Any) -> Any:
        """Return data for validation: arrays by name, or a dataset of minibatches."""
        if is_stream(given):
            return stream(given, needs, None, None)
        x, y, weights = keras.utils.unpack_x_y_sample_weight(given)
        y = self._for_output(y)
        return self._parts(needs, x, y, n_steps, weights)

    def _is_compiled(self, stateful: bool, options: Mapping[str, Any]) -> bool:
        """Return whether all minibatches of an epoch can run as one computation."""
        by_minibatch = self.model.run_eagerly or "steps_per_execution" in self._options
        return not stateful and not by_minibatch and options.keys() <= OPTIONS

    def _in_memory(self) -> InMemory:
        places = {probe: i for i, probe in enumerate(self._endpoints.probes)}
        options = {k: v for k, v in self._options.items() if k != "optimizer"}
        return InMemory(
            self.model,
            self._runner.store,
            self._device,
            self._trainer.traces,
            lambda: value_key([self._compilation, options], places),
        )

    def _by_probe(self, outputs: dict[str, np.ndarray]) -> dict:
        names = self._endpoints.names
        return {probe: outputs[names[probe]] for probe in self._endpoints.probes}

    # -- the state of the simulation

    @contextmanager
    def _going_on(self, own: Pass, stateful: bool) -> Iterator[None]:
        """Let minibatches go on where the one before them ended, if that is wanted."""
        if stateful and not self._settings.stateful:
            warn_user(
                "stateful=True is ignored: the network is configured with "
                "`configure_settings(stateful=False)`"
            )
        own.stateful = stateful and self._settings.stateful
        try:
            yield
            if own.stateful:
                self._runner.n_steps = own.end()
        except tf.errors.InvalidArgumentError as error:
            found = re.search(r"\[.*?\].* expected shape \[.*?\]", error.message)
            if found is None:
                raise
            raise ValidationError(
                "A minibatch has another shape than the first one of the dataset: "
                f"{found.group()}. Expected all alike, which "
                "`dataset.batch(minibatch_size, drop_remainder=True)` takes care of",
                attr="x",
            ) from error
        finally:
            own.stateful = False


def keras_calls(
    endpoints: Endpoints,
    settings: Settings,
    trainer: Trainer,
    runner: Runner,
    program: Program,
) -> KerasCalls:
    """Make the Keras model of a simulator, and what calls it.

    Parameters
    ----------
    endpoints, settings, trainer, runner
        As for `KerasCalls`.
    program : Program
        The simulation.
    """
    model = SimulatorModel(
        trainer.functions,
        runner,
        program,
        endpoints.names,
        trainer.new_seed,
    )
    return KerasCalls(model, endpoints, trainer, runner, settings, program.device)


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


def _cut(parts: Parts, start: int, stop: int) -> Any:
    """Return some of the items of all arrays."""
    return tuple(
        None if group is None else {n: a[start:stop] for n, a in group.items()}
        for group in parts
    )
