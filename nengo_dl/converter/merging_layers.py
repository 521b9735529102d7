"""Layers and operations that add, scale and concatenate."""

from __future__ import annotations

import math
from typing import Any

import keras
import nengo
import numpy as np
import tensorflow as tf
from keras import KerasTensor

from nengo_dl.converter.layer_converter import LayerConverter, spread
from nengo_dl.converter.layer_registry import operation_type, register_layer
from nengo_dl.validation import WrongTypeError

_X = keras.KerasTensor((None, 2))


class ConvertSum(LayerConverter):
    """A passthrough Node with a Connection from each summand."""

    def convert(self, node_id: int) -> Any:
        """Add the Node, and the Connections to it."""
        call, shape = self.call(node_id), self.output_shape(node_id)
        obj = self.add_nengo_obj(node_id)
        count = len(call.inputs)
        for i in range(count):
            pre_shape = tuple(call.inputs[i].shape[self.converter.batch_axes :])
            index = spread(pre_shape, shape)
            same = math.prod(pre_shape) == len(index)
            factor = self.factor(i, count)
            kwargs: dict[str, Any] = {} if factor == 1 else {"transform": factor}
            self.connect(
                self.get_input_obj(node_id, i),
                obj,
                index=None if same else index,
                **kwargs,
            )
        return obj

    def factor(self, input_idx: int, count: int) -> float:
        """Return the factor of a summand."""
        return 1.0


@register_layer(keras.layers.Add)
class ConvertAdd(ConvertSum):
    """The sum."""


@register_layer(keras.layers.Average)
class ConvertAverage(ConvertSum):
    """The mean."""

    def factor(self, input_idx: int, count: int) -> float:
        """Return one part of the whole."""
        return 1.0 / count


@register_layer(keras.layers.Subtract)
class ConvertSubtract(ConvertSum):
    """The difference."""

    def factor(self, input_idx: int, count: int) -> float:
        """Return the sign of a summand."""
        return 1.0 if input_idx == 0 else -1.0


_ADD = type((_X + 1)._keras_history.operation)
_SUBTRACT = type((_X - 1)._keras_history.operation)
_MULTIPLY = type((_X * 2)._keras_history.operation)
_DIVIDE = type((_X / 2)._keras_history.operation)
_DIVIDE_FUNCTION = operation_type(keras.ops.divide, _X, 2)
_SUM = operation_type(keras.ops.sum, _X, axis=1)
_MEAN = operation_type(keras.ops.mean, _X, axis=1)
_NEGATIVE = type((-_X)._keras_history.operation)


@register_layer(_ADD, _SUBTRACT, _MULTIPLY, _DIVIDE, _DIVIDE_FUNCTION, _NEGATIVE)
class ConvertArithmetic(ConvertSum):
    """``x + y``, ``x - y``, ``x + c``, ``c - x``, ``x * c``, ``x / c`` and ``-x``."""

    @classmethod
    def convertible(cls, layer: Any, converter: Any) -> tuple[bool, str | None]:
        """Return whether the operation is linear in its tensors."""
        kind = type(layer)
        for call in converter.graph.calls_of(layer):
            tensors = len(call.inputs)
            if kind is _MULTIPLY and tensors > 1:
                return False, "a product of tensors is no Connection"
            divides = kind in (_DIVIDE, _DIVIDE_FUNCTION)
            if divides and (tensors > 1 or not isinstance(call.args[0], KerasTensor)):
                return False, "a quotient of tensors is no Connection"
            ranks = [len(tensor.shape) for tensor in call.inputs]
            own_axes = min(ranks) - converter.batch_axes
            constants = [np.ndim(c) for c in constants_of(call, own_axes)]
            if max(constants, default=0) > own_axes or len(set(ranks)) > 1:
                axis = "time" if converter.temporal_model else "the batch"
                return False, f"{layer.name} broadcasts along the axis of {axis}"
        return super().convertible(layer, converter)

    def convert(self, node_id: int) -> Any:
        """Add the Node, the Connections, and a constant if there is one."""
        call, kind = self.call(node_id), type(self.layer)
        constants = constants_of(call, len(self.output_shape(node_id)))
        if kind in (_MULTIPLY, _DIVIDE, _DIVIDE_FUNCTION):
            return self._scale(node_id, constants[0], kind is not _MULTIPLY)
        obj = super().convert(node_id)
        for constant in constants:
            subtracted = kind is _SUBTRACT and isinstance(call.args[0], KerasTensor)
            value = np.broadcast_to(constant, self.output_shape(node_id)).ravel()
            self.add_constant(node_id, obj, -value if subtracted else value)
        return obj

    def factor(self, input_idx: int, count: int) -> float:
        """Return the sign of a summand."""
        if type(self.layer) is _NEGATIVE:
            return -1.0
        if type(self.layer) is _SUBTRACT:
            # of two tensors the second, or the one behind a constant
            (call,) = self.converter.graph.calls_of(self.layer)
            first = call.args[0] if call.args else None
            leads = isinstance(first, KerasTensor) and input_idx == 0
            return 1.0 if leads else -1.0
        return 1.0

    def _scale(self, node_id: int, constant: np.ndarray, divide: bool) -> Any:
        factor = np.asarray(1 / constant if divide else constant, dtype=np.float64)
        shape = self.output_shape(node_id)
        pre_shape = self.input_shape(node_id)
        index = spread(pre_shape, shape)
        obj = self.add_nengo_obj(node_id)
        if factor.ndim:
            factor = np.broadcast_to(factor, shape).ravel()
        same = len(index) == math.prod(pre_shape)
        self.connect(
            self.get_input_obj(node_id),
            obj,
            index=None if same else index,
            transform=factor if factor.ndim else float(factor),
        )
        return obj


@register_layer(_SUM, _MEAN)
class ConvertReduction(LayerConverter):
    """A passthrough Node with the sum or mean along axes: a sparse matrix."""

    @classmethod
    def convertible(cls, layer: Any, converter: Any) -> tuple[bool, str | None]:
        """Return whether the items of the batch, and time steps, are kept apart."""
        for call in converter.graph.calls_of(layer):
            first = min(axes_of(layer, call), default=0)
            if first < converter.batch_axes:
                axis = "time" if first else "the batch"
                return False, f"{layer.name} reduces the axis of {axis}"
        return super().convertible(layer, converter)

    def convert(self, node_id: int) -> Any:
        """Add the Node, and the Connection to it."""
        shape, leading = self.input_shape(node_id), self.converter.batch_axes
        axes = [axis - leading for axis in axes_of(self.layer, self.call(node_id))]
        kept = tuple(1 if i in axes else n for i, n in enumerate(shape))
        rows = spread(kept, shape)
        is_mean = type(self.layer) is _MEAN
        matrix = nengo.Sparse(
            (math.prod(kept), len(rows)),
            indices=np.stack([rows, np.arange(len(rows))], axis=1),
            init=math.prod(kept) / len(rows) if is_mean else 1.0,
        )
        obj = self.add_nengo_obj(node_id)
        self.add_connection(node_id, obj, transform=matrix)
        return obj


def axes_of(layer: Any, call: Any) -> list[int]:
    """Return the axes, the batch's among them, that an operation reduces."""
    rank = len(call.inputs[0].shape)
    axes = range(rank) if layer.axis is None else np.ravel(layer.axis)
    return [int(axis) % rank for axis in axes]


def constants_of(call: Any, n_axes: int) -> list[np.ndarray]:
    """Return the arguments of a call that are numbers or arrays.

    Parameters
    ----------
    call : Call
        The call.
    n_axes : int
        How many axes an item has: axes of length 1 before these are left out.
    """
    found = []
    for value in (*call.args, *call.kwargs.values()):
        if not isinstance(value, KerasTensor):
            array = np.asarray(tf.convert_to_tensor(value)).astype(np.float64)
            while array.ndim > n_axes and len(array) == 1:
                array = array[0]
            found.append(array)
    return found


@register_layer(
    keras.layers.Concatenate, operation_type(keras.ops.concatenate, [_X, _X], axis=1)
)
class ConvertConcatenate(LayerConverter):
    """A passthrough Node with a Connection to a part of it from each input."""

    @classmethod
    def convertible(cls, layer: Any, converter: Any) -> tuple[bool, str | None]:
        """Return whether the inputs are not joined along the batch or time.

        Raises
        ------
        TypeError
            If they are: no object of Nengo has more items than its input.
        """
        for call in converter.graph.calls_of(layer):
            axis = layer.axis % len(call.outputs[0].shape)
            if axis < converter.batch_axes:
                name = "time" if axis else "batch"
                raise WrongTypeError(
                    f"Layer {layer.name!r} (Concatenate) cannot be converted: it joins "
                    f"its inputs along the {name} axis (axis={layer.axis}). Expected "
                    "one of the axes behind",
                    "model",
                )
        return super().convertible(layer, converter)

    def convert(self, node_id: int) -> Any:
        """Add the Node, and the Connections to it."""
        call, shape = self.call(node_id), self.output_shape(node_id)
        axis = self.layer.axis % (len(shape) + self.converter.batch_axes)
        axis -= self.converter.batch_axes
        obj = nengo.Node(size_in=math.prod(shape), label=self.label(node_id))
        places, start = np.arange(obj.size_in).reshape(shape), 0
        for i, tensor in enumerate(call.inputs):
            length = tensor.shape[self.converter.batch_axes + axis]
            part = places.take(np.arange(start, start + length), axis).ravel()
            start += length
            first, last = int(part[0]), int(part[-1]) + 1
            whole = last - first == len(part)
            self.add_connection(node_id, obj[first:last] if whole else obj[part], i)
        return obj
