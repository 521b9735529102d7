"""Leaky integrate-and-fire neurons, as rates and with spikes.

References
----------
C. Eliasmith and C. H. Anderson, *Neural Engineering*, MIT Press, 2003, chapter 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf
from nengo.neurons import LIF, LIFRate, NeuronType

from nengo_dl.lowering.neurons.base import LowerNeurons, neurons
from nengo_dl.lowering.neurons.rate_equivalents import attributes, register_rates
from nengo_dl.lowering.neurons.surrogate import Firing, register_surrogate
from nengo_dl.neurons import SoftLIFRate


@neurons(LIFRate)
@dataclass(frozen=True)
class LowerLIFRate(LowerNeurons):
    r"""Steady-state rates.

    .. math:: a = \frac{\alpha}{\tau_{ref} + \tau_{rc} \ln(1 + 1/(J - 1))}
              \text{ for } J > 1, \text{ else } 0
    """

    parameters: ClassVar[tuple[str, ...]] = ("tau_rc", "tau_ref", "amplitude")

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return the rates."""
        above = j - 1
        firing = above > 0
        # the branch that is not taken must be finite too, or its gradient is not a
        # number: 0 * inf
        safe = tf.where(firing, above, tf.ones_like(above))
        rate = self.amplitude / (self.tau_ref + self.tau_rc * tf.math.log1p(1 / safe))
        return (tf.where(firing, rate, tf.zeros_like(rate)),)


@neurons(LIF)
@dataclass(frozen=True)
class LowerLIF(LowerNeurons):
    r"""Spikes from an exactly integrated membrane voltage.

    With the part :math:`\delta` of the step that is left after the refractory time,

    .. math:: v' = v + (J - v)(1 - e^{-\delta/\tau_{rc}}), \quad
              a = \frac{\alpha}{\Delta t} [v' > 1]

    A neuron that fires starts its refractory time at the moment when :math:`v` crossed
    1, which follows from the same equation; its voltage returns to 0. Other voltages
    are kept above ``min_voltage``.
    """

    parameters: ClassVar[tuple[str, ...]] = (
        "tau_rc",
        "tau_ref",
        "min_voltage",
        "amplitude",
    )
    state_names: ClassVar[tuple[str, ...]] = ("voltage", "refractory_time")

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return spikes, voltages and remaining refractory times (s)."""
        voltage, refractory = state
        refractory = refractory - self.dt
        delta = tf.clip_by_value(self.dt - refractory, 0, self.dt)
        # Not as a power series, although the argument is small: XLA would compute such
        # cheap chains anew in everything that reads the spikes, for each row of a
        # matrix even (PES 64-D: 36 -> 87 us per step; circular convolution: 30 -> 59)
        voltage = voltage - (j - voltage) * tf.math.expm1(-delta / self.tau_rc)
        spikes, spiked = self.spikes(voltage), voltage > 1
        past = self.past(j, voltage, spiked)
        zero = tf.zeros_like(voltage)
        return (
            spikes * (self.amplitude / self.dt),
            tf.where(spiked, zero, tf.maximum(voltage, self.min_voltage)),
            tf.where(spiked, self.tau_ref + self.dt + past, refractory),
        )

    def past(self, j: tf.Tensor, voltage: tf.Tensor, spiked: tf.Tensor) -> tf.Tensor:
        """Return the time (s) from a spike to the end of the step, negative; else 0."""
        # a current of at most 1 cannot lift a voltage over 1
        past = self.tau_rc * tf.math.log1p(
            -(voltage - 1) / tf.where(spiked, j - 1, tf.ones_like(j))
        )
        return tf.where(spiked, past, tf.zeros_like(past))

    def spikes(self, voltage: tf.Tensor) -> tf.Tensor:
        """Return 1 for voltages above the threshold, else 0."""
        return tf.cast(voltage > 1, voltage.dtype)


@register_surrogate(LIF)
@dataclass(frozen=True)
class LowerSurrogateLIF(Firing, LowerLIF):
    r"""Gradients for LIF neurons; see `Firing`.

    .. math:: \partial a / \partial v' = \alpha f(v' - 1) / \Delta t

    References
    ----------
    See `nengo_dl.lowering.neurons.surrogate`.
    """


@register_rates(LIF)
def lif_rates(neurons: LIF, smoothing: float | None) -> NeuronType:
    """Return LIFRate, or with a soft threshold SoftLIFRate."""
    same = attributes(neurons, "tau_rc", "tau_ref", "amplitude")
    return SoftLIFRate(sigma=smoothing, **same) if smoothing else LIFRate(**same)
