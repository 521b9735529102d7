"""Izhikevich's neuron with two variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf
from nengo.neurons import Izhikevich

from nengo_dl.lowering.neurons.base import LowerNeurons, neurons


@neurons(Izhikevich)
@dataclass(frozen=True)
class LowerIzhikevich(LowerNeurons):
    r"""Fire when a quadratic voltage reaches 30 mV, time running in milliseconds.

    .. math:: v' = v + 1000\,\Delta t\,(0.04 v^2 + 5 v + 140 - u + \max(-30, J)), \quad
              u' = u + 1000\,\Delta t\,\tau_u (b v'' - u)

    where :math:`v''` is the reset voltage if :math:`v' \ge 30`, else :math:`v'`. A
    spike also adds ``reset_recovery`` to :math:`u`. The lower bound of the current
    keeps the voltage from diverging, as in Nengo.

    References
    ----------
    E. M. Izhikevich, "Simple model of spiking neurons", IEEE Transactions on Neural
    Networks 14(6), 2003.
    """

    parameters = ("tau_recovery", "coupling", "reset_voltage", "reset_recovery")
    state_names = ("voltage", "recovery")

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return spikes, voltages (mV) and recovery."""
        voltage, recovery = state
        milliseconds = self.dt * 1000
        j = tf.maximum(j, -30.0)
        slope = 0.04 * voltage**2 + 5 * voltage + 140 - recovery + j
        voltage = voltage + slope * milliseconds
        spiked = voltage >= 30
        zero = tf.zeros_like(voltage)
        voltage = tf.where(spiked, zero + self.reset_voltage, voltage)
        change = self.tau_recovery * (self.coupling * voltage - recovery)
        recovery = recovery + change * milliseconds
        recovery = recovery + tf.where(spiked, zero + self.reset_recovery, zero)
        return tf.where(spiked, zero + 1 / self.dt, zero), voltage, recovery
