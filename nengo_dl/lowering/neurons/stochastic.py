"""StochasticSpiking: rates rounded at random to whole numbers of spikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from nengo.builder.neurons import SimNeurons
from nengo.neurons import StochasticSpiking

from nengo_dl.graph.draws import Draws
from nengo_dl.lowering.neurons.drawn import LowerDrawnNeurons, register_draws
from nengo_dl.lowering.neurons.rate_equivalents import given_rates, register_rates


def uniform(rng: np.random.RandomState, n_steps: int, size: int) -> np.ndarray:
    """Return numbers from 0 to below 1, shape (n_steps, size), as Nengo draws them."""
    return rng.random_sample((n_steps, size))


@register_draws(StochasticSpiking)
@dataclass(frozen=True)
class LowerStochasticSpiking(LowerDrawnNeurons):
    r"""Round the expected number of spikes up or down, right on average.

    With the rate :math:`r` that the base type has computed and a number :math:`u` drawn
    evenly from 0 to 1,

    .. math:: e = r\,\Delta t, \quad n = [e] + [u < e - [e]], \quad
              a = \frac{\alpha}{\Delta t} n

    where :math:`[e]` cuts off the fraction of :math:`e`. If the base type has negative
    rates, :math:`e = |r|\,\Delta t`, and the spikes get the sign of :math:`r`. The
    numbers are those that Nengo draws.

    References
    ----------
    The documentation of `nengo.StochasticSpiking`.
    """

    parameters = ("amplitude",)

    @classmethod
    def draws(cls, op: SimNeurons) -> Draws:
        """Return one number for each neuron."""
        size = op.J.size
        return Draws(
            op.state_extra["rng"],
            (size,),
            lambda rng, n_steps: uniform(rng, n_steps, size),
            nengo=True,
        )

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return the spikes for rates and random numbers."""
        rate, (random,) = j, state
        expected = (tf.abs(rate) if self.negative else rate) * self.dt
        whole = tf.where(expected < 0, tf.math.ceil(expected), tf.floor(expected))
        up = random < expected - whole
        spikes = whole + tf.cast(up, rate.dtype)
        if self.negative:
            spikes = spikes * tf.sign(rate)
        return (spikes * (self.amplitude / self.dt),)


register_rates(StochasticSpiking)(given_rates)
