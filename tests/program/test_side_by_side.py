"""Several simulators at the same time, with Python in their loops."""

import gc
import threading
import weakref

import nengo
import numpy as np
import pytest

import nengo_dl
from tests.helpers import configured, simulate


def network(function):
    """A network whose probe records ``function(t, 1000 t)``."""
    with nengo.Network(seed=0) as net:
        source = nengo.Node(lambda t: 1000 * t)
        node = nengo.Node(function, size_in=1)
        nengo.Connection(source, node, synapse=None)
        net.probe = nengo.Probe(node)
    return net


@pytest.fixture(params=[True, False], ids=["callback", "driven"])
def open_simulator(request):
    def make(net):
        with configured(net, jit_compile=request.param):
            return nengo_dl.Simulator(net, dtype="float64", progress_bar=False)

    return make


def test_simulators_in_turn(open_simulator):
    nets = [network(lambda t, x: x + 1), network(lambda t, x: 2 * x)]
    with open_simulator(nets[0]) as first, open_simulator(nets[1]) as second:
        for _ in range(3):
            first.step()
            second.run_steps(2)
    np.testing.assert_allclose(first.data[nets[0].probe].ravel(), [2, 3, 4])
    np.testing.assert_allclose(
        second.data[nets[1].probe].ravel(), 2.0 * np.arange(1, 7)
    )


def test_a_simulator_within_the_node_of_another(open_simulator):
    inner_net = network(lambda t, x: x * 10)
    with open_simulator(inner_net) as inner:

        def function(t, x):
            inner.step()
            return inner.data[inner_net.probe][-1] + x

        net = network(function)
        inner.reset()
        with open_simulator(net) as outer:
            inner.reset()
            outer.run_steps(3)
    np.testing.assert_allclose(outer.data[net.probe].ravel(), [11, 22, 33])


def test_simulators_in_threads(open_simulator):
    nets = [network(lambda t, x, i=i: x + i) for i in range(3)]
    results = {}

    def run(i):
        with open_simulator(nets[i]) as sim:
            sim.run_steps(200)
        results[i] = sim.data[nets[i].probe].ravel()

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for i in range(3):
        np.testing.assert_allclose(results[i], np.arange(1, 201) + i)


def test_closed_simulators_are_freed(open_simulator):
    net = network(lambda t, x: x)
    sim = open_simulator(net)
    sim.run_steps(2)
    program = weakref.ref(sim._program)
    sim.close()
    gc.collect()
    assert program() is None


def test_closed_simulators_free_what_measured_them(open_simulator):
    with nengo.Network(seed=0) as net:
        node = nengo.Node([0.5])
        probe = nengo.Probe(node)
    sim = open_simulator(net)
    x = np.ones((1, 2, 1))
    sim.loss({node: x, probe: x})
    sim.run_batch({node: x}, {probe: None})
    program = weakref.ref(sim._program)
    sim.close()
    gc.collect()
    assert program() is None


def test_functions_that_use_tensorflow():
    import tensorflow as tf

    net = network(lambda t, x: tf.square(tf.constant(x)).numpy())
    assert simulate(net, 3).data[net.probe].ravel() == pytest.approx([1, 4, 9])
