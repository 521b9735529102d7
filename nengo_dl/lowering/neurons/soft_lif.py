"""SoftLIFRate: rates of LIF neurons, with a threshold that can be trained through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf

from nengo_dl.lowering.neurons.base import LowerNeurons, neurons
from nengo_dl.neurons import SoftLIFRate

#: where softplus(u) and exp(u) are the same number in 64 bits
_FAR = -30.0
#: a narrower threshold is a hard one; u and the slope 1 / sigma must fit in float32
_NARROWEST = 1e-20


def soft_lif_rates(
    j: tf.Tensor,
    sigma: np.ndarray | float,
    tau_rc: np.ndarray | float,
    tau_ref: np.ndarray | float,
    amplitude: np.ndarray | float,
) -> tf.Tensor:
    r"""Return the rates of LIF neurons whose threshold is softened.

    .. math:: a = \frac{\alpha}{\tau_{ref} + \tau_{rc} \ln(1 + 1/z)}, \quad
              z = \sigma \ln\left(1 + e^{(J - 1)/\sigma}\right)

    Values and gradients are finite wherever the currents are.

    Parameters
    ----------
    j : tf.Tensor, shape (batch, n_neurons)
        Input currents.
    sigma : np.ndarray or float, shape () or (n_neurons,)
        Widths of the threshold, in units of current.
    tau_rc, tau_ref : np.ndarray or float, shape () or (n_neurons,)
        Membrane time constants and refractory times (s).
    amplitude : np.ndarray or float, shape () or (n_neurons,)
        Factors of the output.

    Returns
    -------
    tf.Tensor, shape (batch, n_neurons)
        Rates times amplitude (Hz).

    References
    ----------
    E. Hunsberger and C. Eliasmith, "Spiking deep networks with LIF neurons",
    arXiv:1510.08829, 2015.
    """
    dtype = j.dtype.as_numpy_dtype
    sigma = np.maximum(sigma, _NARROWEST).astype(dtype)
    u = (j - 1) / sigma
    one = tf.ones_like(u)
    # far below the threshold z = sigma exp(u) is too small for a number, while its
    # logarithm goes on as a line
    far = u < _FAR
    soft = tf.nn.softplus(tf.where(far, _FAR * one, u))
    z = sigma * soft
    beyond = tf.where(far, u - _FAR, tf.zeros_like(u))
    log_z = np.log(sigma) + tf.math.log(soft) + beyond
    # ln(1 + 1/z) loses all digits where z is tiny, and ln(1 + z) - ln(z) where z is
    # large. In both, the argument that is not used must leave a finite gradient
    large = z > 1
    log = tf.math.log1p(
        tf.where(large, 1 / tf.where(large, z, one), tf.where(large, one, z))
    ) - tf.where(large, tf.zeros_like(z), log_z)
    return amplitude / (tau_ref + tau_rc * log)


@neurons(SoftLIFRate)
@dataclass(frozen=True)
class LowerSoftLIFRate(LowerNeurons):
    r"""Rates with a soft threshold.

    .. math:: a = \frac{\alpha}{\tau_{ref} + \tau_{rc} \ln(1 + 1/z)}, \quad
              z = \sigma \ln\left(1 + e^{(J - 1)/\sigma}\right)

    References
    ----------
    See `soft_lif_rates`.
    """

    parameters: ClassVar[tuple[str, ...]] = ("sigma", "tau_rc", "tau_ref", "amplitude")

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return the rates."""
        return (soft_lif_rates(j, **self.constants),)
