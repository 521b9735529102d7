"""RegularSpiking: spikes at equal intervals from the rates of another neuron type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf
from nengo.neurons import RegularSpiking

from nengo_dl.lowering.neurons.base import LowerNeurons, neurons
from nengo_dl.lowering.neurons.rate_equivalents import given_rates, register_rates
from nengo_dl.lowering.neurons.surrogate import Counting, register_surrogate


@neurons(RegularSpiking)
@dataclass(frozen=True)
class LowerRegularSpiking(LowerNeurons):
    r"""Integrate a rate and fire at each whole number.

    .. math:: v' = v + r\,\Delta t, \quad
              a = \frac{\alpha}{\Delta t} \lfloor v' \rfloor, \quad
              v \leftarrow v' - \lfloor v' \rfloor

    The input is the rate :math:`r` that the base type has computed.

    References
    ----------
    A. R. Voelker, D. Rasmussen and C. Eliasmith, "A spike in performance: training
    hybrid-spiking neural networks with quantized activation functions",
    arXiv:2002.03553, 2020.
    """

    parameters = ("amplitude",)
    state_names = ("voltage",)

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return spikes and the rest of the voltage."""
        (voltage,) = state
        voltage = voltage + j * self.dt
        n_spikes = self.spikes(voltage)
        return n_spikes * (self.amplitude / self.dt), voltage - n_spikes

    def spikes(self, voltage: tf.Tensor) -> tf.Tensor:
        """Return the whole thresholds that voltages have passed."""
        return tf.floor(voltage)


@register_surrogate(RegularSpiking)
@dataclass(frozen=True)
class LowerSurrogateRegularSpiking(Counting, LowerRegularSpiking):
    r"""Gradients for RegularSpiking neurons; see `Counting`.

    .. math:: \partial a / \partial v' = \alpha f(v' - k) / \Delta t

    References
    ----------
    See `nengo_dl.lowering.neurons.surrogate`.
    """


register_rates(RegularSpiking)(given_rates)
