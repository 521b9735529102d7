"""MNIST-1D, one value after the other: networks of spiking neurons with a memory.

A Legendre Memory Unit, of which nothing is trained, keeps the last values of the signal
in a few numbers, and two layers of integrate-and-fire neurons look at these. The answer
is what they say on average over time, so that it does not matter when something comes.

Training sees rates, one time step for each value, and each signal moved round by a
random number of places in each epoch. For spikes each value is presented for several
steps, and the memory changes from one value to the next, as it did in training.
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
import nengo
import numpy as np

from nengo_dl import config, dists
from nengo_dl.benchmarks.digits import share_of_errors
from nengo_dl.benchmarks.labelled import Labelled
from nengo_dl.benchmarks.lmu import memory_matrices
from nengo_dl.benchmarks.signals import mnist1d
from nengo_dl.simulator import Simulator

#: window of the memory (values of the signal), and numbers that it keeps of them
WINDOW, ORDER = 14, 12
#: neurons of both layers; spikes per neuron and second are about 100 times its output
N_NEURONS, AMPLITUDE = (256, 128), 0.01
MINIBATCH_SIZE, LEARNING_RATE = 100, 3e-3
#: by how much neurons fire more with spikes than they do in training
FASTER = 4
#: how fast the second layer forgets the spikes of the first one (s)
SYNAPSE = 0.002


class SequenceNetwork(nengo.Network):
    """A Legendre memory, two layers of neurons, and the mean of what they say.

    Parameters
    ----------
    n_values : int
        Length of a signal.
    n_classes : int
        Number of outputs.
    seed : int
        Of the weights.

    Attributes
    ----------
    value : nengo.Node
        Presents the signal.
    answer : nengo.Probe
        Outputs, the mean over all time steps so far.
    """

    def __init__(self, n_values: int = 40, n_classes: int = 10, seed: int = 0) -> None:
        super().__init__(seed=seed)
        with self:
            config.configure_settings(
                dtype="float32", keep_history=False, trainable=None
            )
            self.config[nengo.Connection].synapse = None
            self.config[nengo.Connection].transform = dists.Glorot()
            self.value = nengo.Node([0], label="value")
            memory = nengo.Node(size_in=ORDER, label="memory")
            again, into = memory_matrices(WINDOW, ORDER)
            enters = nengo.Connection(self.value, memory, transform=into)
            self._again = nengo.Connection(memory, memory, transform=again, synapse=0)
            for connection in (enters, self._again):
                self.config[connection].trainable = False
            first, second = (self._neurons(n) for n in N_NEURONS)
            nengo.Connection(memory, first)
            self._between = nengo.Connection(first, second)
            output = nengo.Node(size_in=n_classes, label="output")
            nengo.Connection(second, output)
            # outputs of about 4 when an item ends: as softmax likes them
            mean = nengo.LinearFilter([4 / n_values], [1, -1], analog=False)
            self.answer = nengo.Probe(output, synapse=mean, label="answer")

    @staticmethod
    def _type(faster: float = 1) -> nengo.SpikingRectifiedLinear:
        return nengo.SpikingRectifiedLinear(amplitude=AMPLITUDE / faster)

    @staticmethod
    def _neurons(n_neurons: int) -> nengo.ensemble.Neurons:
        return nengo.Ensemble(
            n_neurons,
            1,
            neuron_type=SequenceNetwork._type(),
            gain=nengo.dists.Choice([1 / AMPLITUDE]),
            bias=nengo.dists.Choice([0]),
        ).neurons

    def spike(self, n_steps: int, faster: float = FASTER) -> None:
        """Make the network, which is frozen, fit for spikes.

        Parameters
        ----------
        n_steps : int
            Time steps for which each value is presented.
        faster : float
            By how much rates grow. Spikes become smaller, and outputs stay the same.
        """
        # the memory changes as often as values do: it is what it was a value before
        self._again.synapse = nengo.LinearFilter([1], [1, *[0] * n_steps], analog=False)
        self._between.synapse = SYNAPSE
        for ensemble in self.all_ensembles:
            ensemble.neuron_type = self._type(faster)
            ensemble.gain = faster * ensemble.gain
            ensemble.bias = faster * ensemble.bias


def mnist1d_lmu(
    seed: int = 0, n_epochs: int = 60, n_steps: int = 10, data: Labelled | None = None
) -> dict[str, float]:
    """Train a Legendre memory with integrate-and-fire neurons on MNIST-1D.

    Parameters
    ----------
    seed : int
        Of weights, order of items, and how far they are moved.
    n_epochs : int
        How often each training item is seen.
    n_steps : int
        Time steps of 1 ms for which spiking neurons see each value.
    data : Labelled, optional
        Other data than MNIST-1D.

    Returns
    -------
    dict of {str: float}
        Share of test items that are recognised, ``rates (%)`` and ``spikes (%)``, and
        the ``mean rate (Hz)`` of all neurons.
    """
    data = (mnist1d() if data is None else data).standardised()
    labels = data.train_labels[:, None, None]
    net = SequenceNetwork(data.train.shape[1], seed=seed)
    n_updates = n_epochs * -(-len(labels) // MINIBATCH_SIZE)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, n_updates)
    with Simulator(
        net, minibatch_size=MINIBATCH_SIZE, seed=seed, progress_bar=False
    ) as sim:
        sim.compile(
            keras.optimizers.Adam(rate),
            loss={
                net.answer: keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            },
        )
        for moved in _moved(data.train, n_epochs, seed):
            sim.fit({net.value: moved}, {net.answer: labels}, epochs=1, verbose=0)
        wanted = np.eye(net.answer.size_in)[data.test_labels[:, None]]
        wrong = sim.loss(
            {net.value: data.test, net.answer: wanted},
            {net.answer: share_of_errors},
            training=True,
            progress_bar=False,
        )
        sim.freeze_params(net)
    net.spike(n_steps)
    spikes, hertz = _with_spikes(net, np.repeat(data.test, n_steps, axis=1), data, seed)
    return {
        "rates (%)": 100 * (1 - float(wrong)),
        "spikes (%)": 100 * spikes,
        "mean rate (Hz)": hertz,
    }


def _moved(items: np.ndarray, n_epochs: int, seed: int) -> Iterator[np.ndarray]:
    """Yield items of each epoch, each moved round by a random number of places."""
    rng = np.random.RandomState(seed)
    n_items, n_values = items.shape[:2]
    for _ in range(n_epochs):
        places = np.arange(n_values) - rng.randint(n_values, size=(n_items, 1))
        yield items[np.arange(n_items)[:, None], places % n_values]


def _with_spikes(
    net: SequenceNetwork, shown: np.ndarray, data: Labelled, seed: int
) -> tuple[float, float]:
    """Return the share that spikes recognise, and the mean firing rate (Hz)."""
    with Simulator(
        net, minibatch_size=MINIBATCH_SIZE, seed=seed, progress_bar=False
    ) as sim:
        answers = sim.predict({net.value: shown}, verbose=0)[net.answer][:, -1]
        activity = sim.activity({net.value: shown[:MINIBATCH_SIZE]})
    hertz = activity.spikes / activity.n_neurons / activity.duration
    return float(np.mean(answers.argmax(axis=-1) == data.test_labels)), float(hertz)
