"""Layers over time, in models whose first axis is time."""

from __future__ import annotations

from typing import Any

import keras

from nengo_dl.converter.dense_layers import TRAINING_ARGS, values_of
from nengo_dl.converter.layer_converter import LayerConverter
from nengo_dl.converter.layer_registry import register_layer


def _why_not(does: str, converter: Any) -> str:
    """Return why a layer over time is none in a model without time."""
    if converter.shared.options.temporal_model:
        return "its steps are not those of the model"
    return f"it {does}; temporal_model=True makes axis 1 of all tensors time"


@register_layer(keras.layers.TimeDistributed)
class ConvertTimeDistributed(LayerConverter):
    """The layer within, converted for one time step."""

    allow_fallback = False

    @classmethod
    def convertible(cls, layer: Any, converter: Any) -> tuple[bool, str | None]:
        """Return whether the first axis is time, and the layer within converts."""
        if not converter.temporal_model:
            return False, _why_not(
                "applies a layer to each time step, as a simulation does", converter
            )
        return super().convertible(layer, converter)

    def __init__(self, layer: Any, converter: Any) -> None:
        super().__init__(layer, converter)
        self.has_weights = bool(layer.weights)

    def convert(self, node_id: int) -> Any:
        """Convert the layer within, as if a model had called it for one time step."""
        return self.converter.convert_within(self.call(node_id), self.layer.layer)


@register_layer(keras.layers.SimpleRNN)
class ConvertSimpleRNN(LayerConverter):
    """Neurons with a Connection to themselves, which is one step late."""

    unsupported_training_args = (
        *TRAINING_ARGS,
        "recurrent_regularizer",
        "recurrent_constraint",
        ("dropout", 0.0),
        ("recurrent_dropout", 0.0),
    )
    has_weights = True

    @classmethod
    def convertible(cls, layer: Any, converter: Any) -> tuple[bool, str | None]:
        """Return whether the layer has a time step of its own for each of the model."""
        if not converter.temporal_model:
            return False, _why_not("is a loop over an axis of its data", converter)
        if not layer.return_sequences:
            return False, (
                f"{layer.name}.return_sequences is False: only the last step has an "
                "output. Expected return_sequences=True"
            )
        for name in ("go_backwards", "stateful", "return_state"):
            if getattr(layer, name):
                return False, f"{layer.name}.{name} is True"
        for call in converter.graph.calls_of(layer):
            if len(call.inputs) > 1:
                return False, f"{layer.name} is given an initial state"
        return super().convertible(layer, converter)

    @property
    def bias_variable(self) -> Any:
        """The variable that has the biases."""
        return self.layer.cell.bias

    def convert(self, node_id: int) -> Any:
        """Add the neurons, and the Connections to them."""
        cell, label = self.layer.cell, self.label(node_id)
        bias = values_of(cell.bias) if cell.use_bias else None
        obj = self.add_nengo_obj(node_id, bias, cell.activation)
        for pre, variable, name, synapse in (
            (self.get_input_obj(node_id), cell.kernel, "kernel", {}),
            (obj, cell.recurrent_kernel, "recurrent_kernel", {"synapse": 0}),
        ):
            self.connect_weights(
                pre,
                obj,
                values_of(variable).T,
                variable,
                lambda weights: weights.T,
                label=f"{label}.{name}",
                **synapse,
            )
        return obj
