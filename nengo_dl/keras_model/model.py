"""A simulator as a model of Keras, which brings training loops, metrics, callbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import keras
import nengo
import tensorflow as tf

from nengo_dl.keras_model.call_forms import by_name
from nengo_dl.keras_model.held_inputs import Pass
from nengo_dl.lowering.tensor_nodes.precision import floatx
from nengo_dl.program.adjoint import Tensors
from nengo_dl.program.program import Program
from nengo_dl.program.python_errors import as_raised, in_own_words
from nengo_dl.program.xla_support import lacking_in, warn_without_xla
from nengo_dl.simulation.runner import Runner
from nengo_dl.training.model_function import ModelFunctions
from nengo_dl.training.truncation import in_parts, steps_of


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


class SimulatorModel(keras.Model):
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
    new_seed : callable
        Returns a seed for the next training.

    Attributes
    ----------
    fitting, testing, predicting : Pass
        How `fit`, `evaluate` and `predict` run.
    seed : int
        Of everything random in `evaluate` and `predict`.
    xla : bool
        Whether XLA compiles training and measuring, as `compile` was told.
    truncation : int or None
        Steps that gradients go back in `fit`, with an update after so many steps.
    """

    def __init__(
        self,
        functions: ModelFunctions,
        runner: Runner,
        program: Program,
        names: Mapping[Any, str],
        new_seed: Callable[[], int],
    ) -> None:
        super().__init__(name="simulator", dtype=program.dtype.name)
        probes = [obj for obj in names if isinstance(obj, nengo.Probe)]

        def new_pass(training: bool, adapts: bool = False) -> Pass:
            store, device = runner.store, program.device
            return Pass(functions, store, names, probes, training, device, adapts)

        self.fitting = new_pass(training=True, adapts=True)
        self.testing = new_pass(training=False)
        self.predicting = new_pass(training=False)
        self.seed = 0
        self.truncation: int | None = None
        self._new_seed = new_seed
        self._runner = runner
        self._program = program
        self.xla = program.jit_compile
        #: whether it is known that XLA has all that losses and metrics use
        self._xla_known = False
        self._loss_weights: dict[str, float] = {}
        self._within = False
        # Keras counts the variables in a list among the weights
        self._parameters = runner.store.keras_variables()
        self.built = True

    # -- one minibatch

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Run one minibatch, given in any form; see `call` and `by_name`."""
        with in_own_words():
            inputs = by_name(inputs, self.testing.nodes)
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
            return self._run(self.testing, inputs)
        outputs = self._run(self.fitting, inputs)
        first = next(iter(outputs))
        trained = [variable.value for variable in self.trainable_variables]
        return {**outputs, first: _connected(outputs[first], trained)}

    def train_step(self, data: Any) -> dict:
        """Train with one minibatch; see `keras.Model.train_step`."""
        with _after(data):
            inputs, *_ = keras.utils.unpack_x_y_sample_weight(data)
            n_steps = self.fitting.n_steps(inputs)
            if self.truncation is None or self.truncation >= n_steps:
                return super().train_step(data)
            return self._train_in_parts(data, n_steps)

    def _train_in_parts(self, data: Any, n_steps: int) -> dict:
        """Train with one minibatch, an update after each part of its steps."""
        inputs, *others = keras.utils.unpack_x_y_sample_weight(data)

        with self.fitting.framed(inputs) as frame:

            def part(
                first: tf.Tensor, count: int, carried: Tensors | None
            ) -> tuple[tf.Tensor, Tensors]:
                frame.skipped, frame.carried = first, carried
                cut = tf.nest.map_structure(
                    lambda values: steps_of(values, first, count, n_steps),
                    (inputs, *(part for part in others if part is not None)),
                )
                keras.Model.train_step(self, cut)
                assert frame.carried is not None
                return tf.zeros(0, self.dtype), frame.carried

            in_parts(part, n_steps, self.truncation)
        return self.get_metrics_result()

    def test_step(self, data: Any) -> dict:
        """Measure with one minibatch; see `keras.Model.test_step`."""
        with _after(data):
            return super().test_step(data)

    def predict_step(self, data: Any) -> dict:
        """Return the outputs of all Probes for one minibatch."""
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        return self._run(self.predicting, inputs)

    def _run(self, own: Pass, inputs: Mapping[str, tf.Tensor]) -> dict:
        if not self._within and own.frame is None:
            # called by hand, where nothing was prepared
            with tf.init_scope():
                own.begin(self.seed, self._runner.n_steps)
                own.prepare(inputs)
        params = [tf.convert_to_tensor(v) for v in self._runner.store.params]
        return own.run(params, inputs)

    # -- what Keras compiles, and calls again and again

    def compile(self, *args: Any, jit_compile: Any = "auto", **kwargs: Any) -> None:
        """Choose optimizer, losses and metrics; see `keras.Model.compile`.

        Losses and metrics are dicts ``{name of Probe: ...}``. XLA compiles by default
        what it compiles in the simulation.
        """
        eager = bool(kwargs.get("run_eagerly"))
        if jit_compile in ("auto", None):
            jit_compile = self._program.jit_compile and not eager
        self.xla = bool(jit_compile)
        self._xla_known = False
        weights = kwargs.get("loss_weights") or {}
        self._loss_weights = {
            name: weights.get(name, 1.0) for name in kwargs.get("loss") or {}
        }
        with precision(self.dtype):
            super().compile(*args, jit_compile=self.xla, **kwargs)
        for own in (self.fitting, self.testing, self.predicting):
            own.slots = self.steps_per_execution
        self.fitting.compiled.forget()
        self.testing.compiled.forget()

    def activate(self, probes: Sequence[nengo.Probe]) -> None:
        """Choose the outputs that losses and metrics are about."""
        self.fitting.probes = self.testing.probes = tuple(probes)

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs, in the order in which Keras flattens dicts."""
        return sorted(self.testing.output_names)

    def begin_fitting(self) -> int:
        """Let `fitting` start where the simulation is, with new random numbers."""
        seed = self._new_seed()
        self.fitting.begin(seed, self._runner.n_steps)
        return seed

    def begin_testing(self) -> int:
        """Let `testing` start where the simulation is, with the simulator's seed."""
        self.testing.begin(self.seed, self._runner.n_steps)
        return self.seed

    def make_train_function(self, force: bool = False) -> None:
        """Begin to train."""
        self.begin_fitting()
        self._make("train", self.fitting, super().make_train_function)

    def make_test_function(self, force: bool = False) -> None:
        """Begin to evaluate."""
        self.begin_testing()
        self._make("test", self.testing, super().make_test_function)

    def make_predict_function(self, force: bool = False) -> None:
        """Begin to predict."""
        self.predicting.begin(self.seed, self._runner.n_steps)
        self._make("predict", self.predicting, super().make_predict_function)

    def _make(self, kind: str, own: Pass, make: Callable[..., None]) -> None:
        """Give Keras a function that also gets what does not come with the data."""
        attribute = f"{kind}_function"

        def function(data: Any) -> Any:
            minibatch, data = _first(data)
            inputs, targets, weights = keras.utils.unpack_x_y_sample_weight(minibatch)
            if own is not self.predicting and not self.run_eagerly:
                self.build_losses(own.specs(inputs), targets, weights)
            xla = self.xla and not own.form.through_time.calls_python
            # Keras would generalise its function to shapes that are not known
            types = [t for t in tf.nest.flatten(minibatch) if t is not None]
            shapes = tuple((t.shape, t.dtype) for t in types)
            key = (
                own.key(inputs),
                shapes,
                xla,
                self.run_eagerly,
                self.truncation,
            )
            own.prepare(inputs)

            def compiled() -> Callable[..., Any]:
                self.jit_compile = xla
                make(force=True)
                made = getattr(self, attribute)
                setattr(self, attribute, function)
                return made

            self._within = True
            try:
                return own.compiled.get(key, compiled)(data)
            finally:
                self._within = False

        setattr(self, attribute, function)

    def build_losses(self, outputs: Any, targets: Any, weights: Any) -> None:
        """Have Keras make the variables of losses and metrics; find out if XLA can.

        It makes them when it first meets outputs, which is too late within XLA. What
        XLA lacks has to be known before a minibatch is taken from a dataset.
        """
        built = all(part is None or part.built for part in self._measures())
        if built and self._xla_known:
            return

        def measure(outputs: Any, targets: Any, weights: Any) -> Any:
            with precision(self.dtype):
                loss = self.compute_loss(
                    None, targets, outputs, weights, training=False
                )
                return loss, self.compute_metrics(None, targets, outputs, weights)

        # Keras leaves open how many items and steps generators yield
        known = next(iter(outputs.values())).shape

        def spec(like: Any) -> tf.TensorSpec | None:
            if like is None:
                return None
            sizes = zip(like.shape, (*known, *[None] * len(like.shape)), strict=False)
            shape = [other if own is None else own for own, other in sizes]
            return tf.TensorSpec(shape, like.dtype)

        specs = tf.nest.map_structure(spec, (outputs, targets, weights))
        if not built:
            with in_own_words():
                tf.function(measure).get_concrete_function(*specs)
        self._xla_known = True
        lack = lacking_in(measure, *specs) if self.xla else None
        if lack is not None:
            warn_without_xla(lack)
            self.xla = False

    def _measures(self) -> tuple[Any, ...]:
        return getattr(self, "_compile_loss", None), getattr(
            self, "_compile_metrics", None
        )

    # -- in the precision of the simulation

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Train; see `keras.Model.fit`."""
        with self.at_work():
            return super().fit(*args, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Measure losses and metrics; see `keras.Model.evaluate`."""
        with self.at_work():
            return super().evaluate(*args, **kwargs)

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """Return the outputs of all Probes; see `keras.Model.predict`."""
        with self.at_work():
            return super().predict(*args, **kwargs)

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Train with one minibatch; see `keras.Model.train_on_batch`."""
        with self.at_work():
            return super().train_on_batch(*args, **kwargs)

    def test_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Measure with one minibatch; see `keras.Model.test_on_batch`."""
        with self.at_work():
            return super().test_on_batch(*args, **kwargs)

    def predict_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Return outputs for one minibatch; see `keras.Model.predict_on_batch`."""
        with self.at_work():
            return super().predict_on_batch(*args, **kwargs)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Compute in the simulation's precision, where it runs, with users' errors."""
        with precision(self.dtype), tf.device(self._program.device), as_raised():
            try:
                yield
            finally:
                self._runner.store.changed()

    # -- what comes out

    def get_metrics_result(self) -> dict[str, Any]:
        """Return losses and metrics, with the name of the output in front of each."""
        results = super().get_metrics_result()
        outputs = self.testing.output_names
        ordered = {"loss": results.pop("loss")}
        if len(outputs) == 1:
            # Keras has no names for the parts if there is only one
            results = {f"{outputs[0]}_{key}": value for key, value in results.items()}
        with_loss = [name for name in outputs if name in self._loss_weights]
        if len(with_loss) == 1:
            weight = self._loss_weights[with_loss[0]]
            ordered[f"{with_loss[0]}_loss"] = ordered["loss"] / weight
        for name in with_loss:
            if f"{name}_loss" in results:
                ordered[f"{name}_loss"] = results.pop(f"{name}_loss")

        def place(key: str) -> int:
            owner = max((n for n in outputs if key.startswith(f"{n}_")), key=len)
            return outputs.index(owner)

        return {**ordered, **{key: results[key] for key in sorted(results, key=place)}}

    def set_weights(self, weights: Any) -> None:
        """Change the parameters of the simulation."""
        super().set_weights(weights)
        self._runner.store.changed()

    def load_own_variables(self, store: Any) -> None:
        """Read the parameters of the simulation from a file."""
        super().load_own_variables(store)
        self._runner.store.changed()

    def get_config(self) -> dict[str, Any]:
        """Refuse: a simulator is more than a model of Keras."""
        raise NotImplementedError(
            "A simulator cannot be saved as a model of Keras. Save its parameters with "
            "`sim.keras_model.save_weights(path)`, or pickle the simulator"
        )


def _first(data: Any) -> tuple[Any, Any]:
    """Return the first minibatch, or the types of all, and the data once more.

    Parameters
    ----------
    data : tf.data.Iterator, iterator or list
        Over minibatches, what Keras calls its functions with.
    """
    if isinstance(data, tf.data.Iterator):
        return data.element_spec, data
    minibatches = list(data)
    # Keras' functions for predictions take lists, the others take iterators
    return minibatches[0], minibatches if isinstance(data, list) else iter(minibatches)


def _after(data: Any) -> AbstractContextManager:
    """Return a context for what may happen only if there is another minibatch.

    The end of a dataset is an error of the operation that gets the next one. Where
    minibatches have a fixed size, counts of items do not depend on that operation.
    """
    tensors = [tensor for tensor in tf.nest.flatten(data) if tensor is not None]
    return tf.control_dependencies(tensors)


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
