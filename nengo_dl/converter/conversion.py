"""One model becomes one network: call by call, in the order of the graph."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import nengo
import numpy as np
from keras import KerasTensor
from nengo.base import ObjView
from nengo.ensemble import Neurons
from nengo.exceptions import ValidationError

from nengo_dl.config import configure_settings
from nengo_dl.converter.conversion_options import Options
from nengo_dl.converter.independence import (
    BY_STEP,
    check_items,
    check_outputs,
    why_not_by_steps,
)
from nengo_dl.converter.keras_graph import (
    Call,
    ModelGraph,
    Place,
    check_input,
    functional,
)
from nengo_dl.converter.layer_converter import LayerConverter, neurons_of
from nengo_dl.converter.layer_registry import responsible
from nengo_dl.converter.normalization_layers import affine, is_foldable
from nengo_dl.converter.shared_weights import tie
from nengo_dl.converter.tensor_mapping import TensorMapping
from nengo_dl.converter.whole_layers import WholeLayerConverter
from nengo_dl.user_code import warn_user
from nengo_dl.validation import WrongTypeError


@dataclass(frozen=True)
class WeightLink:
    """A variable of Keras, and the Connection that has its values.

    Attributes
    ----------
    variable : keras.Variable
        The variable; it is not changed by the conversion.
    connection : nengo.Connection
        Whose weights stand for it.
    to_keras : callable
        Brings the weights into the shape of the variable.
    """

    variable: Any
    connection: nengo.Connection
    to_keras: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Converted:
    """What became of one call of a layer.

    Attributes
    ----------
    call : Call
        The call.
    objects : tuple
        What has its outputs.
    reason : str
        Why it is not native; empty if it is.
    network : nengo.Network
        The network that the objects are in.
    place : Place
        The models that the layer is in.
    """

    call: Call
    objects: tuple[Any, ...]
    reason: str
    network: nengo.Network
    place: Place


@dataclass(frozen=True)
class NeuronsOf:
    """The layer that some neurons stand for.

    Attributes
    ----------
    layer : keras.Layer or keras.Operation
        The layer.
    place : Place
        The models that it is in.
    scale : float
        The factor of their firing rates.
    """

    layer: Any
    place: Place
    scale: float


@dataclass
class Shared:
    """What the conversions of a model and of the models within it have in common."""

    options: Options
    links: list[WeightLink] = field(default_factory=list)
    converted: list[Converted] = field(default_factory=list)
    neurons: dict[Neurons, NeuronsOf] = field(default_factory=dict)
    #: what converts each layer, by its identity; the first one in models called twice
    converters: dict[int, LayerConverter] = field(default_factory=dict)
    #: layers whose weights are in the network already, by identity
    with_weights: dict[int, Any] = field(default_factory=dict)
    #: variables whose values Nengo's objects have in another form
    folded: dict[int, str] = field(default_factory=dict)


class Conversion:
    """The conversion of one model, or of one call of a model within another.

    The arguments of `nengo_dl.Converter` are attributes too: ``inference_only`` etc.

    Parameters
    ----------
    model : keras.Model
        The model.
    net : nengo.Network
        The empty network that it becomes.
    shared : Shared
        What it has in common with the models around it.
    place : Place
        The models around it, whose network its inputs come from.
    temporal_model : bool, optional
        Whether axis 1 is time; None: as was asked for.
    one_call : Call, optional
        Convert this call instead of those of the model.

    Attributes
    ----------
    graph : ModelGraph
        The model's calls.
    layers, inputs : TensorMapping
        The objects of the network.
    """

    def __init__(
        self,
        model: Any,
        net: nengo.Network,
        shared: Shared,
        place: Place | None = None,
        temporal_model: bool | None = None,
        one_call: Call | None = None,
    ) -> None:
        self.model = functional(model)
        self.net = net
        self.shared = shared
        self.place = Place() if place is None else place
        self.temporal_model = (
            shared.options.temporal_model if temporal_model is None else temporal_model
        )
        calls = None if one_call is None else (one_call,)
        self.graph = ModelGraph(self.model, calls)
        self.layers = TensorMapping("layer", self.graph, self.place)
        self.inputs = TensorMapping("input", self.graph, self.place)
        #: normalisations that have become a part of the weights before them
        self.folded: set[int] = set()
        self._converters: dict[int, LayerConverter] = {}
        self._reasons: dict[int, str] = {}

    def __getattr__(self, name: str) -> Any:
        options = self.__dict__.get("shared")
        if options is None or name.startswith("_"):
            raise AttributeError(name)
        return getattr(options.options, name)

    @property
    def batch_axes(self) -> int:
        """How many leading axes Nengo knows nothing of: the batch's, and time's."""
        return 2 if self.temporal_model else 1

    def build(self) -> None:
        """Make all objects of the network."""
        with self.net:
            configure_settings(trainable=None)
            for call in self.graph.calls:
                if call.is_input:
                    self._add_input(call)
            for call in self.graph.calls:
                if not call.is_input:
                    self._convert(call)

    def _add_input(self, call: Call) -> None:
        (tensor,) = call.outputs
        shape = tensor.shape[self.batch_axes :]
        check_input(call.operation.name, tensor, self.batch_axes)
        size, label = math.prod(shape), f"{self.place.prefix}{call.operation.name}"
        if self.place.around:
            node = nengo.Node(size_in=size, label=label)
        else:
            node = nengo.Node(np.zeros(size), label=label)
        self.inputs.add(tensor, node)
        self._keep(call, [node])

    def _convert(self, call: Call) -> None:
        converter = self.get_converter(call.operation)
        for tensor in call.outputs:
            if 0 in tensor.shape:
                raise WrongTypeError(
                    f"Layer {call.operation.name!r} ({type(call.operation).__name__}) "
                    f"cannot be converted: its output has the shape {tensor.shape}, "
                    "and so no elements",
                    "model",
                )
        objects = self._with_outputs(converter, call, converter.convert(call.node_id))
        if converter.has_weights:
            self._check_shared_weights(call)
        self._keep(call, objects)

    def _with_outputs(
        self, converter: LayerConverter, call: Call, result: Any
    ) -> list[Any]:
        """Return the objects that have the outputs of a call.

        Raises
        ------
        TypeError
            If a converter returns something else, or objects of other sizes.
        """
        objects = [
            getattr(obj, "output", obj) if isinstance(obj, nengo.Network) else obj
            for obj in (result if isinstance(result, list | tuple) else [result])
        ]
        shapes = [tuple(tensor.shape[self.batch_axes :]) for tensor in call.outputs]
        sizes = [math.prod(shape) for shape in shapes]
        kinds = (nengo.Node, nengo.Ensemble, Neurons, ObjView)
        found = [obj.size_out if isinstance(obj, kinds) else None for obj in objects]
        if found != sizes:
            wanted = ", ".join(map(str, sizes))
            raise WrongTypeError(
                f"Layer {call.operation.name!r} ({type(call.operation).__name__}): "
                f"`{type(converter).__name__}.convert` returned {objects!r:.200} of "
                f"size {', '.join(map(str, found))}. Expected what has the output of "
                f"the layer, a Node, neurons or a TensorNode, of size {wanted} (shape "
                f"{', '.join(map(str, shapes))}){', in a list' * (len(sizes) > 1)}",
                "model",
            )
        return objects

    def _keep(self, call: Call, objects: list[Any]) -> None:
        for tensor, obj in zip(call.outputs, objects, strict=True):
            self.layers.add(tensor, obj)
        reason = self._reasons.get(id(call.operation), "")
        self.shared.converted.append(
            Converted(call, tuple(objects), reason, self.net, self.place)
        )

    def _check_shared_weights(self, call: Call) -> None:
        """Refuse a second call of a layer whose weights no Connection is known for."""
        layer, known = call.operation, self.shared.with_weights
        options = self.shared.options
        linked = {id(link.variable) for link in self.shared.links}
        if (
            id(layer) in known
            and not (options.split_shared_weights or options.inference_only)
            and not all(id(variable) in linked for variable in layer.weights)
        ):
            raise ValidationError(
                f"The layer {layer.name!r} is called more than once, and its converter "
                "does not say which Connections have its weights. "
                "split_shared_weights=True gives each call weights of its own, which "
                "are equal at first",
                "model",
            )
        known[id(layer)] = layer

    def get_converter(self, layer: Any) -> LayerConverter:
        """Return what converts a layer: always the same object for the same layer.

        Raises
        ------
        TypeError
            If nothing does, and the layer may not become a TensorNode.
        """
        if id(layer) not in self._converters:
            self._converters[id(layer)] = self._choose(layer)
            self.shared.converters.setdefault(id(layer), self._converters[id(layer)])
        return self._converters[id(layer)]

    def _choose(self, layer: Any) -> LayerConverter:
        cls, reason = responsible(layer), ""
        if cls is None:
            reason = f"there is no conversion of {type(layer).__name__}"
        else:
            masked = any(map(_has_mask, self.graph.calls_of(layer)))
            is_convertible, why = (
                (False, "it is given a mask")
                if masked
                else cls.convertible(layer, self)
            )
            if is_convertible and self.temporal_model and not cls.stepwise:
                is_convertible, why = False, _NO_PART
            if is_convertible:
                return cls(layer, self)
            reason = why or "its converter refuses it"
        # a layer that takes time may have a time of its own within one step
        is_step = self.shared.options.temporal_model and not self.temporal_model
        allowed = cls is None or cls.allow_fallback or is_step
        for call in self.graph.calls_of(layer):
            check_items(call)
            problem = why_not_by_steps(call) if self.temporal_model else ""
            if problem and allowed:
                allowed = False
                if cls is None or reason == _NO_PART:
                    reason = problem
                elif BY_STEP not in reason:
                    reason = f"{reason}. As a TensorNode, {problem}"
            if not problem:
                check_outputs(call, self.batch_axes)
        self.fall_back(layer, reason, allowed)
        return WholeLayerConverter(layer, self)

    def fall_back(
        self, layer: Any, reason: str, allowed: bool = True, what: str = "layer"
    ) -> None:
        """Warn that a layer or activation becomes a TensorNode, or refuse it.

        Parameters
        ----------
        layer : keras.Layer
            The layer.
        reason : str
            Why it is not native.
        allowed : bool
            Whether this kind of layer can be a TensorNode at all.
        what : str
            What becomes one: ``"layer"`` or ``"activation"``.

        Raises
        ------
        TypeError
            If that is not allowed.
        """
        if self._reasons.get(id(layer)) == reason:
            return
        name = f"Layer {layer.name!r} ({type(layer).__name__})"
        if not allowed or not self.shared.options.allow_fallback:
            ways = "register a LayerConverter with `nengo_dl.Converter.register`"
            if allowed:
                ways = f"allow a TensorNode with allow_fallback=True, or {ways}"
            raise WrongTypeError(
                f"{name} cannot be converted: {reason}. You can {ways}", "model"
            )
        self._reasons[id(layer)] = reason
        warn_user(
            f"{name}: {reason}. Falling back to a TensorNode for the {what}",
            UserWarning,
        )

    def convert_within(self, call: Call, operation: Any) -> Any:
        """Convert the layer that a wrapper applies to each time step.

        Parameters
        ----------
        call : Call
            The call of the wrapper.
        operation : keras.Layer
            The layer, which no model has called.

        Returns
        -------
        nengo object or list
            What has its outputs.
        """
        inputs, outputs = (
            tuple(
                KerasTensor((tensor.shape[0], *tensor.shape[2:]), tensor.dtype)
                for tensor in tensors
            )
            for tensors in (call.inputs, call.outputs)
        )
        with contextlib.suppress(Exception):
            # the wrapper does not know that the layer returns whole numbers
            specs = keras.tree.flatten(operation.compute_output_spec(inputs[0]))
            outputs = tuple(
                KerasTensor(tensor.shape, spec.dtype)
                for tensor, spec in zip(outputs, specs, strict=True)
            )
        one = Call(operation, call.node_id, inputs, outputs, inputs)
        place = self.place.within_wrapper(call, self.graph)
        step = Conversion(
            self.model, self.net, self.shared, place, temporal_model=False, one_call=one
        )
        for tensor, outer in zip(inputs, call.inputs, strict=True):
            step.layers.add(tensor, self.layers[outer])
        converter = step.get_converter(operation)
        result = converter.convert(call.node_id)
        objects = step._with_outputs(converter, one, result)
        for tensor, obj in zip(outputs, objects, strict=True):
            step.layers.add(tensor, obj)
        self.layers.add_inner(step.layers)
        self._reasons[id(call.operation)] = step._reasons.get(id(operation), "")
        return objects

    def call(self, layer: Any, node_id: int) -> Call:
        """Return one call of a layer in this model."""
        for call in self.graph.calls_of(layer):
            if call.node_id == node_id:
                return call
        raise ValidationError(
            f"{layer.name!r} has no call {node_id} in {self.model.name!r}", "model"
        )

    def is_private(self, tensor: KerasTensor) -> bool:
        """Return whether a tensor goes to one call only, and is no output."""
        return len(self.graph.consumers.get(id(tensor), ())) == 1 and not any(
            output is tensor for output in self.model.outputs
        )

    def folded_into(self, tensor: KerasTensor) -> tuple[Any, Any]:
        """Return the factor and the shift that a normalisation behind a layer has.

        Parameters
        ----------
        tensor : KerasTensor
            The output of a layer with weights.

        Returns
        -------
        scale, shift : float or np.ndarray, shape (channels,)
            1 and 0 if there is none that can be a part of the layer's own weights.
        """
        if not (self.inference_only and self.is_private(tensor)):
            return 1.0, 0.0
        (consumer,) = self.graph.consumers[id(tensor)]
        producer = self.graph.producer(tensor)
        if producer is None or not is_foldable(consumer, producer, self):
            return 1.0, 0.0
        self.folded.add(id(consumer))
        for variable in (*producer.operation.variables, *consumer.operation.variables):
            self.shared.folded[id(variable)] = consumer.operation.name
        return affine(consumer.operation)

    def synapse_of(self, pre: Any) -> Any:
        """Return the synapse of what leaves an object: None unless it is neurons."""
        neurons = neurons_of(pre)
        if neurons is None or neurons not in self.shared.neurons:
            return None
        source = self.shared.neurons[neurons]
        return self.shared.options.synapse.of(source.layer, source.place)

    def neurons_added(self, neurons: Neurons, layer: Any, scale: float) -> None:
        """Note whose neurons these are, and the factor of their rates."""
        self.shared.neurons[neurons] = NeuronsOf(layer, self.place, scale)

    def linked(self, variable: Any, connection: Any, to_keras: Callable) -> None:
        """Note which Connection has the values of a variable.

        Connections of one variable have one parameter, unless each call of a layer is
        to have its own.

        Raises
        ------
        ValueError
            If they have the values in different shapes.
        """
        options = self.shared.options
        if not (options.split_shared_weights or options.inference_only):
            for link in self.shared.links:
                if link.variable is variable:
                    tie(link.connection, connection, variable.path)
                    break
        self.shared.links.append(WeightLink(variable, connection, to_keras))


def _has_mask(call: Call) -> bool:
    """Return whether a layer gets a mask that says which time steps count."""
    masks = keras.tree.flatten(call.kwargs.get("mask"))
    return any(isinstance(mask, KerasTensor) for mask in masks)


_NO_PART = "with temporal_model=True there is no conversion for a part of its axes"
