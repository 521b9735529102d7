"""Graphs of snnTorch, Norse and Spyx here, and graphs of ours there: spike by spike."""

import nengo
import nir
import norse.torch as norse
import numpy as np
import pytest
import snntorch
import torch
from norse.torch.functional.lif import LIFParameters
from norse.torch.functional.lif_box import LIFBoxParameters
from norse.torch.utils.export_nir import to_nir as norse_graph
from norse.torch.utils.import_nir import from_nir as norse_model
from snntorch.export_nir import export_to_nir
from snntorch.import_nir import import_from_nir
from snntorch.utils import reset

import nengo_dl

#: neither decoder cache nor rates of neurons that have no refractory time
pytestmark = pytest.mark.filterwarnings("ignore")
STEPS = 300


def spikes_in(n, rate=0.3, seed=0):
    return (np.random.RandomState(seed).rand(STEPS, n) < rate).astype(np.float32)


def full(n, value):
    return torch.full((n,), value)


def run_here(net, data, simulator=nengo.Simulator, dt=1e-4, **kwargs):
    """Return what the only Output has sent."""
    (node,), (probe,) = net.inputs.values(), net.outputs.values()
    with net:
        if simulator is nengo.Simulator:
            node.output = nengo.processes.PresentInput(data, dt)
        with simulator(net, dt=dt, progress_bar=False, **kwargs) as sim:
            if simulator is nengo.Simulator:
                sim.run_steps(len(data))
                return sim.data[probe]
            sim.run_steps(len(data), data={node: data[None]})
            return sim.data[probe][0] if sim.data[probe].ndim == 3 else sim.data[probe]


def recurrent(n):
    return torch.nn.Sequential(
        torch.nn.Linear(4, n),
        snntorch.RLeaky(
            full(n, 0.9),
            threshold=full(n, 1.0),
            init_hidden=True,
            linear_features=n,
            **RESETS["zero"],
        ),
    )


def planes(n):
    def layer(*shape):
        return snntorch.Leaky(
            torch.full(shape, 0.9),
            threshold=torch.full(shape, 0.2),
            init_hidden=True,
            **RESETS["zero"],
        )

    return torch.nn.Sequential(
        torch.nn.Unflatten(1, (2, 5, 6)),
        torch.nn.Conv2d(2, 3, 3, padding=1, stride=2),
        layer(3, 3, 3),
        torch.nn.AvgPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(3, n),
        layer(n),
    )


class Layers(torch.nn.Module):
    """Layers of weights and of neurons of snnTorch, and all spikes of the last one."""

    def __init__(self, neurons):
        super().__init__()
        torch.manual_seed(0)
        self.fc1 = torch.nn.Linear(4, 32)
        self.lif1 = neurons(32)
        self.fc2 = torch.nn.Linear(32, 8, bias=False)
        self.lif2 = neurons(8)

    def forward(self, x):
        return self.lif2(self.fc2(self.lif1(self.fc1(x))))


def leaky(reset):
    return lambda n: snntorch.Leaky(
        full(n, 0.95), threshold=full(n, 1.0), init_hidden=True, **RESETS[reset]
    )


def synaptic(reset):
    return lambda n: snntorch.Synaptic(
        full(n, 0.8),
        full(n, 0.9),
        threshold=full(n, 1.0),
        init_hidden=True,
        **RESETS[reset],
    )


RESETS = {
    "zero": {"reset_mechanism": "zero", "reset_delay": False},
    "subtract_late": {},  # its default
}


def run_torch(model, data):
    with torch.no_grad():
        return np.array([np.asarray(model(torch.tensor(x)[None])[0]) for x in data])


@pytest.mark.parametrize("how", RESETS)
@pytest.mark.parametrize("neurons", [leaky, synaptic])
def test_spikes_of_snntorch(neurons, how, tmp_path):
    model = Layers(neurons(how))
    graph = export_to_nir(model, torch.zeros(1, 4), ignore_dims=[0])
    nir.write(tmp_path / "graph.nir", graph)
    data = spikes_in(4)
    reset(model)
    theirs = run_torch(model, data)
    net = nengo_dl.from_nir(tmp_path / "graph.nir", source="snntorch", reset=how)
    ours = run_here(net, data)
    assert theirs.sum() > 50
    assert np.abs(ours - theirs).sum() <= 2
    moved = np.abs(run_here(net, data, nengo_dl.Simulator) - theirs).sum()
    assert moved <= 2


def ours(how):
    """A network of ours, of two ensembles."""
    lif = nengo.LIF(
        tau_rc=0.02,
        tau_ref=0,
        min_voltage=-np.inf,
        initial_state={"voltage": nengo.dists.Choice([0])},
    )
    with nengo.Network(seed=3) as net:
        stimulus = nengo.Node(np.zeros(2), label="stimulus")
        a = nengo.Ensemble(40, 2, neuron_type=lif, label="a")
        b = nengo.Ensemble(20, 1, neuron_type=lif, label="b")
        nengo.Connection(stimulus, a, synapse=None)
        synapse = None if how == "instant" else 0.005
        if how == "neurons":
            b.gain, b.bias = np.ones(20), np.zeros(20)
            weights = np.random.RandomState(0).normal(0.001, 0.005, (20, 40))
            nengo.Connection(a.neurons, b.neurons, transform=weights, synapse=synapse)
        else:
            nengo.Connection(a, b, function=lambda x: x[0] * x[1], synapse=synapse)
        nengo.Probe(b.neurons, label="spikes")
    return net


def signals():
    t = np.arange(STEPS)[:, None] * 1e-3
    return np.sin(2 * np.pi * t * [3.0, 5.0]).astype(np.float32)


@pytest.mark.parametrize("how", ["instant", "neurons", "filtered"])
def test_snntorch_runs_ours(how):
    net = ours(how)
    graph = nengo_dl.to_nir(net, reader="snntorch")
    model = import_from_nir(graph)
    data = signals()
    state = None
    theirs = []
    with torch.no_grad():
        for x in data:
            y, state = model(torch.tensor(x)[None], state)
            theirs.append(np.asarray(y[0]))
    with net:
        net.nodes[0].output = nengo.processes.PresentInput(data, 1e-3)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(STEPS)
    spikes = sim.data[net.probes[0]] * sim.dt
    late = int(how != "instant")  # Nengo's synapse is one step late
    theirs = np.array(theirs)[: STEPS - late]
    assert spikes.sum() > 50
    if how == "filtered":
        # the bias of b passes the synapse too, and arrives some steps later
        counts = spikes[late:].sum(axis=0), theirs.sum(axis=0)
        assert np.abs(counts[0] - counts[1]).max() <= 2
    else:
        assert np.abs(spikes[late:] - theirs).sum() <= 2


@pytest.mark.parametrize("make, n_in", [(recurrent, 4), (planes, 60)])
def test_spikes_of_loops_and_convolutions_of_snntorch(make, n_in):
    torch.manual_seed(0)
    model = make(16)
    data = spikes_in(n_in)
    sample = torch.zeros(1, n_in)
    exported = model[1:] if make is planes else model
    if make is planes:
        sample = sample.reshape(1, 2, 5, 6)
    graph = export_to_nir(exported, sample, ignore_dims=[0])
    reset(model)
    theirs = run_torch(model, data)
    net = nengo_dl.from_nir(graph, source="snntorch")
    assert theirs.sum() > 50
    assert np.abs(run_here(net, data) - theirs).sum() <= 2


class NorseLayers(torch.nn.Module):
    """Layers of weights and of neurons of Norse."""

    def __init__(self, cell):
        super().__init__()
        torch.manual_seed(1)
        self.fc1 = torch.nn.Linear(4, 32)
        self.cell1 = cell(32)
        self.fc2 = torch.nn.Linear(32, 8)
        self.cell2 = cell(8)
        with torch.no_grad():
            self.fc1.weight *= 8 if cell is with_current else 60
            self.fc2.weight *= 8 if cell is with_current else 60

    def forward(self, x, state=None):
        first, second = (None, None) if state is None else state
        x, first = self.cell1(self.fc1(x), first)
        x, second = self.cell2(self.fc2(x), second)
        return x, (first, second)


def box(n):
    parameters = LIFBoxParameters(
        tau_mem_inv=full(n, 100.0), v_leak=full(n, 0.0), v_th=full(n, 1.0)
    )
    return norse.LIFBoxCell(parameters)


def with_current(n):
    parameters = LIFParameters(
        tau_mem_inv=full(n, 100.0),
        tau_syn_inv=full(n, 200.0),
        v_leak=full(n, 0.0),
        v_th=full(n, 1.0),
    )
    return norse.LIFCell(parameters)


@pytest.mark.parametrize("cell", [box, with_current])
def test_spikes_of_norse(cell, tmp_path):
    model = NorseLayers(cell)
    # the constants that it writes are in seconds for dt=1 only
    graph = norse_graph(model, torch.zeros(1, 4), dt=1)
    data = spikes_in(4)
    theirs, state = [], None
    with torch.no_grad():
        for x in data:
            y, state = model(torch.tensor(x)[None], state)
            theirs.append(np.asarray(y[0]))
    net = nengo_dl.from_nir(graph, source="norse")
    found = run_here(net, data, dt=1e-3)
    assert np.sum(theirs) > 50
    assert np.abs(found - theirs).sum() <= 2


def test_norse_runs_ours():
    net = ours("instant")
    graph = nengo_dl.to_nir(net, reader="norse")
    model = norse_model(graph, dt=1e-3)
    data = signals()
    theirs, state = [], None
    with torch.no_grad():
        for x in data:
            y, state = model(torch.tensor(x)[None], state)
            theirs.append(np.asarray(y[0]))
    with net:
        net.nodes[0].output = nengo.processes.PresentInput(data, 1e-3)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(STEPS)
    spikes = sim.data[net.probes[0]] * sim.dt
    assert spikes.sum() > 50
    assert np.abs(spikes - np.array(theirs)).sum() <= 2


@pytest.mark.parametrize("kind", ["LIF", "CuBaLIF"])
def test_spikes_of_spyx(kind):
    spyx = pytest.importorskip("spyx")
    import jax.numpy as jnp
    from flax import nnx
    from spyx.nir import to_nir as spyx_graph

    rngs = nnx.Rngs(0)
    decay = {"LIF": {"beta": 0.9}, "CuBaLIF": {"alpha": 0.8, "beta": 0.9}}[kind]
    neurons = getattr(spyx.nn, kind)
    model = spyx.nn.Sequential(
        nnx.Linear(4, 32, rngs=rngs),
        neurons((32,), **decay, rngs=rngs),
        nnx.Linear(32, 8, rngs=rngs),
        neurons((8,), **decay, rngs=rngs),
    )
    shapes = {"input": np.array([4])}, {"output": np.array([8])}
    graph = spyx_graph(model, *shapes, dt=1e-3)
    data = spikes_in(4)
    theirs, _ = spyx.nn.run(model, jnp.array(data)[:, None])
    theirs = np.asarray(theirs)[:, 0]
    net = nengo_dl.from_nir(graph, source="spyx", spike_dt=1e-3)
    found = run_here(net, data, dt=1e-3)
    assert theirs.sum() > 50
    assert np.abs(found - theirs).sum() <= 2
