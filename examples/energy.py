"""Estimate the energy of a classifier with spikes, before and after training for less.

    python examples/energy.py

The figures are published ones of devices, times operations that are counted here: see
docs/activity.rst. They are estimates, and nothing is measured on a device.
"""

import nengo_dl

import keras
import nengo
import numpy as np

rng = np.random.RandomState(0)
points = rng.uniform(-1, 1, size=(1000, 1, 2))
inside = (np.hypot(points[..., :1], points[..., 1:]) < 0.7).astype(int)
train, test = slice(0, 800), slice(800, 1000)

with nengo.Network(seed=0) as net:
    net.config[nengo.Connection].synapse = None
    point = nengo.Node(np.zeros(2))
    hidden = nengo.Ensemble(
        60, 2, neuron_type=nengo.LIF(amplitude=0.01), label="hidden"
    )
    answer = nengo.Node(size_in=2)
    nengo.Connection(point, hidden)
    nengo.Connection(hidden.neurons, answer, transform=nengo_dl.dists.Glorot())
    now = nengo.Probe(answer)
    rates = nengo.Probe(hidden.neurons)
    smooth = nengo.Probe(answer, synapse=0.03)

found = {}
for name, weight in (("accuracy alone", 0), ("accuracy and at most 10 Hz", 0.003)):
    with nengo_dl.Simulator(net, minibatch_size=50, seed=0, progress_bar=False) as sim:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        quiet = nengo_dl.losses.MaximumRate(10, weight=weight)
        sim.compile(keras.optimizers.Adam(0.01), loss={now: loss, rates: quiet})
        zeros = np.zeros((800, 1, 60))  # a target that MaximumRate does not look at
        sim.fit(
            {point: points[train]},
            {now: inside[train], rates: zeros},
            epochs=20,
            verbose=0,
        )
        shown = points[test].repeat(100, axis=1)
        answers = sim.predict({point: shown}, verbose=0)[smooth][:, -1].argmax(axis=-1)
        activity = sim.activity({point: points[test]}, n_steps=100)
    energy = nengo_dl.energy(activity, ["loihi", "spinnaker2", "gpu"])
    accuracy = np.mean(answers == inside[test, 0, 0])
    found[name] = activity.spikes
    print(f"\nTrained for {name}: {accuracy:.0%} right, {activity.spikes:.0f} spikes")
    for device in energy.devices:
        print(f"{device.device.name:12s}{1e9 * device.per_inference:10.2f} nJ")
    assert accuracy > 0.9
few, many = sorted(found.values())
assert few < 0.8 * many
