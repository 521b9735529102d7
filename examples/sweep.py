"""Try many settings of a model: which synapse, and how many neurons?

    python examples/sweep.py

Simulators of networks of equal structure share what is compiled: the second seed of a
setting takes a fraction of the first one's time. All inputs run as one minibatch.
"""

import itertools
import time

import nengo_dl

import nengo
import numpy as np

N_ITEMS, N_STEPS = 16, 300
NEURONS, SYNAPSES, SEEDS = (20, 80), (0.003, 0.01, 0.03), range(2)


def make_network(n_neurons, synapse, seed):
    with nengo.Network(seed=seed) as net:
        net.stimulus = nengo.Node([0])
        ensemble = nengo.Ensemble(n_neurons, 1)
        nengo.Connection(net.stimulus, ensemble, synapse=None)
        net.probe = nengo.Probe(ensemble, synapse=synapse)
    return net


# sines of 1 to 4 Hz
hertz = np.linspace(1, 4, N_ITEMS)[:, None]
x = np.sin(2 * np.pi * hertz * np.arange(N_STEPS) * 0.001)[..., None]

errors = {}
for n_neurons, synapse, seed in itertools.product(NEURONS, SYNAPSES, SEEDS):
    start = time.perf_counter()
    net = make_network(n_neurons, synapse, seed)
    with nengo_dl.Simulator(net, minibatch_size=N_ITEMS, progress_bar=False) as sim:
        sim.run_steps(N_STEPS, data={net.stimulus: x})
        deviation = sim.data[net.probe][:, 100:] - x[:, 100:]
    errors.setdefault((n_neurons, synapse), []).append(np.sqrt(np.mean(deviation**2)))
    seconds = time.perf_counter() - start
    print(
        f"{n_neurons:3d} neurons, {1000 * synapse:2.0f} ms, "
        f"seed {seed}: {seconds:.2f} s"
    )

print("\nneurons  synapse  error, mean and spread over seeds")
for (n_neurons, synapse), values in errors.items():
    mean, spread = np.mean(values), np.std(values)
    print(f"{n_neurons:7d}  {1000 * synapse:4.0f} ms  {mean:.3f} ± {spread:.3f}")
best = min(errors, key=lambda setting: np.mean(errors[setting]))
print(f"best: {best[0]} neurons, {1000 * best[1]:.0f} ms")
assert best[0] == max(NEURONS)
