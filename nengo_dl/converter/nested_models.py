"""Models within models: networks within networks."""

from __future__ import annotations

from typing import Any

import keras
import nengo

from nengo_dl.converter.conversion import Conversion
from nengo_dl.converter.keras_graph import is_nested_model
from nengo_dl.converter.layer_converter import LayerConverter
from nengo_dl.converter.layer_registry import register_layer


@register_layer(keras.Model)
class ConvertModel(LayerConverter):
    """A subnetwork, whose inputs are passthrough Nodes."""

    @classmethod
    def convertible(cls, layer: Any, converter: Any) -> tuple[bool, str | None]:
        """Return whether the graph of the model is known."""
        if not is_nested_model(layer):
            return False, (
                f"{layer.name} is a subclass of keras.Model with a `call` of its own, "
                "and only Python knows what that does; build it functionally"
            )
        return super().convertible(layer, converter)

    def convert(self, node_id: int) -> Any:
        """Add the network, and connect its inputs; return what has its outputs."""
        converter = self.converter
        place = converter.place.within_model(self.call(node_id), converter.graph)
        network = nengo.Network(label=self.label(node_id))
        inner = Conversion(
            self.layer, network, converter.shared, place, converter.temporal_model
        )
        inner.build()
        for i, tensor in enumerate(inner.model.inputs):
            self.add_connection(node_id, inner.inputs[tensor], i)
        converter.layers.add_inner(inner.layers)
        return [inner.layers[tensor] for tensor in inner.model.outputs]
