"""Layers that Nengo has no form of: TensorNodes with the layer as their function."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import nengo
import tensorflow as tf
from keras import KerasTensor

from nengo_dl.converter.layer_converter import LayerConverter
from nengo_dl.converter.layer_registry import register_layer
from nengo_dl.tensor_node import TensorNode
from nengo_dl.validation import WrongTypeError


@dataclass(frozen=True)
class _Slot:
    """Where in the arguments of a call a tensor stands."""

    number: int


class WholeCall:
    """A call of a layer or operation, as a function of one vector.

    Parameters
    ----------
    operation : keras.Layer or keras.Operation
        What is called.
    args, kwargs : tuple and dict
        The arguments of the call, with a `_Slot` for each tensor.
    shapes : list of tuple of int
        Shapes of the tensors, for one item.
    time_axis : bool
        Whether it gets an axis of length 1 for time.
    """

    def __init__(
        self,
        operation: Any,
        args: Any,
        kwargs: Any,
        shapes: list[tuple[int, ...]],
        time_axis: bool,
    ) -> None:
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.shapes = shapes
        self.time_axis = time_axis
        self.__name__ = str(operation.name)

    def __call__(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return all outputs as one vector for each item, shape (batch, size_out)."""
        leading = (x.shape[0], 1) if self.time_axis else (x.shape[0],)
        tensors, start = [], 0
        for shape in self.shapes:
            size = math.prod(shape)
            part = x[:, start : start + size]
            tensors.append(tf.reshape(part, (*leading, *shape)))
            start += size

        def fill(value: Any) -> Any:
            return tensors[value.number] if isinstance(value, _Slot) else value

        args, kwargs = keras.tree.map_structure(fill, (self.args, self.kwargs))
        if isinstance(self.operation, keras.Layer):
            # what a model is called with is stronger than what is in its graph
            kwargs = {**kwargs, "training": training}
        result = keras.tree.flatten(self.operation(*args, **kwargs))
        flat = [tf.reshape(tf.cast(r, x.dtype), (x.shape[0], -1)) for r in result]
        return flat[0] if len(flat) == 1 else tf.concat(flat, axis=1)


def check_shapes(call: Any) -> None:
    """Check that a layer treats each item by itself, and has outputs of known size.

    Raises
    ------
    TypeError
        If not.
    """
    name = f"Layer {call.operation.name!r} ({type(call.operation).__name__})"
    for tensor in call.outputs:
        shape = tuple(tensor.shape)
        if call.inputs and (not shape or shape[0] != call.inputs[0].shape[0]):
            raise WrongTypeError(
                f"{name} cannot be converted: its output has the shape {shape}, "
                "without the axis of the batch. Expected a layer that treats each item "
                "by itself",
                "model",
            )
        if None in shape[1:] and None not in call.inputs[0].shape[1:]:
            raise WrongTypeError(
                f"{name} cannot be converted: its output has the shape {shape}, and "
                "all axes but that of the batch must be known. Give the layer the "
                "lengths of these axes, or put `keras.layers.Reshape` behind it",
                "model",
            )


class WholeLayerConverter(LayerConverter):
    """A TensorNode around the layer itself, whose variables stay its own.

    Each simulator copies the values that they have when it is made.
    """

    #: layers that treat each step by itself, so that one step can be given to them
    STEPWISE = (
        keras.layers.Dropout,
        keras.layers.GaussianNoise,
        keras.layers.GaussianDropout,
        keras.layers.AlphaDropout,
        keras.layers.ELU,
        keras.layers.Embedding,
        keras.layers.Maximum,
        keras.layers.Minimum,
        keras.layers.Multiply,
        keras.layers.ReLU,
        keras.layers.Dense,
    )

    @classmethod
    def treats_steps_alone(cls, layer: Any) -> bool:
        """Return whether a layer's output in a time step depends on this step alone."""
        if isinstance(layer, keras.layers.Softmax | keras.layers.LayerNormalization):
            return layer.axis in (-1, [-1])
        return isinstance(layer, cls.STEPWISE)

    def convert(self, node_id: int) -> Any:
        """Add a TensorNode, with all inputs and outputs of the layer as one vector."""
        call = self.call(node_id)
        check_shapes(call)
        leading = self.converter.batch_axes
        shapes_in = [tuple(tensor.shape[leading:]) for tensor in call.inputs]
        shapes_out = [tuple(tensor.shape[leading:]) for tensor in call.outputs]
        node = self._node(call, shapes_in, shapes_out)
        start = 0
        for i, shape in enumerate(shapes_in):
            size = math.prod(shape)
            target = node if len(shapes_in) == 1 else node[start : start + size]
            self.add_connection(node_id, target, input_idx=i)
            start += size
        return node if len(shapes_out) == 1 else self._split(node_id, node, shapes_out)

    def _node(self, call: Any, shapes_in: list, shapes_out: list) -> TensorNode:
        layer = self.layer
        plain = (
            isinstance(layer, keras.Layer)
            and len(call.inputs) == len(call.outputs) == 1
            and call.args == call.inputs
            and not call.kwargs
            and not self.converter.temporal_model
            and all((*shapes_in, *shapes_out))
        )
        if plain:
            return TensorNode(
                layer,
                shape_in=shapes_in[0],
                shape_out=shapes_out[0],
                pass_time=False,
                label=layer.name,
            )
        numbers = {id(tensor): i for i, tensor in enumerate(call.inputs)}

        def slot(value: Any) -> Any:
            known = isinstance(value, KerasTensor)
            return _Slot(numbers[id(value)]) if known else value

        args, kwargs = keras.tree.map_structure(slot, (call.args, call.kwargs))
        function = WholeCall(
            layer, args, kwargs, shapes_in, bool(self.converter.temporal_model)
        )
        return TensorNode(
            function,
            shape_in=sum(map(math.prod, shapes_in)),
            shape_out=sum(map(math.prod, shapes_out)),
            pass_time=False,
            label=layer.name,
        )

    def _split(self, node_id: int, node: TensorNode, shapes: list) -> list[nengo.Node]:
        """Return a Node for each output of the layer."""
        nodes, start = [], 0
        for i, shape in enumerate(shapes):
            size = math.prod(shape)
            label = f"{self.label(node_id)}.output_{i}"
            nodes.append(nengo.Node(size_in=size, label=label))
            self.connect(node[start : start + size], nodes[-1], synapse=None)
            start += size
        return nodes


@register_layer(keras.layers.Embedding)
class ConvertEmbedding(LayerConverter):
    """A layer without a native form, of which there is something to know."""

    @classmethod
    def convertible(cls, layer: Any, converter: Any) -> tuple[bool, str | None]:
        """Return that it is not, and what is different in training."""
        why = f"{layer.name} looks up rows, which is no Connection"
        if layer.trainable and not converter.inference_only:
            why += (
                ". Trained with Adam, or another optimizer that squares gradients, its "
                "weights differ from those of `model.fit` where a minibatch looks up a "
                "row more than once: Keras squares the gradients of a row one by one, "
                "and here their sum is squared, as for all other weights"
            )
        return False, why
