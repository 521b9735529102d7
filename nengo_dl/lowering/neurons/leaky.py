"""LeakyReLU and its spiking version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from nengo_dl.lowering.neurons.base import LowerNeurons, neurons
from nengo_dl.lowering.neurons.rate_equivalents import register_rates
from nengo_dl.lowering.neurons.surrogate import Counting, register_surrogate
from nengo_dl.neurons import LeakyReLU, SpikingLeakyReLU


@neurons(LeakyReLU)
@dataclass(frozen=True)
class LowerLeakyReLU(LowerNeurons):
    r"""Rectify in part.

    .. math:: a = \alpha J \text{ for } J > 0, \text{ else } \alpha \lambda J

    References
    ----------
    A. L. Maas, A. Y. Hannun and A. Y. Ng, "Rectifier nonlinearities improve neural
    network acoustic models", ICML Workshop on Deep Learning for Audio, Speech and
    Language Processing, 2013.
    """

    parameters: ClassVar[tuple[str, ...]] = ("negative_slope", "amplitude")

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return the rates."""
        return (self.amplitude * self.leak(j),)

    def leak(self, j: tf.Tensor) -> tf.Tensor:
        """Return positive currents, and the part that is kept of negative ones."""
        return tf.where(j > 0, j, self.negative_slope * j)


@neurons(SpikingLeakyReLU)
@dataclass(frozen=True)
class LowerSpikingLeakyReLU(LowerLeakyReLU):
    r"""Integrate what LeakyReLU keeps and fire at each whole number, signs included.

    .. math:: v' = v + f(J)\,\Delta t, \quad a = \frac{\alpha}{\Delta t} n, \quad
              v \leftarrow v' - n

    where :math:`n` is :math:`v'` without its decimal places.

    References
    ----------
    The definition is that of `nengo_dl.SpikingLeakyReLU`.
    """

    state_names: ClassVar[tuple[str, ...]] = ("voltage",)

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return spikes and the rest of the voltage."""
        (voltage,) = state
        voltage = voltage + self.leak(j) * self.dt
        n_spikes = self.spikes(voltage)
        return n_spikes * (self.amplitude / self.dt), voltage - n_spikes

    def spikes(self, voltage: tf.Tensor) -> tf.Tensor:
        """Return the whole thresholds that voltages have passed, on either side."""
        return tf.where(voltage > 0, tf.floor(voltage), tf.math.ceil(voltage))


@register_surrogate(SpikingLeakyReLU)
@dataclass(frozen=True)
class LowerSurrogateLeakyReLU(Counting, LowerSpikingLeakyReLU):
    r"""Gradients for SpikingLeakyReLU neurons; see `Counting`.

    .. math:: \partial a / \partial v' = \alpha f(v' - k) / \Delta t

    References
    ----------
    See `nengo_dl.lowering.neurons.surrogate`.
    """

    down = False


@register_rates(SpikingLeakyReLU)
def leaky_relu_rates(neurons: SpikingLeakyReLU, smoothing: float | None) -> LeakyReLU:
    """Return LeakyReLU, whose threshold is never smoothed."""
    return LeakyReLU(neurons.negative_slope, amplitude=neurons.amplitude)
