"""RectifiedLinear, with and without a limit, and its spiking version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf
from nengo.neurons import RectifiedLinear, SpikingRectifiedLinear

from nengo_dl.lowering.neurons.base import LowerNeurons, neurons
from nengo_dl.lowering.neurons.rate_equivalents import register_rates
from nengo_dl.lowering.neurons.spike import fire
from nengo_dl.lowering.neurons.surrogate import Counting, register_surrogate
from nengo_dl.neurons import Heaviside, LimitedReLU
from nengo_dl.surrogates import FastSigmoid


@neurons(RectifiedLinear)
@dataclass(frozen=True)
class LowerRectifiedLinear(LowerNeurons):
    r"""Rectify: :math:`a = \alpha \max(0, J)`.

    References
    ----------
    V. Nair and G. E. Hinton, "Rectified linear units improve restricted Boltzmann
    machines", ICML, 2010.
    """

    parameters = ("amplitude",)

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return the rates."""
        return (self.amplitude * tf.nn.relu(j),)


@neurons(LimitedReLU)
@dataclass(frozen=True)
class LowerLimitedReLU(LowerNeurons):
    r"""Rectify up to a limit: :math:`a = \alpha \min(\max(0, J), J_{max})`.

    References
    ----------
    A. Krizhevsky, "Convolutional deep belief networks on CIFAR-10", University of
    Toronto, 2010.
    """

    parameters = ("limit", "amplitude")

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return the rates."""
        return (self.amplitude * tf.minimum(tf.nn.relu(j), self.limit),)


@neurons(Heaviside)
@dataclass(frozen=True)
class LowerHeaviside(LowerNeurons):
    r"""Step where currents become positive: :math:`a = \alpha [J > 0]`.

    .. math:: \partial a / \partial J = \alpha / (1 + |J|)^2

    instead of the derivative, which is 0 wherever there is one.

    References
    ----------
    F. Zenke and S. Ganguli, "SuperSpike", Neural Computation 30(6), 2018.
    """

    parameters = ("amplitude",)

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return the steps."""
        return (self.amplitude * fire(j, FastSigmoid(1.0)),)


@neurons(SpikingRectifiedLinear)
@dataclass(frozen=True)
class LowerSpikingRectifiedLinear(LowerNeurons):
    r"""Integrate the rectified current and fire at each whole number.

    .. math:: v' = v + \max(0, J)\,\Delta t, \quad
              a = \frac{\alpha}{\Delta t} \lfloor v' \rfloor, \quad
              v \leftarrow v' - \lfloor v' \rfloor

    References
    ----------
    The definition is that of ``nengo.SpikingRectifiedLinear``: integrate-and-fire
    neurons without a leak, in W. Gerstner et al., *Neuronal Dynamics*, Cambridge
    University Press, 2014, chapter 1.
    """

    parameters = ("amplitude",)
    state_names = ("voltage",)

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return spikes and the rest of the voltage."""
        (voltage,) = state
        voltage = voltage + tf.nn.relu(j) * self.dt
        n_spikes = self.spikes(voltage)
        return n_spikes * (self.amplitude / self.dt), voltage - n_spikes

    def spikes(self, voltage: tf.Tensor) -> tf.Tensor:
        """Return the whole thresholds that voltages have passed."""
        return tf.floor(voltage)


@register_surrogate(SpikingRectifiedLinear)
@dataclass(frozen=True)
class LowerSurrogateRectifiedLinear(Counting, LowerSpikingRectifiedLinear):
    r"""Gradients for SpikingRectifiedLinear neurons; see `Counting`.

    .. math:: \partial a / \partial v' = \alpha f(v' - k) / \Delta t

    References
    ----------
    See `nengo_dl.lowering.neurons.surrogate`.
    """


@register_rates(SpikingRectifiedLinear)
def rectified_linear_rates(
    neurons: SpikingRectifiedLinear, smoothing: float | None
) -> RectifiedLinear:
    """Return RectifiedLinear, whose threshold is never smoothed."""
    return RectifiedLinear(amplitude=neurons.amplitude)
