"""Factors of firing rates from the activations that data cause."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.converter.activation_names import canonical
from nengo_dl.converter.keras_graph import ModelGraph, functional, is_nested_model
from nengo_dl.user_code import warn_user
from nengo_dl.validation import positive_number, refused


def rates_from_data(
    model: Any, data: Any, target_rate: float = 100.0, percentile: float = 99.9
) -> dict[Any, float]:
    r"""Return factors of firing rates with which neurons reach a wanted rate.

    .. math:: s_l = \frac{r}{P_p(|a_l|)}

    for the activations a of a layer l, over items and neurons. An activation of 1 is a
    rate of 1 Hz of rectified lines, so all but a few of the neurons stay below the
    wanted rate r. Each layer undoes its own factor, so layers do not depend on one
    another.

    Parameters
    ----------
    model : keras.Model
        The model.
    data : array, list of arrays or dict
        Inputs of the model, with the batch axis first: some hundred items of the
        training data.
    target_rate : float
        The wanted rate (Hz).
    percentile : float
        Which percentile of activations reaches this rate; 100 is the maximum.

    Returns
    -------
    dict of {keras.Layer: float}
        Factors for ``scale_firing_rates``. Layers without activity have 1.

    Raises
    ------
    ValidationError
        If the rate or the percentile is out of range.

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
    highest: dict[int, float] = {}
    layers: dict[int, Any] = {}
    model = functional(model)
    try:
        for leaf in keras.tree.flatten(data):
            if np.asarray(leaf).dtype.kind not in "biuf":
                raise TypeError("no real numbers")
        _collect(model, data, percentile, highest, layers)
    except (TypeError, ValueError, OverflowError, tf.errors.OpError) as error:
        raise ValidationError(
            f"The model {model.name!r} does not take these data: {data!r:.100}. "
            "Expected arrays of the shapes of its inputs, with the batch axis first",
            "sample_data",
        ) from error
    factors = {}
    for key, layer in layers.items():
        factors[layer] = target_rate / highest[key] if highest[key] else 1.0
        if not highest[key]:
            warn_user(
                f"No neuron of layer {layer.name!r} is active for these data: its "
                "firing rates are not scaled",
                UserWarning,
            )
    return factors


def _collect(
    model: Any, data: Any, percentile: float, highest: dict, layers: dict
) -> None:
    """Note the percentile of each layer with an activation, those within models too."""
    graph = ModelGraph(model)
    wanted: list[Any] = []
    calls = []
    for call in graph.calls:
        if is_nested_model(call.operation):
            wanted += call.inputs
            calls.append(call)
        elif _has_neurons(call.operation):
            wanted += call.outputs
            calls.append(call)
    if not wanted:
        return
    arrays = keras.tree.map_structure(tf.convert_to_tensor, data)
    values = keras.Model(model.inputs, wanted)(keras.tree.flatten(arrays))
    values = iter(keras.tree.flatten(values))
    for call in calls:
        if is_nested_model(call.operation):
            inner = [next(values) for _ in call.inputs]
            _collect(functional(call.operation), inner, percentile, highest, layers)
            continue
        for _ in call.outputs:
            found = float(np.percentile(np.abs(np.asarray(next(values))), percentile))
            key = id(call.operation)
            highest[key] = max(highest.get(key, 0.0), found)
            layers[key] = call.operation


def _has_neurons(layer: Any) -> bool:
    """Return whether a layer is, or has, an activation that is not linear."""
    if hasattr(layer, "activation") and not isinstance(layer, keras.layers.RNN):
        return canonical(layer.activation) not in ("linear", "softmax")
    found = canonical(layer)
    return found is not layer and found not in ("linear", "softmax")
