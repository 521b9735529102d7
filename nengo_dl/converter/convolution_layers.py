"""Convolutions: with `nengo.Convolution`, which has Keras' padding and strides."""

from __future__ import annotations

import math
from typing import Any

import keras
import nengo
import numpy as np

from nengo_dl.converter.dense_layers import TRAINING_ARGS, folded_bias, values_of
from nengo_dl.converter.layer_converter import LayerConverter, register_layer


def channels_last(layer: Any) -> bool:
    """Return whether a layer has its channels in the last axis."""
    return bool(getattr(layer, "data_format", None) != "channels_first")


def over_channels(values: np.ndarray, layer: Any) -> np.ndarray:
    """Return one value per channel in a shape that broadcasts to a layer's output."""
    if channels_last(layer):
        return values
    return values.reshape(-1, *[1] * layer.rank)


def dilated(kernel: np.ndarray, rates: tuple[int, ...]) -> np.ndarray:
    """Return a kernel with zeros between its elements."""
    sizes = [(n - 1) * r + 1 for n, r in zip(kernel.shape, rates, strict=False)]
    found = np.zeros((*sizes, *kernel.shape[len(rates) :]), kernel.dtype)
    found[tuple(slice(None, None, rate) for rate in rates)] = kernel
    return found


class ConvertSpatial(LayerConverter):
    """What all convolutions have in common."""

    unsupported_training_args = (
        *TRAINING_ARGS,
        "depthwise_regularizer",
        "depthwise_constraint",
        "pointwise_regularizer",
        "pointwise_constraint",
    )
    has_weights = True
    stepwise = False

    @classmethod
    def convertible(cls, layer: Any, converter: Any) -> tuple[bool, str | None]:
        """Return whether Nengo has such a convolution."""
        if np.any(np.array(layer.dilation_rate) != 1) and not converter.inference_only:
            return False, (
                f"{layer.name}.dilation_rate is {layer.dilation_rate}, which a Nengo "
                "convolution has only as a kernel with zeros, and training would "
                "change these; with inference_only=True it does not matter"
            )
        return super().convertible(layer, converter)

    def convolve(
        self,
        pre: Any,
        post: Any,
        shape_in: tuple[int, ...],
        kernel: np.ndarray,
        groups: int = 1,
        dilation: Any = (),
        **kwargs: Any,
    ) -> Any:
        """Connect two objects by a convolution with the layer's strides and padding."""
        layer = self.layer
        last = channels_last(layer)
        if any(rate != 1 for rate in dilation):
            kernel = dilated(kernel, tuple(dilation))
        padding = kwargs.pop("padding", layer.padding)
        if padding == "causal":
            before = kernel.shape[0] - 1
            pre, shape_in = self._padded(pre, shape_in, before, last)
            padding = "valid"
        transform = nengo.Convolution(
            kernel.shape[-1],
            shape_in,
            kernel_size=kernel.shape[:-2],
            strides=kwargs.pop("strides", layer.strides),
            padding=padding,
            channels_last=last,
            groups=groups,
            init=kernel,
        )
        return self.connect(pre, post, transform=transform, **kwargs)

    def _padded(
        self, pre: Any, shape: tuple[int, ...], before: int, last: bool
    ) -> tuple[Any, tuple[int, ...]]:
        """Return an object with zeros in front of the places of another one."""
        axis = 0 if last else 1
        padded = list(shape)
        padded[axis] += before
        node = nengo.Node(size_in=math.prod(padded), label=f"{self.layer.name}.padding")
        index = np.arange(node.size_in).reshape(padded)
        inner = [slice(None)] * len(padded)
        inner[axis] = slice(before, None)
        self.connect(pre, node[index[tuple(inner)].ravel()])
        return node, tuple(padded)


@register_layer(keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
class ConvertConvolution(ConvertSpatial):
    """One `nengo.Convolution`."""

    def convert(self, node_id: int) -> Any:
        """Add the output, and a Connection with the kernel."""
        layer = self.layer
        scale, shift = self.converter.folded_into(self.call(node_id).outputs[0])
        bias = values_of(layer.bias) if layer.use_bias else None
        bias = folded_bias(bias, scale, shift)
        if bias is not None:
            bias = over_channels(bias, layer)
        obj = self.add_nengo_obj(node_id, bias, layer.activation)
        connection = self.convolve(
            self.get_input_obj(node_id),
            obj,
            self.input_shape(node_id),
            values_of(layer.kernel) * scale,
            groups=layer.groups,
            dilation=layer.dilation_rate,
            trainable=True,
            label=f"{self.label(node_id)}.kernel",
        )
        self.converter.linked(layer._kernel, connection, lambda weights: weights)
        return obj


def per_channel(kernel: np.ndarray) -> np.ndarray:
    """Return a depthwise kernel as one of a convolution with a group per channel."""
    *size, channels, multiplier = kernel.shape
    return kernel.reshape(*size, 1, channels * multiplier)


@register_layer(keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
class ConvertDepthwise(ConvertSpatial):
    """A convolution with a group for each channel."""

    def convert(self, node_id: int) -> Any:
        """Add the output, and a Connection with the kernel."""
        layer = self.layer
        scale, shift = self.converter.folded_into(self.call(node_id).outputs[0])
        bias = values_of(layer.bias) if layer.use_bias else None
        bias = folded_bias(bias, scale, shift)
        if bias is not None:
            bias = over_channels(bias, layer)
        obj = self.add_nengo_obj(node_id, bias, layer.activation)
        kernel = values_of(layer.kernel)
        connection = self.convolve(
            self.get_input_obj(node_id),
            obj,
            self.input_shape(node_id),
            per_channel(kernel) * scale,
            groups=kernel.shape[-2],
            dilation=layer.dilation_rate,
            trainable=True,
            label=f"{self.label(node_id)}.kernel",
        )
        self.converter.linked(
            layer.kernel, connection, lambda weights: weights.reshape(kernel.shape)
        )
        return obj


@register_layer(keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
class ConvertSeparable(ConvertSpatial):
    """A convolution with a group for each channel, then one of kernel size 1."""

    def convert(self, node_id: int) -> Any:
        """Add the output, a Node between the two convolutions, and both of them."""
        layer = self.layer
        rank = layer.rank
        bias = values_of(layer.bias) if layer.use_bias else None
        if bias is not None:
            bias = over_channels(bias, layer)
        obj = self.add_nengo_obj(node_id, bias, layer.activation)
        depthwise = values_of(layer.depthwise_kernel)
        pointwise = values_of(layer.pointwise_kernel)
        shape = list(self.output_shape(node_id))
        shape[-1 if channels_last(layer) else 0] = pointwise.shape[-2]
        label = self.label(node_id)
        between = nengo.Node(size_in=math.prod(shape), label=f"{label}.depthwise")
        first = self.convolve(
            self.get_input_obj(node_id),
            between,
            self.input_shape(node_id),
            per_channel(depthwise),
            groups=depthwise.shape[-2],
            dilation=layer.dilation_rate,
            trainable=True,
            label=f"{label}.depthwise_kernel",
        )
        second = self.convolve(
            between,
            obj,
            tuple(shape),
            pointwise,
            strides=(1,) * rank,
            padding="valid",
            trainable=True,
            label=f"{label}.pointwise_kernel",
        )
        self.converter.linked(
            layer.depthwise_kernel, first, lambda w: w.reshape(depthwise.shape)
        )
        self.converter.linked(layer.pointwise_kernel, second, lambda w: w)
        return obj


@register_layer(keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose)
class ConvertTransposed(ConvertSpatial):
    """A `nengo.ConvolutionTranspose`, where its output has the size of Keras'."""

    @classmethod
    def convertible(cls, layer: Any, converter: Any) -> tuple[bool, str | None]:
        """Return whether the output has the same size and place."""
        if getattr(layer, "output_padding", None) is not None:
            return False, f"{layer.name}.output_padding is {layer.output_padding!r}"
        if np.any(np.array(layer.dilation_rate) != 1):
            return False, f"{layer.name}.dilation_rate is {layer.dilation_rate}"
        single = all(stride == 1 for stride in layer.strides)
        fits = all(
            stride <= size
            for stride, size in zip(layer.strides, layer.kernel_size, strict=True)
        )
        if not (single or (layer.padding == "valid" and fits)):
            return False, (
                f"with strides {layer.strides}, kernel size {layer.kernel_size} and "
                f"padding {layer.padding!r} nengo.ConvolutionTranspose has an output "
                "of another size"
            )
        return super().convertible(layer, converter)

    def convert(self, node_id: int) -> Any:
        """Add the output, and a Connection with the kernel."""
        layer = self.layer
        bias = values_of(layer.bias) if layer.use_bias else None
        if bias is not None:
            bias = over_channels(bias, layer)
        obj = self.add_nengo_obj(node_id, bias, layer.activation)
        kernel = np.swapaxes(values_of(layer.kernel), -1, -2)
        transform = nengo.ConvolutionTranspose(
            kernel.shape[-1],
            self.input_shape(node_id),
            output_shape=self.output_shape(node_id),
            kernel_size=layer.kernel_size,
            strides=layer.strides,
            padding=layer.padding,
            channels_last=channels_last(layer),
            init=kernel,
        )
        connection = self.add_connection(
            node_id,
            obj,
            trainable=True,
            transform=transform,
            label=f"{self.label(node_id)}.kernel",
        )
        self.converter.linked(
            layer.kernel, connection, lambda weights: np.swapaxes(weights, -1, -2)
        )
        return obj
