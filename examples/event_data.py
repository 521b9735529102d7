"""Tell from a camera's events which way something moves.

    python examples/event_data.py

Event cameras report, pixel by pixel, when it became lighter (+1) or darker (-1). The
events of this example are made here: bars that move in one of four directions. They
come as records of time, place and sign, as files of such cameras have them, and are
counted in bins of 1 ms: one time step of the simulation.
"""

import nengo_dl

import keras
import nengo
import numpy as np

SIDE, N_STEPS = 8, 20  # pixels, time steps of 1 ms
DIRECTIONS = {"right": (0, 1), "left": (0, -1), "down": (1, 0), "up": (-1, 0)}
EVENT = [("t", "f8"), ("x", "i4"), ("y", "i4"), ("sign", "i1")]
rng = np.random.RandomState(0)


def moving_bar(direction):
    """Return the events of a bar, a record for each, in the order of time (s)."""
    down, right = DIRECTIONS[direction]
    speed, start = rng.uniform(300, 500), rng.randint(SIDE)  # pixels per second
    across = np.arange(SIDE)
    events = []
    for k in range(round(speed * N_STEPS * 0.001)):
        front = (start + k * (down + right)) % SIDE
        for place, sign in ((front, 1), ((front - 2 * (down + right)) % SIDE, -1)):
            seen = across[rng.uniform(size=SIDE) < 0.8]  # some events are missed
            place = np.full(len(seen), place)
            x, y = (place, seen) if right else (seen, place)
            times = k / speed + rng.uniform(0, 0.001, size=len(seen))
            events += zip(times, x, y, [sign] * len(seen), strict=True)
    return np.sort(np.array(events, dtype=EVENT), order="t")


def frames(events):
    """Return sums of events, shape (N_STEPS, 2 * SIDE**2): lighter, then darker."""
    steps = np.minimum((events["t"] * 1000).astype(int), N_STEPS - 1)
    found = np.zeros((N_STEPS, 2, SIDE, SIDE), dtype="float32")
    channels = (events["sign"] < 0).astype(int)
    np.add.at(found, (steps, channels, events["y"], events["x"]), 1)
    return found.reshape(N_STEPS, -1)


labels = rng.randint(len(DIRECTIONS), size=600)
recordings = [moving_bar(list(DIRECTIONS)[label]) for label in labels]
print(f"{sum(map(len, recordings))} events; the first: {recordings[0][0]}")
x, y = np.stack([frames(events) for events in recordings]), labels[:, None, None]
train, test = slice(0, 500), slice(500, 600)

with nengo.Network(seed=0) as net:
    # spikes are trained, as what counts is the order in which events come
    nengo_dl.configure_settings(surrogate="arctan", keep_history=False)
    net.config[nengo.Connection].synapse = None
    net.config[nengo.Connection].transform = nengo_dl.dists.Glorot()
    camera = nengo.Node(np.zeros(2 * SIDE**2), label="camera")
    now, before = (nengo.Node(size_in=64, label=label) for label in ("now", "before"))
    hidden = nengo.Ensemble(
        64,
        1,
        neuron_type=nengo.LIF(tau_rc=0.005, amplitude=0.01),
        gain=nengo.dists.Choice([10]),
        bias=nengo.dists.Choice([0]),
    ).neurons
    output = nengo.Node(size_in=len(DIRECTIONS))
    nengo.Connection(camera, now)
    nengo.Connection(camera, before, synapse=0.004)  # what was there some ms ago
    nengo.Connection(now, hidden)
    nengo.Connection(before, hidden)
    nengo.Connection(hidden, output)
    answer = nengo.Probe(output, synapse=0.01)

with nengo_dl.Simulator(net, minibatch_size=50, seed=0) as sim:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    sim.compile(keras.optimizers.Adam(0.003), loss={answer: loss})
    sim.fit({camera: x[train]}, {answer: y[train]}, epochs=15, verbose=0)
    answers = sim.predict({camera: x[test]}, verbose=0)[answer][:, -1].argmax(axis=-1)

accuracy = np.mean(answers == labels[test])
print(f"{accuracy:.0%} of {len(answers)} directions are recognised by spikes")
assert accuracy > 0.8
