"""Convolutions: with `nengo.Convolution`, which has Keras' padding and strides."""

from __future__ import annotations

import math
from typing import Any

import keras
import nengo
import numpy as np

from nengo_dl.converter.dense_layers import (
    TRAINING_ARGS,
    folded,
    folded_bias,
    kernel_variable,
    unusual_kernel,
    values_of,
)
from nengo_dl.converter.layer_converter import LayerConverter
from nengo_dl.converter.layer_registry import register_layer
from nengo_dl.graph.kernels import dilated


def channels_last(layer: Any) -> bool:
    """Return whether a layer has its channels in the last axis."""
    return bool(getattr(layer, "data_format", None) != "channels_first")


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
        problem = unusual_kernel(layer, converter)
        if problem:
            return False, problem
        if np.any(np.array(layer.dilation_rate) != 1) and not converter.inference_only:
            return False, (
                f"{layer.name}.dilation_rate is {layer.dilation_rate}, which a Nengo "
                "convolution has only as a kernel with zeros, and training would "
                "change these; with inference_only=True it does not matter"
            )
        return super().convertible(layer, converter)

    def add_output(self, node_id: int, scale: Any = 1.0, shift: Any = 0.0) -> Any:
        """Add what has the output, with one bias per channel if there are biases."""
        layer = self.layer
        bias = folded_bias(layer, scale, shift)
        if bias is not None and not channels_last(layer):
            bias = bias.reshape(-1, *[1] * layer.rank)
        return self.add_nengo_obj(node_id, bias, layer.activation)

    def convolve(
        self,
        pre: Any,
        post: Any,
        shape_in: tuple[int, ...],
        kernel: np.ndarray,
        variable: Any,
        groups: int = 1,
        dilation: Any = (),
        **kwargs: Any,
    ) -> None:
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
        self.connect_weights(
            pre,
            post,
            transform,
            variable,
            lambda w: w.reshape(variable.shape),
            **kwargs,
        )

    def _padded(
        self, pre: Any, shape: tuple[int, ...], before: int, last: bool
    ) -> tuple[Any, tuple[int, ...]]:
        """Return an object with zeros in front of the places of another one."""
        axis = 0 if last else 1
        padded = list(shape)
        padded[axis] += before
        node = nengo.Node(size_in=math.prod(padded), label=f"{self.name}.padding")
        index = np.arange(node.size_in).reshape(padded)
        inner = [slice(None)] * len(padded)
        inner[axis] = slice(before, None)
        self.connect(pre, node[index[tuple(inner)].ravel()])
        return node, tuple(padded)


@register_layer(keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
class ConvertConvolution(ConvertSpatial):
    """One `nengo.Convolution`."""

    def kernel(self) -> tuple[np.ndarray, Any, int]:
        """Return the kernel, the variable that has it, and the number of groups."""
        layer = self.layer
        return values_of(layer.kernel), kernel_variable(layer), layer.groups

    def convert(self, node_id: int) -> Any:
        """Add the output, and a Connection with the kernel."""
        scale, shift = self.converter.folded_into(self.call(node_id).outputs[0])
        obj = self.add_output(node_id, scale, shift)
        kernel, variable, groups = self.kernel()
        self.convolve(
            self.get_input_obj(node_id),
            obj,
            self.input_shape(node_id),
            folded(kernel, scale),
            variable,
            groups,
            self.layer.dilation_rate,
            label=f"{self.label(node_id)}.kernel",
        )
        return obj


def per_channel(kernel: np.ndarray) -> np.ndarray:
    """Return a depthwise kernel as one of a convolution with a group per channel."""
    *size, channels, multiplier = kernel.shape
    return kernel.reshape(*size, 1, channels * multiplier)


@register_layer(keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
class ConvertDepthwise(ConvertConvolution):
    """A convolution with a group for each channel."""

    def kernel(self) -> tuple[np.ndarray, Any, int]:
        """Return the kernel, the variable that has it, and the number of groups."""
        variable = self.layer.kernel
        return per_channel(values_of(variable)), variable, variable.shape[-2]


@register_layer(keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
class ConvertSeparable(ConvertSpatial):
    """A convolution with a group for each channel, then one of kernel size 1."""

    def convert(self, node_id: int) -> Any:
        """Add the output, a Node between the two convolutions, and both of them."""
        layer, label = self.layer, self.label(node_id)
        obj = self.add_output(node_id)
        depthwise = values_of(layer.depthwise_kernel)
        pointwise = values_of(layer.pointwise_kernel)
        shape = list(self.output_shape(node_id))
        shape[-1 if channels_last(layer) else 0] = pointwise.shape[-2]
        between = nengo.Node(size_in=math.prod(shape), label=f"{label}.depthwise")
        self.convolve(
            self.get_input_obj(node_id),
            between,
            self.input_shape(node_id),
            per_channel(depthwise),
            layer.depthwise_kernel,
            depthwise.shape[-2],
            layer.dilation_rate,
            label=f"{label}.depthwise_kernel",
        )
        self.convolve(
            between,
            obj,
            tuple(shape),
            pointwise,
            layer.pointwise_kernel,
            strides=(1,) * layer.rank,
            padding="valid",
            label=f"{label}.pointwise_kernel",
        )
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
        obj = self.add_output(node_id)
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
        self.connect_weights(
            self.get_input_obj(node_id),
            obj,
            transform,
            layer.kernel,
            lambda weights: np.swapaxes(weights, -1, -2),
            label=f"{self.label(node_id)}.kernel",
        )
        return obj
