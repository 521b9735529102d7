"""Datasets and generators for `train` and `loss`: minibatches one after the other."""

import threading

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.inputs.blocks import ahead

BATCH, N, N_STEPS = 2, 4, 3
RNG = np.random.RandomState(0)
X = RNG.uniform(-1, 1, size=(N * BATCH, N_STEPS, 1)).astype(np.float32)
Y = RNG.uniform(-1, 1, size=(N * BATCH, N_STEPS, 1)).astype(np.float32)
PARTS = [slice(i * BATCH, (i + 1) * BATCH) for i in range(N)]


@pytest.fixture(scope="module")
def net():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        net.a = nengo.Node([0], label="a")
        ensemble = nengo.Ensemble(10, 1, neuron_type=nengo.RectifiedLinear())
        nengo.Connection(net.a, ensemble, synapse=None)
        net.p = nengo.Probe(ensemble, label="p")
        net.q = nengo.Probe(ensemble, label="q")
    return net


@pytest.fixture
def sim(net):
    with nengo_dl.Simulator(net, minibatch_size=BATCH, progress_bar=False) as sim:
        yield sim


def generator(net, n=N):
    for part in PARTS[:n]:
        yield {net.a: X[part], net.p: Y[part]}


class Numbered(keras.utils.PyDataset):
    def __len__(self):
        return N

    def __getitem__(self, i):
        return {"a": X[PARTS[i]]}, {"p": Y[PARTS[i]]}


def dataset():
    return tf.data.Dataset.from_tensor_slices({"a": X, "p": Y}).batch(BATCH)


STREAMS = {
    "generator": generator,
    "pairs": lambda net: (({"a": X[p]}, {"p": Y[p]}) for p in PARTS),
    "arrays": lambda net: ((X[p], Y[p]) for p in PARTS),
    "steps": lambda net: (
        {"a": X[p], "p": Y[p], "n_steps": np.full((BATCH, 1), N_STEPS)} for p in PARTS
    ),
    "PyDataset": lambda net: Numbered(),
    "tf.data": lambda net: dataset(),
    "tf.data of pairs": lambda net: dataset().map(
        lambda each: ({"a": each["a"]}, {"p": each["p"]})
    ),
}


def test_streams_train_as_arrays_do(net, sim):
    data = {net.a: X, net.p: Y}
    expected = sim.train(data, keras.optimizers.Adam(0.01), shuffle=False)
    loss = sim.loss(data)
    for name, make in STREAMS.items():
        sim.reset()
        found = sim.train(make(net), keras.optimizers.Adam(0.01), shuffle=False)
        assert np.array_equal(found, expected), name
        assert sim.loss(make(net)) == loss, name


def test_epochs_of_streams(net, sim):
    data = {net.a: X, net.p: Y}
    expected = sim.train(data, "adam", n_epochs=2, shuffle=False)
    sim.reset()
    again = sim.train(dataset(), "adam", n_epochs=2)
    assert np.array_equal(again, expected)
    sim.reset()
    endless = dataset().repeat()
    steps = sim.train(endless, "adam", n_epochs=4, steps_per_epoch=2)
    np.testing.assert_allclose(steps.reshape(2, 2).mean(axis=1), expected, rtol=1e-6)
    taken = []

    def noted():
        for each in generator(net):
            taken.append(each)
            yield each

    source = noted()
    sim.train(source, "adam", n_epochs=1, steps_per_epoch=2)
    assert len(taken) == 2
    third = {net.a: X[PARTS[2]], net.p: Y[PARTS[2]]}
    assert sim.loss(source, steps=1) == sim.loss(third)
    shuffled = sim.train(Numbered(), "adam", n_epochs=2, shuffle=True)
    assert np.isfinite(shuffled).all()


def test_minibatches_of_different_lengths(net, sim):
    def lengths():
        yield {net.a: X[:BATCH], net.p: Y[:BATCH]}
        yield {net.a: X[:BATCH, :2], net.p: Y[:BATCH, :2]}

    expected = [sim.loss(each) for each in lengths()]
    assert sim.loss(lengths(), combine=max) == max(expected)
    assert sim.loss(lengths()) == pytest.approx(np.mean(expected))


ERRORS = {
    "empty": (lambda net: iter([]), {}, "yields nothing"),
    "ends": (generator, {"steps_per_epoch": 5}, r"ran out after 4 of 5"),
    "known to end": (
        lambda net: dataset(),
        {"steps_per_epoch": 3, "n_epochs": 2},
        r"has 4 minibatches; 2 epoch\(s\) of 3 take 6",
    ),
    "a generator for two": (generator, {"n_epochs": 2}, "everything once"),
    "endless": (
        lambda net: dataset().repeat(),
        {},
        r"never ends. Expected steps_per_epoch=",
    ),
    "number": (lambda net: tf.data.Dataset.range(3), {}, "wrong structure"),
    "text": (lambda net: iter(["a"]), {}, "wrong structure"),
    "None": (lambda net: iter([None]), {}, "wrong structure"),
    "four parts": (lambda net: iter([(1, 2, 3, 4)]), {}, "wrong structure"),
    "weights": (lambda net: iter([(X[:2], Y[:2], X[:2, :1])]), {}, "sim.fit"),
    "unknown name": (lambda net: iter([{"b": X[:2]}]), {}, "'b'"),
    "size": (lambda net: iter([{"a": X[:3], "p": Y[:3]}]), {}, "have 3 items"),
    "NaN": (lambda net: iter([{"a": X[:2] * np.nan, "p": Y[:2]}]), {}, "NaN"),
    "other targets": (
        lambda net: iter([{"a": X[:2], "p": Y[:2]}, {"a": X[:2], "q": Y[:2]}]),
        {},
        "a later one",
    ),
    "steps of arrays": (
        lambda net: {"a": X, "p": Y},
        {"steps_per_epoch": 2},
        "with arrays",
    ),
    "no steps": (generator, {"steps_per_epoch": 0}, "steps_per_epoch"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_say_what_to_do(net, sim, name):
    make, options, words = ERRORS[name]
    with pytest.raises(ValidationError, match=words):
        sim.train(make(net), "adam", **options)


def test_errors_of_loss_and_of_the_generator(net, sim):
    with pytest.raises(ValidationError, match="steps="):
        sim.loss(dataset().repeat())
    with pytest.raises(ValidationError, match="ran out after 4 of 5"):
        sim.loss(generator(net), steps=5)
    with pytest.raises(ValidationError, match="with arrays"):
        sim.loss({"a": X, "p": Y}, steps=2)

    def fails():
        yield {net.a: X[:BATCH], net.p: Y[:BATCH]}
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        sim.train(fails(), "adam")
    sim.compile("adam", loss={net.p: "mse"})
    for method in (sim.fit, sim.evaluate, sim.predict):
        with pytest.raises(ValidationError, match="never ends"):
            method(dataset().repeat())


def test_the_next_element_is_made_while_one_is_used():
    made, used = [], threading.Event()

    def elements():
        for i in range(3):
            made.append(i)
            if i == 1:
                used.set()
            yield i

    for i in ahead(elements()):
        if i == 0:
            assert used.wait(timeout=20)
            assert made == [0, 1]
    assert made == [0, 1, 2]
