"""Layers whose output elements are input elements, or zeros: indexed Connections."""

from __future__ import annotations

import math
from typing import Any

import keras
import nengo
import numpy as np
import tensorflow as tf

from nengo_dl.converter.layer_converter import (
    LayerConverter,
    operation_type,
    register_layer,
)

_X = keras.KerasTensor((None, 2, 2))


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
    ]
    found = [type(_X[:, 0]._keras_history.operation)]
    for function, *args in calls:
        x = keras.KerasTensor((None, 1, 2)) if function is ops.squeeze else _X
        arguments = [1] if args == [None] else args
        found.append(operation_type(function, x, *arguments))
    return found


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
    stepwise = False

    @classmethod
    def convertible(cls, layer: Any, converter: Any) -> tuple[bool, str | None]:
        """Return whether the layer moves elements of each item, and nothing else."""
        for call in converter.graph.calls_of(layer):
            if len(call.inputs) != 1:
                return False, f"{layer.name} has several inputs"
            try:
                source = moved(call)
            except Exception as error:
                return False, f"what {layer.name} does depends on its data ({error})"
            if source is None:
                return False, f"{layer.name} adds something else than zeros"
        return super().convertible(layer, converter)

    def convert(self, node_id: int) -> Any:
        """Return the input, or a Node connected to some of its elements."""
        source = moved(self.call(node_id))
        assert source is not None
        pre = self.get_input_obj(node_id)
        size = math.prod(self.input_shape(node_id))
        if np.array_equal(source, np.arange(size)):
            return pre
        obj = nengo.Node(size_in=len(source), label=self.label(node_id))
        if np.all(source >= 0):
            self.connect(pre, obj, index=source)
        else:
            target = np.flatnonzero(source >= 0)
            kept = source[target]
            whole = np.array_equal(kept, np.arange(size))
            if len(target):
                self.connect(pre, obj[target], index=None if whole else kept)
        return obj


def moved(call: Any) -> np.ndarray | None:
    """Return which input element each output element is; -1 for zeros.

    The layer itself is given the numbers of the elements.

    Parameters
    ----------
    call : Call
        The call of the layer.

    Returns
    -------
    np.ndarray, shape (size_out,), or None
        None if there is something else among the output.
    """
    (tensor,) = call.inputs
    shape = tuple(tensor.shape[1:])
    size = math.prod(shape)
    # two items: an operation may look at the batch axis
    numbers = tf.reshape(tf.range(1, 2 * size + 1), (2, *shape))

    def fill(value: Any) -> Any:
        return numbers if value is tensor else value

    args, kwargs = keras.tree.map_structure(fill, (call.args, call.kwargs))
    found = np.asarray(call.operation.call(*args, **kwargs)).reshape(2, -1)
    first, second = found - 1
    shifted = np.where(first >= 0, first + size, -1)
    if not np.array_equal(second, shifted):
        return None
    if first.size != math.prod(call.outputs[0].shape[1:]):
        return None
    return np.asarray(first, dtype=np.int64)


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
                f"{layer.name} does something in training; with inference_only=True "
                "it is left out"
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
