import nengo
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from nengo.builder import Model
from nengo.builder.operator import Copy, Reset
from nengo.builder.signal import Signal
from nengo.transforms import SparseMatrix

from nengo_dl.graph import signals as sig


def elements(signal):
    """The numbers of the base's elements that `runs` gives, one after the other."""
    return [i for start, stop in sig.runs(signal) for i in range(start, stop)]


slices = st.builds(
    slice,
    st.one_of(st.none(), st.integers(-6, 6)),
    st.one_of(st.none(), st.integers(-6, 6)),
    st.sampled_from([None, 1, 2, 3, -1, -2]),
)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), st.data())
def test_runs_of_a_view_are_what_numpy_selects(shape, data):
    base = np.arange(np.prod(shape)).reshape(shape)
    index = tuple(data.draw(slices, label="slice") for _ in shape)
    if base[index].size == 0:
        return
    signal = Signal(base.astype(float))[index]
    assert elements(signal) == base[index].ravel().tolist()


def test_contiguous_views_are_one_run():
    base = Signal(np.zeros((4, 5)))
    assert list(sig.runs(base)) == [(0, 20)]
    assert list(sig.runs(base[1:3])) == [(5, 15)]
    assert list(sig.runs(base.reshape((20,))[7:9])) == [(7, 9)]
    assert list(sig.runs(Signal(np.zeros(())))) == [(0, 1)]


@pytest.mark.parametrize("make", ["scipy", "nengo"])
def test_sparse_signals_count_their_stored_values(make):
    rows, columns, data = [0, 2, 2], [1, 0, 3], [1.0, 2.0, 3.0]
    if make == "scipy":
        matrix = scipy.sparse.csr_matrix((data, (rows, columns)), shape=(3, 4))
    else:
        matrix = SparseMatrix(np.transpose([rows, columns]), np.array(data), (3, 4))
    signal = Signal(matrix)
    assert sig.size(signal) == 3
    assert np.array_equal(sig.initial_elements(signal), data)
    r, c, v = sig.coordinates(signal)
    assert (r.tolist(), c.tolist(), v.tolist()) == (rows, columns, data)
    assert list(sig.runs(signal)) == [(0, 3)]


def test_initial_elements_of_views_come_in_their_own_order():
    signal = Signal(np.arange(6.0).reshape(2, 3))
    assert sig.initial_elements(signal).tolist() == [0, 1, 2, 3, 4, 5]
    assert sig.initial_elements(signal[:, ::-1]).tolist() == [2, 1, 0, 5, 4, 3]


def test_operators_are_described_by_class_and_tag():
    signal = Signal(np.zeros(2), name="target")
    assert sig.describe(Copy(signal, Signal(np.zeros(2)), tag="mine")) == "Copy 'mine'"
    assert sig.describe(Reset(signal)).startswith("Reset ")


def test_operators_are_described_by_their_signals_where_a_tag_is_not_enough():
    with nengo.Network() as net:
        ensemble = nengo.Ensemble(5, 1, label="mine")
        nengo.Connection(nengo.Node([1], label="source"), ensemble, synapse=None)
    model = Model()
    model.build(net)
    described = {sig.describe_with_signals(op) for op in model.operators}
    assert "Reset (-> <Ensemble 'mine'>.signal)" in described
    assert (
        f"Copy '{net.connections[0]}' (<Node 'source'>.out -> <Ensemble 'mine'>.signal)"
    ) in described
