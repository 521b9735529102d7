"""Train a classifier of digits as firing rates, and run it with spikes.

    python examples/spiking_classifier.py

needs scikit-learn, for its 1797 images of handwritten digits, and prints how many of
400 test images are recognised.
"""

import nengo_dl

import keras
import nengo
import numpy as np
from sklearn.datasets import load_digits

N_TRAIN, N_TEST, N_STEPS = 1350, 400, 100

pixels, labels = load_digits(return_X_y=True)
order = np.random.RandomState(0).permutation(len(pixels))[: N_TRAIN + N_TEST]
pixels = pixels[order, None] / 16  # (items, 1 time step, 64)
labels = labels[order, None, None]

with nengo.Network(seed=0) as net:
    net.config[nengo.Connection].synapse = None
    net.config[nengo.Connection].transform = nengo_dl.dists.Glorot()

    image = nengo.Node(np.zeros(64))
    # with this gain and bias, neurons fire at about 100 Hz before training
    hidden = nengo.Ensemble(
        256,
        1,
        neuron_type=nengo.LIF(amplitude=0.01),
        gain=nengo.dists.Choice([3]),
        bias=nengo.dists.Choice([2]),
    )
    output = nengo.Node(size_in=10)
    nengo.Connection(image, hidden.neurons)
    nengo.Connection(hidden.neurons, output)
    now = nengo.Probe(output)
    smooth = nengo.Probe(output, synapse=0.05)

with nengo_dl.Simulator(net, minibatch_size=50) as sim:
    # rates have no memory: one time step is enough
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    sim.compile(keras.optimizers.Adam(0.002), loss={now: loss})
    sim.fit({image: pixels[:N_TRAIN]}, {now: labels[:N_TRAIN]}, epochs=20, verbose=2)

    # spikes need some steps until their mean tells
    shown = np.tile(pixels[N_TRAIN:], (1, N_STEPS, 1))
    outputs = sim.predict({image: shown}, verbose=0)[smooth]

answers = outputs[:, -1].argmax(axis=-1)
accuracy = np.mean(answers == labels[N_TRAIN:, 0, 0])
print(f"{accuracy:.1%} of {N_TEST} test images are recognised by spikes")
assert accuracy > 0.95
