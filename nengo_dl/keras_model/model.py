"""A simulator as a model of Keras, which brings training loops, metrics, callbacks."""

from __future__ import annotations

import logging
from collections.abc import (
    Callable,
    Collection,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager
from functools import partial, wraps
from itertools import islice
from typing import Any

import keras
import nengo
import numpy as np
import tensorflow as tf
from nengo.builder.signal import Signal

from nengo_dl.display.tables import text_table
from nengo_dl.distribution.scope import outside_scopes
from nengo_dl.distribution.workers import Workers
from nengo_dl.inputs.checks import check_eager
from nengo_dl.inputs.endpoints import STEPS
from nengo_dl.inputs.requirements import Parts
from nengo_dl.keras_model.among_processes import AmongProcesses
from nengo_dl.keras_model.call_forms import by_name
from nengo_dl.keras_model.callbacks_of_workers import ending_together
from nengo_dl.keras_model.divided_training import DividedTraining
from nengo_dl.keras_model.inherited_methods import (
    ReadAsArrays,
    Refusals,
    check_call,
    check_losses,
    check_weights,
    count_items,
    loop_arguments,
    refused_by_keras,
    targets_by_name,
)
from nengo_dl.keras_model.keras_step import KerasStep
from nengo_dl.keras_model.loop_options import COMPILATION, compile_options
from nengo_dl.keras_model.predictions import Predictions
from nengo_dl.lowering.tensor_nodes.precision import floatx
from nengo_dl.program.program import Program
from nengo_dl.program.python_errors import as_raised, in_own_words
from nengo_dl.program.traces import Traces
from nengo_dl.program.value_keys import Same
from nengo_dl.program.xla_support import Xla
from nengo_dl.simulation.keras_variables import move, without_names
from nengo_dl.simulation.runner import Runner
from nengo_dl.training.epoch import Epoch
from nengo_dl.training.model_function import ModelFunction, ModelFunctions
from nengo_dl.training.optimizer_step import OptimizerStep
from nengo_dl.validation import function_of, positive_int

#: methods of Keras' that go through datasets
LOOPS = ("fit", "evaluate", "predict")


@contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Let Keras compute losses and metrics in the precision of a simulation.

    Keras' ``floatx`` decides. Sums of 16 bits would overflow, so 32 bits are the least.

    Parameters
    ----------
    dtype : str
        Floating point type of the simulation.
    """
    with floatx("float64" if dtype == "float64" else "float32"):
        yield


@contextmanager
def no_retracing_warnings() -> Iterator[None]:
    """Keep back TensorFlow's warnings that Keras' functions are traced too often.

    Nothing can be done about it: each model of Keras has functions of its own, and
    TensorFlow counts those of all models together.
    """

    def wanted(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        return "tf.function retracing" not in text or "TensorFlowTrainer." not in text

    logger = tf.get_logger()
    logger.addFilter(wanted)
    try:
        yield
    finally:
        logger.removeFilter(wanted)


def _at_work(name: str) -> Callable[..., Any]:
    """Return a method of Keras' that runs within `SimulatorModel.at_work`."""
    method = getattr(keras.Model, name)

    @wraps(method)
    def run(self: SimulatorModel, *args: Any, **kwargs: Any) -> Any:
        if name in LOOPS:
            args, kwargs = (), loop_arguments(name, args, kwargs)
            if self.workers.several:
                given = kwargs.get("callbacks")
                kwargs["callbacks"] = ending_together(given, self.workers, self.stops)
        with self.at_work():
            return method(self, *args, **kwargs)

    return run


class SimulatorModel(Refusals, ReadAsArrays, AmongProcesses, DividedTraining):
    """The network of a simulator as a model of Keras.

    Its weights are the parameters of the simulation themselves. Inputs are dicts
    ``{name of Node: tensor}``, shape (minibatch_size, n_steps, size), outputs dicts
    ``{name of Probe: tensor}``. Nodes that are not among the inputs have their own
    output. Each minibatch starts in the state that the simulation is in.

    Parameters
    ----------
    functions : ModelFunctions
        The network as functions of parameters, state and inputs.
    runner : Runner
        The simulation.
    program : Program
        Its program.
    names : dict of {Node or Probe: str}
        What inputs and outputs are called.
    parameters : dict of {Signal: str}
        What the parameters are called.
    predicting : Predictions
        How `predict` runs.
    new_seed : callable
        Returns a seed for the next training.
    traces : Traces
        Where compiled functions are kept.
    workers : Workers
        The processes that train together; one of them writes files.
    constrain : callable or None
        Applies constraints of layers after an update; see `Trainer.constrain`.
    judge : callable
        Warns about what `evaluate` measures of a function of the model, in so many
        steps.

    Attributes
    ----------
    fitting, testing : KerasStep
        How `fit` and `evaluate` run.
    predicting : Predictions
        As given.
    seed : int
        Of everything random in `evaluate` and `predict`.
    key : callable
        Returns what losses and metrics compute.
    """

    def __init__(
        self,
        functions: ModelFunctions,
        runner: Runner,
        program: Program,
        names: Mapping[Any, str],
        parameters: Mapping[Signal, str],
        predicting: Predictions,
        new_seed: Callable[[], int],
        traces: Traces,
        workers: Workers,
        constrain: Callable[[Collection[int]], None] | None,
        judge: Callable[[ModelFunction, int], None],
    ) -> None:
        super().__init__(name="simulator", dtype=program.dtype.name)
        # Keras wraps it, and finds wrong arguments before it is refused
        self.__dict__.pop("quantize", None)
        self.fitting = KerasStep(functions, runner, names, True, self.train_step)
        self.testing = KerasStep(functions, runner, names, False, self.test_step)
        self.predicting = predicting
        self.workers = workers
        self.seed = 0
        self.key: Callable[[], Hashable] = lambda: None
        self._names, self._new_seed, self._traces = names, new_seed, traces
        self._judge, self._constrain = judge, constrain
        #: the mean of what layers add to the loss, so that those of outputs are known
        self._added: keras.metrics.Mean | None = None
        if functions.rules.has_losses:
            with without_names():
                self._added = keras.metrics.Mean("layer_losses", self.dtype)
        self._runner, self._program = runner, program
        self._xla = Xla(program.jit_compile)
        self._loss_weights: dict[str, float] = {}
        # Keras counts the variables in a list among the weights
        self._parameters = runner.store.keras_variables(parameters)
        self.built = True

    # -- one minibatch

    # within a `tf.function` of the user's, AutoGraph would rewrite what it calls
    @tf.autograph.experimental.do_not_convert
    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Run one minibatch, given in any form; see `call` and `by_name`."""
        self._runner.check_open("use the Keras model")
        with in_own_words():
            inputs = by_name(inputs, self.testing.nodes, self.testing.rows)
            check_call(inputs, kwargs.get("training"), self.testing.function.dtype)
            return super().__call__(inputs, *args, **kwargs)

    def call(self, inputs: Mapping[str, tf.Tensor], training: Any = None) -> dict:
        """Run one minibatch.

        Parameters
        ----------
        inputs : dict of {str: tf.Tensor}, shape (minibatch_size, n_steps, size)
            Data by name of the Node.
        training : bool, optional
            Whether rates, or spikes with surrogate gradients, stand in for spikes.

        Returns
        -------
        dict of {str: tf.Tensor}, shape (minibatch_size, n_steps, *shape)
            Outputs by name of the Probe: of those that have a loss or a metric.
        """
        if not training:
            return self.fitting.known or self.testing.outputs(inputs, self.seed)
        outputs = self.fitting.outputs(inputs, self.seed)
        first = next(iter(outputs))
        trained = [variable.value for variable in self.trainable_variables]
        return {**outputs, first: _connected(outputs[first], trained)}

    # -- minibatches as compiled computations

    def compile(self, *args: Any, jit_compile: Any = "auto", **kwargs: Any) -> None:
        """Choose optimizer, losses and metrics; see `keras.Model.compile`.

        Losses and metrics are dicts ``{name of Probe: ...}``. XLA compiles by default
        what it compiles in the simulation.
        """
        given = {"jit_compile": jit_compile, **kwargs}
        own = compile_options({n: v for n, v in given.items() if n in COMPILATION})
        kwargs, jit_compile = {**kwargs, **own}, own["jit_compile"]
        del kwargs["jit_compile"]
        eager = bool(kwargs.get("run_eagerly"))
        if jit_compile in ("auto", None):
            jit_compile = self._program.jit_compile and not eager
        self._xla = Xla(bool(jit_compile))
        loss, weights = kwargs.get("loss"), kwargs.get("loss_weights")
        check_losses(args[1] if len(args) > 1 else loss)
        if isinstance(loss, Mapping):
            factors = weights if isinstance(weights, Mapping) else {}
            self._loss_weights = {name: factors.get(name, 1.0) for name in loss}
        else:
            self._loss_weights = {}
        device = self._program.device
        measures = [*args[2:], kwargs.get("metrics"), kwargs.get("weighted_metrics")]
        for metric in tf.nest.flatten(measures):
            if isinstance(metric, keras.metrics.Metric):
                move(metric.variables, device)
        refused = refused_by_keras("keras_model.compile")
        with precision(self.dtype), without_names(), refused, tf.device(device):
            super().compile(*args, jit_compile=self._xla.used, **kwargs)
        if self.optimizer is not None and not self.optimizer.built:
            move(self.optimizer.variables, device)
        # of losses that nobody has told us about
        unknown = Same(object())
        self.key = lambda: unknown

    def activate(self, probes: Sequence[nengo.Probe]) -> None:
        """Choose the outputs that losses and metrics are about."""
        self.fitting.probes = self.testing.probes = tuple(probes)

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs, in the order in which Keras flattens dicts."""
        return sorted(self.testing.output_names)

    def begin(self, own: KerasStep) -> None:
        """Let minibatches start where the simulation is, with new random numbers.

        Those of `evaluate` have the seed of the simulator.
        """
        own.begin(self._new_seed() if own is self.fitting else self.seed)

    def epoch(self, own: KerasStep, parts: Parts) -> Epoch:
        """Return what runs all minibatches of some arrays, made once for each shape.

        Parameters
        ----------
        own : KerasStep
            `fitting` or `testing`.
        parts : tuple
            Arrays of shape (n_items, ...) by name: inputs, targets, weights of samples.
        """
        inputs, targets, weights = parts[0], parts[1], parts[2] or {}
        nodes = {own.nodes[name]: a for name, a in inputs.items() if name != STEPS}
        others = [*targets.values(), *weights.values()]
        shapes = tuple(
            tuple((name, array.shape) for name, array in (part or {}).items())
            for part in parts
        )
        key = (own.function, shapes)
        if (known := own.epochs.get(key)) is not None:
            known.present(nodes, others)
            return known
        return own.epochs.setdefault(key, self._epoch(own, parts, nodes, others))

    def _epoch(self, own: KerasStep, parts: Parts, nodes: Any, others: Any) -> Epoch:
        inputs, targets, weights = parts
        batch, dtype = own.function.minibatch_size, self._program.dtype
        n_items, n_steps = inputs[STEPS].shape[:2]
        if not self.run_eagerly:  # then they would see no values
            self.build_losses(
                own.specs(n_steps, own.averaged(inputs, targets, n_steps)),
                *(
                    {
                        name: tf.TensorSpec((batch, *array.shape[1:]), dtype)
                        for name, array in part.items()
                    }
                    if part
                    else None
                    for part in (targets, weights)
                ),
            )
        if own is self.testing:
            self._judge(own.function, n_steps)
        step = partial(own.run, tuple(targets), tuple(weights or ()))
        update = None
        if own is self.fitting and self.optimizer is not None:
            trained = [variable.value for variable in self.trainable_variables]
            update = OptimizerStep(self.optimizer, trained, self._constrain)
            if not self.run_eagerly or self._constrain is not None:
                step = update.in_place()(step)
        truncation = own.truncation
        return Epoch(
            own.function,
            step,
            0,
            nodes,
            others,
            n_items,
            n_steps,
            own.start,
            self._variables(update),
            self._program.device,
            self._traces,
            lambda: (
                "fit" if own is self.fitting else "evaluate",
                self.key(),
                tuple(own.output_names),
                tuple(own.readouts),
                self._trained(),
                None if update is None else update.key,
                truncation,
                tuple(targets),
                tuple(weights or ()),
            ),
            owner=None if update is None else self.optimizer,
            xla=self._xla,
            run_eagerly=self.run_eagerly,
        )

    def _variables(self, update: OptimizerStep | None) -> list[tf.Variable]:
        """Return all variables that Keras changes with a minibatch."""
        found = list(self._runner.store.variables)
        if update is not None:
            found += update.variables
        found += [variable.value for variable in self.metrics_variables]
        return list({id(variable): variable for variable in found}.values())

    def _trained(self) -> tuple[bool, ...]:
        """Return which parameters are trained, on which users have the last word."""
        trained = {id(variable) for variable in self.trainable_variables}
        return tuple(id(variable) in trained for variable in self.weights)

    # -- what Keras' own loops call for each minibatch

    def make_train_function(self, force: bool = False) -> None:
        """Begin to train."""
        self.begin(self.fitting)
        self.train_function = partial(self._run, self.fitting)

    def make_test_function(self, force: bool = False) -> None:
        """Begin to evaluate."""
        self.begin(self.testing)
        self.test_function = partial(self._run, self.testing)

    def make_predict_function(self, force: bool = False) -> None:
        """Begin to predict."""
        self.predicting.begin(self.seed)
        self.predict_function = self._predict

    def _run(self, own: KerasStep, minibatches: Iterable[Any]) -> dict[str, Any]:
        """Run the next minibatches; return losses and metrics."""
        done = False
        for minibatch in islice(minibatches, self.steps_per_execution):
            for _ in self.run_one(own, self._parts(minibatch)):
                done = True
        if not done:
            raise StopIteration
        return self.get_metrics_result()

    def run_one(self, own: KerasStep, parts: Parts) -> Iterator[np.ndarray]:
        """Run one minibatch of some arrays."""
        epoch = self.epoch(own, parts)
        return epoch.run(np.arange(epoch.n_items), again=True)

    def _predict(self, minibatches: Sequence[Any]) -> dict[str, tf.Tensor]:
        """Return the outputs of all Probes for some minibatches."""
        given = [keras.utils.unpack_x_y_sample_weight(each)[0] for each in minibatches]
        found = [self.predict_one(self._inputs(x)) for x in given]
        return {
            name: tf.concat([own[name] for own in found], axis=0) for name in found[0]
        }

    def predict_one(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs of all Probes for one minibatch of arrays, by name."""
        nodes = {n: inputs[k] for k, n in self.testing.nodes.items() if k in inputs}
        found = self.predicting.run(nodes, inputs[STEPS].shape[1])
        return {self._names[probe]: values for probe, values in found.items()}

    def _inputs(self, x: Any) -> dict[str, np.ndarray]:
        """Return the inputs that Keras hands over as arrays by name."""
        count_items(x, "x")
        named = by_name(x, self.testing.nodes, self.testing.rows)
        inputs = {name: np.asarray(values) for name, values in named.items()}
        size = self.testing.function.minibatch_size
        return {**inputs, STEPS: np.zeros((size, self.testing.n_steps(inputs), 0))}

    def _parts(self, minibatch: Any) -> Parts:
        """Return what Keras hands over as arrays by name."""
        x, y, weights = keras.utils.unpack_x_y_sample_weight(minibatch)
        count_items(weights, "sample_weight")
        weights = {} if weights is None else tf.nest.map_structure(np.asarray, weights)
        names = self.testing.output_names
        if not isinstance(weights, Mapping):
            weights = dict.fromkeys(names, weights)
        return self._inputs(x), targets_by_name(y, names), dict(weights)

    def build_losses(self, outputs: Any, targets: Any, weights: Any) -> None:
        """Have Keras make the variables of losses and metrics.

        It makes them when it first meets outputs, which is too late within XLA.

        Parameters
        ----------
        outputs, targets, weights : dict of {str: tf.TensorSpec} or None
            What they will be given, by name of the output.
        """
        measures = [
            getattr(self, n, None) for n in ("_compile_loss", "_compile_metrics")
        ]
        if all(own is None or own.built for own in measures):
            return

        def measure(outputs: Any, targets: Any, weights: Any) -> Any:
            with precision(self.dtype):
                loss = self.compute_loss(
                    None, targets, outputs, weights, training=False
                )
                return loss, self.compute_metrics(None, targets, outputs, weights)

        if self._added is not None:  # which is a loss where there is no other
            self.testing.layer_losses = [tf.zeros((), self.dtype)]
        with in_own_words(), without_names():
            tf.function(measure).get_concrete_function(outputs, targets, weights)
        self.testing.layer_losses = []

    @property
    def losses(self) -> list[tf.Tensor]:
        """What layers of TensorNodes add to the loss, as of the latest call."""
        return [*self.testing.layer_losses, *self.fitting.layer_losses]

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        """Return the sum of the losses of all outputs; see Keras."""
        if self._added is not None:
            size = self.testing.function.minibatch_size
            self._added.update_state(sum(self.losses), sample_weight=size)
        # TensorFlow rewrites this sum and the one over minibatches as a single sum, in
        # an order that differs from run to run, unless something stands between them
        loss = tf.convert_to_tensor(super().compute_loss(*args, **kwargs))
        return tf.ensure_shape(loss, loss.shape)

    # -- in the precision of the simulation

    fit, evaluate, predict = map(_at_work, LOOPS)
    train_on_batch, test_on_batch, predict_on_batch = map(
        _at_work, ("train_on_batch", "test_on_batch", "predict_on_batch")
    )

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Compute in the simulation's precision, where it runs, with users' errors."""
        self._runner.check_open("use the Keras model")
        check_eager("Cannot use the Keras model")
        with (
            outside_scopes(),
            precision(self.dtype),
            tf.device(self._program.device),
            as_raised(),
            no_retracing_warnings(),
        ):
            before, self.in_loop = self.in_loop, True
            try:
                yield
            finally:
                self.in_loop = before
                self.fitting.epochs.clear()
                self.testing.epochs.clear()
                self._runner.store.changed()

    # -- what comes out

    def get_metrics_result(self) -> dict[str, Any]:
        """Return losses and metrics, with the name of the output in front of each."""
        results = super().get_metrics_result()
        outputs = self.testing.output_names
        ordered = {"loss": results.pop("loss")}
        of_outputs = ordered["loss"]
        if self._added is not None:
            of_outputs = of_outputs - results.pop(self._added.name)
        if len(outputs) == 1:
            # Keras has no names for the parts if there is only one
            results = {f"{outputs[0]}_{key}": value for key, value in results.items()}
        with_loss = [name for name in outputs if name in self._loss_weights]
        if len(with_loss) == 1:
            weight = self._loss_weights[with_loss[0]]
            ordered[f"{with_loss[0]}_loss"] = of_outputs / weight
        for name in with_loss:
            if f"{name}_loss" in results:
                ordered[f"{name}_loss"] = results.pop(f"{name}_loss")

        def place(key: str) -> int:
            owner = max((n for n in outputs if key.startswith(f"{n}_")), key=len)
            return outputs.index(owner)

        return {**ordered, **{key: results[key] for key in sorted(results, key=place)}}

    def set_weights(self, weights: Any) -> None:
        """Change the parameters of the simulation."""
        check_weights(weights, [tuple(own.shape) for own in self.weights])
        super().set_weights(weights)
        self._runner.store.changed()

    def load_own_variables(self, store: Any) -> None:
        """Read the parameters of the simulation from a file."""
        super().load_own_variables(store)
        self._runner.store.changed()

    def summary(
        self, line_length: int | None = None, *_: Any, print_fn: Any = print, **__: Any
    ) -> None:
        """Print inputs, outputs and weights, with the objects that they belong to.

        Parameters
        ----------
        line_length : int, optional
            Where lines are cut off.
        print_fn : callable
            Is called with each line.
        """
        if line_length is not None:
            positive_int(line_length, "line_length")
        function_of(print_fn, "print_fn", "a function of a line")
        for line in _summary(self, self._names).splitlines():
            print_fn(line[:line_length])


def _summary(model: keras.Model, names: Mapping[Any, str]) -> str:
    """Return a table of the inputs, outputs and weights of a model."""
    rows = [
        ("input" if isinstance(obj, nengo.Node) else "output", name, "")
        for obj, name in names.items()
    ]
    trainable = {id(weight) for weight in model.trainable_weights}
    for weight in model.weights:
        kind = "weights" if id(weight) in trainable else "weights, not trainable"
        rows.append((kind, weight.name, f"{weight.shape[0]:,}"))
    return text_table(f"Model {model.name!r}: {model.count_params():,} weights", rows)


def _connected(output: tf.Tensor, variables: Sequence[tf.Variable]) -> tf.Tensor:
    """Return an output that has a gradient for all variables, zero where it had none.

    Keras' optimizers pass over variables without a gradient, and warn.
    """

    @tf.custom_gradient
    def connect(output: tf.Tensor, *values: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return (upstream, *map(tf.zeros_like, values))

        return tf.identity(output), gradient

    return connect(output, *map(tf.convert_to_tensor, variables))
