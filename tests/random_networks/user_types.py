"""Classes that a user of Nengo might have written."""

from typing import ClassVar

import nengo
import numpy as np


class Softplus(nengo.neurons.NeuronType):
    """A rate neuron that no simulator knows."""

    negative = False

    def gain_bias(self, max_rates, intercepts):
        gain = np.asarray(max_rates) / 100
        return gain, -gain * np.asarray(intercepts)

    def max_rates_intercepts(self, gain, bias):
        return 100 * gain, -bias / gain

    def step(self, dt, J, output):
        output[...] = 50 * np.logaddexp(0, J)


class Tired(Softplus):
    """A neuron with a state: it grows tired while it is active."""

    state: ClassVar = {"tiredness": nengo.dists.Uniform(0, 0.5)}

    def rates(self, x, gain, bias):
        return 50 * np.logaddexp(0, self.current(x, gain, bias))

    def step(self, dt, J, output, tiredness):
        output[...] = 50 * np.logaddexp(0, J - tiredness)
        tiredness += dt * (output / 10 - tiredness)


class Walk(nengo.Process):
    """A random walk that its input pushes."""

    def __init__(self, **kwargs):
        super().__init__(default_size_in=1, default_size_out=1, **kwargs)

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        return {"place": np.zeros(shape_out, dtype)}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        place = state["place"]

        def step(t, x=0):
            place[...] += 0.1 * rng.uniform(-1, 1, shape_out) + np.sum(x) * dt
            return place

        return step


class Delay(nengo.synapses.Synapse):
    """What came in some steps ago."""

    def __init__(self, steps=3, **kwargs):
        super().__init__(**kwargs)
        self.steps = steps

    def make_state(self, shape_in, shape_out, dt, dtype=None, y0=0):
        return {"past": np.full((self.steps, *shape_in), y0, dtype)}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        past = state["past"]

        def step(t, x):
            oldest = past[-1].copy()
            past[1:] = past[:-1].copy()
            past[0] = x
            return oldest

        return step
