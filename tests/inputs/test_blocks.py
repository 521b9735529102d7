"""Data larger than memory: read in pieces, handed over in blocks."""

from contextlib import contextmanager

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.inputs import blocks, pieces
from nengo_dl.inputs.arrays import numbers
from nengo_dl.inputs.blocks import Blocks

BATCH, N_ITEMS, N_STEPS = 2, 22, 3


@contextmanager
def small_blocks():
    """Data of more than 200 bytes are large; a block has 10 items of the network's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "LARGE", 200)
        patch.setattr(pieces, "PIECE", 50)
        patch.setattr(blocks, "PIECE", 50)
        patch.setattr(blocks, "BLOCK", 10 * N_STEPS * 4 * 4)
        yield


def in_file(path, values):
    file = np.memmap(path, values.dtype, "w+", shape=values.shape)
    file[:] = values
    file.flush()
    return np.memmap(path, values.dtype, "r", shape=values.shape)


@pytest.fixture(scope="module")
def net():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        net.a = nengo.Node([0, 0], label="a")
        ensemble = nengo.Ensemble(10, 2, neuron_type=nengo.RectifiedLinear())
        nengo.Connection(net.a, ensemble, synapse=None)
        noise = nengo.Node(nengo.processes.WhiteNoise(seed=2))
        nengo.Connection(noise, ensemble[0], synapse=None)
        net.p = nengo.Probe(ensemble, label="p")
    return net


RNG = np.random.RandomState(0)
X = RNG.randint(-5, 5, size=(N_ITEMS, N_STEPS, 2)).astype(np.int16)
Y = RNG.uniform(-1, 1, size=(N_ITEMS, N_STEPS, 2))


def everything(net, x, y):
    """Return what all methods with data of many items give."""
    found = {}
    with nengo_dl.Simulator(net, minibatch_size=BATCH, progress_bar=False) as sim:
        data = {net.a: x, net.p: y}
        found["train"] = sim.train(data, keras.optimizers.SGD(0.01), n_epochs=2)
        found["in order"] = sim.train(data, "adam", shuffle=False)
        found["loss"] = sim.loss(data)
        found["run_batch"] = sim.run_batch(data, {net.p: None}, combine=np.concatenate)[
            net.p
        ]
        sim.compile("adam", loss="mse")
        pair = ({net.a: x}, {net.p: y})
        history = sim.fit(*pair, epochs=2, verbose=0)
        found["fit"] = history.history["loss"]
        history = sim.fit(*pair, steps_per_epoch=3, shuffle="batch", verbose=0)
        found["steps"] = history.history["loss"]
        found["evaluate"] = sim.evaluate(*pair, verbose=0)["loss"]
        found["predict"] = sim.predict({net.a: x}, verbose=0)[net.p]
        sim.run_steps(N_STEPS, {net.a: x[:BATCH]})
        found["run"] = sim.data[net.p]
    return found


def test_every_method_gives_the_same_for_files(net, tmp_path):
    files = in_file(tmp_path / "x", X), in_file(tmp_path / "y", Y)
    expected = everything(net, X, Y)
    with small_blocks():
        found = everything(net, *files)
    for name, values in found.items():
        assert np.array_equal(values, expected[name]), name


def test_no_more_than_a_piece_is_read_at_once():
    values = np.zeros((1000, 3))
    with small_blocks():
        given = numbers(values, np.float32, "Data", "(n,)", "data")
        assert np.shares_memory(given, values)
        parts = list(pieces.pieces(values))
    assert {part.nbytes for part in parts} == {48}
    assert sum(map(len, parts)) == 1000
    with small_blocks():
        parts = list(pieces.pieces(np.arange(600).reshape(2, 3, 100)[:, ::-1]))
        repeated = list(pieces.pieces(np.broadcast_to(np.ones(3), (1000, 3))))
    assert max(part.nbytes for part in parts) <= 50
    assert sorted(np.concatenate(parts)) == list(range(600))
    assert [part.shape for part in repeated] == [(1, 3)]


@pytest.mark.parametrize(
    "bad, words", [(np.nan, "NaN"), (np.inf, "infinity"), (1e300, "float32|single")]
)
def test_numbers_that_are_not_finite_are_refused_before_anything_is_done(
    net, tmp_path, bad, words
):
    values = np.zeros((N_ITEMS, N_STEPS, 2))
    values[-1, -1, -1] = bad
    x = in_file(tmp_path / "x", values)
    with (
        nengo_dl.Simulator(net, minibatch_size=BATCH, progress_bar=False) as sim,
        small_blocks(),
    ):
        before = sim.get_nengo_params(net.all_ensembles)
        with pytest.raises(ValidationError, match=words):
            sim.train({net.a: x, net.p: Y}, "sgd")
        after = sim.get_nengo_params(net.all_ensembles)
    assert np.array_equal(before[0]["bias"], after[0]["bias"])


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_files_keep_what_was_written_when_memory_is_given_back(tmp_path, mode):
    in_file(tmp_path / "x", np.zeros(5000))
    file = np.memmap(tmp_path / "x", "float64", mode, shape=5000)
    if mode != "r":
        file[:] = 1.0
    values = file.copy()
    for part in (file, file[10:], np.asarray(file), file[::2].reshape(50, 50)):
        pieces.let_go(part)
        assert np.array_equal(file, values)
    pieces.let_go(values)
    pieces.let_go(None)


@pytest.mark.parametrize("n_items", [1, 4, 5, 22])
def test_blocks_have_the_items_in_order(n_items):
    values = np.arange(n_items * 6, dtype=np.int32).reshape(n_items, 2, 3)
    order = np.random.RandomState(0).permutation(n_items)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "LARGE", 0)
        patch.setattr(blocks, "BLOCK", 2 * 6 * 4)
        found = Blocks([values], tf.float32, n_items, 1, None)
        items = [
            block.arrays[0].numpy()[block.order[: block.n_minibatches]]
            for block in found.in_order(order)
        ]
    assert max(map(len, items)) <= 2
    assert np.array_equal(np.concatenate(items), values[order])
