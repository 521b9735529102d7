"""Networks as NIR graphs, and as networks again."""

import keras
import nengo
import nir
import numpy as np
import pytest
from nengo.exceptions import NengoException, ValidationError

import nengo_dl
from nengo_dl.neurons import Heaviside
from tests.nir.equations import integrate
from tests.nir.graphs import RandomGraph
from tests.nir.test_equations import DT, data_for, run

pytestmark = pytest.mark.filterwarnings("ignore:(divide|invalid):RuntimeWarning")

STEPS = 120
EXACT = nengo.LIF(tau_ref=0, min_voltage=-np.inf)


def two_ensembles(neuron_type, **kwargs):
    with nengo.Network(seed=1) as net:
        stimulus = nengo.Node([0.5, -0.3], label="stimulus")
        a = nengo.Ensemble(30, 2, neuron_type=neuron_type, label="a")
        b = nengo.Ensemble(20, 3, neuron_type=neuron_type, label="b/x.y")
        nengo.Connection(stimulus, a)
        nengo.Connection(a, b[:2], function=np.square, **kwargs)
        nengo.Probe(a, synapse=0.01, label="decoded")
        nengo.Probe(b.neurons, label="spikes")
    return net, a, b


def exact():
    net, a, b = two_ensembles(EXACT)
    with net:
        nengo.Connection(a[0], b[2], synapse=0.01, transform=-0.5)
        nengo.Connection(b, a, transform=np.full((2, 3), 0.1), synapse=0.1)
        nengo.Connection(b, b, synapse=0)
        nengo.Connection(
            a.neurons, b.neurons[3:], transform=np.full((17, 30), 1e-4), synapse=None
        )
        nengo.Connection(a, b[:2], solver=nengo.solvers.LstsqL2(weights=True))
        passed = nengo.Node(size_in=2, label="passed")
        nengo.Connection(a, passed[[1, 0]])
        nengo.Connection(passed, b[:2], synapse=None)
        nengo.Connection(passed, b[:2], synapse=None)
        delay = nengo.LinearFilter([1], [1, 0, 0, 0], analog=False)
        nengo.Connection(a, b[:2], synapse=delay)
        nengo.Probe(passed, label="passed")
        nengo.Probe(b[1], label="one")
        nengo.Probe(a.neurons[4:14], synapse=0.02, label="some")
    return net


def approximate():
    net, a, b = two_ensembles(nengo.LIF())
    with net:
        nengo.Connection(a, b[:2], synapse=nengo.Alpha(0.01))
        nengo.Connection(a, b[:2], synapse=nengo.LinearFilter([1], [0.001, 0.11, 1]))
        nengo.Connection(
            a, b[:2], solver=nengo.solvers.NoSolver(np.zeros((30, 2)))
        ).learning_rule_type = nengo.PES()
    return net


def neurons_only():
    with nengo.Network(seed=2) as net:
        stimulus = nengo.Node(np.ones(4), label="stimulus")
        voltage = {"voltage": nengo.dists.Choice([0.25])}
        lif = nengo.LIF(
            tau_ref=0, min_voltage=-np.inf, amplitude=0.01, initial_state=voltage
        )
        a = nengo.Ensemble(4, 1, neuron_type=lif, gain=np.arange(1, 5), bias=np.ones(4))
        b = nengo.Ensemble(
            3, 1, neuron_type=Heaviside(2.0), gain=[1] * 3, bias=[-2] * 3
        )
        nengo.Connection(stimulus, a.neurons, synapse=None)
        nengo.Connection(a.neurons, b.neurons, transform=np.ones((3, 4)), synapse=None)
        nengo.Connection(
            a.neurons,
            a.neurons,
            transform=nengo.Sparse((4, 4), indices=[(0, 1)]),
            synapse=0.01,
        )
        nengo.Probe(a.neurons, label="spikes")
        nengo.Probe(b.neurons, label="steps", synapse=0.01)
    return net


def convolutions(channels_last=False):
    shape = (6, 5, 2) if channels_last else (2, 6, 5)
    with nengo.Network(seed=3) as net:
        stimulus = nengo.Node(np.linspace(0, 1, 60), label="stimulus")
        first = nengo.Convolution(
            3, shape, kernel_size=(3, 2), padding="same", channels_last=channels_last
        )
        second = nengo.Convolution(
            2, first.output_shape, strides=(2, 1), channels_last=channels_last
        )
        layers = [stimulus]
        for transform in (first, second):
            n = transform.output_shape.size
            layers.append(
                nengo.Ensemble(
                    n, 1, neuron_type=EXACT, gain=np.full(n, 3.0), bias=np.full(n, 0.5)
                ).neurons
            )
            nengo.Connection(
                layers[-2],
                layers[-1],
                transform=transform,
                synapse=0.005 if transform is second else None,
            )
        end = nengo.Node(size_in=3)
        weights = np.random.RandomState(0).rand(3, layers[-1].size_out)
        nengo.Connection(layers[-1], end, transform=weights, synapse=None)
        nengo.Probe(layers[1], label="first")
        nengo.Probe(end, label="end")
    return net


NETWORKS = {
    "exact": (exact, False),
    "approximate": (approximate, True),
    "reset": (lambda: two_ensembles(nengo.LIF())[0], "reset"),
    "neurons only": (neurons_only, False),
    "convolutions": (convolutions, False),
    "channels last": (lambda: convolutions(channels_last=True), False),
}


def simulate(net, simulator=nengo.Simulator, **kwargs):
    with simulator(net, progress_bar=False, **kwargs) as sim:
        sim.run_steps(STEPS)
        return {probe: np.array(sim.data[probe]) for probe in net.all_probes}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_come_back_as_they_were(name, tmp_path):
    make, how = NETWORKS[name]
    net = make()
    path = tmp_path / "graph.nir"
    nir.write(path, nengo_dl.to_nir(net, approximate=how))
    again = nengo_dl.from_nir(path)
    before, after = simulate(net), simulate(again)
    assert len(before) == len(again.outputs)
    for probe, samples in before.items():
        assert np.any(samples)
        found = after[again.outputs[probe.label]]
        np.testing.assert_allclose(found, samples, atol=1e-10, rtol=1e-10)


def test_graphs_are_valid_to_others(tmp_path):
    for make in (exact, neurons_only, convolutions):
        nir.write(tmp_path / "graph.nir", nengo_dl.to_nir(make()))
        if make is not convolutions:  # whose kernels NIR's own check gets wrong
            nir.read(tmp_path / "graph.nir")


def test_graph_says_what_the_network_does():
    """Without a synapse in Nengo that is late, all is the same step by step."""
    voltage = {"voltage": nengo.dists.Choice([0])}
    lif = nengo.LIF(tau_ref=0, min_voltage=-np.inf, initial_state=voltage)
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(np.zeros(1), label="stimulus")
        a = nengo.Ensemble(20, 1, neuron_type=lif, label="a")
        b = nengo.Ensemble(10, 1, neuron_type=lif, label="b")
        nengo.Connection(stimulus, a, synapse=None)
        nengo.Connection(a, b, function=np.square, synapse=None)
        nengo.Probe(b.neurons, label="spikes")
    graph = nengo_dl.to_nir(net)
    graph.nodes = {
        name: graph.nodes[name]
        for name in (
            "stimulus", "a_encoders", "a", "a to b_weights", "b_encoders", "b", "spikes"
        )
    }  # fmt: skip
    data = {"stimulus": data_for((1,))}
    expected = integrate(graph, data, DT)["spikes"]
    net.inputs = {"stimulus": stimulus}
    net.outputs = {"spikes": net.probes[0]}
    assert expected.sum() > 5
    np.testing.assert_allclose(run(net, data)["spikes"] * DT, expected)


@pytest.mark.parametrize(
    "seed",
    [1, 4, *(pytest.param(s, marks=pytest.mark.everything) for s in range(5, 25))],
)
def test_graphs_come_back_as_they_were(seed):
    graph = RandomGraph(seed).graph
    data = {
        name: data_for(tuple(node.input_type["input"]), seed)
        for name, node in graph.nodes.items()
        if isinstance(node, nir.Input)
    }
    net = nengo_dl.from_nir(graph, spike_dt=DT)
    written = nengo_dl.to_nir(net)
    kinds = {type(node) for node in graph.nodes.values()}
    if nir.IF not in kinds and nir.LIF not in kinds and nir.CubaLIF not in kinds:
        assert nir.LIF not in {type(node) for node in written.nodes.values()}
    again = nengo_dl.from_nir(written)
    before, after = run(net, data), run(again, data)
    assert before.keys() == after.keys()
    for name, values in before.items():
        np.testing.assert_allclose(after[name], values, atol=1e-6)


def test_trained_parameters_are_written():
    net, a, _ = two_ensembles(EXACT)
    with net:
        nengo_dl.configure_settings(jit_compile=False)
    with nengo_dl.Simulator(net, progress_bar=False, dt=0.002) as sim:
        graph = nengo_dl.to_nir(sim)
        np.testing.assert_allclose(
            graph.nodes["a_encoders"].weight, sim.data[a].scaled_encoders
        )
        with pytest.raises(ValidationError, match="time step of 0.002"):
            nengo_dl.to_nir(sim, dt=0.001)
    assert graph.metadata["nengo_dt"] == 0.002


REFUSED = {
    "refractory": nengo.LIF(),
    "SpikingRectifiedLinear": nengo.SpikingRectifiedLinear(),
    "do not adapt": nengo.AdaptiveLIF(tau_ref=0),
    "Izhikevich": nengo.Izhikevich(),
    "PoissonSpiking": nengo.PoissonSpiking(nengo.LIFRate()),
    "Sigmoid": nengo.Sigmoid(),
    "SoftLIFRate": nengo_dl.SoftLIFRate(),
    "Direct": nengo.Direct(),
}


@pytest.mark.parametrize("words", REFUSED)
def test_neurons_that_nir_has_not_are_named(words):
    with nengo.Network(seed=0) as net:
        ensemble = nengo.Ensemble(5, 1, neuron_type=REFUSED[words], label="odd one")
        nengo.Connection(nengo.Node([0]), ensemble)
    with pytest.raises(NengoException, match=rf"odd one(.|\n)*{words}"):
        nengo_dl.to_nir(net)


def test_all_that_nir_has_not_is_in_one_message():
    net, a, b = two_ensembles(nengo.LIF())
    with net:
        nengo.Connection(a, b[:2], synapse=nengo.Alpha(0.1))
        nengo.Connection(a, b[:2], synapse=nengo.synapses.Triangle(0.1))
        function = nengo.Node(lambda t, x: x, size_in=2, label="function")
        nengo.Connection(a, function, learning_rule_type=nengo.PES())
    with pytest.raises(NengoException) as error:
        nengo_dl.to_nir(net)
    text = str(error.value)
    for words in ("'a'", "b/x.y", "Alpha", "Triangle", "function", "learning rules"):
        assert words in text
    assert isinstance(error.value, NotImplementedError)


@pytest.mark.parametrize("what", ["voltage", "refractory_time"])
def test_probes_of_other_things_are_refused(what):
    with nengo.Network() as net:
        ensemble = nengo.Ensemble(5, 1, neuron_type=EXACT)
        nengo.Probe(ensemble.neurons, what, label="inside")
    with pytest.raises(NengoException, match=what):
        nengo_dl.to_nir(net)


@pytest.mark.parametrize(
    "neuron_type, how, words",
    [
        (nengo.LIF(), True, "refractory time, here 0.002 s.*instead of"),
        (nengo.LIF(), "reset", "v_reset is -.*instead of"),
        (nengo.LIF(tau_ref=0), False, "no floor.*instead of"),
        (nengo.SpikingRectifiedLinear(), True, "IF, measured.*instead of"),
        (nengo.AdaptiveLIF(tau_ref=0), True, "adapt; .*instead of"),
    ],
)
def test_differences_are_measured_and_said(neuron_type, how, words):
    with nengo.Network(seed=0) as net:
        ensemble = nengo.Ensemble(10, 1, neuron_type=neuron_type, label="a")
        nengo.Connection(nengo.Node([0.5]), ensemble, synapse=None)
        nengo.Probe(ensemble.neurons)
    with pytest.warns(UserWarning, match=words):
        nengo_dl.to_nir(net, approximate=how)


def test_adaptation_is_written_as_inhibition():
    voltage = {"voltage": nengo.dists.Choice([0])}
    adaptive = nengo.AdaptiveLIF(
        tau_n=0.1, inc_n=0.05, tau_ref=0, min_voltage=-np.inf, initial_state=voltage
    )
    with nengo.Network(seed=0) as net:
        ensemble = nengo.Ensemble(10, 1, neuron_type=adaptive, label="a")
        nengo.Connection(nengo.Node([0.5]), ensemble, synapse=None)
        nengo.Probe(ensemble.neurons, label="spikes")
    with pytest.warns(UserWarning, match="do not adapt"):
        again = nengo_dl.from_nir(nengo_dl.to_nir(net, approximate=True))
    (before,), (after,) = simulate(net).values(), simulate(again).values()
    assert before.sum() > 0
    assert np.abs((before - after).sum(axis=0)).max() * DT <= 1


@pytest.mark.parametrize("reset, rates", [("drop", (1.5, 2.0)), ("reset", (0.8, 1.2))])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_rates_of_neurons_with_a_refractory_time(reset, rates):
    """At 200 Hz, 2 ms less make 1.67 times the rate."""
    with nengo.Network(seed=0) as net:
        ensemble = nengo.Ensemble(
            10, 1, max_rates=[200] * 10, intercepts=[0] * 10, encoders=[[1]] * 10
        )
        nengo.Connection(nengo.Node([1]), ensemble, synapse=None)
        nengo.Probe(ensemble.neurons, label="spikes")
    graph = nengo_dl.to_nir(net, approximate=reset, dt=1e-4)
    # as other readers see it: without notes
    graph.metadata = {}
    again = nengo_dl.from_nir(graph, spike_dt=1e-4)
    again.inputs["node"].output = np.ones(1)
    with nengo.Simulator(again, dt=1e-4, progress_bar=False) as sim:
        sim.run(0.1)
    found = sim.data[again.outputs["spikes"]].sum() / 10 / 0.1
    assert rates[0] * 200 < found < rates[1] * 200


@pytest.mark.parametrize("reader", ["snntorch", "norse"])
def test_forms_of_readers(reader):
    net, *_ = two_ensembles(EXACT)
    net.probes.remove(net.probes[0])
    graph = nengo_dl.to_nir(net, reader=reader)
    kinds = {type(node).__name__ for node in graph.nodes.values()}
    assert ("CubaLIF" in kinds) == (reader == "snntorch")
    assert ("LI" in kinds) == (reader == "norse")
    lif = next(
        n for n in graph.nodes.values() if type(n).__name__ in ("LIF", "CubaLIF")
    )
    tau = getattr(lif, "tau", getattr(lif, "tau_mem", None))
    dt = 1e-4 if reader == "snntorch" else 1e-3
    np.testing.assert_allclose(1 - dt / tau, np.exp(-0.001 / 0.02))


def test_what_a_reader_has_not_is_named():
    with pytest.raises(NengoException, match="snntorch reads no LI"):
        nengo_dl.to_nir(exact(), reader="snntorch")


@pytest.mark.parametrize(
    "kwargs",
    [{"reader": "brian"}, {"approximate": "x"}, {"approximate": 2}, {"dt": 0},
     {"dt": np.nan}, {"reader": 3}, {"reader": []}],
)  # fmt: skip
def test_wrong_arguments(kwargs):
    with pytest.raises(ValidationError):
        nengo_dl.to_nir(nengo.Network(), **kwargs)


def test_biases_of_a_converted_model_are_nobodys_to_feed():
    image = keras.Input((4, 4, 1))
    layers = keras.layers
    x = layers.Conv2D(2, 3, activation="relu", bias_initializer="ones")(image)
    output = layers.Dense(3, bias_initializer="ones")(layers.Flatten()(x))
    swap = {keras.activations.relu: EXACT}
    net = nengo_dl.Converter(keras.Model(image, output), swap_activations=swap).net
    net.seed = 0
    graph = nengo_dl.to_nir(net)
    kinds = [type(node).__name__ for node in graph.nodes.values()]
    assert kinds.count("Input") == 1
    again = nengo_dl.from_nir(graph)
    data = np.random.RandomState(0).uniform(0, 3, (1, 20, 16))
    found = []
    for each in (net, again):
        inputs = [n for n in each.all_nodes if n.size_in == 0 and n.size_out == 16]
        with nengo_dl.Simulator(each, dtype="float64", progress_bar=False) as sim:
            sim.run_steps(20, data={inputs[0]: data})
            found.append(sim.data[each.all_probes[0]])
    assert np.abs(found[0]).max() > 10
    np.testing.assert_allclose(found[1], found[0], rtol=1e-12)


def test_nodes_without_any_element_are_left_out():
    net, *_ = two_ensembles(EXACT)
    with net:
        nengo.Node(size_in=0)
    graph = nengo_dl.to_nir(net)
    assert [n for n in graph.nodes if type(graph.nodes[n]) is nir.Input] == ["stimulus"]
    nengo_dl.from_nir(graph)


def test_a_probe_that_samples_becomes_an_output_of_each_step_with_a_warning():
    net, *_ = two_ensembles(EXACT)
    with net:
        nengo.Probe(net.all_ensembles[0], sample_every=0.01, label="sampled")
    with pytest.warns(UserWarning, match=r"sampled.*each .*without sample_every=0.01"):
        nengo_dl.to_nir(net)


@pytest.mark.parametrize("network", [None, 3, "net", [], nengo.Network, object()])
def test_wrong_networks(network):
    with pytest.raises(ValidationError):
        nengo_dl.to_nir(network)


def test_empty_networks():
    graph = nengo_dl.to_nir(nengo.Network())
    assert not graph.nodes
