"""What `nengo_dl.Simulator.activity` returns: counts, and a table of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import nengo
import numpy as np

from nengo_dl.activity.rate_statistics import FiringRates
from nengo_dl.display.tables import html_table, text_table

_HEADER = [
    "population",
    "neurons",
    "mean (Hz)",
    "1 %",
    "median",
    "99 %",
    "silent",
    "saturated",
    "spikes",
    "synops",
]


@dataclass(frozen=True)
class PopulationActivity:
    """Firing rates and counts of operations of one Ensemble or layer.

    Attributes
    ----------
    label : str
        Its name.
    kind : str
        Its neuron type.
    spiking : bool
        Whether the neurons have spikes.
    firing : FiringRates
        Rates by item and neuron (Hz).
    counts : np.ndarray, shape (n_neurons,)
        Spikes of each neuron for one item, on average; zeros for neurons without.
    fan_out : np.ndarray, shape (n_neurons,)
        Weights other than 0 that a spike of each neuron goes through.
    multiplied_fan_out : np.ndarray, shape (n_neurons,)
        The same with decoders and encoders multiplied out.
    ensemble : nengo.Ensemble or None
        The Ensemble, by which ``activity[ensemble]`` finds it.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> with nengo.Network(seed=0) as net:
    ...     ensemble = nengo.Ensemble(20, 1, label="ensemble")
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     activity = sim.activity(n_steps=100)
    >>> population = activity["ensemble"]
    >>> population.n_neurons, population.rates.shape, population.synops
    (20, (20,), 0.0)
    """

    label: str
    kind: str
    spiking: bool
    firing: FiringRates
    counts: np.ndarray
    fan_out: np.ndarray
    multiplied_fan_out: np.ndarray
    ensemble: nengo.Ensemble | None = field(default=None, repr=False)

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return len(self.counts)

    @property
    def rates(self) -> np.ndarray:
        """Firing rate of each neuron, the mean over items (Hz), shape (n_neurons,)."""
        return self.firing.rates.mean(axis=0)

    @property
    def mean(self) -> float:
        """Mean rate over neurons (Hz)."""
        return float(np.mean(self.rates))

    @property
    def median(self) -> float:
        """Median rate over neurons (Hz)."""
        return float(np.median(self.rates))

    @property
    def low(self) -> float:
        """1st percentile of the rates over neurons (Hz)."""
        return float(np.percentile(self.rates, 1))

    @property
    def high(self) -> float:
        """99th percentile of the rates over neurons (Hz)."""
        return float(np.percentile(self.rates, 99))

    @property
    def silent(self) -> int:
        """How many neurons never fire."""
        return self.firing.silent

    @property
    def saturated(self) -> int:
        """How many neurons fire about as fast as they can, in some item."""
        return self.firing.saturated

    @property
    def spikes(self) -> float:
        """Spikes per inference: of all neurons, for one item on average."""
        return float(np.sum(self.counts))

    @property
    def synops(self) -> float:
        """Synaptic operations per inference: each spike times the weights behind it."""
        return float(np.sum(self.counts * self.fan_out))

    @property
    def multiplied_synops(self) -> float:
        """The same with decoders and encoders multiplied out to one weight matrix."""
        return float(np.sum(self.counts * self.multiplied_fan_out))


@dataclass(frozen=True)
class Activity:
    """Firing rates and counts of operations for one inference: an item for ``n_steps``.

    It prints as a table.

    Attributes
    ----------
    populations : tuple of PopulationActivity
        The Ensembles of neurons, in the order of the network.
    n_items, n_steps : int
        How many items were presented, and for how many time steps each.
    dt : float
        Time step (s).
    analog_macs : int
        Multiplications per inference whose factors are no spikes: inputs times weights,
        encoders times decoded values, outputs of neurons without spikes.
    dense_macs : int
        Multiplications of a network of the same shape without spikes, for one
        inference: all weights other than 0, once.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> with nengo.Network(seed=0) as net:
    ...     node = nengo.Node([0.5])
    ...     a, b = (nengo.Ensemble(20, 1, label=label) for label in "ab")
    ...     _ = nengo.Connection(node, a), nengo.Connection(a, b)
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     activity = sim.activity({node: [[[0.5]], [[-0.5]]]}, n_steps=100)
    >>> activity["a"].n_neurons, activity.neuron_updates, activity.dense_macs
    (20, 4000, 60)
    """

    populations: tuple[PopulationActivity, ...]
    n_items: int
    n_steps: int
    dt: float
    analog_macs: int
    dense_macs: int

    def __getitem__(self, label: Any) -> PopulationActivity:
        """Return the activity of a population by its label, or by its Ensemble.

        Of several with one label, it is the first.
        """
        for population in self.populations:
            if population.label == label or (
                population.ensemble is not None and population.ensemble is label
            ):
                return population
        names = ", ".join(repr(p.label) for p in self.populations)
        raise KeyError(f"There is no population {label!r}; there are {names}")

    @property
    def duration(self) -> float:
        """How long an item is presented (s)."""
        return self.n_steps * self.dt

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return sum(p.n_neurons for p in self.populations)

    @property
    def neuron_updates(self) -> int:
        """Updates of neurons per inference: each of them, in each time step."""
        return self.n_neurons * self.n_steps

    @property
    def spikes(self) -> float:
        """Spikes per inference."""
        return sum(p.spikes for p in self.populations)

    @property
    def synops(self) -> float:
        """Synaptic operations per inference."""
        return sum(p.synops for p in self.populations)

    @property
    def multiplied_synops(self) -> float:
        """The same with decoders and encoders multiplied out to one weight matrix."""
        return sum(p.multiplied_synops for p in self.populations)

    @property
    def sparsity(self) -> float:
        """Spikes per neuron and time step."""
        return self.spikes / self.neuron_updates if self.neuron_updates else 0.0

    def __str__(self) -> str:
        tables = [text_table(self._title(), [_HEADER, *self._rows()])]
        tables.append(text_table("Per inference", self._facts()))
        return "\n\n".join(tables)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        table = html_table(self._title(), _HEADER, self._rows())
        return table + html_table("Per inference", (), self._facts())

    def _title(self) -> str:
        items = "1 item" if self.n_items == 1 else f"{self.n_items:,} items"
        steps = f"{self.n_steps:,} steps of {1000 * self.dt:g} ms each"
        return f"Activity for {items}, {steps}"

    def _rows(self) -> list[list[str]]:
        return [
            [
                p.label,
                f"{p.n_neurons:,}",
                *(f"{rate:.1f}" for rate in (p.mean, p.low, p.median, p.high)),
                f"{p.silent:,}",
                f"{p.saturated:,}",
                f"{p.spikes:,.1f}" if p.spiking else "no spikes",
                f"{p.synops:,.0f}" if p.spiking else "",
            ]
            for p in self.populations
        ]

    def _facts(self) -> list[list[str]]:
        facts = {
            "spikes": f"{self.spikes:,.1f}",
            "spikes per neuron and step": f"{self.sparsity:.2%}",
            "synaptic operations": f"{self.synops:,.0f}",
            "neuron updates": f"{self.neuron_updates:,}",
            "multiplications without spikes": f"{self.analog_macs:,}",
            "multiplications of the same network without spikes": (
                f"{self.dense_macs:,}"
            ),
        }
        if self.multiplied_synops != self.synops:
            name = "synaptic operations, decoders times encoders"
            facts[name] = f"{self.multiplied_synops:,.0f}"
        return [[name, value] for name, value in facts.items()]
