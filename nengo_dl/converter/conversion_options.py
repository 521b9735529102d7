"""What a conversion was asked for, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
from nengo.synapses import Synapse

from nengo_dl.converter.activation_names import Swaps
from nengo_dl.converter.firing_rates import check_scale
from nengo_dl.converter.keras_graph import Place
from nengo_dl.validation import WrongTypeError, synapse_of


@dataclass
class PerLayer:
    """One value for all layers, or one for each of some.

    Attributes
    ----------
    default : Any
        The value of layers that have none of their own.
    values : dict
        Values by layer, tensor or name.
    """

    default: Any
    values: dict[Any, Any] = field(default_factory=dict)

    def of(self, layer: Any, place: Place) -> Any:
        """Return the value of a layer, or else of a model that it is a part of."""
        closest, found = 0, self.default
        for key, value in self.values.items():
            closeness = place.closeness(key, layer)
            if closeness > closest:
                closest, found = closeness, value
        return found

    def unknown(self, operations: list[tuple[Any, Place]]) -> list[Any]:
        """Return the keys that are none of these layers."""
        return [
            key
            for key in self.values
            if not any(place.closeness(key, layer) for layer, place in operations)
        ]


@dataclass
class Options:
    """The arguments of `nengo_dl.Converter`; see there."""

    allow_fallback: bool = True
    inference_only: bool = False
    max_to_avg_pool: bool = False
    split_shared_weights: bool = False
    swap_activations: Swaps = field(default_factory=lambda: Swaps(None))
    scale_firing_rates: PerLayer = field(default_factory=lambda: PerLayer(1.0))
    synapse: PerLayer = field(default_factory=lambda: PerLayer(None))
    temporal_model: bool = False
    freeze_batchnorm: bool = False

    def unknown_keys(
        self, operations: list[tuple[Any, Place]]
    ) -> list[tuple[str, Any]]:
        """Return keys that mean no layer of a model, with the argument's name."""
        return [
            (name, key)
            for name in ("scale_firing_rates", "synapse")
            for key in getattr(self, name).unknown(operations)
        ]


def scales(value: Any) -> PerLayer:
    """Return factors of firing rates.

    Raises
    ------
    ValidationError
        If one is not a finite number above 0.
    TypeError
        If a key of a dict is no layer.
    """
    if value is None:
        return PerLayer(1.0)
    if isinstance(value, Mapping):
        _check_keys(value, "scale_firing_rates")
        return PerLayer(1.0, {key: check_scale(v) for key, v in value.items()})
    return PerLayer(check_scale(value))


def synapses(value: Any) -> PerLayer:
    """Return the synapses of what leaves layers' neurons.

    Raises
    ------
    ValidationError
        If one is neither a number of seconds nor a Synapse.
    TypeError
        If a key of a dict is no layer.
    """
    if isinstance(value, Mapping):
        _check_keys(value, "synapse")
        return PerLayer(None, {key: _synapse(v) for key, v in value.items()})
    return PerLayer(_synapse(value))


def _check_keys(values: Mapping, attr: str) -> None:
    """Check that all keys can stand for layers.

    Raises
    ------
    TypeError
        If one cannot.
    """
    for key in values:
        if not isinstance(key, str | keras.Operation | keras.KerasTensor):
            raise WrongTypeError(
                "Expected layers, their outputs or names as the keys of a dict, got "
                f"{key!r:.100}",
                attr,
            )


def _synapse(value: Any) -> Synapse | None:
    return synapse_of(value, or_else=", or a dict {layer: one of these}")
