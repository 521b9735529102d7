"""Leaky integrate-and-fire neurons that adapt: what they fire, they later lack.

References
----------
G. La Camera et al., "Minimal models of adapted neuronal response to in vivo-like input
currents", Neural Computation 16(10), 2004.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf
from nengo.neurons import AdaptiveLIF, AdaptiveLIFRate

from nengo_dl.lowering.neurons.base import neurons
from nengo_dl.lowering.neurons.lif import LowerLIF, LowerLIFRate
from nengo_dl.lowering.neurons.rate_equivalents import attributes, register_rates
from nengo_dl.lowering.neurons.surrogate import Firing, register_surrogate


@neurons(AdaptiveLIFRate)
@dataclass(frozen=True)
class LowerAdaptiveLIFRate(LowerLIFRate):
    r"""Rates for the current that the adaptation leaves.

    .. math:: a = r(J - n), \quad
              n \leftarrow n + \frac{\Delta t}{\tau_n} (\beta a - n)

    with the rates :math:`r` of LIFRate and the increment :math:`\beta` (``inc_n``).
    """

    parameters = (*LowerLIFRate.parameters, "tau_n", "inc_n")
    state_names = ("adaptation",)

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return the rates and the adaptation."""
        (n,) = state
        (rates,) = super().step(j - n)
        return rates, n + (self.dt / self.tau_n) * (self.inc_n * rates - n)


@neurons(AdaptiveLIF)
@dataclass(frozen=True)
class LowerAdaptiveLIF(LowerLIF):
    r"""Spikes for the current that the adaptation leaves.

    .. math:: a = s(J - n), \quad
              n \leftarrow n + \frac{\Delta t}{\tau_n} (\beta a - n)

    with the spikes :math:`s` of LIF and the increment :math:`\beta` (``inc_n``).
    """

    parameters = (*LowerLIF.parameters, "tau_n", "inc_n")
    state_names = (*LowerLIF.state_names, "adaptation")

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return spikes, voltages, refractory times (s) and the adaptation."""
        *lif, n = state
        spikes, *lif = super().step(j - n, *lif)
        n = n + (self.dt / self.tau_n) * (self.inc_n * spikes - n)
        return (spikes, *lif, n)


@register_surrogate(AdaptiveLIF)
@dataclass(frozen=True)
class LowerSurrogateAdaptiveLIF(Firing, LowerAdaptiveLIF):
    r"""Gradients for AdaptiveLIF neurons; see `Firing`.

    .. math:: \partial a / \partial v' = \alpha f(v' - 1) / \Delta t

    References
    ----------
    See `nengo_dl.lowering.neurons.surrogate`.
    """


@register_rates(AdaptiveLIF)
def adaptive_lif_rates(
    neurons: AdaptiveLIF, smoothing: float | None
) -> AdaptiveLIFRate:
    """Return AdaptiveLIFRate; there is none with a soft threshold."""
    return AdaptiveLIFRate(
        **attributes(neurons, "tau_n", "inc_n", "tau_rc", "tau_ref", "amplitude")
    )
