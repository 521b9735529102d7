"""What became of each layer of a model, and how well spikes stand in for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import nengo
import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.converter.comparison import Comparison
from nengo_dl.converter.conversion import Converted, Shared
from nengo_dl.converter.keras_graph import is_nested_model
from nengo_dl.converter.layer_converter import neurons_of
from nengo_dl.display.tables import html_table, text_table
from nengo_dl.simulator import Simulator
from nengo_dl.validation import refused

#: the rate that factors are suggested for (Hz), and of how many neurons it is the most
TARGET_RATE, PERCENTILE = 100.0, 99.9
#: part of the highest possible rate from which on a neuron counts as saturated
_SATURATED = 0.9


@dataclass(frozen=True)
class RateReport:
    """Firing rates of the neurons of a layer, over items and time steps.

    Attributes
    ----------
    mean, median, high : float
        The mean, and percentiles 50 and 99.9 of neurons and items (Hz).
    silent, saturated : float
        Parts of the neurons that never fire, and that fire about as fast as they can in
        some item.
    suggested_scale : float
        Factor of firing rates with which ``high`` would be 100 Hz.
    """

    mean: float
    median: float
    high: float
    silent: float
    saturated: float
    suggested_scale: float


@dataclass(frozen=True)
class LayerReport:
    """What became of one call of a layer.

    Attributes
    ----------
    layer, kind : str
        Name and type.
    became : str
        Nengo's objects in words.
    n_neurons, n_parameters : int
        How many neurons and Keras parameters it has.
    scale : float
        Factor of firing rates.
    reason : str
        Why it is not native; empty if it is.
    difference : float or None
        Largest difference from the layer's own output, if there were data and the
        network has neither spikes nor synapses.
    rates : RateReport or None
        Firing rates, if it was run.
    """

    layer: str
    kind: str
    became: str
    n_neurons: int
    n_parameters: int
    scale: float
    reason: str
    difference: float | None = None
    rates: RateReport | None = None


@dataclass(frozen=True)
class ConversionReport:
    """The report of `nengo_dl.Converter.report`; prints as a table.

    Attributes
    ----------
    model : str
        The model's name.
    layers : tuple of LayerReport
        In the order of conversion.
    agreement, accuracy : dict of {int: float}
        For numbers of time steps: part of the items for which the largest output, on
        average so far, is that of the Keras model, and that of the targets.
    """

    model: str
    layers: tuple[LayerReport, ...]
    agreement: dict[int, float] = field(default_factory=dict)
    accuracy: dict[int, float] = field(default_factory=dict)

    @property
    def native(self) -> bool:
        """Whether ``nengo.Simulator`` can run the network: there are no TensorNodes."""
        return not any(row.reason for row in self.layers)

    @property
    def suggested_scales(self) -> dict[str, float]:
        """Factors for ``scale_firing_rates``, by layer, with rates up to 100 Hz."""
        return {
            row.layer: row.rates.suggested_scale
            for row in self.layers
            if row.rates is not None
        }

    def __str__(self) -> str:
        header, rows = self._table()
        parts = [text_table(self._title(), [header, *rows])]
        if self.agreement:
            parts.append(text_table("Outputs by time steps", self._by_steps()))
        return "\n".join(parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        header, rows = self._table()
        parts = [html_table(self._title(), header, rows)]
        if self.agreement:
            first, *rest = self._by_steps()
            parts.append(html_table("Outputs by time steps", first, rest))
        return "".join(parts)

    def _title(self) -> str:
        kind = "native" if self.native else "with TensorNodes"
        return f"Conversion of {self.model!r}: {kind}"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        header = ["layer", "kind", "became", "neurons", "parameters", "scale"]
        compared = any(row.difference is not None for row in self.layers)
        rated = any(row.rates is not None for row in self.layers)
        header += ["difference"] * compared
        header += ["median, 99.9 % (Hz)", "silent", "saturated", "suggested"] * rated
        return [*header, "why not native"], [
            [
                row.layer,
                row.kind,
                row.became,
                str(row.n_neurons or ""),
                str(row.n_parameters or ""),
                f"{row.scale:g}" if row.n_neurons else "",
                *[_number(row.difference)] * compared,
                *(_rates(row.rates) if rated else ()),
                row.reason,
            ]
            for row in self.layers
        ]

    def _by_steps(self) -> list[list[str]]:
        header = ["steps", "agree with Keras"] + ["accuracy"] * bool(self.accuracy)
        rows = [
            [str(n), f"{part:.1%}"]
            + [f"{self.accuracy[n]:.1%}" for _ in range(bool(self.accuracy))]
            for n, part in self.agreement.items()
        ]
        return [header, *rows]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


def _rates(rates: RateReport | None) -> list[str]:
    if rates is None:
        return [""] * 4
    return [
        f"{rates.median:.0f}, {rates.high:.0f}",
        f"{rates.silent:.0%}",
        f"{rates.saturated:.0%}",
        f"{rates.suggested_scale:.3g}",
    ]


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
    differences: dict[int, float] = {}
    rates: dict[Any, RateReport] = {}
    agreement: dict[int, float] = {}
    accuracy: dict[int, float] = {}
    if compared is not None and _is_exact(compared.conversion.net):
        differences = {
            id(tensor): difference
            for tensor, difference, _ in compared.layer_differences()
        }
    if compared is not None and n_steps is not None:
        rates, agreement, accuracy = _run(shared, compared, n_steps, targets)
    rows = tuple(
        _row(shared, converted, differences, rates) for converted in shared.converted
    )
    return ConversionReport(name, rows, agreement, accuracy)


def _row(
    shared: Shared, converted: Converted, differences: dict, rates: dict
) -> LayerReport:
    layer = converted.call.operation
    own = [
        neurons
        for obj in converted.objects
        if (neurons := neurons_of(obj)) is not None
        and shared.neurons.get(neurons, (None, 1))[0] in (layer, _within(layer))
    ]
    of_outputs = [
        differences[id(tensor)]
        for tensor in converted.call.outputs
        if id(tensor) in differences
    ]
    return LayerReport(
        layer.name,
        type(layer).__name__,
        _became(converted, own),
        sum(neurons.size_in for neurons in own),
        sum(math.prod(v.shape) for v in getattr(layer, "weights", ())),
        shared.neurons[own[0]][1] if own else 1.0,
        converted.reason,
        max(of_outputs, default=None),
        rates.get(own[0]) if own else None,
    )


def _within(layer: Any) -> Any:
    """Return the layer that a layer such as TimeDistributed applies."""
    return getattr(layer, "layer", layer)


def _became(converted: Converted, own: list) -> str:
    """Return what a layer became, in words."""
    if own:
        return type(own[0].ensemble.neuron_type).__name__
    layer, obj = converted.call.operation, converted.objects[0]
    name, label = layer.name, getattr(obj, "label", None)
    if converted.reason:
        return "TensorNode"
    if is_nested_model(layer):
        return "Network"
    return "Node" if label in (name, f"{name}.{converted.call.node_id}") else "nothing"


def _is_exact(net: nengo.Network) -> bool:
    """Return whether a network has neither spikes nor synapses."""
    filtered = any(
        c.synapse is not None and c.pre_obj is not c.post_obj
        for c in (*net.all_connections,)
    ) or any(probe.synapse is not None for probe in net.all_probes)
    return not filtered and not any(
        ensemble.neuron_type.spiking for ensemble in net.all_ensembles
    )


def _run(
    shared: Shared, compared: Comparison, n_steps: int, targets: Any
) -> tuple[dict, dict, dict]:
    """Run the network; return rates by neurons, agreement and accuracy by steps."""
    net = compared.conversion.net
    with net:
        probes = {neurons: nengo.Probe(neurons) for neurons in shared.neurons}
    outputs = [compared.outputs[t] for t in compared.model.outputs]
    try:
        with compared.simulator() as sim:
            recorded = compared.of_probes(
                sim, [*probes.values(), outputs[0]], n_steps=n_steps
            )
            rates = {
                neurons: _rate_report(neurons, values, shared.neurons[neurons][1], sim)
                for neurons, values in zip(probes, recorded, strict=False)
            }
    finally:
        for probe in probes.values():
            net.probes.remove(probe)
    if compared.temporal:
        return rates, {}, {}
    expected = compared.of_keras()[0].reshape(compared.n_items, -1).argmax(axis=1)
    mean = np.cumsum(recorded[-1], axis=1)
    steps = [n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500) if n < n_steps]
    chosen = {n: mean[:, n - 1].argmax(axis=1) for n in (*steps, n_steps)}
    agreement = {n: float(np.mean(c == expected)) for n, c in chosen.items()}
    if targets is None:
        return rates, agreement, {}
    wanted = np.asarray(targets).reshape(-1)
    if wanted.dtype.kind not in "biuf":
        raise refused(targets, "targets", "the number of a class for each item")
    if len(wanted) != compared.n_items:
        raise ValidationError(
            f"Expected a class for each of the {compared.n_items} items as targets, "
            f"got {len(wanted)}",
            "targets",
        )
    return (
        rates,
        agreement,
        {n: float(np.mean(c == wanted)) for n, c in chosen.items()},
    )


def _rate_report(
    neurons: Any, values: np.ndarray, scale: float, sim: Simulator
) -> RateReport:
    """Return the firing rates of neurons from their output, (items, steps, size)."""
    neuron_type = neurons.ensemble.neuron_type
    amplitude = getattr(neuron_type, "amplitude", 1.0)
    mean = np.abs(values.astype(np.float64)).mean(axis=1) / amplitude
    high = float(np.percentile(mean, PERCENTILE))
    least = max(sim.dt, getattr(neuron_type, "tau_ref", 0.0))
    saturated = np.max(mean, axis=0) >= _SATURATED / least
    return RateReport(
        float(np.mean(mean)),
        float(np.median(mean)),
        high,
        float(np.mean(np.max(mean, axis=0) == 0)),
        float(np.mean(saturated)) if neuron_type.spiking else 0.0,
        scale * TARGET_RATE / high if high else scale,
    )
