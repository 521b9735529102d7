"""Networks made of NIR graphs do what the graphs' equations say."""

import nengo
import nir
import numpy as np
import pytest

import nengo_dl
from tests.nir.equations import Stepper, integrate
from tests.nir.graphs import RandomGraph, neurons

pytestmark = pytest.mark.filterwarnings("ignore:(divide|invalid):RuntimeWarning")

STEPS, DT = 40, 1e-3


def data_for(shape, seed=0, steps=STEPS):
    rng = np.random.RandomState(seed)
    return rng.uniform(-1, 1.5, (steps, *shape))


def run(net, data, simulator=nengo.Simulator, **kwargs):
    """Return what the Outputs have sent."""
    with net:
        if simulator is nengo_dl.Simulator:
            nengo_dl.configure_settings(jit_compile=False)
        for name, values in data.items():
            rows = values.reshape(len(values), -1)
            net.inputs[name].output = nengo.processes.PresentInput(rows, DT)
    with simulator(net, dt=DT, progress_bar=False, **kwargs) as sim:
        sim.run_steps(len(values))
        return {name: np.array(sim.data[p]) for name, p in net.outputs.items()}


def assert_as_equations(graph, seed=0, simulator=nengo.Simulator, euler=False, **kw):
    data = {
        name: data_for(tuple(node.input_type["input"]), seed)
        for name, node in graph.nodes.items()
        if isinstance(node, nir.Input)
    }
    expected = integrate(graph, data, DT, euler)
    how = "euler" if euler else "exact"
    net = nengo_dl.from_nir(graph, spike_dt=DT, discretization=how)
    found = run(net, data, simulator, **kw)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=2e-6, rtol=2e-6)
    return expected


def chain(node, shape, shape_out=None):
    nodes = {
        "in": nir.Input(np.array(shape)),
        "node": node,
        "out": nir.Output(np.array(shape_out or shape)),
    }
    return nir.NIRGraph(nodes, [("in", "node"), ("node", "out")], type_check=False)


POINTS = ["LI", "LIF", "CubaLI", "CubaLIF", "IF", "I", "Threshold", "Scale", "Delay"]


@pytest.mark.parametrize("euler", [False, True], ids=["exact", "euler"])
@pytest.mark.parametrize("kind", POINTS)
def test_nodes_of_one_element_each(kind, euler):
    node = neurons(np.random.RandomState(1), kind, (6,))
    expected = assert_as_equations(chain(node, (6,)), euler=euler)
    assert np.any(expected["out"])


@pytest.mark.parametrize(
    "padding, stride, dilation, groups, sizes",
    [
        ("same", 1, 1, 1, (3, 2)),
        ("same", 1, 2, 2, (2, 3)),
        ("valid", (2, 1), 1, 2, (3, 2)),
        ((1, 0), 2, (1, 2), 1, (3, 2)),
        (2, 1, 1, 1, (1, 1)),
    ],
)
def test_convolutions(padding, stride, dilation, groups, sizes):
    rng = np.random.RandomState(0)
    weight = rng.normal(size=(4, 2 // groups, *sizes))
    node = nir.Conv2d((5, 7), weight, stride, padding, dilation, groups, rng.rand(4))
    graph = chain(node, (2, 5, 7), (1,))
    expected = integrate(graph, {"in": data_for((2, 5, 7), steps=1)}, DT)["out"]
    graph.nodes["out"] = nir.Output(np.array([expected.shape[1]]))
    assert_as_equations(graph)


@pytest.mark.parametrize("seed", range(6))
def test_random_graphs(seed):
    assert_as_equations(RandomGraph(seed).graph, seed)


@pytest.mark.everything
@pytest.mark.parametrize("seed", range(6, 206))
def test_many_random_graphs(seed):
    assert_as_equations(RandomGraph(seed, 3 + seed % 5).graph, seed, euler=seed % 2)


@pytest.mark.parametrize(
    "seed",
    [11, *(pytest.param(s, marks=pytest.mark.everything) for s in range(20, 30))],
)
def test_in_tensorflow(seed):
    assert_as_equations(
        RandomGraph(seed).graph, seed, nengo_dl.Simulator, dtype="float64"
    )


@pytest.mark.parametrize("reset", ["subtract", "subtract_late"])
@pytest.mark.parametrize("kind", ["LIF", "CubaLIF", "IF"])
def test_neurons_that_subtract(kind, reset):
    node = neurons(np.random.RandomState(2), kind, (5,))
    height = node.v_threshold - node.v_reset
    stepper = Stepper(node, DT, False)
    fired = 0.0

    def fire(node):
        nonlocal fired
        if reset == "subtract_late":
            stepper.v = stepper.v - fired * height
        fired = (stepper.v > node.v_threshold).astype(float)
        if reset == "subtract":
            stepper.v = stepper.v - fired * height
        return fired

    stepper.fire = fire
    data = data_for((5,)) * 2
    expected = np.array([stepper.step(x) for x in data])
    net = nengo_dl.from_nir(chain(node, (5,)), spike_dt=DT, reset=reset)
    found = run(net, {"in": data})["out"]
    assert expected.sum() > 5
    np.testing.assert_allclose(found, expected)


def test_subgraphs_are_subnetworks():
    inner = nir.NIRGraph(
        {
            "input": nir.Input(np.array([2])),
            "lif": neurons(np.random.RandomState(0), "LIF", (2,)),
            "w": nir.Linear(np.array([[0.1, 0.2], [0.3, -0.4]])),
            "output": nir.Output(np.array([2])),
        },
        [("input", "lif"), ("lif", "w"), ("w", "lif"), ("lif", "output")],
    )
    flat = nir.NIRGraph(
        {"in": nir.Input(np.array([2])), **inner.nodes},
        [("in", "input"), *inner.edges],
        type_check=False,
    )
    nested = nir.NIRGraph(
        {"in": nir.Input(np.array([2])), "a": inner, "out": nir.Output(np.array([2]))},
        [("in", "a"), ("a", "out")],
    )
    data = data_for((2,))
    (expected,) = integrate(flat, {"in": data}, DT).values()
    net = nengo_dl.from_nir(nested, spike_dt=DT)
    np.testing.assert_allclose(run(net, {"in": data})["out"], expected)
    assert [sub.label for sub in net.networks] == ["a"]
    assert net.report.late_edges == (("a/lif", "a/w"),)
    assert isinstance(net.senders["a/lif"], nengo.ensemble.Neurons)


def test_spikes_keep_their_area_with_other_time_steps():
    graph = chain(neurons(np.random.RandomState(0), "LIF", (3,)), (3,))
    net = nengo_dl.from_nir(graph, spike_dt=1e-4)
    (probe,) = net.outputs.values()
    net.inputs["in"].output = np.ones(3)
    with nengo.Simulator(net, dt=1e-3, progress_bar=False) as sim:
        sim.run_steps(50)
    assert set(np.unique(sim.data[probe]).round(12)) == {0, 0.1}


def test_numbers_without_axes_are_those_of_all_elements():
    node = nir.LIF(*(np.array(v) for v in (0.01, 2.0, 0.0, 0.5)))
    graph = chain(node, (3,))
    data = data_for((3,))
    net = nengo_dl.from_nir(graph, spike_dt=DT)
    expected = integrate(graph, {"in": data}, DT)["out"]
    np.testing.assert_allclose(run(net, {"in": data})["out"], expected)


def test_what_is_made_can_be_trained():
    graph = chain(neurons(np.random.RandomState(0), "LIF", (2,)), (2,))
    graph.nodes["w"] = nir.Affine(np.ones((2, 2)), np.ones(2))
    graph.edges = [("in", "w"), ("w", "node"), ("node", "out")]
    net = nengo_dl.from_nir(graph, spike_dt=DT)
    x = np.ones((1, 5, 2))
    with net:
        nengo_dl.configure_settings(jit_compile=False)
    with nengo_dl.Simulator(net, progress_bar=False, minibatch_size=1) as sim:
        before = sim.data[net.all_connections[0]].weights.copy()
        sim.compile("sgd", "mse")
        sim.fit({net.inputs["in"]: x}, {net.outputs["out"]: 0 * x}, verbose=0)
        assert np.any(sim.data[net.all_connections[0]].weights != before)
        again = nengo_dl.to_nir(sim)
    (written,) = (n for n in again.nodes.values() if isinstance(n, nir.Affine))
    assert np.any(written.weight != 1)
