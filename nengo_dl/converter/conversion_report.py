"""What became of each layer of a model, and how well spikes stand in for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from html import escape

from nengo_dl.display.tables import html_table, text_table

#: the rate that factors are suggested for (Hz), and of how many neurons it is the most
TARGET_RATE, PERCENTILE = 100.0, 99.9


@dataclass(frozen=True)
class RateReport:
    """Firing rates of the neurons of a layer, over items and time steps.

    Attributes
    ----------
    mean, median, high : float
        The mean, and percentiles 50 and 99.9 of neurons and items (Hz).
    silent, saturated : float
        Parts of the neurons that never fire, and that fire in about every step, or as
        fast as their refractory time allows, in some item.
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
    error : dict of {int: float}
        For numbers of time steps: how far the outputs, on average so far, are from
        those of the Keras model; the root mean square of the differences as a part of
        that of the outputs. NaN, which prints as "-", if ``swap_activations`` has left
        out the softmax of the outputs.
    agreement, accuracy : dict of {int: float}
        The same for the first output as one of classes: part of the items for which
        the largest element is that of the Keras model, and that of the targets.
    suggestions : tuple of str
        What could be done, if it was run.
    """

    model: str
    layers: tuple[LayerReport, ...]
    error: dict[int, float] = field(default_factory=dict)
    agreement: dict[int, float] = field(default_factory=dict)
    accuracy: dict[int, float] = field(default_factory=dict)
    suggestions: tuple[str, ...] = ()

    @property
    def native(self) -> bool:
        """Whether ``nengo.Simulator`` can run the network: there are no TensorNodes."""
        return not any(row.reason for row in self.layers)

    @property
    def suggested_scales(self) -> dict[str, float]:
        """Factors for ``scale_firing_rates``, by layer, with rates up to 100 Hz."""
        found: dict[str, float] = {}
        for row in self.layers:
            if row.rates is not None:
                scale = row.rates.suggested_scale
                # a layer that is called several times has one factor
                found[row.layer] = min(scale, found.get(row.layer, scale))
        return found

    def __str__(self) -> str:
        header, rows = self._table()
        parts = [text_table(self._title(), [header, *rows])]
        if self._reasons():
            parts.append(text_table("Why not native", self._reasons()))
        if self.error:
            parts.append(text_table("Outputs by time steps", self._by_steps()))
        if self.suggestions:
            parts.append("\n".join(["Suggestions", *_items(self.suggestions)]))
        return "\n\n".join(parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        header, rows = self._table()
        parts = [html_table(self._title(), header, rows)]
        if self._reasons():
            parts.append(html_table("Why not native", (), self._reasons()))
        if self.error:
            first, *rest = self._by_steps()
            parts.append(html_table("Outputs by time steps", first, rest))
        if self.suggestions:
            items = "".join(f"<li>{escape(text)}</li>" for text in self.suggestions)
            parts.append(f"<p><b>Suggestions</b></p><ul>{items}</ul>")
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
        return header, [
            [
                row.layer,
                row.kind,
                row.became,
                str(row.n_neurons or ""),
                str(row.n_parameters or ""),
                f"{row.scale:.4g}" if row.n_neurons else "",
                *[_number(row.difference)] * compared,
                *(_rates(row.rates) if rated else ()),
            ]
            for row in self.layers
        ]

    def _reasons(self) -> list[list[str]]:
        # the calls of a layer have one reason
        found = {row.layer: row.reason for row in self.layers if row.reason}
        return [list(pair) for pair in found.items()]

    def _by_steps(self) -> list[list[str]]:
        pooled = any("MaxPooling" in row.kind and not row.reason for row in self.layers)
        model = "Keras (with max pooling)" if pooled else "Keras"
        parts = {f"agree with {model}": self.agreement, "accuracy": self.accuracy}
        parts = {name: values for name, values in parts.items() if values}
        rows = [
            [
                str(n),
                "-" if math.isnan(error) else f"{error:.1%}",
                *(f"{values[n]:.1%}" for values in parts.values()),
            ]
            for n, error in self.error.items()
        ]
        return [["steps", "error", *parts], *rows]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1e}"


def _rates(rates: RateReport | None) -> list[str]:
    if rates is None:
        return [""] * 4
    return [
        f"{rates.median:.0f}, {rates.high:.0f}",
        f"{rates.silent:.0%}",
        f"{rates.saturated:.0%}",
        f"{rates.suggested_scale:.3g}",
    ]


def _items(texts: tuple[str, ...]) -> list[str]:
    return [f"  - {text}" for text in texts]
