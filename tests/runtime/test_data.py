import nengo
import numpy as np
import pytest
import scipy.sparse
from nengo.builder import Model
from nengo.exceptions import ValidationError

import nengo_dl


@pytest.fixture(scope="module")
def net():
    with nengo.Network(seed=0) as net:
        a = nengo.Ensemble(10, 2, label="a", radius=1.5)
        nengo.Ensemble(1, 2, neuron_type=nengo.Direct(), label="direct")
        sink = nengo.Node(size_in=2)
        nengo.Connection(a, sink)
        matrix = scipy.sparse.random(2, 10, 0.5, random_state=0)
        nengo.Connection(a.neurons, sink, transform=nengo.Sparse((2, 10), init=matrix))
        nengo.Probe(sink)
    return net


@pytest.fixture(scope="module")
def sims(net):
    with (
        nengo.Simulator(net, progress_bar=False) as theirs,
        nengo_dl.Simulator(net, progress_bar=False) as ours,
    ):
        ours.run_steps(3)
        theirs.run_steps(3)
        yield ours, theirs


def test_built_objects_are_those_of_nengo(net, sims):
    ours, theirs = sims
    for ensemble in net.ensembles:
        for name, value in theirs.data[ensemble]._asdict().items():
            found = getattr(ours.data[ensemble], name)
            assert (value is None) == (found is None), name
            if value is not None:
                np.testing.assert_allclose(found, value, rtol=1e-6, err_msg=name)
    for connection in net.connections:
        found, expected = ours.data[connection], theirs.data[connection]
        assert type(found) is type(expected)
        np.testing.assert_allclose(dense(found.weights), dense(expected.weights), 1e-6)


def dense(weights):
    return weights.toarray() if hasattr(weights, "toarray") else weights


def test_data_are_a_mapping_of_all_objects(net, sims):
    ours, _ = sims
    assert len(ours.data) == len(list(ours.data))
    assert {*net.all_ensembles, *net.all_connections} <= set(ours.data)
    assert net.ensembles[0] in ours.data
    assert net.probes[0] in ours.data


def test_objects_of_another_network(sims):
    with nengo.Network():
        stranger = nengo.Ensemble(2, 1, label="stranger")
    for key in (stranger, "text", 3):
        with pytest.raises(ValidationError, match="not part of the simulated network"):
            sims[0].data[key]


@pytest.mark.parametrize("minibatch_size", [None, 1, 4])
def test_samples_have_a_batch_axis_if_there_is_a_minibatch(net, minibatch_size):
    (probe,) = net.probes
    with nengo_dl.Simulator(
        net, minibatch_size=minibatch_size, progress_bar=False
    ) as sim:
        assert len(sim.data[probe]) == 0
        sim.run_steps(3)
        lead = () if minibatch_size is None else (minibatch_size,)
        assert sim.data[probe].shape == (*lead, 3, 2)
        sim.step()
        assert sim.data[probe].shape == (*lead, 4, 2)


def test_everything_is_read_only(net, sims):
    ours, _ = sims
    arrays = [ours.data[net.probes[0]], ours.data[net.connections[0]].weights]
    arrays += [ours.data[net.ensembles[0]].gain, ours.data[net.ensembles[0]].encoders]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_samples_do_not_change_in_later_runs():
    with nengo.Network() as net:
        p = nengo.Probe(nengo.Node(lambda t: t))
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(3)
        before = sim.data[p]
        copy = np.array(before)
        sim.run_steps(3)
        assert np.array_equal(before, copy)
        sim.reset()
        sim.run_steps(1)
        assert np.array_equal(before, copy)


def test_keep_history_false_keeps_the_last_sample():
    with nengo.Network() as net:
        nengo_dl.configure_settings(keep_history=True)
        node = nengo.Node(lambda t: t * 1000)
        every, last, rare = (
            nengo.Probe(node),
            nengo.Probe(node),
            nengo.Probe(node, sample_every=0.004),
        )
        net.config[last].keep_history = False
        net.config[rare].keep_history = False
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.run_steps(3)
        assert sim.data[last].tolist() == [[[3]], [[3]]]
        assert sim.data[rare].size == 0
        sim.run_steps(8)
        assert sim.data[every].shape == (2, 11, 1)
        assert sim.data[last].tolist() == [[[11]], [[11]]]
        assert sim.data[rare].tolist() == [[[8]], [[8]]]
        sim.step()
        assert sim.data[rare].tolist() == [[[12]], [[12]]]
        sim.step()
        # no sample in this run: the one before stays
        assert sim.data[rare].tolist() == [[[12]], [[12]]]


def test_repr_lists_the_probes(net, sims):
    assert "(3, 2)" in repr(sims[0].data)


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("minibatch_size", [None, 2])
def test_probes_of_whole_numbers(jit, minibatch_size):
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=jit)
        node = nengo.Node(lambda t, x: x, size_in=1)
        probe = nengo.Probe(node)
    model = Model()
    model.build(net)
    model.sig[probe]["in"] = model.step
    options = {"minibatch_size": minibatch_size, "progress_bar": False}
    with nengo_dl.Simulator(None, model=model, **options) as sim:
        sim.run_steps(3)
        expected = [1, 2, 3] if minibatch_size is None else [[1, 2, 3], [1, 2, 3]]
        assert sim.data[probe].tolist() == expected
        assert sim.data[probe].dtype == model.step.dtype


@pytest.mark.parametrize(
    ("own_type", "dtype"), [(True, float), (True, int), (False, float)]
)
def test_probes_of_sparse_weights_show_the_whole_matrix(own_type, dtype):
    dense = np.array([[1, 0, 3], [0, 2, 0]], dtype)
    places = np.argwhere(dense)
    if own_type:
        transform = nengo.Sparse((2, 3), indices=places, init=dense[tuple(places.T)])
    else:
        sparse = pytest.importorskip("scipy.sparse")
        transform = nengo.Sparse((2, 3), init=sparse.csr_matrix(dense))
    with nengo.Network() as net:
        a, b = nengo.Node(np.ones(3)), nengo.Node(size_in=2)
        connection = nengo.Connection(a, b, transform=transform)
        probe = nengo.Probe(connection, "weights", sample_every=0.002)
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.run_steps(5)
        assert np.array_equal(sim.data[probe], np.tile(dense, (2, 2, 1, 1)))
