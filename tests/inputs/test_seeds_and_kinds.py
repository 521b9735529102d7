"""Seeds, and data that are no real numbers: refused by name."""

import datetime

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

import nengo_dl

ZEROS = np.zeros((2, 3, 1))
MASKED = np.ma.masked_array(ZEROS, mask=ZEROS == 0)
KINDS = {
    "complex": ZEROS + 1j,
    "a list of complex numbers": [[[1j]] * 3] * 2,
    "masked": MASKED,
    "lists of masked arrays": [list(item) for item in MASKED],
    "dates": ZEROS.astype("M8[s]"),
    "lengths of time": ZEROS.astype("m8[s]"),
    "datetime": [[[datetime.datetime(2020, 1, 1)]] * 3] * 2,
    "structured": np.zeros((2, 3, 1), [("a", float)]),
    "text": ZEROS.astype(str),
    "bytes": ZEROS.astype(bytes),
    "None": [[[None]] * 3] * 2,
    "objects": np.full((2, 3, 1), None),
    "tensor of text": tf.constant(ZEROS.astype(str)),
    "complex tensor": tf.constant(ZEROS + 1j),
    "ragged": tf.ragged.constant([[1.0, 2.0], [3.0]]),
}


@pytest.fixture(scope="module")
def sim():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node, out = nengo.Node([0.5], label="fed"), nengo.Node(size_in=1)
        nengo.Connection(node, out, transform=nengo_dl.dists.Glorot(), synapse=None)
        nengo.Probe(out, label="seen")
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.compile("sgd", loss="mse")
        yield sim


def dataset(values):
    def minibatches():
        yield {"fed": values}, {"seen": ZEROS}

    return minibatches()


def function(sim, values):
    f = sim.function()
    f(f.params, None, {"fed": values}, 3)


CALLS = {
    "run_steps": lambda sim, v: sim.run_steps(3, {"fed": v}),
    "predict": lambda sim, v: sim.predict({"fed": v}),
    "predict_on_batch": lambda sim, v: sim.predict_on_batch({"fed": v}),
    "train": lambda sim, v: sim.train({"fed": v, "seen": ZEROS}, "sgd"),
    "targets of train": lambda sim, v: sim.train({"fed": ZEROS, "seen": v}, "sgd"),
    "loss": lambda sim, v: sim.loss({"fed": ZEROS, "seen": v}),
    "fit": lambda sim, v: sim.fit({"fed": v}, {"seen": ZEROS}),
    "targets of fit": lambda sim, v: sim.fit({"fed": ZEROS}, {"seen": v}),
    "evaluate": lambda sim, v: sim.evaluate({"fed": v}, {"seen": ZEROS}),
    "sample_weight": lambda sim, v: sim.fit(ZEROS, ZEROS, sample_weight=v),
    "class_weight": lambda sim, v: sim.fit(ZEROS, ZEROS, class_weight=v),
    "a class": lambda sim, v: sim.fit(ZEROS, ZEROS, class_weight={0: v}),
    "validation": lambda sim, v: sim.fit(ZEROS, ZEROS, validation_data=(ZEROS, v)),
    "run_batch": lambda sim, v: sim.run_batch({"fed": v}, {"seen": None}),
    "check_gradients": lambda sim, v: sim.check_gradients(inputs={"fed": v}),
    "a generator": lambda sim, v: sim.fit(dataset(v)),
    "function": function,
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", KINDS)
def test_data_that_are_no_real_numbers(sim, call, kind):
    with pytest.raises(ValidationError, match="fed|seen|sample_weight|class_weight"):
        CALLS[call](sim, KINDS[kind])
    assert sim.n_steps == 0


@pytest.mark.parametrize("kind", ["complex", "complex tensor", "tensor of text"])
def test_the_keras_model_called_by_hand(sim, kind):
    with pytest.raises(ValidationError, match="'fed'"):
        sim.keras_model({"fed": KINDS[kind]})


@pytest.mark.parametrize("seed", [-1, 2**32, 2**40, 1.7, "1", [1], np.inf])
def test_seeds_that_nengo_does_not_take(sim, seed):
    before = sim.seed
    for call in (
        lambda: sim.reset(seed=seed),
        lambda: nengo_dl.Simulator(nengo.Network(), seed=seed),
        lambda: sim.function().rewind(seed),
    ):
        with pytest.raises(ValidationError, match="seed.* from 0 to 4294967295"):
            call()
    assert sim.seed == before


def test_seeds_that_nengo_takes():
    with nengo.Network() as net:
        probe = nengo.Probe(nengo.Node(nengo.processes.WhiteNoise(), size_out=1))
    seen = []
    for kind in (nengo.Simulator, nengo_dl.Simulator):
        for seed in (2**32 - 1, np.int64(7), True):
            with kind(net, seed=seed, progress_bar=False) as sim:
                sim.run_steps(2)
            seen.append(sim.data[probe])
    assert np.allclose(seen[:3], seen[3:], rtol=1e-5)
