"""Dense layers: products with a matrix."""

from __future__ import annotations

import math
from typing import Any

import keras
import nengo
import numpy as np
import tensorflow as tf

from nengo_dl.converter.layer_converter import LayerConverter
from nengo_dl.converter.layer_registry import register_layer

#: what changes training, but not the output
TRAINING_ARGS = (
    "kernel_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "kernel_constraint",
    "bias_constraint",
)


def values_of(variable: Any) -> np.ndarray:
    """Return the values of a variable of Keras."""
    values = np.asarray(tf.convert_to_tensor(variable))
    # bfloat16 is no type of NumPy's own
    return values if values.dtype.kind in "biuf" else values.astype(np.float32)


def unusual_kernel(layer: Any, converter: Any) -> str:
    """Return why the kernel of a layer cannot be a Connection's, empty if it can."""
    if has_lora(layer) and not converter.inference_only:
        return f"{layer.name} has LoRA weights, which are trained on their own"
    if getattr(layer, "quantization_mode", None) is not None:
        return f"{layer.name} is quantized ({layer.quantization_mode})"
    return ""


def has_lora(layer: Any) -> bool:
    """Return whether low-rank weights are added to the kernel."""
    return bool(getattr(layer, "lora_enabled", False))


def kernel_variable(layer: Any) -> Any:
    """Return the variable that is the kernel, None if the kernel is a sum of some."""
    return None if has_lora(layer) else layer._kernel


@register_layer(keras.layers.Dense)
class ConvertDense(LayerConverter):
    """A Connection with the kernel's transpose; a convolution over further axes."""

    unsupported_training_args = TRAINING_ARGS
    has_weights = True

    @classmethod
    def convertible(cls, layer: Any, converter: Any) -> tuple[bool, str | None]:
        """Return whether the kernel is an ordinary one."""
        problem = unusual_kernel(layer, converter)
        return (False, problem) if problem else super().convertible(layer, converter)

    def convert(self, node_id: int) -> Any:
        """Add the output, and a Connection with the weights."""
        layer = self.layer
        scale, shift = self.converter.folded_into(self.call(node_id).outputs[0])
        kernel = folded(values_of(layer.kernel), scale)
        bias = folded_bias(layer, scale, shift)
        obj = self.add_nengo_obj(node_id, bias, layer.activation)
        shape = self.input_shape(node_id)
        transform: Any = kernel.T
        if len(shape) > 1:
            transform = nengo.Convolution(
                kernel.shape[1],
                (math.prod(shape[:-1]), shape[-1]),
                kernel_size=(1,),
                strides=(1,),
                init=kernel[None],
            )
        self.connect_weights(
            self.get_input_obj(node_id),
            obj,
            transform,
            kernel_variable(layer),
            (lambda w: w.T) if len(shape) == 1 else (lambda w: w[0]),
            label=f"{self.label(node_id)}.kernel",
        )
        return obj


def folded(kernel: np.ndarray, scale: Any) -> np.ndarray:
    """Return a kernel together with the factors of the channels behind it."""
    return kernel if np.ndim(scale) == 0 and scale == 1 else kernel * scale


def folded_bias(layer: Any, scale: Any = 1.0, shift: Any = 0.0) -> Any:
    """Return the bias of a layer together with the affine map behind it."""
    if not layer.use_bias:
        return shift if np.any(shift) else None
    return folded(values_of(layer.bias), scale) + shift
