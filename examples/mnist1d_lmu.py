"""Signals of MNIST-1D, value by value: a Legendre memory and spiking neurons.

    python examples/mnist1d_lmu.py
    python examples/mnist1d_lmu.py 60

The data are made by the package mnist1d (``pip install mnist1d``). The number is that
of epochs: the 5 of the first line take seconds, and recognise about 60 % of the
signals; 60 take minutes, and recognise about 93 % as rates and 90 % with spikes.

The memory, of which nothing is trained, keeps the last 14 values in 12 numbers. Two
layers of neurons look at these, and the answer is what they say on average over time.
``python -m nengo_dl.benchmarks mnist1d_lmu`` measures the same network with more seeds.
"""

import sys

import nengo_dl
from nengo_dl.benchmarks.lmu import memory_matrices
from nengo_dl.benchmarks.signals import mnist1d

import keras
import nengo
import numpy as np

N_EPOCHS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
WINDOW, ORDER = 14, 12  # values, numbers
N_STEPS = 10  # for which spiking neurons see a value
FASTER = 4  # than in training do neurons fire then

data = mnist1d()
mean, scale = data.train.mean(), data.train.std()
train, test = ((items - mean) / scale for items in (data.train, data.test[:200]))
labels = data.train_labels[:, None, None]
n_values = train.shape[1]

with nengo.Network(seed=0) as net:
    nengo_dl.configure_settings(trainable=None, keep_history=False)
    net.config[nengo.Connection].synapse = None
    net.config[nengo.Connection].transform = nengo_dl.dists.Glorot()
    net.config[nengo.Ensemble].neuron_type = nengo.SpikingRectifiedLinear(0.01)
    net.config[nengo.Ensemble].gain = nengo.dists.Choice([100])
    net.config[nengo.Ensemble].bias = nengo.dists.Choice([0])
    value = nengo.Node([0])
    memory = nengo.Node(size_in=ORDER)
    first, second = nengo.Ensemble(256, 1), nengo.Ensemble(128, 1)
    output = nengo.Node(size_in=10)
    again, into = memory_matrices(WINDOW, ORDER)
    enters = nengo.Connection(value, memory, transform=into)
    remembers = nengo.Connection(memory, memory, transform=again, synapse=0)
    for connection in (enters, remembers):  # known, and not trained
        net.config[connection].trainable = False
    nengo.Connection(memory, first.neurons)
    between = nengo.Connection(first.neurons, second.neurons)
    nengo.Connection(second.neurons, output)
    # the mean over time, so that it does not matter when something comes
    average = nengo.LinearFilter([4 / n_values], [1, -1], analog=False)
    answer = nengo.Probe(output, synapse=average, label="answer")


def accuracy(sim, n_steps, **options):
    """Return the share of test signals with the right answer at their end."""
    shown = test.repeat(n_steps, axis=1)
    answers = sim.predict({value: shown}, verbose=0, **options)[answer][:, -1]
    return np.mean(answers.argmax(axis=-1) == data.test_labels[: len(test)])


# 1. Train firing rates, one time step for each value.
rng = np.random.RandomState(0)
with nengo_dl.Simulator(net, minibatch_size=100, seed=0, progress_bar=False) as sim:
    rate = keras.optimizers.schedules.CosineDecay(3e-3, 40 * N_EPOCHS)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    sim.compile(keras.optimizers.Adam(rate), loss={answer: loss})
    for _ in range(N_EPOCHS):
        # each signal is moved round by a random number of places
        places = np.arange(n_values) - rng.randint(n_values, size=(len(train), 1))
        moved = np.take_along_axis(train, places[..., None] % n_values, axis=1)
        sim.fit({value: moved}, {answer: labels}, epochs=1, verbose=0)
    print(f"{accuracy(sim, 1, as_rates=True):.0%} are recognised by rates")
    sim.freeze_params(net)

# 2. With spikes: a value is shown for some steps, and the memory is that of one value
# before. Neurons fire more often, and each spike counts for less.
remembers.synapse = nengo.LinearFilter([1], [1, *[0] * N_STEPS], analog=False)
between.synapse = 0.002
for ensemble in (first, second):
    ensemble.neuron_type = nengo.SpikingRectifiedLinear(0.01 / FASTER)
    ensemble.gain = FASTER * ensemble.gain
    ensemble.bias = FASTER * ensemble.bias
with nengo_dl.Simulator(net, minibatch_size=100, seed=0, progress_bar=False) as sim:
    of_spikes = accuracy(sim, N_STEPS)
print(f"{of_spikes:.0%} are recognised by spikes; guessing would be 10%")
assert of_spikes > 0.4
