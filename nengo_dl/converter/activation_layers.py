"""Layers and operations that are an activation and nothing else."""

from __future__ import annotations

from typing import Any

import keras

from nengo_dl.converter.activation_names import canonical, with_parameter
from nengo_dl.converter.layer_converter import LayerConverter
from nengo_dl.converter.layer_registry import operation_type, register_layer

_SYMBOL = keras.KerasTensor((None, 2))


@register_layer(
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.Softmax,
    keras.layers.ELU,
    operation_type(keras.activations.relu, _SYMBOL),
    operation_type(keras.ops.relu, _SYMBOL),
    operation_type(keras.ops.relu6, _SYMBOL),
    operation_type(keras.ops.clip, _SYMBOL, 0, 6),
    operation_type(keras.ops.leaky_relu, _SYMBOL),
    operation_type(keras.ops.sigmoid, _SYMBOL),
    operation_type(keras.ops.tanh, _SYMBOL),
    operation_type(keras.ops.softmax, _SYMBOL),
    operation_type(keras.ops.elu, _SYMBOL),
    operation_type(keras.ops.gelu, _SYMBOL),
    operation_type(keras.ops.silu, _SYMBOL),
    operation_type(keras.ops.softplus, _SYMBOL),
)
class ConvertActivation(LayerConverter):
    """Neurons with the activation, or a passthrough Node if it is linear."""

    @classmethod
    def convertible(cls, layer: Any, converter: Any) -> tuple[bool, str | None]:
        """Return whether neurons have such an activation, or one in its place."""
        swapped = converter.swap_activations.apply(layer, converter.place, layer)
        if isinstance(layer, keras.layers.Activation) or swapped is not layer:
            return super().convertible(layer, converter)
        key = canonical(layer)
        if with_parameter(key) or any(key == canonical(a) for a in cls.activation_map):
            return super().convertible(layer, converter)
        given = ", ".join(
            f"{name}={value!r}"
            for name in ("max_value", "threshold", "negative_slope", "x_min", "x_max")
            if (value := getattr(layer, name, None))
        )
        return False, (
            f"no neuron type has the activation of {type(layer).__name__}"
            f"{given and f' with {given}'}; "
            "`swap_activations` can replace it by another one"
        )

    def convert(self, node_id: int) -> Any:
        """Add neurons, and connect the input to them as it is."""
        is_layer = isinstance(self.layer, keras.layers.Activation)
        activation = self.layer.activation if is_layer else self.layer
        obj = self.add_nengo_obj(node_id, activation=activation)
        self.add_connection(node_id, obj)
        return obj
