"""What the loop is fed: Node outputs and presented data."""

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.inputs.memory import aligned_zeros
from tests.helpers import assert_close, configured, simulate


def spiking_network():
    with nengo.Network(seed=0) as net:
        net.stimulus = nengo.Node([0, 0], label="stimulus")
        ensemble = nengo.Ensemble(20, 2)
        nengo.Connection(net.stimulus, ensemble)
        net.decoded = nengo.Probe(ensemble, synapse=0.01)
        net.spikes = nengo.Probe(ensemble.neurons)
        net.fed = nengo.Probe(net.stimulus)
    return net


def test_presented_data_are_what_the_node_says():
    net = spiking_network()
    data = np.random.RandomState(0).uniform(-1, 1, (3, 40, 2))
    sim = simulate(net, 40, data={net.stimulus: data}, minibatch_size=3)
    assert np.array_equal(sim.data[net.fed], data)


def test_items_of_a_minibatch_equal_the_same_items_alone():
    net = spiking_network()
    data = np.random.RandomState(0).uniform(-1, 1, (3, 40, 2))
    batch = simulate(net, 40, data={net.stimulus: data}, minibatch_size=3)
    for i in range(3):
        alone = simulate(net, 40, data={net.stimulus: data[i]})
        assert np.array_equal(batch.data[net.spikes][i], alone.data[net.spikes])
        assert_close(batch.data[net.decoded][i], alone.data[net.decoded])


def test_items_with_noise_equal_runs_with_larger_seeds():
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node([0])
        noise = nengo.Node(nengo.processes.WhiteNoise(), size_out=1)
        fixed = nengo.Node(nengo.processes.WhiteNoise(seed=3), size_out=1)
        ensemble = nengo.Ensemble(20, 1, noise=nengo.processes.FilteredNoise())
        for node in (stimulus, noise, fixed):
            nengo.Connection(node, ensemble, transform=0.3)
        probes = [
            nengo.Probe(obj) for obj in (noise, fixed, ensemble, ensemble.neurons)
        ]
    data = np.random.RandomState(0).uniform(-1, 1, (3, 30, 1))
    batch = simulate(net, 30, data={stimulus: data}, minibatch_size=3, seed=11)
    for i in range(3):
        alone = simulate(net, 30, data={stimulus: data[i]}, seed=11 + i)
        for probe in probes:
            assert_close(batch.data[probe][i], alone.data[probe])
    first, second = batch.data[probes[0]][:2]
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("python", [False, True], ids=["ahead", "in the loop"])
@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize(
    "output",
    [[0.5, 1.5], lambda t: [t, 2 * t], nengo.processes.WhiteSignal(0.1, 50, seed=0)],
    ids=["constant", "function", "process"],
)
def test_data_replace_every_kind_of_output(output, python, jit):
    with nengo.Network(seed=0) as net:
        node = nengo.Node(output, size_out=2)
        other = nengo.Node(lambda t: 3)
        if python:
            nengo.Connection(
                node, nengo.Node(lambda t, x: None, size_in=2), synapse=None
            )
        fed = nengo.Probe(node)
        kept = nengo.Probe(other)
    own = simulate(net, 4).data[fed]
    data = np.random.RandomState(0).rand(2, 4, 2)
    with configured(net, jit_compile=jit):
        sim = nengo_dl.Simulator(
            net, dtype="float64", minibatch_size=2, progress_bar=False
        )
    with sim:
        sim.run_steps(4, data={node: data})
        assert np.array_equal(sim.data[fed], data)
        assert np.all(sim.data[kept] == 3)
        # afterwards the Node speaks for itself again
        sim.reset()
        sim.run_steps(4)
        assert_close(sim.data[fed][1], own)


def test_functions_of_presented_nodes_are_not_called():
    calls = []
    with nengo.Network() as net:
        node = nengo.Node(lambda t: calls.append(t) or 1, size_out=1)
        nengo.Node(lambda t, x: None, size_in=1)
        nengo.Probe(node)
    calls.clear()
    simulate(net, 3, data={node: np.zeros((3, 1))})
    assert not calls


def test_data_of_long_runs_go_on_over_chunks(monkeypatch):
    monkeypatch.setattr("nengo_dl.program.program.MAX_CAPACITY", 7)
    with nengo.Network(seed=0) as net:
        nodes = [nengo.Node([0]), nengo.Node(lambda t: t)]
        nengo.Connection(nodes[1], nengo.Node(lambda t, x: x, size_in=1))
        probes = [nengo.Probe(node) for node in nodes]
    data = {node: np.random.rand(2, 20, 1) for node in nodes}
    sim = simulate(net, 20, data=data, minibatch_size=2)
    for node, probe in zip(nodes, probes, strict=True):
        assert np.array_equal(sim.data[probe], data[node])


def test_data_of_one_run_do_not_stay_for_the_next():
    net = spiking_network()
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        sim.run_steps(2, data={net.stimulus: np.ones((2, 2))})
        sim.run_steps(2)
        sim.step(data={net.stimulus: np.full((1, 2), 3)})
        sim.run(0.002, data={net.stimulus: np.full((2, 2), 4)})
        values = sim.data[net.fed][:, 0]
    assert values.tolist() == [1, 1, 0, 0, 3, 4, 4]


def test_forms_of_data():
    net = spiking_network()
    values = np.random.RandomState(0).rand(3, 2)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        for data in (
            {net.stimulus: values},
            {net.stimulus: values[None]},
            {net.stimulus: values.tolist()},
            {"stimulus": values},
            [values],
            values,
        ):
            sim.run_steps(3, data=data)
            assert np.array_equal(sim.data[net.fed][-3:], values)


def test_data_that_do_not_fit_are_refused_before_anything_runs():
    net = spiking_network()
    with nengo.Network():
        stranger = nengo.Node(0, label="stranger")
    good = np.zeros((2, 5, 2))
    bad = good.copy()
    bad[1, 2, 0] = np.nan
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        for data, message in (
            ({net.stimulus: good[:, :4]}, r"stimulus.*\(2, 4, 2\).*\(2, 5, 2\)"),
            ({net.stimulus: good[:1]}, r"stimulus.*\(1, 5, 2\).*\(2, 5, 2\)"),
            ({net.stimulus: good[0]}, r"stimulus.*\(5, 2\).*\(2, 5, 2\)"),
            ({net.stimulus: bad}, "stimulus.*NaN"),
            ({stranger: good}, "stranger.*not part of"),
            ({net.all_ensembles[0]: good}, "Expected an input Node"),
        ):
            with pytest.raises(ValidationError, match=message):
                sim.run_steps(5, data=data)
        assert sim.n_steps == 0
        sim.run_steps(5, data={net.stimulus: good})
        assert sim.n_steps == 5


def test_constants_are_fed_again_after_data_were_presented():
    with nengo.Network() as net:
        a, b = nengo.Node(1), nengo.Node(2)
        probes = [nengo.Probe(a), nengo.Probe(b)]
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(2)
        sim.run_steps(2, data={a: [[5], [6]]})
        sim.run_steps(2)
        values = [sim.data[p].ravel().tolist() for p in probes]
    assert values == [[1, 1, 5, 6, 1, 1], [2] * 6]


def test_random_numbers_are_fed_within_the_limits_of_a_buffer(monkeypatch):
    with nengo.Network(seed=0) as net:
        neuron_type = nengo.StochasticSpiking(nengo.LIFRate())
        ensemble = nengo.Ensemble(50, 1, neuron_type=neuron_type)
        p = nengo.Probe(ensemble.neurons)
    expected = simulate(net, 30).data[p]
    # 50 random numbers, 50 samples and one constant take 8 bytes each
    monkeypatch.setattr("nengo_dl.program.program.MAX_BUFFER_BYTES", 8 * 101 * 7)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        assert 7 <= sim._program.capacity() < 9
        sim.run_steps(30)
        assert np.array_equal(sim.data[p], expected)


def test_buffers_begin_where_tensorflow_needs_no_copy():
    for shape in ((3, 1, 5), (1000, 2, 7), (1, 1, 0)):
        for dtype in ("float32", "float64"):
            buffer = aligned_zeros(shape, dtype)
            assert buffer.shape == shape
            assert buffer.dtype == dtype
            assert not buffer.any()
            assert buffer.ctypes.data % 64 == 0 or not buffer.size
