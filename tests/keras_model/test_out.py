"""Outputs that are written into arrays of the user's."""

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import NengoWarning, ValidationError

import nengo_dl

BATCH, N, N_STEPS = 2, 3, 4
X = np.random.RandomState(0).uniform(-1, 1, size=(BATCH * N, N_STEPS, 2))


@pytest.fixture(scope="module")
def net():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        net.a = nengo.Node([0, 0], label="a")
        ensemble = nengo.Ensemble(10, 2)
        nengo.Connection(net.a, ensemble, synapse=None)
        net.p = nengo.Probe(ensemble, label="p")
        net.q = nengo.Probe(net.a, label="q", sample_every=0.002)
    return net


@pytest.fixture(scope="module")
def sim(net):
    with nengo_dl.Simulator(net, minibatch_size=BATCH, progress_bar=False) as sim:
        yield sim


class Written:
    """Something that is no array, and notes what is written into it."""

    def __init__(self, shape):
        self.shape, self.largest, self.values = shape, 0, np.zeros(shape)

    def __setitem__(self, places, values):
        self.largest = max(self.largest, values.nbytes)
        self.values[places] = values


def test_predict_writes_minibatch_by_minibatch(net, sim, tmp_path):
    expected = sim.predict(X, verbose=0)
    shape = expected[net.p].shape
    file = np.memmap(tmp_path / "out", "float64", "w+", shape=shape)
    other = Written(shape)
    found = sim.predict(X, out={net.p: file, "q": other}, verbose=0)
    assert found[net.p] is file and found[net.q] is other
    assert np.array_equal(file, expected[net.p])
    assert np.array_equal(other.values, expected[net.q])
    assert other.largest == expected[net.q][:BATCH].nbytes
    for out in ([np.zeros(shape)], [np.zeros(shape, "f2"), None]):
        found = sim.predict(X, out=out, verbose=0)
        assert list(found) == [net.p]
        np.testing.assert_allclose(found[net.p], expected[net.p], atol=1e-3)


def test_predict_of_a_dataset(net, sim):
    expected = sim.predict(X, verbose=0)
    dataset = tf.data.Dataset.from_tensor_slices({"a": X}).batch(BATCH)
    out = np.zeros((BATCH * N, N_STEPS, 2))
    sim.predict(dataset, out={"p": out}, verbose=0)
    assert np.array_equal(out, expected[net.p])
    longer = np.full((BATCH * N + 1, N_STEPS, 2), 5.0)
    with pytest.warns(NengoWarning, match="has 7 rows; 6 items were written"):
        sim.predict(iter(dataset.as_numpy_iterator()), out={"p": longer}, verbose=0)
    assert np.array_equal(longer[:-1], out)
    assert np.array_equal(longer[-1], np.full((N_STEPS, 2), 5.0))
    with pytest.raises(
        ValidationError, match=r"shape \(5, 4, 2\); expected \(6, 4, 2\)"
    ):
        sim.predict(dataset, out={"p": longer[:5]}, verbose=0)


READ_ONLY = np.zeros((6, 4, 2))
READ_ONLY.flags.writeable = False
SAME = np.zeros((6, 4, 2))
WRONG = {
    "items": ({"p": np.zeros((5, 4, 2))}, r"\(5, 4, 2\); expected \(6, 4, 2\)"),
    "steps": ({"p": np.zeros((6, 3, 2))}, r"\(6, 3, 2\); expected \(6, 4, 2\)"),
    "axes": ({"p": np.zeros((6, 8))}, r"\(6, 8\); expected \(6, 4, 2\)"),
    "whole numbers": ({"p": np.zeros((6, 4, 2), int)}, "int64; expected float32"),
    "text": ({"p": np.zeros((6, 4, 2), "U3")}, "expected float32"),
    "read-only": ({"p": READ_ONLY}, "read-only"),
    "number": ({"p": 5}, "int"),
    "None": ({"p": None}, "NoneType"),
    "nothing": ({}, "at least one Probe"),
    "only None": ([None, None], "at least one Probe"),
    "unknown": ({"z": SAME}, "'z'"),
    "twice": ({"p": SAME, "q": SAME}, "of its own"),
    "too many": ([SAME, np.zeros(1), np.zeros(1)], "3 arrays for 2 Probes"),
    "one for two": (SAME, "Expected a dict"),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_name_the_probe_and_what_is_expected(sim, name):
    out, words = WRONG[name]
    with pytest.raises(ValidationError, match=words):
        sim.predict(X, out=out, verbose=0)
    if not isinstance(out, dict) or "p" not in out or np.ndim(out["p"]) != 3:
        with pytest.raises(ValidationError, match="out"):
            sim.run_steps(N_STEPS, out=out)
    assert sim.n_steps == 0


@pytest.mark.parametrize("minibatch_size", [None, BATCH])
def test_run_steps_writes_samples_as_they_come(net, minibatch_size):
    n_steps = 2100  # of three chunks
    batch = () if minibatch_size is None else (minibatch_size,)
    with nengo_dl.Simulator(
        net, minibatch_size=minibatch_size, progress_bar=False
    ) as s:
        s.run_steps(3)
        s.run_steps(n_steps)
        expected = {probe: s.data[probe] for probe in (net.p, net.q)}
        s.reset()
        s.run_steps(3)
        p = Written((*batch, n_steps, 2))
        q = np.zeros((*batch, n_steps // 2, 2))
        s.run_steps(n_steps, out={net.p: p, net.q: q})
        assert s.n_steps == n_steps + 3
        assert s.data[net.p].shape == (*batch, 3, 2)
        axis = len(batch)
        assert np.array_equal(p.values, expected[net.p].take(range(3, 2103), axis))
        assert np.array_equal(q, expected[net.q].take(range(1, 1051), axis))
        assert p.largest < p.values.nbytes / 4
        s.run_steps(1)
        assert s.data[net.p].shape == (*batch, 4, 2)
        with pytest.raises(ValidationError, match=r"shape .*2\); expected"):
            s.run(0.004, out=[np.zeros((*batch, 3, 2))])


def test_a_probe_that_keeps_the_last_sample():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(keep_history=False)
        node = nengo.Node(lambda t: t)
        probe = nengo.Probe(node)
    out = np.zeros((1, 1))
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(5, out=out)
        assert sim.data[probe].shape == (0,)
        found = sim.predict(n_steps=3, out=[np.zeros((1, 1, 1))], verbose=0)
    np.testing.assert_allclose(out, 0.005, rtol=1e-6)
    assert found[probe].shape == (1, 1, 1)
