"""Sigmoid and Tanh: smooth rates that saturate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf
from nengo.neurons import Sigmoid, Tanh

from nengo_dl.lowering.neurons.base import LowerNeurons, neurons


@neurons(Sigmoid)
@dataclass(frozen=True)
class LowerSigmoid(LowerNeurons):
    r"""Logistic rates: :math:`a = \tau_{ref}^{-1} / (1 + e^{-J})`.

    References
    ----------
    H. R. Wilson and J. D. Cowan, "Excitatory and inhibitory interactions in localized
    populations of model neurons", Biophysical Journal 12(1), 1972.
    """

    parameters = ("tau_ref",)

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return the rates."""
        return (tf.nn.sigmoid(j) / self.tau_ref,)


@neurons(Tanh)
@dataclass(frozen=True)
class LowerTanh(LowerNeurons):
    r"""Hyperbolic tangent: :math:`a = \tau_{ref}^{-1} \tanh J`.

    References
    ----------
    J. J. Hopfield, "Neurons with graded response have collective computational
    properties like those of two-state neurons", PNAS 81(10), 1984.
    """

    parameters = ("tau_ref",)

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return the rates."""
        return (tf.tanh(j) / self.tau_ref,)
