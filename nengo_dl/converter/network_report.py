"""The report about a conversion: layers are compared with Keras', and neurons run."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import keras
import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.activity.rate_statistics import FiringRates
from nengo_dl.converter.comparison import Comparison, passes_values_on
from nengo_dl.converter.conversion import Converted, Shared
from nengo_dl.converter.conversion_advice import suggestions
from nengo_dl.converter.conversion_report import (
    PERCENTILE,
    TARGET_RATE,
    ConversionReport,
    LayerReport,
    RateReport,
)
from nengo_dl.converter.keras_graph import is_nested_model
from nengo_dl.converter.layer_converter import neurons_of
from nengo_dl.validation import positive_int

_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def report(
    shared: Shared,
    compared: Comparison | None,
    name: str,
    n_steps: int | None = None,
    targets: Any = None,
) -> ConversionReport:
    """Return a report; see `nengo_dl.Converter.report`.

    Parameters
    ----------
    shared : Shared
        What is known of the conversion.
    compared : Comparison or None
        The model, its network and data for them.
    name : str
        The model's name.
    n_steps : int, optional
        How long to run it.
    targets : array, shape (items,), optional
        The right classes.
    """
    if compared is None:
        return ConversionReport(name, _rows(shared, {}, {}))
    differences: dict[int, float] = {}
    left_out = {
        id(tensor): one.call.operation.name
        for one in shared.converted
        if _lost_softmax(one)
        for tensor in one.call.outputs
    }
    if passes_values_on(compared.conversion.net):
        differences = {
            id(tensor): difference
            for tensor, difference, _ in compared.layer_differences()
            if id(tensor) not in left_out
        }
    if n_steps is None:
        return ConversionReport(name, _rows(shared, differences, {}))
    n_steps = _checked_steps(n_steps, compared)
    classes = _checked_targets(targets, compared)
    run = _Run(shared, compared, n_steps, classes, left_out)
    rows = _rows(shared, differences, run.rates)
    duration = n_steps * run.dt
    advice = suggestions(rows, run.agreement, compared.conversion.net, duration)
    return ConversionReport(
        name,
        rows,
        run.error,
        run.agreement,
        run.accuracy,
        (*advice, *_without_softmax(compared, left_out)),
    )


def _lost_softmax(one: Converted) -> bool:
    """Return whether a layer's outputs have another scale than in Keras."""
    layer = one.call.operation
    softmax = isinstance(layer, keras.layers.Softmax) or (
        getattr(layer, "activation", None) is keras.activations.softmax
    )
    return softmax and not one.reason


def _without_softmax(
    compared: Comparison, left_out: Mapping[int, str]
) -> Iterator[str]:
    """Yield why some outputs are not compared with those of Keras."""
    for tensor in compared.model.outputs:
        if id(tensor) in left_out:
            yield (
                f"There is no error of output {left_out[id(tensor)]!r}: that of Keras "
                "has a softmax, which `swap_activations` leaves out. Agreement and "
                "accuracy do not depend on it."
            )


def _checked_steps(n_steps: Any, compared: Comparison) -> int:
    """Return a number of steps, or raise an error."""
    steps = positive_int(n_steps, "n_steps")
    length = compared.inputs[0].shape[1] if compared.temporal else steps
    if length != steps:
        raise ValidationError(
            f"The data have {length} time steps, since axis 1 is time "
            f"(temporal_model=True); got n_steps={steps}",
            "n_steps",
        )
    return steps


def _checked_targets(targets: Any, compared: Comparison) -> np.ndarray | None:
    """Return the class of each item, or raise an error."""
    if targets is None:
        return None
    n_classes = 0 if compared.temporal else _n_classes(compared)
    if n_classes < 2:
        raise ValidationError(
            "Targets are classes, for models whose first output has an element for "
            f"each class; that of {compared.model.name!r} has the shape "
            f"{compared.model.outputs[0].shape}",
            "targets",
        )
    found = np.asarray(targets)
    if found.size != compared.n_items:
        hint = ""
        if found.size == compared.n_items * n_classes:
            hint = ". For one-hot vectors: `targets.argmax(axis=-1)`"
        raise ValidationError(
            f"Expected a class for each of the {compared.n_items} items as targets, "
            f"got an array of the shape {found.shape}{hint}",
            "targets",
        )
    whole = found.dtype.kind in "iuf" and np.all(found == np.floor(found))
    if not whole or found.min() < 0 or found.max() >= n_classes:
        raise ValidationError(
            f"Expected numbers of classes from 0 to {n_classes - 1} as targets, got "
            f"{found.ravel()[:5]} ...",
            "targets",
        )
    return found.reshape(-1).astype(int)


def _n_classes(compared: Comparison) -> int:
    return math.prod(compared.model.outputs[0].shape[1:])


def _rows(
    shared: Shared, differences: Mapping[int, float], rates: Mapping[Any, RateReport]
) -> tuple[LayerReport, ...]:
    return tuple(_row(shared, one, differences, rates) for one in shared.converted)


def _row(
    shared: Shared,
    converted: Converted,
    differences: Mapping[int, float],
    rates: Mapping[Any, RateReport],
) -> LayerReport:
    layer = converted.call.operation
    within, name = _within(layer), f"{converted.place.prefix}{layer.name}"
    own = [
        neurons
        for obj in converted.objects
        if (neurons := neurons_of(obj)) is not None
        and neurons in shared.neurons
        and shared.neurons[neurons].layer in (layer, within)
    ]
    of_outputs = [
        differences[id(tensor)]
        for tensor in converted.call.outputs
        if id(tensor) in differences
    ]
    # the layers of a model within the model have rows of their own
    counted = not (is_nested_model(within) and not converted.reason)
    return LayerReport(
        name,
        type(layer).__name__,
        _became(converted, name, own),
        sum(neurons.size_in for neurons in own),
        sum(math.prod(v.shape) for v in getattr(layer, "weights", ())) * counted,
        shared.neurons[own[0]].scale if own else 1.0,
        converted.reason,
        max(of_outputs, default=None),
        rates.get(own[0]) if own else None,
    )


def _within(layer: Any) -> Any:
    """Return the layer that a layer such as TimeDistributed applies."""
    within = getattr(layer, "layer", layer)
    return within if isinstance(within, keras.Layer) else layer


def _became(converted: Converted, name: str, own: list) -> str:
    """Return what a layer became, in words."""
    if own:
        return type(own[0].ensemble.neuron_type).__name__
    layer, obj = _within(converted.call.operation), converted.objects[0]
    label = getattr(obj, "label", None)
    if converted.reason:
        return "TensorNode"
    if is_nested_model(layer):
        return "Network"
    names = {name, f"{converted.place.prefix}{layer.name}"}
    own_labels = {*names, *(f"{one}.{converted.call.node_id}" for one in names)}
    return "Node" if label in own_labels else "nothing"


class _Run:
    """What neurons and outputs do while data are presented.

    Parameters
    ----------
    shared : Shared
        What is known of the conversion.
    compared : Comparison
        The model, its network and data for them.
    n_steps : int
        How long items are presented.
    targets : np.ndarray of int, optional
        The class of each item.
    left_out : collection of int
        Identities of the outputs whose errors mean nothing.

    Attributes
    ----------
    rates : dict
        Reports by neurons.
    error, agreement, accuracy : dict of {int: float}
        By numbers of time steps; see `ConversionReport`.
    dt : float
        A time step in s.
    """

    def __init__(
        self,
        shared: Shared,
        compared: Comparison,
        n_steps: int,
        targets: np.ndarray | None,
        left_out: Collection[int],
    ) -> None:
        self._compared = compared
        self._left_out = left_out
        self._steps = [*(n for n in _STEPS if n < n_steps), n_steps]
        self.dt = 0.001
        neurons = list(shared.neurons)
        outputs = [compared.outputs[tensor] for tensor in compared.model.outputs]
        means: list[list[np.ndarray]] = [[] for _ in neurons]
        self._squares = np.zeros((2, len(self._steps)))
        self._right = np.zeros((2, len(self._steps)))
        for sim, items, recorded in compared.in_parts([*neurons, *outputs], n_steps):
            self.dt = sim.dt
            for found, values in zip(means, recorded, strict=False):
                found.append(np.abs(values).mean(axis=1, dtype=np.float64))
            if not compared.temporal:
                self._compare(items, recorded[len(neurons) :], targets)
        self.rates = {
            one: _rate_report(
                one, np.concatenate(mean), shared.neurons[one].scale, self.dt
            )
            for one, mean in zip(neurons, means, strict=True)
        }
        error = np.sqrt(self._squares[0] / np.maximum(self._squares[1], 1e-300))
        if all(id(tensor) in left_out for tensor in compared.model.outputs):
            error = np.full_like(error, np.nan)
        self.error = self._by_steps(error)
        has_classes = not compared.temporal and _n_classes(compared) > 1
        agreement, accuracy = self._right / compared.n_items
        self.agreement = self._by_steps(agreement) if has_classes else {}
        self.accuracy = {} if targets is None else self._by_steps(accuracy)

    def _compare(
        self,
        items: np.ndarray,
        recorded: list[np.ndarray],
        targets: np.ndarray | None,
    ) -> None:
        """Add how the outputs for some items differ from Keras'."""
        expected = [
            values.reshape(len(items), -1)
            for values in self._compared.of_keras(items=items)
        ]
        for i, n in enumerate(self._steps):
            means = [values[:, :n].mean(axis=1) for values in recorded]
            for mean, wanted, tensor in zip(
                means, expected, self._compared.model.outputs, strict=True
            ):
                if id(tensor) in self._left_out:
                    continue
                self._squares[:, i] += np.sum((mean - wanted) ** 2), np.sum(wanted**2)
            chosen = means[0].argmax(axis=1)
            self._right[0, i] += np.sum(chosen == expected[0].argmax(axis=1))
            if targets is not None:
                self._right[1, i] += np.sum(chosen == targets[items])

    def _by_steps(self, values: np.ndarray) -> dict[int, float]:
        if self._compared.temporal:
            return {}
        return {n: float(v) for n, v in zip(self._steps, values, strict=True)}


def _rate_report(
    neurons: Any, outputs: np.ndarray, scale: float, dt: float
) -> RateReport:
    """Return the firing rates of neurons from their mean output, (items, size)."""
    firing = FiringRates.of(outputs, neurons.ensemble.neuron_type, dt)
    high, n_neurons = firing.percentile(PERCENTILE), outputs.shape[-1]
    return RateReport(
        firing.mean,
        firing.median,
        high,
        firing.silent / n_neurons,
        firing.saturated / n_neurons,
        scale * TARGET_RATE / high if high else scale,
    )
