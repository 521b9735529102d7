"""PoissonSpiking: numbers of spikes that have a Poisson distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from nengo.builder.neurons import SimNeurons
from nengo.neurons import PoissonSpiking

from nengo_dl.graph.draws import Draws
from nengo_dl.lowering.indexing import select
from nengo_dl.lowering.neurons.drawn import LowerDrawnNeurons, register_draws
from nengo_dl.lowering.neurons.rate_equivalents import given_rates, register_rates
from nengo_dl.lowering.sampling import KEY_BITS, KEY_WORDS, poisson, random_key


def keys(rng: np.random.RandomState, n_steps: int) -> np.ndarray:
    """Return the words of one key for each step, shape (n_steps, KEY_WORDS)."""
    return rng.randint(2**KEY_BITS, size=(n_steps, KEY_WORDS))


@register_draws(PoissonSpiking)
@dataclass(frozen=True)
class LowerPoissonSpiking(LowerDrawnNeurons):
    r"""Draw how often neurons fire within a step.

    .. math:: n \sim \mathrm{Poisson}(r\,\Delta t), \quad a = \frac{\alpha}{\Delta t} n

    with the rate :math:`r` that the base type has computed. If the base type has
    negative rates, :math:`|r|` takes its place, and the spikes get the sign of
    :math:`r`.

    How many random numbers Nengo draws depends on the rates, so its numbers cannot be
    drawn ahead. Each population is fed a random key in each step instead, from which
    the loop computes as many random numbers as it needs; see
    `nengo_dl.lowering.sampling`. Keys come from the population's seed, the simulator's
    seed and the number of the batch item; which populations are merged plays no part.

    References
    ----------
    P. Dayan and L. F. Abbott, *Theoretical Neuroscience*, MIT Press, 2001, chapter 1.4.
    """

    parameters = ("amplitude",)

    @classmethod
    def draws(cls, op: SimNeurons) -> Draws:
        """Return one key for the whole population."""
        return Draws(op.state_extra["rng"], (KEY_WORDS,), keys, nengo=False)

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return the spikes for rates and the words of keys."""
        (words,) = state
        # no derivative goes through a random draw
        rate = tf.stop_gradient(j)
        mean = (tf.abs(rate) if self.negative else rate) * self.dt
        key = random_key(tf.reshape(words, (-1, len(self.sizes), KEY_WORDS)))
        if len(set(self.sizes)) == 1:
            # an axis for populations: one key goes to many neurons without a copy
            mean = tf.reshape(mean, (-1, len(self.sizes), self.sizes[0]))
            spikes = poisson(mean, key[..., None], np.arange(self.sizes[0]))
            spikes = tf.reshape(spikes, (-1, sum(self.sizes)))
        else:
            owners = np.repeat(np.arange(len(self.sizes)), self.sizes)
            key = select(key, [(k, k + 1) for k in owners.tolist()])
            numbers = np.concatenate([np.arange(size) for size in self.sizes])
            spikes = poisson(mean, key, numbers)
        if self.negative:
            spikes = spikes * tf.sign(rate)
        return (spikes * (self.amplitude / self.dt),)


register_rates(PoissonSpiking)(given_rates)
