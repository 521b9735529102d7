"""Factors of firing rates from the activations that data cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.converter.activation_names import canonical
from nengo_dl.converter.keras_graph import ModelGraph, functional, is_nested_model
from nengo_dl.converter.model_data import arrays_of
from nengo_dl.user_code import warn_user
from nengo_dl.validation import positive_number, refused

#: how many items go through the model at once
_MINIBATCH = 500
_RARELY = ", but for {:.2g} % of the values"


def rates_from_data(
    model: Any, data: Any, target_rate: float = 100.0, percentile: float = 99.9
) -> dict[Any, float]:
    r"""Return factors of firing rates with which neurons reach a target rate.

    .. math:: s_l = \frac{r}{P_p(|a_l|)}

    for the activations a of a layer l, over items and neurons. An activation of 1 is a
    rate of 1 Hz of rectified linear neurons, so almost all neurons stay below the
    target rate r. Each layer divides its output by its factor, so the factors of layers
    do not depend on one another.

    Parameters
    ----------
    model : keras.Model
        The model.
    data : array, list of arrays or dict
        Inputs of the model, with the batch axis first: some hundred items of the
        training data.
    target_rate : float
        The target rate r (Hz).
    percentile : float
        Which percentile of activations reaches this rate; 100 is the maximum.

    Returns
    -------
    dict of {keras.Layer: float}
        Factors for ``scale_firing_rates``. Layers without activity have 1.

    Raises
    ------
    ValidationError
        If the rate or the percentile is out of range, data do not fit the model, or
        they or activations are not finite.

    Warns
    -----
    UserWarning
        If a layer is silent for all data.

    References
    ----------
    The maximum: P. U. Diehl et al., "Fast-classifying, high-accuracy spiking deep
    networks through weight and threshold balancing", IJCNN 2015,
    doi:10.1109/IJCNN.2015.7280696. Percentiles: B. Rueckauer et al., "Conversion of
    continuous-valued deep networks to efficient event-driven networks for image
    classification", Frontiers in Neuroscience 11:682, 2017,
    doi:10.3389/fnins.2017.00682.

    Examples
    --------
    >>> import keras, nengo_dl, numpy as np
    >>> layers = [keras.layers.Dense(8, "relu", name="hidden"), keras.layers.Dense(3)]
    >>> model = keras.Sequential([keras.Input((4,)), *layers])
    >>> factors = nengo_dl.converter.rates_from_data(model, np.ones((10, 4)))
    >>> [layer.name for layer in factors]
    ['hidden']
    """
    target_rate = positive_number(target_rate, "target_rate", "a rate above 0 Hz")
    expected = "a number above 0 and up to 100"
    percentile = positive_number(percentile, "percentile", expected)
    if percentile > 100:
        raise refused(percentile, "percentile", expected)
    model = functional(model)
    arrays = arrays_of(model, data, "data")
    n_items = len(arrays[0])
    found: dict[_Path, _Largest] = {}
    for start in range(0, n_items, _MINIBATCH):
        part = [array[start : start + _MINIBATCH] for array in arrays]
        for path, values in _activations(model, part):
            size = n_items * (values.size // len(part[0]))
            found.setdefault(path, _Largest(size, percentile)).add(values)
    highest: dict[Any, float] = {}
    for path, largest in found.items():
        layer, value = path[-1][0], largest.percentile()
        if not np.isfinite(value):
            raise ValidationError(
                f"Layer {layer.name!r} has activations that are not finite for these "
                "data. Check the model's weights, and whether the data are scaled as "
                "for its training",
                "data",
            )
        highest[layer] = max(highest.get(layer, 0.0), value)
    for layer, value in highest.items():
        if not value:
            warn_user(
                f"No neuron of layer {layer.name!r} is active for these data"
                f"{'' if percentile == 100 else _RARELY.format(100 - percentile)}: its "
                "firing rates are not scaled",
                UserWarning,
            )
    return {
        layer: target_rate / value if value else 1.0 for layer, value in highest.items()
    }


#: a call within calls of models: layers, and which of their calls
_Path = tuple[tuple[Any, int], ...]


class _Largest:
    """The largest values of many that come in parts, as many as a percentile needs.

    Parameters
    ----------
    size : int
        How many values there will be.
    percentile : float
        Which percentile is wanted.
    """

    def __init__(self, size: int, percentile: float) -> None:
        self._position = (size - 1) * percentile / 100
        self._n_kept = size - int(self._position)
        self._kept = np.zeros(0)

    def add(self, values: np.ndarray) -> None:
        """Add values; NaN count as the largest."""
        kept = np.concatenate([self._kept, np.abs(values).ravel()])
        if len(kept) > self._n_kept:
            kept = np.partition(kept, len(kept) - self._n_kept)[-self._n_kept :]
        self._kept = kept

    def percentile(self) -> float:
        """Return the percentile of all of them, between the nearest two values."""
        low, *others = np.partition(self._kept, range(min(2, len(self._kept))))[:2]
        high = others[0] if others else low
        part = self._position - int(self._position)
        if np.isnan(self._kept).any():
            return np.nan
        return float(low if low == high else low + part * (high - low))


def _activations(
    model: Any, arrays: Sequence[Any], path: _Path = ()
) -> Iterator[tuple[_Path, np.ndarray]]:
    """Yield all activations that become neurons, those within models too."""
    wanted: list[Any] = []
    calls = []
    for call in ModelGraph(model).calls:
        if is_nested_model(_applied(call.operation)[0]):
            wanted += call.inputs
            calls.append(call)
        elif _with_neurons(call.operation) is not None:
            wanted += call.outputs
            calls.append(call)
    if not wanted:
        return
    tensors = [tf.convert_to_tensor(array) for array in arrays]
    values = iter(keras.tree.flatten(keras.Model(model.inputs, wanted)(tensors)))
    for call in calls:
        within, n_times = _applied(call.operation)
        if is_nested_model(within):
            inner = [
                tf.reshape(value, (-1, *value.shape[1 + n_times :]))
                for value in (next(values) for _ in call.inputs)
            ]
            here = (*path, (within, call.node_id))
            yield from _activations(functional(within), inner, here)
            continue
        for _ in call.outputs:
            layer = _with_neurons(call.operation)
            yield (*path, (layer, call.node_id)), np.asarray(next(values))


def _applied(layer: Any) -> tuple[Any, int]:
    """Return the layer that one applies to each step, and to how many axes of them."""
    n_times = 0
    while isinstance(layer, keras.layers.TimeDistributed):
        layer, n_times = layer.layer, n_times + 1
    return layer, n_times


def _with_neurons(layer: Any) -> Any:
    """Return what has an activation that is not linear: a layer, one in it, or None.

    Recurrent layers become neurons if they have an output for each time step.
    """
    layer, _ = _applied(layer)
    if isinstance(layer, keras.layers.RNN) and not (
        isinstance(layer, keras.layers.SimpleRNN) and layer.return_sequences
    ):
        return None
    if hasattr(layer, "activation"):
        known = canonical(layer.activation)
    else:
        known = canonical(layer)
        if known is layer:
            return None
    return None if known in ("linear", "softmax") else layer
