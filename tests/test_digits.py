"""A convolutional classifier of handwritten digits, as users of TensorFlow write it."""

import keras
import nengo
import numpy as np
import pytest
from sklearn.datasets import load_digits

import nengo_dl
from tests.helpers import rest_with_everything

N_TRAIN, N_TEST = 1440, 350


@pytest.fixture(scope="module")
def digits():
    """Return images, shape (n_items, 1, 64), and labels, shape (n_items, 1, 1)."""
    data = load_digits()
    order = np.random.RandomState(0).permutation(len(data.target))[: N_TRAIN + N_TEST]
    images = data.images.reshape(-1, 1, 64)[order] / 16
    return images, data.target[order].reshape(-1, 1, 1)


def classifier(neurons, seed=0):
    keras.utils.set_random_seed(seed)
    with nengo.Network(seed=seed) as net:
        # XLA would take most of the time, for some hundred steps
        nengo_dl.configure_settings(lif_smoothing=0.1, jit_compile=False)
        image = nengo.Node(np.zeros(64), label="image")
        x = nengo_dl.Layer(keras.layers.Conv2D(16, 3))(image, shape_in=(8, 8, 1))
        x = nengo_dl.Layer(neurons)(x)
        x = nengo_dl.Layer(keras.layers.Conv2D(32, 3, strides=2))(
            x, shape_in=(6, 6, 16)
        )
        x = nengo_dl.Layer(neurons)(x)
        x = nengo_dl.Layer(keras.layers.Dense(10))(x)
        now, filtered = nengo.Probe(x, label="now"), nengo.Probe(x, synapse=0.01)
    return net, image, now, filtered


def accuracy(net, image, probe, params, digits, n_steps):
    """Return the part of the test images that a network knows."""
    images, labels = (array[N_TRAIN:] for array in digits)
    images = np.tile(images, (1, n_steps, 1))
    with nengo_dl.Simulator(net, minibatch_size=50, progress_bar=False) as sim:
        sim.load_params(params)
        outputs = sim.predict({image: images}, verbose=0)[probe]
    return np.mean(outputs[:, -1].argmax(-1) == labels[:, 0, 0])


@pytest.mark.parametrize("how", rest_with_everything(["train", "fit"]))
def test_digits_are_learned_saved_loaded_and_recognised_by_spikes(
    how, digits, tmp_path
):
    spikes, rates = nengo.LIF(amplitude=0.01), nengo.LIFRate(amplitude=0.01)
    net, image, now, _ = classifier(spikes)
    images, labels = (array[:N_TRAIN] for array in digits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(0.005)
    with nengo_dl.Simulator(net, minibatch_size=60, progress_bar=False) as sim:
        if how == "fit":
            sim.compile(optimizer, loss={now: loss})
            sim.fit({image: images}, {now: labels}, epochs=15, verbose=0)
        else:
            data = {image: images, now: labels}
            sim.train(data, optimizer, n_epochs=15, objective={now: loss})
        sim.save_params(tmp_path / "params")
    # networks with other weights, until those of the file are loaded
    net, image, now, _ = classifier(rates, seed=1)
    params = tmp_path / "params"
    assert accuracy(net, image, now, params, digits, 1) >= 0.95
    net, image, _, filtered = classifier(spikes, seed=2)
    assert accuracy(net, image, filtered, params, digits, 60) >= 0.9
