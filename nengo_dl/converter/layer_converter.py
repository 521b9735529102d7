"""How one kind of layer becomes objects of Nengo, and who is responsible for which."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, ClassVar

import keras
import nengo
import numpy as np
from nengo.base import ObjView
from nengo.ensemble import Neurons
from nengo.exceptions import ValidationError
from nengo.neurons import NeuronType

from nengo_dl.converter.activation_names import (
    canonical,
    default_neurons,
    describe,
    with_parameter,
)
from nengo_dl.converter.firing_rates import scaled
from nengo_dl.graph.inputs import ConstantNode
from nengo_dl.tensor_node import TensorNode
from nengo_dl.user_code import warn_user

if TYPE_CHECKING:
    from nengo_dl.converter.conversion import Conversion
    from nengo_dl.converter.keras_graph import Call

Shape = tuple[int, ...]


def _shape_of(end: str) -> Callable[..., Any]:
    """Return the method that gives the shape of a layer's input, or output."""

    def shape(self: LayerConverter, node_id: int, full_shape: bool = False) -> Any:
        leading = 0 if full_shape else self.converter.batch_axes
        tensors = getattr(self.call(node_id), f"{end}s")
        shapes = [tuple(tensor.shape[leading:]) for tensor in tensors]
        return shapes[0] if len(shapes) == 1 else shapes

    shape.__name__ = f"{end}_shape"
    shape.__qualname__ = f"LayerConverter.{end}_shape"
    shape.__doc__ = f"""Return the shape of the {end}, or a list if there are several.

        Parameters
        ----------
        node_id : int
            Index of the call of the layer.
        full_shape : bool
            Whether the axes for the batch, and for time, are part of it.

        Returns
        -------
        tuple of int
            The shape.

        Examples
        --------
        >>> converter.{end}_shape(0)  # doctest: +SKIP
        (28, 28, 1)
        """
    return shape


class LayerConverter:
    """Conversion of a layer; write a subclass for each type of layer.

    Parameters
    ----------
    layer : keras.Layer or keras.Operation
        The layer; one converter serves all of its calls.
    converter : Conversion
        The conversion of the model: ``converter.layers`` has the objects made so far,
        ``converter.inference_only`` and others are the arguments of the `Converter`.

    Attributes
    ----------
    unsupported_args : sequence of str or (str, Any)
        Attributes of the layer that must have their default, which is None unless it is
        given; otherwise the layer is not converted.
    unsupported_training_args : sequence of str or (str, Any)
        The same, but ignored with ``inference_only=True``.
    has_weights : bool
        Whether the layer has weights, which several calls of it share.
    allow_fallback : bool
        Whether the layer may become a TensorNode.
    stepwise : bool
        Whether the output in a time step depends on the input in that step only, which
        ``temporal_model`` requires.
    activation_map : dict
        Neuron types by activation; None for linear ones.

    Examples
    --------
    A layer that adds 1:

    >>> import keras, nengo, nengo_dl, numpy as np
    >>> class AddOne(keras.layers.Layer):
    ...     def call(self, inputs):
    ...         return inputs + 1
    >>> @nengo_dl.Converter.register(AddOne)
    ... class ConvertAddOne(nengo_dl.converter.LayerConverter):
    ...     def convert(self, node_id):
    ...         output = self.add_nengo_obj(node_id)
    ...         self.add_connection(node_id, output)
    ...         ones = nengo.Node(np.ones(output.size_in))
    ...         connection = nengo.Connection(ones, output, synapse=None)
    ...         self.set_trainable(connection, False)
    ...         return output
    >>> x = keras.Input((3,))
    >>> model = keras.Model(x, AddOne()(x))
    >>> nengo_dl.Converter(model, allow_fallback=False).verify()
    True
    """

    unsupported_args: ClassVar[tuple[Any, ...]] = ()
    unsupported_training_args: ClassVar[tuple[Any, ...]] = ()
    has_weights: bool = False
    allow_fallback: bool = True
    stepwise: bool = True
    activation_map: ClassVar[dict[Any, NeuronType | None]] = dict(default_neurons())

    def __init__(self, layer: Any, converter: Conversion) -> None:
        self.layer = layer
        self.converter = converter

    def convert(self, node_id: int) -> Any:
        """Make objects for one call of the layer, in the current network.

        Parameters
        ----------
        node_id : int
            Index of the call of the layer.

        Returns
        -------
        nengo.Node, nengo.ensemble.Neurons, TensorNode or nengo.Network
            The object with the layer's output; a list of them for several outputs.

        Examples
        --------
        >>> def convert(self, node_id):
        ...     output = self.add_nengo_obj(node_id)
        ...     self.add_connection(node_id, output)
        ...     return output
        """
        raise NotImplementedError(
            f"{type(self).__name__} has to define `convert(node_id)`"
        )

    @classmethod
    def convertible(cls, layer: Any, converter: Any) -> tuple[bool, str | None]:
        """Return whether a layer can be converted, and if not, the reason.

        Parameters
        ----------
        layer : keras.Layer or keras.Operation
            The layer.
        converter : Conversion
            The conversion of its model.

        Returns
        -------
        convertible : bool
            Whether it can be converted.
        reason : str or None
            The reason if it cannot.

        Examples
        --------
        >>> @classmethod
        ... def convertible(cls, layer, converter):
        ...     if layer.size > 3:
        ...         return False, f"{layer.name}.size is greater than 3"
        ...     return super().convertible(layer, converter)
        """
        checked = [*cls.unsupported_args]
        if not converter.inference_only:
            checked += cls.unsupported_training_args
        for entry in checked:
            name, default = (entry, None) if isinstance(entry, str) else entry
            value = getattr(layer, name, default)
            if not _is(value, default):
                hint = (
                    "; with inference_only=True it does not matter"
                    if entry in cls.unsupported_training_args
                    else ""
                )
                return False, (
                    f"{layer.name}.{name} is {_shown(value)}, and only "
                    f"{_shown(default)} can be converted{hint}"
                )
        return True, None

    # -- the call

    def call(self, node_id: int) -> Call:
        """Return one call of the layer: its tensors and arguments."""
        return self.converter.call(self.layer, node_id)

    def label(self, node_id: int) -> str:
        """Return the label of objects: the layer's name and the number of the call.

        Names of models around the layer come first: ``"block1/dense.0"``.
        """
        return f"{self.name}.{node_id}"

    @property
    def name(self) -> str:
        """The layer's name, behind those of the models around it."""
        return f"{self.converter.place.prefix}{self.layer.name}"

    input_shape = _shape_of("input")
    output_shape = _shape_of("output")

    def get_input_obj(self, node_id: int, tensor_idx: int = 0) -> Any:
        """Return the object whose output is an input of the layer.

        Parameters
        ----------
        node_id : int
            Index of the call of the layer.
        tensor_idx : int
            Index of the input.

        Returns
        -------
        nengo.Node or nengo.ensemble.Neurons
            The object.

        Raises
        ------
        ValidationError
            If the call has no such input.

        Examples
        --------
        >>> converter.get_input_obj(0)  # doctest: +SKIP
        <Neurons of <Ensemble "conv.0">>
        """
        inputs = self.call(node_id).inputs
        if not -len(inputs) <= tensor_idx < len(inputs):
            raise ValidationError(
                f"{self.layer.name!r} has {len(inputs)} inputs here, got {tensor_idx}",
                "tensor_idx",
            )
        return self.converter.layers[inputs[tensor_idx]]

    # -- objects

    def add_nengo_obj(
        self, node_id: int, biases: Any = None, activation: Any = None
    ) -> Any:
        """Make the object with the layer's output: a Node, neurons or a TensorNode.

        Parameters
        ----------
        node_id : int
            Index of the call of the layer.
        biases : np.ndarray, optional
            Values that are added to the input, of any shape that broadcasts to the
            layer's output. They are trained with the layer.
        activation : callable, str, NeuronType or None
            The layer's activation, or None.

        Returns
        -------
        nengo.Node, nengo.ensemble.Neurons or TensorNode
            A passthrough Node if the activation is linear, neurons if a neuron type has
            this activation, and otherwise a TensorNode that computes it.

        Examples
        --------
        >>> converter.add_nengo_obj(0, activation="relu")  # doctest: +SKIP
        <Neurons of <Ensemble "dense.0">>
        """
        shape = self.output_shape(node_id)
        size, label = math.prod(shape), self.label(node_id)
        kind = None if activation is None else self.neurons_for(activation)
        on_neurons = self.converter.inference_only and isinstance(kind, NeuronType)
        if kind is None:
            obj: Any = nengo.Node(size_in=size, label=label)
        elif isinstance(kind, NeuronType):
            values = None
            if biases is not None and on_neurons:
                values = np.broadcast_to(biases, shape).ravel()
            obj = self._add_neurons(size, label, kind, values)
        else:
            obj = TensorNode(
                kind, shape_in=shape, shape_out=shape, pass_time=False, label=label
            )
        if biases is not None and not on_neurons:
            self._add_biases(node_id, obj, np.asarray(biases))
        return obj

    def neurons_for(self, activation: Any) -> Any:
        """Return the neuron type of an activation, None if linear, or a function."""
        swaps, place = self.converter.swap_activations, self.converter.place
        found = self._default_neurons(swaps.apply(self.layer, place, activation))
        found = self._default_neurons(swaps.apply(self.layer, place, found))
        if found is None or isinstance(found, NeuronType):
            return found
        self.converter.fall_back(
            self.layer,
            f"no neuron type has the activation {describe(found)}; "
            "`swap_activations` can replace it by another one",
            what="activation",
        )
        return found

    def _default_neurons(self, activation: Any) -> Any:
        """Return the neurons that have an activation, or else the activation itself."""
        if activation is None or isinstance(activation, NeuronType):
            return activation
        key = canonical(activation)
        by_key: dict[Hashable, Any] = {
            canonical(known): neurons for known, neurons in self.activation_map.items()
        }
        if key in by_key:
            return by_key[key]
        calls = self.converter.graph.calls_of(self.layer)
        dtype = calls[0].outputs[0].dtype if calls else self.layer.compute_dtype
        return with_parameter(key, dtype) or activation

    def _add_neurons(
        self, size: int, label: str, neuron_type: NeuronType, biases: Any
    ) -> Neurons:
        """Return neurons whose input is their current."""
        place = self.converter.place
        scale = self.converter.scale_firing_rates.of(self.layer, place)
        neuron_type, gain, problem = scaled(neuron_type, scale)
        if problem:
            warn_user(f"Layer {self.layer.name!r}: {problem}", UserWarning)
        ensemble = nengo.Ensemble(
            size,
            1,
            neuron_type=neuron_type,
            gain=nengo.dists.Choice([gain]),
            bias=nengo.dists.Choice([0]) if biases is None else gain * biases,
            encoders=nengo.dists.Choice([[1]]),
            # what is decoded from these neurons is not of interest
            eval_points=nengo.dists.Choice([[0]]),
            n_eval_points=1,
            label=label,
        )
        self.set_trainable(ensemble, False)
        self.converter.neurons_added(ensemble.neurons, self.layer, scale)
        return ensemble.neurons

    def _add_biases(self, node_id: int, obj: Any, biases: np.ndarray) -> None:
        """Add one trainable value for each bias to the input of an object."""
        label, shape = self.label(node_id), self.output_shape(node_id)
        one = ConstantNode([1.0], label=f"{label}.bias")
        index = spread(biases.shape, shape)
        shared = len(index) != biases.size
        target = obj
        if shared:
            target = nengo.Node(size_in=biases.size, label=f"{label}.bias_relay")
        bias = self.bias_variable
        kwargs: dict[str, Any] = {
            "transform": biases.reshape(-1, 1),
            "synapse": None,
            "label": f"{label}.bias",
        }
        if isinstance(bias, keras.Variable):
            self.connect_weights(
                one,
                target,
                to_keras=lambda w: w.reshape(bias.shape),
                variable=bias,
                **kwargs,
            )
        else:
            self.connect(one, target, trainable=True, **kwargs)
        if shared:
            shares = nengo.Connection(target[index], obj, synapse=None)
            self.set_trainable(shares, False)

    def add_constant(self, node_id: int, obj: Any, values: np.ndarray) -> None:
        """Add values that are never trained to the input of an object."""
        if not np.any(values):
            return
        constant = ConstantNode(np.ravel(values), label=f"{self.label(node_id)}.bias")
        self.set_trainable(nengo.Connection(constant, obj, synapse=None), False)

    @property
    def bias_variable(self) -> Any:
        """The variable that has the layer's biases, if it has any."""
        return getattr(self.layer, "bias", None)

    @property
    def trains(self) -> bool:
        """Whether the layer's weights are trained."""
        return bool(getattr(self.layer, "trainable", False))

    def add_connection(
        self,
        node_id: int,
        obj: Any,
        input_idx: int = 0,
        trainable: bool = False,
        **kwargs: Any,
    ) -> nengo.Connection:
        """Connect an input of the layer to an object.

        Parameters
        ----------
        node_id : int
            Index of the call of the layer.
        obj : nengo object
            The post object of the Connection.
        input_idx : int
            Index of the layer's input.
        trainable : bool
            Whether the Connection's weights are trained.
        **kwargs
            Arguments of `nengo.Connection`. If the input comes from neurons, the
            synapse is by default that of the `Converter`.

        Returns
        -------
        nengo.Connection
            The Connection.

        Examples
        --------
        >>> converter.add_connection(0, obj, transform=2)  # doctest: +SKIP
        <Connection from <Node "a.0"> to <Node "b.0">>
        """
        pre = self.get_input_obj(node_id, input_idx)
        return self.connect(pre, obj, trainable=trainable, **kwargs)

    def connect_weights(
        self,
        pre: Any,
        obj: Any,
        transform: Any,
        variable: Any,
        to_keras: Callable[[np.ndarray], np.ndarray],
        label: str,
        **kwargs: Any,
    ) -> nengo.Connection:
        """Connect two objects by a variable of the layer, which is trained with it.

        Parameters
        ----------
        pre, obj : nengo object
            What is connected.
        transform : array_like or nengo.transforms.Transform
            Has the variable's values.
        variable : keras.Variable or None
            The variable, if it is one.
        to_keras : callable
            Brings the Connection's weights into the shape of the variable.
        label : str
            Of the Connection.
        **kwargs
            Further arguments of `nengo.Connection`.

        Returns
        -------
        nengo.Connection
            The Connection; all those of one variable share their weights.
        """
        connection = self.connect(
            pre, obj, trainable=True, transform=transform, label=label, **kwargs
        )
        if variable is not None:
            self.converter.linked(variable, connection, to_keras)
        return connection

    def connect(
        self,
        pre: Any,
        obj: Any,
        trainable: bool = False,
        index: np.ndarray | None = None,
        **kwargs: Any,
    ) -> nengo.Connection:
        """Connect two objects, from some elements of the first if there is an index."""
        if "synapse" not in kwargs:
            kwargs["synapse"] = self.converter.synapse_of(pre)
        connection = nengo.Connection(
            pre if index is None else pre[index], obj, **kwargs
        )
        if not (trainable and self.trains):
            self.set_trainable(connection, False)
        return connection

    @staticmethod
    def set_trainable(obj: Any, trainable: bool) -> None:
        """Set whether the parameters of an object are trained.

        Parameters
        ----------
        obj : nengo.Connection, Ensemble or Neurons
            The object, in the current network.
        trainable : bool
            Whether they are trained.

        Examples
        --------
        >>> LayerConverter.set_trainable(connection, False)  # doctest: +SKIP
        """
        nengo.Network.context[-1].config[obj].trainable = trainable


def spread(shape: Shape, target: Shape) -> np.ndarray:
    """Return which element each one of an array is that was broadcast to a shape."""
    numbers: np.ndarray = np.arange(math.prod(shape)).reshape(shape)
    return np.broadcast_to(numbers, target).ravel()


def neurons_of(obj: Any) -> Neurons | None:
    """Return the neurons that an object is, or is a part of."""
    while isinstance(obj, ObjView):
        obj = obj.obj
    return obj if isinstance(obj, Neurons) else None


def _shown(value: Any) -> str:
    """Return a value as text; objects that have none are shown as their type."""
    plain = type(value).__repr__ is object.__repr__
    return type(value).__name__ if plain else repr(value)


def _is(value: Any, default: Any) -> bool:
    if value is default:
        return True
    try:
        return bool(np.all(value == default)) and value is not None
    except (TypeError, ValueError):
        return False
