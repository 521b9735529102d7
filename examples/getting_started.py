"""Run a model, train one, let its neurons spike, save it, and take it back to Nengo.

    python examples/getting_started.py

The page docs/getting_started.rst explains each part. Where matplotlib is installed, the
result is drawn in ``getting_started.png``.
"""

# -- run
import nengo_dl

import nengo
import numpy as np

with nengo.Network(seed=0) as net:
    stimulus = nengo.Node(lambda t: np.sin(2 * np.pi * t))
    ensemble = nengo.Ensemble(100, dimensions=1)
    nengo.Connection(stimulus, ensemble)
    decoded = nengo.Probe(ensemble, synapse=0.01)

with nengo_dl.Simulator(net) as sim:
    sim.run(1.0)
wave = sim.data[decoded]
print(wave.shape)  # (1000, 1): time steps, dimensions
# -- train
import keras

rng = np.random.RandomState(0)
points = rng.uniform(-1, 1, size=(1200, 1, 2))
inside = np.hypot(points[..., :1], points[..., 1:]) < 0.7
train, test = slice(0, 1000), slice(1000, 1200)

with nengo.Network(seed=0) as net:
    net.config[nengo.Connection].synapse = None
    point = nengo.Node(np.zeros(2))
    # spikes of height 0.01 / dt: rates of some 100 Hz become numbers near 1
    hidden = nengo.Ensemble(50, 2, neuron_type=nengo.LIF(amplitude=0.01))
    answer = nengo.Node(size_in=2)
    nengo.Connection(point, hidden)
    nengo.Connection(hidden.neurons, answer, transform=nengo_dl.dists.Glorot())
    now = nengo.Probe(answer)
    smooth = nengo.Probe(answer, synapse=0.03)

sim = nengo_dl.Simulator(net, minibatch_size=50, seed=0)
sim.compile(
    keras.optimizers.Adam(0.01),
    loss={now: keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
    metrics={now: ["accuracy"]},
)
history = sim.fit(points[train], {now: inside[train]}, epochs=20, verbose=0)
print(history.history["probe_accuracy"][-1])  # 0.99
# -- spike
shown = np.tile(points[test], (1, 100, 1))
outputs = sim.predict(shown, verbose=0)[smooth]
answers = outputs[:, -1].argmax(axis=-1)
print(np.mean(answers == inside[test, 0, 0]))  # 0.98
# -- save
sim.save_params("circle")  # circle.npz
sim.load_params("circle")
# -- nengo
sim.freeze_params(net)
sim.close()

point.output = points[test][0, 0]
with nengo.Simulator(net) as reference:
    reference.run_steps(100)
print(reference.data[smooth][-1], outputs[0, -1])  # equal but for rounding
# -- picture
assert np.mean(answers == inside[test, 0, 0]) > 0.95
np.testing.assert_allclose(reference.data[smooth][-1], outputs[0, -1], atol=1e-4)

try:
    from matplotlib import pyplot as plt
except ImportError:
    raise SystemExit from None

figure, (left, right) = plt.subplots(1, 2, figsize=(6.5, 2.6), layout="constrained")
time = np.arange(1, 1001) / 1000
left.plot(time, np.sin(2 * np.pi * time), color="0.6", label="input")
left.plot(time, wave, label="decoded from spikes")
left.set(xlabel="time (s)", ylabel="value", ylim=(-1.3, 1.9), title="100 neurons run")
left.legend(loc="upper right", frameon=False)

for value, colour, label in ((0, "C1", "outside"), (1, "C0", "inside")):
    chosen = points[test][answers == value, 0]
    right.scatter(*chosen.T, s=12, color=colour, label=label)
right.add_patch(plt.Circle((0, 0), 0.7, fill=False, color="0.4"))
right.set(
    xlabel="first dimension",
    ylabel="second dimension",
    aspect="equal",
    xticks=(-1, 0, 1),
    yticks=(-1, 0, 1),
    title="50 neurons trained",
)
right.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
figure.savefig("getting_started.png", dpi=150)
