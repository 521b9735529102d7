"""States that are computed again on the way back, in the place of being kept."""

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.program.adjoint import Recorded, scan, scan_in_segments
from nengo_dl.program.rematerialisation import (
    PART_OF_MEMORY,
    Rematerialisation,
    machine_memory,
)
from tests.helpers import assert_close, configured, rest_with_everything

BATCH = 2


@pytest.mark.parametrize(
    ("setting", "n_steps", "length"),
    [
        (False, 10_000, 10_000),
        (True, 10_000, 100),
        (True, 500, 25),
        (True, 13, 4),  # no divisor is near
        (True, 1, 1),
        (True, 0, 0),
        (7, 10_000, 7),
        (7, 5, 5),
        (1, 3, 1),
        (None, 10, 10),
    ],
)
def test_steps_between_states(setting, n_steps, length):
    chosen = Rematerialisation(setting, 8 * 10**6)
    assert chosen.storage(n_steps, 1000, 1000).length == length


def test_by_itself_where_memory_asks_for_it():
    automatic = Rematerialisation(None, 10**9)
    limit = int(10**9 * PART_OF_MEMORY / 1000)
    assert automatic.storage(limit, 1000, 1000).length == limit
    found = automatic.storage(limit + 1, 500, 1000)
    assert found.length < found.n_steps
    assert found.bytes == found.n_states * 500 + found.length * 1000 < 10**6
    # of a system that does not tell its memory
    assert Rematerialisation(None).storage(10**9, 8, 8).length == 10**9
    assert Rematerialisation(True).storage(100, 8, 8).length == 10
    memory = machine_memory()
    assert memory is None or memory > 10**8


def test_python_in_stretches_of_time_is_called_on_the_way_forward_only():
    calls = []

    def python(x):
        calls.append(np.array(x))
        return np.float64(len(calls)) * x

    def step(constants, state, row, recorded):
        def call():
            result = tf.numpy_function(python, [state[0]], tf.float64)
            result.set_shape(state[0].shape)
            return [result]

        (noise,) = recorded(call, 1)
        x = tf.tanh(state[0] * constants[0] + noise + row[0])
        return [x], [x]

    def segment(n, constants, state, rows, recorded):
        return scan(step, constants, state, rows, n, recorded)

    w, start = tf.constant(0.5, tf.float64), tf.constant([1.0, 2.0], tf.float64)
    u = tf.constant(np.random.RandomState(0).randn(5, 2))

    def gradients(length):
        calls.clear()
        with tf.GradientTape() as tape:
            tape.watch([w, start, u])
            if length:
                (x,), parts = scan_in_segments(
                    segment, [w], [start], [u], 5, length, lambda n: None
                )
                rows = tf.concat([tf.reshape(p[0], (-1, 2)) for p in parts], 0)
            else:
                (x,), (rows,) = scan(step, [w], [start], [u], 5)
            loss = tf.reduce_sum(x) + tf.reduce_sum(rows**2)
        found = [x, rows, *tape.gradient(loss, [w, start, u])]
        return found, len(calls)

    expected, n = gradients(0)
    assert n == 5
    for length in (2, 5):
        found, n = gradients(length)
        assert n == 5
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-13)
    assert Recorded([tf.constant(1)]).take(2)[0] == 1


def spiking(net):
    ens = nengo.Ensemble(9, 1, neuron_type=nengo.LIF(initial_state={}))
    nengo.Connection(net.node, ens, synapse=None)
    nengo.Connection(ens, ens, synapse=0.01)
    return [nengo.Probe(ens, synapse=0.01), nengo.Probe(ens.neurons)]


def stochastic(net):
    """Random numbers of each kind: neurons' own, keys, noise."""
    probes = []
    for neurons in (
        nengo.PoissonSpiking(nengo.LIFRate()),
        nengo.StochasticSpiking(nengo.LIFRate()),
    ):
        ens = nengo.Ensemble(
            6, 1, neuron_type=neurons, noise=nengo.processes.WhiteNoise()
        )
        nengo.Connection(net.node, ens, synapse=None)
        nengo.Connection(ens, ens, synapse=0.01)
        probes.append(nengo.Probe(ens, synapse=0.01))
    return probes


def learning(net):
    a, b = nengo.Ensemble(8, 1), nengo.Ensemble(7, 1)
    nengo.Connection(net.node, a, synapse=None)
    learnt = nengo.Connection(a, b, learning_rule_type=nengo.PES(1e-2))
    nengo.Connection(b, learnt.learning_rule)
    return [nengo.Probe(b, synapse=0.01)]


def python_in_the_loop(net):
    net.calls = []

    def function(t, x):
        net.calls.append(t)
        return np.sin(x) + len(net.calls)

    outside = nengo.Node(function, size_in=1)
    ens = nengo.Ensemble(8, 1, neuron_type=nengo.RectifiedLinear())
    nengo.Connection(net.node, ens, synapse=None)
    nengo.Connection(ens, outside, synapse=0.01)
    nengo.Connection(outside, ens, synapse=0.01)
    return [nengo.Probe(ens, synapse=0.01)]


def averages(net):
    """Batch normalization and dropout, in the loop and in front of it."""
    probes, last = [], net.node
    for _ in range(2):
        layers = [keras.layers.BatchNormalization(), keras.layers.Dropout(0.5, seed=1)]
        node = nengo_dl.TensorNode(keras.Sequential(layers), (1,), pass_time=False)
        nengo.Connection(last, node, synapse=None)
        last = nengo.Node(size_in=1)
        nengo.Connection(node, last, synapse=None)
        nengo.Connection(last, last, synapse=0.01)
        probes.append(nengo.Probe(last, synapse=None))
    return probes


def no_loop(net):
    ens = nengo.Ensemble(8, 1, neuron_type=nengo.Sigmoid())
    nengo.Connection(net.node, ens, synapse=0.01)
    net.config[nengo.Probe].keep_history = False
    return [nengo.Probe(ens, synapse=0.01)]


@pytest.mark.parametrize(
    "make",
    [
        python_in_the_loop,
        spiking,
        *rest_with_everything([stochastic, learning, averages, no_loop], 0),
    ],
)
def test_training_is_the_same(make):
    n_steps = 8 if make is spiking else 11  # what remains is traced by itself
    x = np.random.RandomState(0).randn(2 * BATCH, n_steps, 1)
    found = []
    for rematerialisation in (False, 4):
        with nengo.Network(seed=0) as net:
            nengo_dl.configure_settings(
                dtype="float64",
                jit_compile=False,
                surrogate="arctan",
                keep_history=True,
            )
            net.node = nengo.Node([0.0])
            probes = make(net)
            nengo_dl.configure_settings(rematerialisation=rematerialisation)
        y = {p: np.ones((2 * BATCH, n_steps, p.size_in)) for p in probes}
        if make is no_loop:
            y = {p: v[:, -1:] for p, v in y.items()}
        with nengo_dl.Simulator(
            net, minibatch_size=BATCH, seed=1, progress_bar=False
        ) as sim:
            losses = sim.train(
                {net.node: x, **y}, keras.optimizers.SGD(0.1, momentum=0.5), n_epochs=1
            )
            weights = [v.numpy() for v in sim._runner.store.params]
            found.append([np.array(losses), *weights])
            if make is python_in_the_loop:
                assert len(net.calls) == 1 + 2 * BATCH * n_steps
    for ours, theirs in zip(*found, strict=True):
        if theirs.size:
            assert_close(ours, theirs, 1e-12)


def test_wrong_settings():
    with nengo.Network():
        for wrong in (0, -1, 1.5, float("nan"), "True", [3], np.zeros(2)):
            with pytest.raises(ValidationError, match="number of time steps"):
                nengo_dl.configure_settings(rematerialisation=wrong)


@pytest.mark.everything
def test_compiled_and_truncated_and_fit():
    with nengo.Network(seed=0) as net:
        net.node = nengo.Node([0.0])
        probe, _ = spiking(net)
    x = np.random.RandomState(0).randn(4, 22, 1)
    found = []
    for setting in (False, True, 5):
        with configured(net, rematerialisation=setting, surrogate="arctan"):
            sim = nengo_dl.Simulator(
                net, minibatch_size=2, dtype="float64", seed=1, progress_bar=False
            )
        with sim:
            sim.compile("sgd", loss="mse")
            sim.fit({net.node: x}, {probe: x}, truncation=11, verbose=0)
            f = sim.function(probe, training=True)
            params = f.params
            with tf.GradientTape() as tape:
                tape.watch(params)
                loss = tf.reduce_sum(f(params, None, {net.node: x[:2]})[0][probe])
            slopes = tape.gradient(loss, params)
            assert any(np.any(slope) for slope in slopes)
            found.append([sim.loss({net.node: x, probe: x}), *slopes])
    with configured(net, rematerialisation=5):
        sim = nengo_dl.Simulator(net, dtype="float64", progress_bar=False)
    with sim:
        sim.check_gradients([probe], n_steps=12)
    for ours in found[1:]:
        for a, b in zip(ours, found[0], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10)
