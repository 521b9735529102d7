"""Train a convolutional classifier of digits as rates, and run it with spikes.

Needs scikit-learn, for its 1797 images of handwritten digits.
"""

import nengo_dl

import keras
import nengo
import numpy as np
from sklearn.datasets import load_digits

N_TRAIN, N_STEPS = 1440, 60

digits = load_digits()
order = np.random.RandomState(0).permutation(len(digits.target))[:1790]
images = digits.images.reshape(-1, 1, 64)[order] / 16
labels = digits.target.reshape(-1, 1, 1)[order]

keras.utils.set_random_seed(0)
neurons = nengo.LIF(amplitude=0.01)
with nengo.Network(seed=0) as net:
    # the derivative of rates has no bound where neurons begin to fire: round it off
    nengo_dl.configure_settings(lif_smoothing=0.1)
    image = nengo.Node(np.zeros(64))
    x = nengo_dl.Layer(keras.layers.Conv2D(16, 3))(image, shape_in=(8, 8, 1))
    x = nengo_dl.Layer(neurons)(x)
    x = nengo_dl.Layer(keras.layers.Conv2D(32, 3, strides=2))(x, shape_in=(6, 6, 16))
    x = nengo_dl.Layer(neurons)(x)
    x = nengo_dl.Layer(keras.layers.Dense(10))(x)
    now, filtered = nengo.Probe(x), nengo.Probe(x, synapse=0.01)

with nengo_dl.Simulator(net, minibatch_size=70) as sim:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    sim.compile(keras.optimizers.Adam(0.005), loss={now: loss})
    # one time step is enough for rates
    sim.fit({image: images[:N_TRAIN]}, {now: labels[:N_TRAIN]}, epochs=15, verbose=2)

    # spikes need some time until their mean tells
    shown = np.tile(images[N_TRAIN:], (1, N_STEPS, 1))
    outputs = sim.predict({image: shown}, verbose=0)[filtered]

answers = outputs[:, -1].argmax(axis=-1)
accuracy = np.mean(answers == labels[N_TRAIN:, 0, 0])
print(f"{accuracy:.1%} of {len(answers)} test images are recognised by spikes")
assert accuracy > 0.85
