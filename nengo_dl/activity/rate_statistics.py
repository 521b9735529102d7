"""Firing rates of a population, in one way for all reports."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nengo.neurons import NeuronType

#: part of the highest possible rate from which on a neuron counts as saturated
_SATURATED = 0.9


@dataclass(frozen=True)
class FiringRates:
    """Firing rates of the neurons of a population, for some items.

    Attributes
    ----------
    rates : np.ndarray, shape (n_items, n_neurons)
        Means over time (Hz), whatever the amplitude of the neurons.
    highest : float
        The highest rate that a neuron can have (Hz): one spike in each time step, or as
        fast as its refractory time allows; infinite for neurons without spikes.

    Examples
    --------
    >>> import nengo, numpy as np
    >>> from nengo_dl.activity import FiringRates
    >>> outputs = np.array([[0.0, 20.0, 1000.0], [0.0, 40.0, 60.0]])
    >>> rates = FiringRates.of(outputs, nengo.LIF(tau_ref=0.001), dt=0.001)
    >>> rates.median, rates.silent, rates.saturated
    (30.0, 1, 1)
    """

    rates: np.ndarray
    highest: float

    @classmethod
    def of(cls, outputs: np.ndarray, neuron_type: NeuronType, dt: float) -> FiringRates:
        """Return the rates of neurons from their mean output.

        Parameters
        ----------
        outputs : np.ndarray, shape (n_items, n_neurons)
            Means over time; those of neurons with negative outputs without the sign.
        neuron_type : nengo.neurons.NeuronType
            The neurons.
        dt : float
            Time step (s).
        """
        least = max(dt, getattr(neuron_type, "tau_ref", 0.0))
        return cls(
            outputs / getattr(neuron_type, "amplitude", 1.0),
            1 / least if neuron_type.spiking else np.inf,
        )

    @property
    def mean(self) -> float:
        """The mean over neurons and items (Hz)."""
        return float(np.mean(self.rates))

    @property
    def median(self) -> float:
        """The median over neurons and items (Hz)."""
        return float(np.median(self.rates))

    def percentile(self, percentile: float) -> float:
        """Return a percentile over neurons and items (Hz)."""
        return float(np.percentile(self.rates, percentile))

    @property
    def silent(self) -> int:
        """How many neurons never fire."""
        return int(np.sum(np.max(self.rates, axis=0) == 0))

    @property
    def saturated(self) -> int:
        """How many neurons fire at 90 % of the highest rate, or more, in some item."""
        # the product, since 1 / (1 / x) is not always x
        return int(np.sum(np.max(self.rates, axis=0) >= _SATURATED * self.highest))
