"""Train a network, save and load its parameters, and go back to Nengo.

    python examples/save_and_freeze.py

compares the trained network in NengoDL with the same in ``nengo.Simulator``.
"""

import tempfile
from pathlib import Path

import nengo_dl

import keras
import nengo
import numpy as np


def wanted(x):
    """Return the function that the network shall compute."""
    return np.sin(5 * x)


def make_network(neuron_type):
    """Return a network of twenty neurons; twins have equal structure."""
    with nengo.Network(seed=1) as net:
        net.stimulus = nengo.Node(lambda t: t - 1)
        net.neurons = nengo.Ensemble(20, 1, neuron_type=neuron_type, label="neurons")
        out = nengo.Node(size_in=1)
        nengo.Connection(net.stimulus, net.neurons, synapse=None)
        nengo.Connection(net.neurons, out, function=wanted, synapse=None)
        net.now = nengo.Probe(out)
        net.smooth = nengo.Probe(out, synapse=0.02)
    return net


net = make_network(nengo.LIF(amplitude=0.01))
x = np.linspace(-1, 1, 400).reshape(400, 1, 1)
data = {net.stimulus: x, net.now: wanted(x)}

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "trained.npz"

    with nengo_dl.Simulator(net, minibatch_size=20) as sim:
        before = sim.loss(data, training=True)
        sim.train(data, keras.optimizers.Adam(0.01), n_epochs=60)
        after = sim.loss(data, training=True)
        print(f"mean squared error: {before:.4f} before training, {after:.5f} after it")
        sim.save_params(path)

    # a network of rate neurons takes what spiking neurons were trained for
    twin = make_network(nengo.LIFRate(amplitude=0.01))
    with nengo_dl.Simulator(twin, dtype="float64") as sim:
        sim.load_params(path)
        sweep = x.reshape(1, 400, 1)
        rates = sim.predict({twin.stimulus: sweep}, verbose=0)[twin.now]
        print(f"as rates, mean error {np.abs(rates - wanted(sweep)).mean():.3f}")

    # the parameters become part of the network, for any simulator of Nengo's
    with nengo_dl.Simulator(net, dtype="float64") as sim:
        sim.load_params(path)
        sim.run(2.0)
        sim.freeze_params(net)

with nengo.Simulator(net, progress_bar=False) as reference:
    reference.run(2.0)

difference = np.abs(reference.data[net.smooth] - sim.data[net.smooth]).max()
print(f"with spikes, largest difference between Nengo and NengoDL: {difference:.1e}")
assert after < before / 2
assert difference < 0.01
