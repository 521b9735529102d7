"""Layers that multiply and add fixed values: normalisations that are not trained."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from nengo_dl.converter.activation_names import canonical
from nengo_dl.converter.dense_layers import values_of
from nengo_dl.converter.layer_converter import LayerConverter
from nengo_dl.converter.layer_registry import register_layer

#: layers whose weights a normalisation behind them can be a part of
_FOLDING = (
    keras.layers.Dense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
)


def affine(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the factor and the shift of a batch normalisation for each channel.

    .. math:: s = \frac{\gamma}{\sqrt{v + \epsilon}}, \quad b = \beta - s m

    Parameters
    ----------
    layer : keras.layers.BatchNormalization
        The layer.

    Returns
    -------
    scale, shift : np.ndarray, shape (channels,)
        In double precision.
    """
    mean = values_of(layer.moving_mean).astype(np.float64)
    variance = values_of(layer.moving_variance).astype(np.float64)
    scale = 1 / np.sqrt(variance + layer.epsilon)
    if layer.scale:
        scale = scale * values_of(layer.gamma)
    shift = -scale * mean
    if layer.center:
        shift = shift + values_of(layer.beta)
    return scale, shift


def is_foldable(consumer: Any, producer: Any, converter: Any) -> bool:
    """Return whether a layer can be a part of the weights of the one before.

    Parameters
    ----------
    consumer, producer : Call
        The only call that takes the output of the other one.
    converter : Conversion
        The conversion of their model.
    """
    layer, before = consumer.operation, producer.operation
    if type(layer) is not keras.layers.BatchNormalization:
        return False
    if type(before) not in _FOLDING or canonical(before.activation) != "linear":
        return False
    swapped = converter.swap_activations.apply(
        before, converter.place, before.activation
    )
    if swapped is not None and swapped is not before.activation:
        return False
    rank = len(consumer.inputs[0].shape)
    first = getattr(before, "data_format", None) == "channels_first"
    return bool(layer.axis % rank == (1 if first else rank - 1))


class ConvertAffine(LayerConverter):
    """A passthrough Node, a diagonal Connection to it and constants."""

    def factors(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        """Return the factor and the shift, which broadcast to a shape."""
        raise NotImplementedError

    def convert(self, node_id: int) -> Any:
        """Add the Node, the Connection and the constants."""
        shape = self.output_shape(node_id)
        scale, shift = self.factors(shape)
        obj = self.add_nengo_obj(node_id)
        scale = np.asarray(scale, dtype=np.float64)
        if scale.size == 1:
            transform: Any = float(scale.reshape(()))
        else:
            transform = np.broadcast_to(scale, shape).ravel()
        self.add_connection(node_id, obj, transform=transform)
        self.add_constant(node_id, obj, np.broadcast_to(shift, shape))
        return obj

    def along(self, values: np.ndarray, axis: int, shape: tuple[int, ...]) -> Any:
        """Return values along one axis, in a shape that broadcasts."""
        leading = self.converter.batch_axes
        axis = axis % (len(shape) + leading) - leading
        return values.reshape([-1 if i == axis else 1 for i in range(len(shape))])


@register_layer(keras.layers.BatchNormalization)
class ConvertBatchNormalization(ConvertAffine):
    """What the averages of training make of it, where it is trained no more."""

    @classmethod
    def convertible(cls, layer: Any, converter: Any) -> tuple[bool, str | None]:
        """Return whether the layer is frozen, one way or another."""
        frozen = converter.inference_only or converter.freeze_batchnorm
        if not frozen and layer.trainable:
            return False, (
                f"{layer.name} computes averages over the minibatch in training; with "
                "inference_only=True, or `layer.trainable = False`, it is a fixed "
                "factor and a bias"
            )
        for call in converter.graph.calls_of(layer):
            if layer.axis % len(call.inputs[0].shape) < converter.batch_axes:
                return False, f"{layer.name}.axis is {layer.axis}"
        return super().convertible(layer, converter)

    def convert(self, node_id: int) -> Any:
        """Add the objects, unless the weights before have the factors already."""
        if id(self.call(node_id)) in self.converter.folded:
            return self.get_input_obj(node_id)
        return super().convert(node_id)

    def factors(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        """Return the factor and the shift."""
        scale, shift = affine(self.layer)
        axis = self.layer.axis
        return self.along(scale, axis, shape), self.along(shift, axis, shape)


@register_layer(keras.layers.Rescaling)
class ConvertRescaling(ConvertAffine):
    """A factor and an offset."""

    def factors(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        """Return the layer's own."""
        return np.asarray(self.layer.scale), np.asarray(self.layer.offset)


@register_layer(keras.layers.Normalization)
class ConvertNormalization(ConvertAffine):
    """Mean and variance that were measured before."""

    @classmethod
    def convertible(cls, layer: Any, converter: Any) -> tuple[bool, str | None]:
        """Return whether they are known."""
        if layer.mean is None:
            return False, f"{layer.name} has not been adapted to data"
        return super().convertible(layer, converter)

    def factors(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        """Return the factor and the shift."""
        leading = self.converter.batch_axes
        mean = values_of(self.layer.mean).astype(np.float64)
        variance = values_of(self.layer.variance).astype(np.float64)
        deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
        scale, shift = 1 / deviation, -mean / deviation
        if self.layer.invert:
            scale, shift = deviation, mean
        keep = [math.prod(values.shape[:leading]) == 1 for values in (scale, shift)]
        if all(keep) and scale.ndim > len(shape):
            scale = scale.reshape(scale.shape[leading:])
            shift = shift.reshape(shift.shape[leading:])
        return scale, shift
