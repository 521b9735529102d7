"""Keras models as lists of calls: which layer or operation makes which tensor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import keras
from keras import KerasTensor
from nengo.exceptions import ValidationError

from nengo_dl.validation import WrongTypeError


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer or operation within a model.

    Attributes
    ----------
    operation : keras.Layer or keras.Operation
        What is called.
    node_id : int
        Which of its calls this is, counted over all models.
    inputs, outputs : tuple of KerasTensor
        All tensors that go in and come out, in order.
    args : tuple
        Positional arguments of the call, with a KerasTensor for each tensor.
    kwargs : dict
        Arguments by name.
    """

    operation: Any
    node_id: int
    inputs: tuple[KerasTensor, ...]
    outputs: tuple[KerasTensor, ...]
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def is_input(self) -> bool:
        """Whether this is an input of the model."""
        return isinstance(self.operation, keras.layers.InputLayer)


def functional(model: Any) -> Any:
    """Return a model whose graph of calls is known.

    Parameters
    ----------
    model : keras.Model
        Functional, or Sequential with known shapes.

    Returns
    -------
    keras.Model
        The model itself; for a Sequential one a functional model of the same tensors
        and layers.

    Raises
    ------
    TypeError
        If there is no such graph; it says how to get one.
    """
    if isinstance(model, keras.Sequential):
        if not model.layers:
            raise WrongTypeError(
                f"The Sequential model {model.name!r} has no layers", "model"
            )
        if not model.built or not hasattr(model, "inputs"):
            raise WrongTypeError(
                f"The Sequential model {model.name!r} does not know the shape of its "
                "input. Begin it with `keras.Input(shape)`, or call "
                "`model.build((None, ...))`",
                "model",
            )
        _check_call(model, keras.Sequential)
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    if not isinstance(model, keras.Model):
        raise WrongTypeError(
            f"Expected a functional or Sequential Keras model, got {model!r:.100}. A "
            "single layer becomes a model with `keras.Sequential([keras.Input(shape), "
            "layer])`",
            "model",
        )
    if not hasattr(model, "_nodes_by_depth"):
        raise WrongTypeError(
            f"The model {model.name!r} is a subclass of keras.Model "
            f"({type(model).__name__}), and only Python knows what its `call` does. "
            f"Build it functionally: {_INSTEAD}",
            "model",
        )
    _check_call(model, _FUNCTIONAL)
    return model


#: what to do with a model that has no graph, in words
_INSTEAD = (
    "`x = keras.Input(shape)`, `keras.Model(x, model.call(x))`. Or use it as a whole: "
    "`nengo_dl.TensorNode(model, shape_in=...)`"
)

_X = keras.Input((1,))
#: what `keras.Model` makes of inputs and outputs; Keras does not export it. Keras 3.12,
#: the last one for Python 3.10, refuses an input that is itself the output
_FUNCTIONAL: Any = type(keras.Model(_X, keras.layers.Identity(name="identity")(_X)))


def _check_call(model: Any, kind: Any) -> None:
    """Check that a model does what its graph says.

    Raises
    ------
    TypeError
        If it has a method of its own instead.
    """
    if type(model).call is not kind.call:
        raise WrongTypeError(
            f"The model {model.name!r} has a method `call` of its own "
            f"({type(model).__name__}.call), and only Python knows what that does. "
            f"Make a functional model of it: {_INSTEAD}",
            "model",
        )


def check_input(name: str, tensor: KerasTensor, batch_axes: int) -> None:
    """Check that an input has numbers, and how many.

    Parameters
    ----------
    name : str
        Of the input.
    tensor : KerasTensor
        The input.
    batch_axes : int
        How many leading axes may be unknown.

    Raises
    ------
    TypeError
        If its elements are no numbers.
    ValueError
        If an axis is unknown or has the length 0.
    """
    shape = tensor.shape[batch_axes:]
    if tensor.dtype == "string" or "complex" in tensor.dtype:
        raise WrongTypeError(
            f"The input {name!r} has the dtype {tensor.dtype!r}, and a network has "
            "real numbers only. Convert a model of what preprocessing returns",
            "model",
        )
    if 0 in shape:
        raise ValidationError(
            f"The input {name!r} has the shape {tensor.shape}: no elements", "model"
        )
    if None not in shape:
        return
    hint = (
        "Make a model for one size: `keras.models.clone_model(model, "
        "input_tensors=keras.Input(shape))`, and `set_weights(model.get_weights())`"
    )
    if shape[0] is None and None not in shape[1:] and len(shape) > 1:
        hint = (
            "If this axis is time, temporal_model=True gives each of its elements a "
            f"time step of the simulation. {hint}"
        )
    raise ValidationError(
        f"The input {name!r} has the shape {tensor.shape}: all axes but that of the "
        f"batch must be known. {hint}",
        "model",
    )


def is_nested_model(operation: Any) -> bool:
    """Return whether a layer is a model whose graph is known."""
    if isinstance(operation, keras.Sequential):
        return operation.built and type(operation).call is keras.Sequential.call
    is_known = hasattr(operation, "_nodes_by_depth")
    return is_known and type(operation).call is _FUNCTIONAL.call


class ModelGraph:
    """The calls that a model consists of, inputs first.

    Parameters
    ----------
    model : keras.Model
        A functional model.
    calls : tuple of Call, optional
        Some calls instead of all those of the model.
    """

    def __init__(self, model: Any, calls: tuple[Call, ...] | None = None) -> None:
        self.model = model
        self._some = calls

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """All calls, each behind those that it needs; inputs in the model's order."""
        if self._some is not None:
            return self._some
        inputs = [call_of(tensor) for tensor in self.model.inputs]
        by_depth = self.model._nodes_by_depth
        others = [
            _call(node)
            for depth in sorted(by_depth, reverse=True)
            for node in by_depth[depth]
            if not node.is_input
        ]
        return (*inputs, *others)

    @cached_property
    def calls_by_operation(self) -> dict[int, list[Call]]:
        """The calls of each layer or operation, by its identity."""
        found: dict[int, list[Call]] = {}
        for call in self.calls:
            found.setdefault(id(call.operation), []).append(call)
        return found

    @cached_property
    def consumers(self) -> dict[int, list[Call]]:
        """The calls that take a tensor, by its identity."""
        found: dict[int, list[Call]] = {}
        for call in self.calls:
            for tensor in call.inputs:
                found.setdefault(id(tensor), []).append(call)
        return found

    def calls_of(self, operation: Any) -> list[Call]:
        """Return the calls of a layer or operation in this model."""
        return self.calls_by_operation.get(id(operation), [])

    def named(self, name: str) -> list[Call]:
        """Return the calls of what has a name."""
        return [call for call in self.calls if call.operation.name == name]

    def producer(self, tensor: KerasTensor) -> Call | None:
        """Return the call that makes a tensor, if it is one of this model's."""
        for call in self.calls_of(operation_of(tensor)):
            if any(output is tensor for output in call.outputs):
                return call
        return None


def operation_of(tensor: KerasTensor) -> Any:
    """Return the layer or operation that a tensor is an output of, None if of none."""
    history = getattr(tensor, "_keras_history", None)
    return None if history is None else history.operation


def call_of(tensor: KerasTensor) -> Call:
    """Return the call that made a tensor."""
    history = tensor._keras_history
    return _call(history.operation._inbound_nodes[history.node_index])


@dataclass(frozen=True)
class Place:
    """The calls of models, and of wrappers such as TimeDistributed, around a layer.

    Attributes
    ----------
    around : tuple of (Any, str, str)
        Each model or wrapper, outermost first, with its names: those of the models
        around it and its own, such as ``"block1/inner"``; and the same with the numbers
        of calls where a model is called several times, ``"block1.0/inner"``.
    prefix : str
        What comes before the names of layers in labels, such as ``"block1.0/inner/"``.
    plain : str
        The same without numbers.
    """

    around: tuple[tuple[Any, str, str], ...] = ()
    prefix: str = ""
    plain: str = ""

    def within_model(self, call: Call, graph: ModelGraph) -> Place:
        """Return the place of what a model consists of that is called here."""
        number = f".{call.node_id}" if len(graph.calls_of(call.operation)) > 1 else ""
        here = self.names(call.operation, number)
        return Place((*self.around, here), f"{here[2]}/", f"{here[1]}/")

    def within_wrapper(self, call: Call, graph: ModelGraph) -> Place:
        """Return the place of the layer that another one applies.

        Only a model within gets the name of the wrapper, which may apply it elsewhere.
        """
        place = self.within_model(call, graph)
        wrapper = call.operation
        names_it = is_nested_model(getattr(wrapper, "layer", None))
        return Place(
            place.around, place.prefix if names_it else self.prefix, self.plain
        )

    def names(self, operation: Any, number: str = "") -> tuple[Any, str, str]:
        """Return a layer or operation here with its names."""
        name = operation.name
        return operation, self.plain + name, f"{self.prefix}{name}{number}"

    def closeness(self, key: Any, operation: Any) -> int:
        """Return how closely a key of a user's means a layer or operation here.

        Parameters
        ----------
        key : keras.Layer, KerasTensor, str or anything else
            A layer, a tensor that it returns, or its name; with or without the names
            of the models around it. A model means all layers within.
        operation : keras.Layer or keras.Operation
            The layer or operation.

        Returns
        -------
        int
            0 if it means another one; most for the layer itself, and more for full
            names than for objects, and for these than for short names.
        """
        if isinstance(key, keras.KerasTensor):
            key = operation_of(key)
        chain = (*self.around, self.names(operation))
        for i, (one, plain, numbered) in reversed(list(enumerate(chain))):
            meanings = (one.name, one, plain, numbered)
            matches = [n for n, meant in enumerate(meanings) if _same(key, meant)]
            if matches:
                return 4 * i + matches[-1] + 1
        return 0


def _same(key: Any, meant: Any) -> bool:
    return key is meant or (isinstance(key, str) and key == meant)


def operations_within(model: Any, place: Place) -> Iterator[tuple[Any, Place]]:
    """Yield all layers and operations of a model and of those within it.

    Parameters
    ----------
    model : keras.Model
        The model.
    place : Place
        Where it is.
    """
    graph = ModelGraph(functional(model))
    for call in graph.calls:
        yield call.operation, place
        one, around, here = call, graph, place
        while isinstance(getattr(one.operation, "layer", None), keras.Layer):
            here = here.within_wrapper(one, around)
            one = Call(one.operation.layer, call.node_id, call.inputs, call.outputs)
            around = ModelGraph(model, (one,))
            yield one.operation, here
        if is_nested_model(one.operation):
            yield from operations_within(one.operation, here.within_model(one, around))


def _call(node: Any) -> Call:
    operation = node.operation
    node_id = next(i for i, n in enumerate(operation._inbound_nodes) if n is node)
    return Call(
        operation,
        node_id,
        tuple(node.input_tensors),
        tuple(node.output_tensors),
        tuple(node.arguments.args),
        dict(node.arguments.kwargs),
    )
