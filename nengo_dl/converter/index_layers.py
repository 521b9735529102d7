"""Layers whose output elements are input elements, or zeros: indexed Connections."""

from __future__ import annotations

import math
from typing import Any

import keras
import nengo
import numpy as np
import tensorflow as tf

from nengo_dl.converter.independence import BY_STEP, N_ITEMS, N_STEPS
from nengo_dl.converter.layer_converter import LayerConverter
from nengo_dl.converter.layer_registry import operation_type, register_layer
from nengo_dl.validation import WrongTypeError

_X = keras.KerasTensor((None, 2, 2))
_RESHAPE: Any = operation_type(keras.ops.reshape, _X, (-1, 4))


def types_of_operations() -> list[type]:
    """Return the classes of operations that only move elements."""
    ops = keras.ops
    calls: list[Any] = [
        (ops.reshape, (-1, 4)),
        (ops.transpose, (0, 2, 1)),
        (ops.squeeze, None),
        (ops.expand_dims, 1),
        (ops.flip, 1),
        (ops.roll, 1, 1),
        (ops.repeat, 2, 1),
        (ops.tile, (1, 2, 1)),
        (ops.swapaxes, 1, 2),
        (ops.moveaxis, 1, 2),
        (ops.pad, ((0, 0), (1, 1), (0, 0))),
        (ops.split, 2, 1),
    ]
    found = [type(_X[:, 0]._keras_history.operation)]
    for function, *args in calls:
        x = keras.KerasTensor((None, 1, 2)) if function is ops.squeeze else _X
        arguments = [1] if args == [None] else args
        found.append(operation_type(function, x, *arguments))
    return [*found, operation_type(ops.stack, [_X, _X])]


@register_layer(
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Permute,
    keras.layers.RepeatVector,
    keras.layers.Cropping1D,
    keras.layers.Cropping2D,
    keras.layers.Cropping3D,
    keras.layers.ZeroPadding1D,
    keras.layers.ZeroPadding2D,
    keras.layers.ZeroPadding3D,
    keras.layers.UpSampling1D,
    keras.layers.UpSampling2D,
    keras.layers.UpSampling3D,
    *types_of_operations(),
)
class ConvertIndexing(LayerConverter):
    """A Node with elements of the input; the input itself if they are all the same."""

    unsupported_args = (("interpolation", "nearest"),)

    @classmethod
    def convertible(cls, layer: Any, converter: Any) -> tuple[bool, str | None]:
        """Return whether the layer moves elements of each item, and nothing else.

        Raises
        ------
        TypeError
            If it moves elements from one item to another.
        """
        for call in converter.graph.calls_of(layer):
            try:
                moved(call, converter.batch_axes)
            except WrongTypeError:
                raise
            except NotMovedError as error:
                return False, f"{layer.name} {error}"
            except Exception:
                if converter.temporal_model:
                    shapes = f"{call.outputs[0].shape} of {call.inputs[0].shape}"
                    return False, f"{layer.name} makes {shapes}; {BY_STEP}"
                return False, f"what {layer.name} does depends on its data"
        return super().convertible(layer, converter)

    def convert(self, node_id: int) -> Any:
        """Return the input, or a Node connected to some of its elements."""
        sources = moved(self.call(node_id), self.converter.batch_axes)
        label = self.label(node_id)
        if len(sources) == 1:
            return self._part(node_id, sources[0], label)
        return [
            self._part(node_id, source, f"{label}.output_{i}")
            for i, source in enumerate(sources)
        ]

    def _part(self, node_id: int, source: np.ndarray, label: str) -> Any:
        """Return what has some elements of the inputs, of which -1 are zeros."""
        leading = self.converter.batch_axes
        sizes = [math.prod(t.shape[leading:]) for t in self.call(node_id).inputs]
        if len(sizes) == 1 and np.array_equal(source, np.arange(sizes[0])):
            return self.get_input_obj(node_id)
        obj, start = nengo.Node(size_in=len(source), label=label), 0
        for i, size in enumerate(sizes):
            target = np.flatnonzero((source >= start) & (source < start + size))
            kept, start = source[target] - start, start + size
            if not len(target):
                continue
            self.connect(
                self.get_input_obj(node_id, i),
                obj if len(target) == len(source) else obj[target],
                index=None if np.array_equal(kept, np.arange(size)) else kept,
            )
        return obj


class NotMovedError(Exception):
    """A layer does something else than moving elements of one item and time step."""


def moved(call: Any, leading: int) -> list[np.ndarray]:
    """Return which input element each output element is; -1 for zeros.

    The layer itself is given the numbers of the elements.

    Parameters
    ----------
    call : Call
        The call of the layer.
    leading : int
        How many axes come before those of the elements: 1 for the batch, 2 with time.

    Returns
    -------
    list of np.ndarray, shape (size_out,)
        For each output; elements are counted over all inputs.

    Raises
    ------
    NotMovedError
        If there is something else among the output, or elements of other time steps.
    TypeError
        If elements are moved from one item of the minibatch to another.
    """
    sizes = [math.prod(tensor.shape[leading:]) for tensor in call.inputs]
    total = sum(sizes)
    first_in, first_out = call.inputs[0], call.outputs[0]
    if any(tensor.shape[0] != first_in.shape[0] for tensor in call.outputs):
        raise _between(call, 1)
    steps = first_in.shape[1:leading]
    if any(tensor.shape[1:leading] != steps for tensor in call.outputs):
        raise _between(call, leading)
    if type(call.operation) is _RESHAPE and None not in first_out.shape[leading:]:
        # its own argument may have the symbol of an unknown length
        if math.prod(first_out.shape[leading:]) != total:
            raise _between(call, leading)
        if first_out.shape[1:leading] == first_in.shape[1:leading]:
            return [np.arange(total)]
    # several items, and steps: an operation may look at these axes
    axes = (
        first_in.shape[0] or N_ITEMS,
        *(n or N_STEPS for n in first_in.shape[1:leading]),
    )
    block = np.arange(math.prod(axes))
    numbers, start = {}, 1
    for tensor, size in zip(call.inputs, sizes, strict=True):
        each = block[:, None] * total + np.arange(start, start + size)
        shape = (*axes, *tensor.shape[leading:])
        numbers[id(tensor)] = tf.constant(each.reshape(shape), tf.int64)
        start += size

    def fill(value: Any) -> Any:
        return numbers.get(id(value), value)

    args, kwargs = keras.tree.map_structure(fill, (call.args, call.kwargs))
    sources = []
    for result in keras.tree.flatten(call.operation.call(*args, **kwargs)):
        found = np.asarray(result)
        if found.shape[:leading] != axes:
            raise _between(call, leading, found.shape)
        found = found.reshape(len(block), -1) - 1
        inside = found >= 0
        if np.any(inside != inside[0]) or np.any(found < -1):
            raise NotMovedError("adds something else than zeros")
        found[inside] -= (block[:, None] * total + np.zeros_like(found))[inside]
        if np.any((found < 0) & inside) or np.any(found >= total):
            raise _between(call, leading)
        if np.any(found != found[0]):
            raise NotMovedError("adds something else than zeros")
        sources.append(found[0])
    return sources


def _between(
    call: Any, leading: int, shape: tuple[int, ...] | None = None
) -> Exception:
    """Return an error about elements that leave their item, or their time step."""
    if leading == 2 and (
        shape is None or shape[:1] == (call.inputs[0].shape[0] or N_ITEMS,)
    ):
        return NotMovedError(f"moves elements from one time step to another; {BY_STEP}")
    layer = call.operation
    return WrongTypeError(
        f"Layer {layer.name!r} ({type(layer).__name__}) cannot be converted: it makes "
        f"{call.outputs[0].shape} of {call.inputs[0].shape}, and so moves elements "
        "from one item of the batch to another. Expected the axis of the batch as it "
        "is",
        "model",
    )


@register_layer(
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
    keras.layers.GaussianNoise,
    keras.layers.GaussianDropout,
    keras.layers.AlphaDropout,
    keras.layers.ActivityRegularization,
)
class ConvertTrainingOnly(LayerConverter):
    """Layers that do nothing outside of training: the input itself."""

    @classmethod
    def convertible(cls, layer: Any, converter: Any) -> tuple[bool, str | None]:
        """Return whether there will be no training."""
        if not converter.inference_only:
            return False, (
                f"{layer.name} has an effect in training; inference_only=True leaves "
                "it out"
            )
        return super().convertible(layer, converter)

    def convert(self, node_id: int) -> Any:
        """Return the input."""
        return self.get_input_obj(node_id)


@register_layer(keras.layers.Identity)
class ConvertIdentity(LayerConverter):
    """The input itself."""

    def convert(self, node_id: int) -> Any:
        """Return the input."""
        return self.get_input_obj(node_id)
