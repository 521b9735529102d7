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
    dtypes : list of str
        Their types; whole numbers and truth values are those of Keras in the call.
    sizes_out : list of int
        Sizes of the outputs for one item, which TensorFlow need not know.
    time_axis : bool
        Whether it gets an axis of length 1 for time.
    """

    def __init__(
        self,
        operation: Any,
        args: Any,
        kwargs: Any,
        shapes: list[tuple[int, ...]],
        dtypes: list[str],
        sizes_out: list[int],
        time_axis: bool,
    ) -> None:
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.shapes = shapes
        self.dtypes = dtypes
        self.sizes_out = sizes_out
        self.time_axis = time_axis
        self.__name__ = str(operation.name)

    def __call__(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return all outputs as one vector for each item, shape (batch, size_out)."""
        leading = (x.shape[0], 1) if self.time_axis else (x.shape[0],)
        tensors, start = [], 0
        for shape, dtype in zip(self.shapes, self.dtypes, strict=True):
            size = math.prod(shape)
            part = x[:, start : start + size]
            if "float" not in dtype:
                # a filter may have left something between two numbers
                part = tf.cast(tf.round(part), dtype)
            tensors.append(tf.reshape(part, (*leading, *shape)))
            start += size

        def fill(value: Any) -> Any:
            return tensors[value.number] if isinstance(value, _Slot) else value

        args, kwargs = keras.tree.map_structure(fill, (self.args, self.kwargs))
        if isinstance(self.operation, keras.Layer):
            # what a model is called with is stronger than what is in its graph
            kwargs = {**kwargs, "training": training}
        result = keras.tree.flatten(self.operation(*args, **kwargs))
        flat = [
            tf.reshape(tf.cast(one, x.dtype), (x.shape[0], size))
            for one, size in zip(result, self.sizes_out, strict=True)
        ]
        return flat[0] if len(flat) == 1 else tf.concat(flat, axis=1)


class WholeLayerConverter(LayerConverter):
    """A TensorNode around the layer itself, whose variables stay its own.

    Each simulator copies the values that they have when it is made.
    """

    def convert(self, node_id: int) -> Any:
        """Add a TensorNode, with all inputs and outputs of the layer as one vector."""
        call = self.call(node_id)
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
            # which may return whole numbers and not know it
            and not isinstance(layer, keras.layers.Lambda)
            and len(call.inputs) == len(call.outputs) == 1
            and call.args == call.inputs
            and not call.kwargs
            and not self.converter.temporal_model
            and all((*shapes_in, *shapes_out))
            and all("float" in end.dtype for end in (*call.inputs, *call.outputs))
        )
        if plain:
            return TensorNode(
                layer,
                shape_in=shapes_in[0],
                shape_out=shapes_out[0],
                pass_time=False,
                label=self._label_of_node(call),
            )
        numbers = {id(tensor): i for i, tensor in enumerate(call.inputs)}

        def slot(value: Any) -> Any:
            known = isinstance(value, KerasTensor)
            return _Slot(numbers[id(value)]) if known else value

        args, kwargs = keras.tree.map_structure(slot, (call.args, call.kwargs))
        function = WholeCall(
            layer,
            args,
            kwargs,
            shapes_in,
            [tensor.dtype for tensor in call.inputs],
            list(map(math.prod, shapes_out)),
            bool(self.converter.temporal_model),
        )
        return TensorNode(
            function,
            shape_in=sum(map(math.prod, shapes_in)),
            shape_out=sum(map(math.prod, shapes_out)),
            pass_time=False,
            label=self._label_of_node(call),
        )

    def _label_of_node(self, call: Any) -> str:
        """Return the layer's name, with the number of each call after the first."""
        calls = self.converter.graph.calls_of(self.layer)
        is_first = call.node_id == min(one.node_id for one in calls)
        return self.name if is_first else self.label(call.node_id)

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
