"""A neuron type of your own: NumPy for Nengo, TensorFlow for speed, and training.

    python examples/own_neuron_type.py

The neurons are leaky integrators that keep what exceeds the threshold when they fire.
As they are they run in both simulators; what is registered below makes them faster, and
lets them be trained, as firing rates and as spikes with a surrogate gradient.
"""

from dataclasses import dataclass
from typing import ClassVar

import nengo_dl
from nengo_dl.lowering import (
    LowerNeurons,
    LowerSurrogateNeurons,
    fire,
    register,
    register_rates,
    register_surrogate,
)

import keras
import nengo
import numpy as np
import tensorflow as tf
from nengo.builder.neurons import SimNeurons

N_STEPS = 100  # for which an input is shown


class SoftResetLIF(nengo.LIFRate):
    """LIF neurons without a refractory period, whose voltage falls by 1 at a spike.

    Tuning curves are those of ``nengo.LIFRate``; what is new is the time step.
    """

    state: ClassVar = {"voltage": nengo.dists.Uniform(0, 1)}
    spiking = True

    def __init__(self, tau_rc=0.02, amplitude=1):
        super().__init__(tau_rc, tau_ref=0, amplitude=amplitude)

    def step(self, dt, J, output, voltage):
        """Change output and voltage in place, as Nengo wants it."""
        voltage -= (J - voltage) * np.expm1(-dt / self.tau_rc)
        output[...] = self.amplitude * (voltage > 1) / dt
        voltage[voltage > 1] -= 1


def make_network():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(keep_history=False)  # the last time step counts
        net.config[nengo.Connection].synapse = None
        net.stimulus = nengo.Node([0.5])
        ensemble = nengo.Ensemble(50, 1, neuron_type=SoftResetLIF(amplitude=0.01))
        output = nengo.Node(size_in=1)
        nengo.Connection(net.stimulus, ensemble)
        nengo.Connection(ensemble, output)
        net.now = nengo.Probe(output, label="now")
        net.smooth = nengo.Probe(output, synapse=0.03, label="smooth")
    return net


# 1. It runs as it is: NengoDL calls the NumPy code in each time step.
def run(simulator, **options):
    """Return the smoothed output for a constant input."""
    net = make_network()
    with simulator(net, progress_bar=False, **options) as sim:
        sim.run_steps(N_STEPS)
        return sim.data[net.smooth][-1]


in_nengo = run(nengo.Simulator)
np.testing.assert_allclose(run(nengo_dl.Simulator, dtype="float64"), in_nengo)


# 2. The same in TensorFlow. It returns new values, and changes nothing in place.
@register(SimNeurons, SoftResetLIF)
@dataclass(frozen=True)
class LowerSoftResetLIF(LowerNeurons):
    """What neurons do in a time step, for any number of them and of items."""

    parameters = ("tau_rc", "amplitude")
    state_names = ("voltage",)

    def step(self, j, voltage):
        voltage -= (j - voltage) * tf.math.expm1(-self.dt / self.tau_rc)
        spikes = self.spikes(voltage)
        return self.amplitude * spikes / self.dt, voltage - tf.stop_gradient(spikes)

    def spikes(self, voltage):
        return tf.cast(voltage > 1, voltage.dtype)


np.testing.assert_allclose(run(nengo_dl.Simulator, dtype="float64"), in_nengo)
print("the same output in Nengo, as NumPy code and in TensorFlow")


# 3. Firing rates stand in for spikes in training, one time step for each item.
@register_rates(SoftResetLIF)
def rates(neurons, smoothing):
    return nengo.LIFRate(neurons.tau_rc, tau_ref=0, amplitude=neurons.amplitude)


x = np.linspace(-1, 1, 100).reshape(100, 1, 1)
shown = x.repeat(N_STEPS, axis=1)


def error(sim, net):
    """Return how far the smoothed output of spikes is off when an item ends."""
    answers = sim.predict({net.stimulus: shown}, verbose=0)[net.smooth][:, -1]
    return np.sqrt(np.mean((answers - x[:, 0] ** 2) ** 2))


net = make_network()
with nengo_dl.Simulator(net, minibatch_size=20, progress_bar=False, seed=0) as sim:
    losses = sim.train(
        {net.stimulus: x, net.now: x**2}, keras.optimizers.Adam(3e-4), 100
    )
    of_rates = error(sim, net)
    sim.freeze_params(net)
print(f"trained to square as rates: loss {losses[0]:.3f} -> {losses[-1]:.5f}")


# 4. Spikes in training too, with the derivative of a smooth function of the voltage.
@register_surrogate(SoftResetLIF)
@dataclass(frozen=True)
class LowerSurrogateSoftResetLIF(LowerSurrogateNeurons, LowerSoftResetLIF):
    """The same step; gradients pass through what ``fire`` returns."""

    def spikes(self, voltage):
        return fire(voltage - 1, self.surrogate)


with net:
    nengo_dl.configure_settings(surrogate="fast_sigmoid")
with nengo_dl.Simulator(net, minibatch_size=20, progress_bar=False, seed=0) as sim:
    data = {net.stimulus: shown, net.smooth: x**2}
    sim.train(data, keras.optimizers.Adam(1e-4), n_epochs=10)
    of_spikes = error(sim, net)
print(f"error of spikes: {of_rates:.3f} trained as rates, {of_spikes:.3f} as spikes")
assert of_spikes < of_rates < 0.2
