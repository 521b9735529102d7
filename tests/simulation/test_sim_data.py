import warnings

import nengo
import numpy as np
import pytest
import scipy.sparse
from nengo.builder import Model
from nengo.exceptions import NengoWarning, ValidationError

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
        assert isinstance(found, type(expected))
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


# -- live parameters


@pytest.fixture(scope="module")
def trained():
    """A network whose parameters have all been changed, and Nengo's view of it."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node([0.5, 0.5], label="node")
        a = nengo.Ensemble(10, 2, label="a", radius=1.5, neuron_type=nengo.LIFRate())
        b = nengo.Ensemble(
            9, 1, label="b", neuron_type=nengo.RegularSpiking(nengo.Tanh())
        )
        nengo.Connection(node, a, transform=0.5)
        nengo.Connection(a[0], b)
        matrix = scipy.sparse.random(9, 10, 0.5, "csr", random_state=0)
        for init in ({"init": matrix}, {"indices": [[0, 1], [2, 0]], "init": 1.0}):
            nengo.Connection(
                a.neurons, b.neurons, transform=nengo.Sparse((9, 10), **init)
            )
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        store = sim._runner.store
        values = store.snapshot()
        store.restore(
            {s: 1.1 * v for s, v in values.items() if s in sim._built.trainable}
        )
        yield net, sim


def test_parameters_are_live(trained):
    net, sim = trained
    with nengo.Simulator(net, progress_bar=False) as built:
        for obj in (*net.ensembles, *net.connections):
            ours, theirs = sim.data[obj], built.data[obj]
            if isinstance(obj, nengo.Connection):
                assert type(ours.weights) is type(theirs.weights)
                difference = dense(ours.weights) - 1.1 * dense(theirs.weights)
                assert np.allclose(difference, 0)
                continue
            expected = {
                name: 1.1 * getattr(theirs, name)
                for name in ("scaled_encoders", "gain", "bias")
            }
            # lengths of encoders are part of the gain
            expected["encoders"] = theirs.encoders
            expected["eval_points"] = theirs.eval_points
            rates, intercepts = obj.neuron_type.max_rates_intercepts(
                expected["gain"], expected["bias"]
            )
            expected.update(max_rates=rates, intercepts=intercepts)
            for name, value in expected.items():
                assert np.allclose(getattr(ours, name), value), (obj, name)
            assert set(ours._fields) == set(expected)


def test_single_parameters(trained):
    net, sim = trained
    a, connection = net.ensembles[0], net.connections[0]
    bias, weights = sim.data.get_params((a, "bias"), (connection, "weights"))
    assert np.array_equal(bias, sim.data[a].bias)
    assert weights == sim.data[connection].weights == 0.55
    assert sim.data.get_params() == []
    with pytest.warns(DeprecationWarning, match=r"get_params\("):
        assert np.array_equal(sim.data.get_param(a, "gain"), sim.data[a].gain)
    for obj, attr in ((a, "weights"), (connection, "bias"), (net.nodes[0], "output")):
        with pytest.raises(ValidationError, match=f"no parameter '{attr}'; it has"):
            sim.data.get_params((obj, attr))


def test_freezing_does_not_change_what_is_known(trained):
    net, sim = trained
    a = net.ensembles[0]
    before = sim.data[a]._asdict()
    sim.freeze_params(a)
    for name, value in sim.data[a]._asdict().items():
        assert np.array_equal(value, before[name]), name


@pytest.mark.parametrize("minibatch_size", [None, 3])
def test_what_is_learned_has_a_batch_axis(minibatch_size):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        a = nengo.Ensemble(10, 2, neuron_type=nengo.PoissonSpiking(nengo.LIFRate()))
        b = nengo.Ensemble(7, 2)
        nengo.Connection(nengo.Node([0.5, 1]), a)
        voja = nengo.Connection(a, b, learning_rule_type=nengo.Voja())
        pes = nengo.Connection(b, a, learning_rule_type=nengo.PES())
        nengo.Connection(a, pes.learning_rule)
    with nengo_dl.Simulator(
        net, minibatch_size=minibatch_size, progress_bar=False
    ) as sim:
        sim.run_steps(20)
        lead = () if minibatch_size is None else (minibatch_size,)
        assert sim.data[pes].weights.shape == (*lead, 2, 7)
        assert sim.data[voja].weights.shape == (2, 10)
        learned = sim.data[b]
        assert learned.encoders.shape == learned.scaled_encoders.shape == (*lead, 7, 2)
        assert np.allclose(np.linalg.norm(learned.encoders, axis=-1), 1)
        assert learned.gain.shape == learned.intercepts.shape == (*lead, 7)
        assert learned.bias.shape == (7,)


def closing_network():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        a = nengo.Ensemble(5, 1, label="a", neuron_type=nengo.LIFRate())
        b = nengo.Ensemble(5, 1, label="b", neuron_type=nengo.LIFRate())
        learned = nengo.Connection(
            a, b, label="learned", learning_rule_type=nengo.PES(), synapse=None
        )
        nengo.Connection(nengo.Node([1], label="error"), learned.learning_rule)
        nengo.Connection(nengo.Node([0], label="input"), a, synapse=None)
        nengo.Probe(b)
    return net


@pytest.mark.parametrize("how", ["not at all", "set", "load", "train", "fit", "reset"])
def test_after_closing_changed_parameters_are_initial_and_a_warning_says_so(
    how, tmp_path
):
    net = closing_network()
    ensemble, (learned, *_), (probe,) = net.ensembles[0], net.connections, net.probes
    data = {net.nodes[1]: np.ones((1, 1, 1))}, {probe: np.ones((1, 1, 1))}
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        bias, weights = sim.data[ensemble].bias, sim.data[learned].weights
        if how in ("set", "reset"):
            signal = sim.model.sig[ensemble.neurons]["bias"]
            sim._runner.store.set_value(signal, np.ones(5))
            assert np.array_equal(sim.data[ensemble].bias, np.ones(5))
        elif how == "load":
            sim.save_params(tmp_path / "p.npz")
            sim.load_params(tmp_path / "p.npz")
        elif how == "train":
            sim.train({**data[0], **data[1]}, "sgd")
        elif how == "fit":
            sim.compile("sgd", loss="mse")
            sim.fit(*data, verbose=0)
        sim.run_steps(3)
        if how == "reset":
            sim.reset()
            sim.run_steps(3)
    assert sim.data[probe].shape == (3, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if how in ("not at all", "reset"):
            found = sim.data[ensemble].bias
        else:
            with pytest.warns(NengoWarning, match="closed, so the parameters of .* a"):
                found = sim.data[ensemble].bias
        assert np.array_equal(found, bias)
    # what learning rules change
    with pytest.warns(NengoWarning, match="closed, so the parameters of .* learned"):
        assert np.array_equal(sim.data[learned].weights, weights)


def test_after_closing_a_simulator_that_has_not_run_there_is_no_warning():
    net = closing_network()
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        before = sim.data[net.connections[0]].weights
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(sim.data[net.connections[0]].weights, before)
