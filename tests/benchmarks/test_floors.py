"""Bytes and operations are counted as by hand; rates are measured."""

import nengo
import numpy as np
import pytest
import scipy.sparse

import nengo_dl
from nengo_dl.benchmarks import floors, rates
from nengo_dl.benchmarks.floors import Work, work_of


def small_network():
    with nengo.Network(seed=0) as net:
        node = nengo.Node(lambda t: [t, 1, 2])
        ensemble = nengo.Ensemble(10, 1, gain=np.ones(10), bias=np.ones(10))
        weights = np.arange(30).reshape(10, 3)
        nengo.Connection(node, ensemble.neurons, transform=weights, synapse=0.01)
        nengo.Probe(ensemble.neurons)
    return net


@pytest.mark.parametrize("items", [None, 5])
@pytest.mark.parametrize("dtype, width", [("float32", 4), ("float64", 8)])
def test_work_of_a_small_network(items, dtype, width):
    options = {"minibatch_size": items, "dtype": dtype, "progress_bar": False}
    with nengo_dl.Simulator(small_network(), **options) as sim:
        work = work_of(sim)
    n = items or 1
    parameters = 30 + 10  # weights and biases
    carried = n * (10 + 10 + 10 + 1)  # synapse, voltage, refractory time, step
    fed_and_kept = n * (3 + 10)  # the Node and the probe
    assert work.bytes == width * (parameters + 2 * carried + fed_and_kept)
    assert work.resident == width * (parameters + carried + fed_and_kept)
    weights, bias, neurons, time = 2 * 30, 10, 10, 2
    synapse = 2 * 10  # its state and its output
    assert work.operations == n * (weights + bias + neurons + time + synapse)


def test_sparse_weights_have_indices():
    matrix = scipy.sparse.random(20, 30, density=0.1, random_state=0)
    with nengo.Network() as net:
        node = nengo.Node(lambda t: np.full(30, t))
        output = nengo.Node(size_in=20)
        transform = nengo.Sparse((20, 30), init=matrix)
        nengo.Connection(node, output, transform=transform, synapse=None)
        nengo.Probe(output)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        work = work_of(sim)
    assert matrix.nnz == 60
    weights, node, probe, step = 60, 30, 20, 1
    assert work.bytes == 4 * (weights + node + probe + 2 * step) + 4 * weights


def test_products_with_pictures_are_needed_once(monkeypatch):
    monkeypatch.setattr("nengo_dl.graph.ahead.WORTH", 1)
    with nengo.Network(seed=0) as net:
        image = nengo.Node(np.ones(7))
        ensemble = nengo.Ensemble(10, 1, gain=np.ones(10), bias=np.ones(10))
        weights = np.arange(70).reshape(10, 7)
        nengo.Connection(image, ensemble.neurons, transform=weights, synapse=None)
        nengo.Probe(ensemble.neurons)
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        changing, held = work_of(sim), work_of(sim, held=True)
    # in each step: the product, adding the bias, neurons and the two numbers of time
    assert changing.operations == 2 * (2 * 70 + 10 + 10 + 2)
    assert held.operations == 2 * (10 + 2)
    carried = 2 * (10 + 10 + 1)
    assert changing.bytes == 4 * (70 + 10 + 2 * (7 + 10) + 2 * carried)
    assert held.bytes == 4 * (2 * (10 + 10) + 2 * carried)


def test_floor_is_the_longer_one(monkeypatch):
    monkeypatch.setattr(floors, "bandwidth", lambda n_bytes, device: 100.0)
    monkeypatch.setattr(floors, "product_rate", lambda dtype, device: 1000.0)
    assert Work(bytes=500, resident=400, operations=1000).seconds() == 5
    assert Work(bytes=500, resident=400, operations=9000).seconds() == 9


def test_rates_of_this_machine(monkeypatch):
    monkeypatch.setattr(rates, "VOLUME", 2**18)
    monkeypatch.setattr(rates, "SIZE", 32)
    rates._bandwidth.cache_clear()
    rates.product_rate.cache_clear()
    try:
        small = rates.bandwidth(100)
        assert small > 0 and rates.product_rate("float64", "/cpu:0") > 0
        # sizes are rounded up, and not measured twice
        assert rates.bandwidth(rates.MIN_BYTES) == small
        assert rates._bandwidth.cache_info().misses == 1
        assert rates.bandwidth(rates.MIN_BYTES + 1) > 0
        assert rates._bandwidth.cache_info().misses == 2
    finally:  # what was measured with so little is not true
        rates._bandwidth.cache_clear()
        rates.product_rate.cache_clear()
