"""The networks run in both simulators, with the same output."""

from functools import partial

import keras
import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl import benchmarks
from nengo_dl.benchmarks import images, networks
from nengo_dl.benchmarks.dynamics import python_loop, two_ensembles
from nengo_dl.benchmarks.lmu import Cell, memory_matrices
from tests.helpers import assert_matches_nengo, simulate

#: every kind of network with few neurons
SMALL = {
    "two_ensembles": partial(two_ensembles, 10),
    "basal_ganglia": partial(benchmarks.basal_ganglia, 2, 10),
    "integrator": partial(benchmarks.integrator, 2, 10),
    "circular_convolution": partial(benchmarks.cconv, 2, 10, nengo.LIFRate()),
    "pes": partial(benchmarks.pes, 2, 10),
    "random_ensembles": partial(benchmarks.random_network, 2, 5, None, 4, 2),
    "spa_memory": partial(benchmarks.spa_memory, 4, 10, n_pairs=2),
    "lmu": partial(benchmarks.lmu, 10, 2, True, order=4, n_units=5),
    "mlp": images.mlp,
    "convolutional": partial(benchmarks.mnist, use_tensor_layer=False),
    "python_loop": partial(python_loop, 10),
    "spaun": partial(benchmarks.spaun, 2, 30, 90, 10),
}


def test_each_network_is_compared():
    assert set(SMALL) == set(networks.NETWORKS) - {
        "two_ensembles_1000",
        "mlp_changing",
    }
    assert set(networks.SETTINGS) < set(networks.NETWORKS)
    assert set(networks.NETWORKS) - set(networks.BY_DEFAULT) == {"spaun"}


@pytest.mark.parametrize("name", SMALL)
def test_output_is_that_of_nengo(name):
    assert_matches_nengo(
        SMALL[name],
        steps=60,
        dtypes=["float64"],
        minibatch=[None],
        unroll=[1],
        jit=[False],
        silent=("filler",),  # which takes longer to be recognised
    )


def test_memory_tells_fillers_apart():
    net = benchmarks.spa_memory(32, 30, nengo.LIFRate(), n_pairs=2)
    memory, filler = net.all_probes
    with net:
        nengo_dl.configure_settings(jit_compile=False)
    sim = simulate(net, 400, dtype="float32")
    vectors = benchmarks.vectors.unit_vectors(4, 32, seed=0)
    similarity = sim.data[filler][-1] @ vectors[2:].T
    assert similarity[0] > 0.8 and abs(similarity[1]) < 0.5
    assert np.linalg.norm(sim.data[memory][-1]) > 0.5


@pytest.mark.parametrize("name", ["integrator", "basal_ganglia", "pes"])
def test_type_of_neurons(name):
    make = getattr(benchmarks, name)
    net = make(dimensions=2, neurons_per_d=5, neuron_type=nengo.RectifiedLinear())
    types = {type(ensemble.neuron_type) for ensemble in net.all_ensembles}
    assert types == {nengo.RectifiedLinear}


def test_random_network_counts():
    net = benchmarks.random_network(2, 5, n_ensembles=6, connections_per_ensemble=3)
    assert [e.n_neurons for e in net.ensembles] == [10] * 6
    for pre in net.ensembles:
        posts = [c.post for c in net.connections if c.pre is pre]
        assert len(posts) == len(set(posts)) == 3
    with pytest.raises(ValueError, match="7 connections cannot lead .* many of 6"):
        benchmarks.random_network(n_ensembles=6, connections_per_ensemble=7)


def test_large_network_is_as_large_as_asked_for():
    net = benchmarks.spaun(n_ensembles=12, n_connections=40, n_neurons=3)
    assert len(net.ensembles) == 12 and len(net.connections) == 40
    assert net.n_neurons == 36 and len(net.probes) == 10


# -- Legendre Memory Units


def test_legendre_memory_holds_the_window():
    theta = 50
    a, b = memory_matrices(theta, order=12)
    signal = np.sin(np.arange(200) / 12)
    memory = np.zeros(12)
    for u in signal:
        memory = a @ memory + b[:, 0] * u
    # all polynomials are 1 at the far end of the window, and +1, -1, ... at the near
    assert memory.sum() == pytest.approx(signal[-1 - theta], abs=0.05)
    assert memory @ (-1.0) ** np.arange(12) == pytest.approx(signal[-1], abs=0.05)


def test_layer_is_the_same_unit():
    cell = Cell(theta=8, order=3, n_units=4, dtype="float64")
    x = np.random.RandomState(0).uniform(-1, 1, size=(2, 6, 2))
    found = keras.layers.RNN(cell, dtype="float64")(x).numpy()
    a, b = memory_matrices(8, 3)
    encoders = [w.numpy()[:, 0] for w in cell.encoders]
    kernels = [w.numpy() for w in cell.kernels]
    for item, expected in zip(x, found, strict=True):
        hidden, memory = np.zeros(4), np.zeros(3)
        for row in item:
            u = row @ encoders[0] + hidden @ encoders[1]
            memory = a @ memory + b[:, 0] * u
            parts = zip((row, hidden, memory), kernels, strict=True)
            hidden = np.tanh(sum(part @ kernel for part, kernel in parts))
        np.testing.assert_allclose(expected, hidden, rtol=1e-10)


@pytest.mark.parametrize(
    "make, shape",
    [
        (partial(benchmarks.lmu, 6, 2, order=4, n_units=5), (30, 5)),
        (partial(benchmarks.mnist, use_tensor_layer=True), (30, 10)),
    ],
)
def test_networks_of_layers_of_keras(make, shape):
    net = make()
    (probe,) = net.all_probes
    sim = simulate(net, 30, dtype="float32")
    assert sim.data[probe].shape == shape
    assert np.all(np.isfinite(sim.data[probe])) and np.any(sim.data[probe])
