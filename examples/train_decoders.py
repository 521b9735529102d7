"""Decoders from Nengo's solver, and decoders that an optimizer has improved.

    python examples/train_decoders.py

Nengo computes decoders ensemble by ensemble, for inputs that are spread evenly. Here
two ensembles compute one function after the other, and training changes the decoders,
and nothing else, for the inputs and the errors of the whole network. Both are compared
with spikes, in Nengo's own simulator.
"""

import nengo_dl

import keras
import nengo
import numpy as np

rng = np.random.RandomState(0)
x = rng.uniform(-1, 1, size=(600, 1, 1))


def function(x):
    return np.sin(3 * x) ** 2


with nengo.Network(seed=0) as net:
    nengo_dl.configure_settings(trainable=False)
    stimulus = nengo.Node([0])
    a = nengo.Ensemble(40, 1)
    b = nengo.Ensemble(40, 1)
    output = nengo.Node(size_in=1)
    nengo.Connection(stimulus, a, synapse=None)
    decoders = [
        nengo.Connection(a, b, function=lambda x: np.sin(3 * x), synapse=0.005),
        nengo.Connection(b, output, function=np.square, synapse=0.005),
    ]
    for connection in decoders:
        net.config[connection].trainable = True
    probe = nengo.Probe(output)
    smooth = nengo.Probe(output, synapse=0.03)


def error_of_spikes():
    """Return the error in Nengo's simulator: numbers from -1 to 1, 60 ms each."""
    numbers = np.linspace(-1, 1, 21)
    stimulus.output = nengo.processes.PresentInput(numbers[:, None], 0.06)
    with nengo.Simulator(net, progress_bar=False, seed=0) as sim:
        sim.run(0.06 * len(numbers))
    stimulus.output = [0]
    last = sim.data[smooth].reshape(len(numbers), 60)[:, 50:]
    return np.sqrt(np.mean((last.mean(axis=1) - function(numbers)) ** 2))


solved = error_of_spikes()
with nengo_dl.Simulator(net, minibatch_size=50, seed=0, progress_bar=False) as sim:
    # rates need some steps until the synapses have settled; the last one counts
    shown, wanted = x.repeat(30, axis=1), np.full((600, 30, 1), np.nan)
    wanted[:, -1] = function(x[:, 0])
    losses = sim.train(
        {stimulus: shown, probe: wanted}, keras.optimizers.Adam(1e-5), n_epochs=40
    )
    sim.freeze_params(net)  # back to Nengo
trained = error_of_spikes()
print(f"loss of the rates: {losses[0]:.5f} -> {losses[-1]:.5f}")
print(f"error with spikes: {solved:.4f} by the solver, {trained:.4f} after training")
assert losses[-1] < losses[0] and trained < solved
