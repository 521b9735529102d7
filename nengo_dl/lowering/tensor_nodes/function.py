"""Functions of tensors as users write them: callables, and layers of Keras."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.lowering.tensor_nodes.first_weights import watched
from nengo_dl.lowering.tensor_nodes.item_shapes import check_axes
from nengo_dl.lowering.tensor_nodes.precision import in_precision, layers_of
from nengo_dl.lowering.tensor_nodes.random_functions import seeded
from nengo_dl.lowering.tensor_nodes.variables import StandIns, value_type
from nengo_dl.user_code import user_line

Shape = tuple[int, ...]


@dataclass(eq=False)
class TensorFunction:
    """A function of time and input, with what it was declared to be.

    Attributes
    ----------
    function : callable or keras.Layer
        As the user gave it.
    shape_in : tuple of int or None
        Shape of the input for one item of the batch; None if there is no input.
    shape_out : tuple of int or None
        Shape of the output for one item; None as long as it is not known.
    pass_time : bool
        Whether the function is given the time.
    label : str
        Whose function it is, for messages.
    random : tf.Variable or None
        Where random functions of TensorFlow have their seeds from; None: TensorFlow.
    """

    function: Any
    shape_in: Shape | None
    shape_out: Shape | None
    pass_time: bool
    label: str
    random: tf.Variable | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "random": None}

    @property
    def is_layer(self) -> bool:
        """Whether it is a layer of Keras."""
        return isinstance(self.function, keras.Layer)

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables of the layers that it is, or refers to."""
        found: dict[int, keras.Variable] = {}
        for layer in layers_of(self.function):
            metrics = {id(v) for v in layer.metrics_variables}
            found.update({id(v): v for v in layer.variables if id(v) not in metrics})
        return list(found.values())

    @property
    def has_built_layers(self) -> bool:
        """Whether it is or refers to layers, all of which have their weights."""
        layers = layers_of(self.function)
        return bool(layers) and all(layer.built for layer in layers)

    @property
    def takes_list(self) -> bool:
        """Whether the function is called with one list of time and input.

        Layers are, unless they have a ``call(t, x)``.
        """
        both = self.pass_time and self.shape_in is not None
        return both and self.is_layer and len(_required(self.function.call)) < 2

    @property
    def is_keras_code(self) -> bool:
        """Whether it is made of layers that Keras itself has, and of nothing else."""
        return self.is_layer and all(
            type(part).__module__.partition(".")[0] == "keras"
            and not isinstance(part, keras.layers.Lambda)
            for part in self.function._flatten_layers()
        )

    @property
    def takes_training(self) -> bool:
        """Whether the function takes an argument ``training``."""
        return self.is_layer or "training" in _parameters(self.function)

    def build(self) -> None:
        """Have a layer make its weights, if it has none yet."""
        if self.is_layer and self.shape_in is not None and not self.pass_time:
            check_axes(self.function, self.shape_in)
        if self.is_layer and not self.function.built and self.shape_in is not None:
            symbol = keras.KerasTensor(
                (None, *self.shape_in), dtype=self.function.compute_dtype
            )
            arguments = [symbol]
            if self.pass_time:
                time = keras.KerasTensor((), dtype=self.function.compute_dtype)
                arguments.insert(0, time)
            with watched():
                self._call(arguments, {})

    def pre_build(self, batch: int) -> None:
        """Call ``function.pre_build(shape_in, shape_out)``, if there is such a method.

        It makes variables, and is given shapes with a batch axis.
        """
        method = getattr(self.function, "pre_build", None)
        if callable(method):
            given = None if self.shape_in is None else (batch, *self.shape_in)
            assert self.shape_out is not None
            with watched():
                method(given, (batch, *self.shape_out))

    def post_build(self, rng: np.random.RandomState) -> bool:
        """Call ``function.post_build(None, rng)``, if there is such a method.

        It gives variables their first values. There is no session any more. Returns
        whether the function has the method.
        """
        method = getattr(self.function, "post_build", None)
        if callable(method):
            method(None, rng)
        return callable(method)

    def __call__(self, t: tf.Tensor, x: tf.Tensor | None, training: bool) -> tf.Tensor:
        """Return the output, and check that it is what it has to be.

        Parameters
        ----------
        t : tf.Tensor, shape ()
            Time (s).
        x : tf.Tensor, shape (batch, *shape_in), or None
            Input.
        training : bool
            Whether it runs as in training.

        Returns
        -------
        tf.Tensor, shape (batch, *shape_out)
            A batch axis of length 1 if there is no input to tell the batch.

        Raises
        ------
        ValidationError
            If the function fails, or returns something else.
        """
        arguments: list[tf.Tensor] = [t] if self.pass_time else []
        if x is not None:
            arguments.append(x)
        named = {"training": training} if self.takes_training else {}
        precision = in_precision(self.function, t.dtype.name)
        with precision, seeded(self.random), watched():
            result = self._call(arguments, named)
        return self._checked(result, x, t.dtype)

    def _call(self, arguments: list[Any], named: dict[str, Any]) -> Any:
        """Call the function; if it fails, say whose it is, and what it was given."""
        try:
            if self.takes_list:
                return self.function(arguments, **named)
            return self.function(*arguments, **named)
        except Exception as error:
            given = [] if self.shape_in is None else [f"x of shape {self.shape_in}"]
            if self.pass_time:
                given.insert(0, "t of shape ()")
            advice = (
                ". It got the list `[t, x]`; `pass_time=False` calls it with x alone"
            )
            raise ValidationError(
                f"{self.label}: calling {_name(self.function)} with "
                f"{' and '.join(given) or 'nothing'}, behind the batch axis, raised "
                f"{type(error).__name__}: {error}{user_line(error)}"
                f"{advice if self.takes_list else ''}",
                attr="tensor_func",
            ) from error

    def _checked(self, result: Any, x: tf.Tensor | None, dtype: tf.DType) -> tf.Tensor:
        if not isinstance(result, tf.Tensor | tf.Variable):
            raise self._wrong(f"a {type(result).__name__}", "a tf.Tensor")
        result = tf.convert_to_tensor(result)
        if result.dtype != dtype:
            if not (self.is_layer and result.dtype.is_floating):
                raise self._wrong(
                    f"a tensor of type {result.dtype.name}",
                    f"{dtype.name}, the type of the simulation. Convert it with "
                    "`tf.cast(y, t.dtype)` or `tf.cast(y, x.dtype)`, or choose another "
                    "type with `nengo_dl.configure_settings(dtype=...)`",
                )
            result = tf.cast(result, dtype)
        if x is None and self.shape_out is not None:
            # nothing tells such a function how large the batch is
            if result.shape == self.shape_out:
                result = result[None]
        elif result.shape.rank in (None, 0) or (
            x is not None and result.shape[0] != x.shape[0]
        ):
            batch = "batch" if x is None else x.shape[0]
            raise self._wrong(
                f"a tensor of shape {result.shape}",
                f"({batch}, ...): as many items as x has, each treated by itself",
            )
        shape = result.shape[1:]
        if not shape.is_fully_defined() or (
            self.shape_out is not None and tuple(shape) != self.shape_out
        ):
            raise self._wrong(
                f"a tensor of shape {result.shape}",
                "all axes known"
                if self.shape_out is None
                else f"(batch, {', '.join(map(str, self.shape_out))}), which "
                "`shape_out` says",
            )
        return result

    def _wrong(self, got: str, expected: str) -> ValidationError:
        return ValidationError(
            f"{self.label}: {_name(self.function)} returned {got}; expected {expected}",
            attr="tensor_func",
        )


def takes_time_unasked(function: Any) -> bool:
    """Return whether a function gets the time if nobody says whether it should.

    Layers of Keras' own know nothing of time; they are functions of one tensor. A model
    with two inputs has one for the time. Of layers of users nothing is known: they are
    written for ``[t, x]``, or their user says ``pass_time=False``.
    """
    if not isinstance(function, keras.Layer):
        return True
    if type(function).__module__.partition(".")[0] != "keras":
        return True
    return len(getattr(function, "inputs", None) or ()) == 2


def infer_shape_out(function: TensorFunction, dtype: str) -> Shape:
    """Return the shape of the output for one item, from one call without data.

    Parameters
    ----------
    function : TensorFunction
        Its ``shape_out`` is not known yet.
    dtype : str
        Floating point type of its arguments.

    Raises
    ------
    ValidationError
        If the call fails; the message says how to do without it.
    """
    specs = [tf.TensorSpec((), dtype)]
    if function.shape_in is not None:
        specs.append(tf.TensorSpec((1, *function.shape_in), dtype))
    found: list[Shape] = []

    def call(t: tf.Tensor, x: tf.Tensor | None = None) -> tf.Tensor:
        with StandIns(variables, values, function.has_built_layers)():
            result = function(t, x, False)
        shape = result.shape[1:] if result.shape.rank else result.shape
        found.append(tuple(shape))
        return result

    function.build()
    variables = function.variables
    values = [tf.zeros(v.shape, value_type(v, tf.as_dtype(dtype))) for v in variables]
    try:
        tf.function(call, autograph=False).get_concrete_function(*specs)
    except ValidationError as error:
        problem = str(error).removeprefix("tensor_func: ").rstrip(".")
        raise ValidationError(
            f"{problem}. The function was called to find out the shape of its output; "
            "give `shape_out=` (or `size_out=`) to do without this call",
            attr="tensor_func",
        ) from error
    return found[-1]


def _parameters(function: Callable) -> Sequence[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def _required(function: Callable) -> list[str]:
    """Return the positional arguments that a function cannot do without."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind in kinds
        and parameter.default is inspect.Parameter.empty
        and name not in ("training", "mask")
    ]


def _name(function: Any) -> str:
    if isinstance(function, keras.Layer):
        return f"the layer {function.name!r}"
    return f"the function {getattr(function, '__name__', type(function).__name__)!r}"
