"""Losses that layers of TensorNodes add, and constraints of their weights."""

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import NengoWarning, ValidationError

import nengo_dl
from nengo_dl.graph.tensor_operator import tensor_nodes
from tests.helpers import older

L = keras.layers
N_ITEMS, N_STEPS, BATCH = 4, 3, 2

rng = np.random.RandomState(0)
X = rng.normal(size=(N_ITEMS, N_STEPS, 3)).astype("float32")
Y = rng.normal(size=(N_ITEMS, N_STEPS, 2)).astype("float32")


class Square(L.Layer):
    """Adds to the loss, and does nothing else."""

    def call(self, x):
        self.add_loss(0.1 * tf.reduce_mean(x**2))
        return x


def make_layers():
    """Return layers with all that training has to know."""
    start = keras.initializers.RandomUniform(-1, 1, seed=0)
    made = [
        L.Dense(
            4,
            "tanh",
            kernel_initializer=start,
            kernel_regularizer=keras.regularizers.L2(0.05),
            bias_constraint=keras.constraints.NonNeg(),
            activity_regularizer="l1",
        ),
        Square(),
        L.Dense(
            2,
            kernel_initializer=start,
            kernel_constraint=keras.constraints.MaxNorm(0.6),
        ),
    ]
    for layer, size in zip(made, (3, 4, 4), strict=True):
        layer.build((None, size))
    return made


def optimizer():
    return keras.optimizers.SGD(0.1, momentum=0.9)


def trained_by_keras(truncation=N_STEPS):
    """Call layers step by step as Keras does; return weights, and losses of updates."""
    layers, update, losses = make_layers(), optimizer(), []
    weights = [w for layer in layers for w in layer.trainable_weights]
    for items in (slice(0, BATCH), slice(BATCH, N_ITEMS)):
        for first in range(0, N_STEPS, truncation):
            steps = slice(first, min(first + truncation, N_STEPS))
            with tf.GradientTape() as tape:
                loss, _ = loss_of(layers, X[items, steps], Y[items, steps])
            found = tape.gradient(loss, [w.value for w in weights])
            update.apply(found, weights)
            losses.append(float(loss))
    return [w.numpy() for w in weights], losses


def loss_of(layers, x, y):
    """Return the loss of some steps, and that of the outputs alone."""
    outputs, loss = [], 0.0
    for step in range(x.shape[1]):
        z = tf.constant(x[:, step])
        for layer in layers:
            z = layer(z)
            regularized = layer._get_regularization_losses()
            loss += sum(layer.losses) - sum(regularized)
        outputs.append(z)
    for layer in layers:
        loss += sum(layer._get_regularization_losses())
    of_outputs = tf.reduce_mean((tf.stack(outputs, 1) - y) ** 2)
    return loss + of_outputs, float(of_outputs)


def make_net(in_the_loop=False, **settings):
    """Return a network of the layers, with its input, its nodes and its Probe."""
    settings = {"jit_compile": False, **settings}
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(**settings)
        x = node = nengo.Node(np.zeros(3))
        nodes = []
        for layer in make_layers():
            new = nengo_dl.Layer(layer)(node)
            nodes.append(new)
            node = new
        probe = nengo.Probe(node)
        if in_the_loop:
            back = nengo.Node(size_in=2)
            nengo.Connection(node, back, synapse=0.1)
            zero = nengo.Connection(back, nodes[0][:2], transform=np.zeros((2, 2)))
            nengo_dl.configure_settings(trainable=None)
            net.config[zero].trainable = False
    return net, x, nodes, probe


def weights_of(sim, nodes):
    """Return the weights of TensorNodes, in the order of Keras."""
    by_output = {op.output: op for op in tensor_nodes(sim.model.operators)}
    ops = [by_output[sim.model.sig[node]["out"]] for node in nodes]
    return [sim.signals[signal] for op in ops for signal in op.weights.values()]


def check(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def simulator(net, **options):
    return nengo_dl.Simulator(net, minibatch_size=BATCH, progress_bar=False, **options)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, marks=pytest.mark.everything),
        {"in_the_loop": True},
        pytest.param({"jit_compile": True}, marks=pytest.mark.everything),
        pytest.param({"use_loop": False}, marks=pytest.mark.everything),
        pytest.param({"dtype": "float64"}, marks=pytest.mark.everything),
        pytest.param({"rematerialisation": True}, marks=pytest.mark.everything),
        pytest.param(
            {"in_the_loop": True, "rematerialisation": True},
            marks=pytest.mark.everything,
        ),
    ],
)
@pytest.mark.parametrize(
    "truncation", [None, pytest.param(2, marks=pytest.mark.everything)]
)
def test_fit_gives_the_weights_and_losses_of_keras(options, truncation):
    if truncation and "use_loop" in options:
        pytest.skip("without a loop there is one number of steps")
    if "dtype" in options and older(keras, (3, 13)):
        pytest.skip("this version of Keras cannot regularize activity in float64")
    expected, losses = trained_by_keras(truncation or N_STEPS)
    net, x, nodes, probe = make_net(**options)
    unroll = {"unroll_simulation": N_STEPS} if "use_loop" in options else {}
    with simulator(net, **unroll) as sim:
        sim.compile(optimizer(), "mse")
        given = {} if truncation is None else {"truncation": truncation}
        history = sim.fit({x: X}, {probe: Y}, shuffle=False, verbose=0, **given)
        check(weights_of(sim, nodes), expected)
    np.testing.assert_allclose(history.history["loss"], np.mean(losses), rtol=1e-5)


@pytest.mark.parametrize(
    "truncation", [None, pytest.param(2, marks=pytest.mark.everything)]
)
def test_train_gives_the_weights_and_losses_of_keras(truncation):
    expected, losses = trained_by_keras(truncation or N_STEPS)
    net, x, nodes, probe = make_net()
    with simulator(net) as sim:
        found = sim.train(
            {x: X, probe: Y},
            optimizer(),
            objective={probe: lambda y, t: tf.reduce_mean((y - t) ** 2)},
            shuffle=False,
            truncation=truncation,
        )
        check(weights_of(sim, nodes), expected)
    np.testing.assert_allclose(found, np.mean(losses), rtol=1e-5)


def test_what_is_measured_has_the_losses_of_layers():
    net, x, _, probe = make_net()
    total, of_outputs = loss_of(make_layers(), X[:BATCH], Y[:BATCH])
    data = {x: X[:BATCH]}, {probe: Y[:BATCH]}
    with simulator(net) as sim:
        sim.compile("sgd", "mse", metrics=["mae"])
        found = sim.evaluate(*data, verbose=0)
        np.testing.assert_allclose(found["loss"], total, rtol=1e-5)
        np.testing.assert_allclose(found["probe_loss"], of_outputs, rtol=1e-5)
        assert set(found) == {"loss", "probe_loss", "probe_mae"}
        loss = sim.loss({x: X[:BATCH], probe: Y[:BATCH]}, "mse")
        np.testing.assert_allclose(loss, total, rtol=1e-5)
        # the function of the network is its outputs alone
        outputs, _ = sim.function()(sim.function().params, None, data[0])
        assert list(outputs) == [probe]
        # called by hand, the model has them as Keras' models do
        sim.keras_model({sim.keras_model.testing._names[x]: X[:BATCH]}, training=True)
        added = sum(sim.keras_model.losses)
        np.testing.assert_allclose(added, total - of_outputs, rtol=1e-5)


@pytest.mark.parametrize("how", ["fit", "train"])
def test_constraints_hold_after_each_update(how):
    norm = keras.constraints.UnitNorm()
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        x = nengo.Node(np.zeros(3))
        layer = L.Dense(2, kernel_constraint=norm, name="limited")
        free = nengo_dl.Layer(L.Dense(2))(x)
        probe = nengo.Probe(nengo_dl.Layer(layer)(free))
    with simulator(net) as sim:
        if how == "fit":
            sim.compile("adam", "mse", run_eagerly=True)
            sim.fit({x: X}, {probe: 9 * Y}, verbose=0)
        else:
            sim.train({x: X, probe: 9 * Y}, "adam", n_epochs=2)
        (signal,) = (
            s
            for op in tensor_nodes(sim.model.operators)
            for s, v in zip(op.weights.values(), op.bound.weights, strict=True)
            if v.constraint is norm
        )
        seen = np.linalg.norm(sim.signals[signal], axis=0)
    np.testing.assert_allclose(seen, 1, rtol=1e-5)


def test_layers_that_are_frozen_add_no_penalty_and_keep_their_weights():
    layer = L.Dense(
        2, kernel_regularizer="l2", kernel_constraint=keras.constraints.MaxNorm(1e-3)
    )
    layer.build((None, 3))
    layer.trainable = False
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        x = nengo.Node(np.zeros(3))
        fixed = nengo_dl.Layer(layer)(x)
        probe = nengo.Probe(nengo_dl.Layer(L.Dense(2))(fixed))
    with simulator(net) as sim:
        sim.compile("sgd", "mse")
        found = sim.evaluate({x: X}, {probe: Y}, verbose=0)
        assert found["loss"] == found["probe_loss"]
        before = layer.kernel.numpy()
        sim.fit({x: X}, {probe: Y}, verbose=0)
        np.testing.assert_array_equal(weights_of(sim, [fixed])[0], before)


def test_each_call_within_a_function_counts_and_a_shared_weight_once():
    square, dense = Square(), L.Dense(3, kernel_regularizer="l2")
    square.build((None, 3))
    dense.build((None, 3))
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        x = nengo.Node(np.zeros(3))
        twice = nengo_dl.Layer(lambda x: square(x) + square(2 * x))(x)
        first = nengo_dl.Layer(dense)(twice)
        probe = nengo.Probe(nengo_dl.Layer(dense)(first))
    with simulator(net) as sim:
        sim.compile("sgd", "mse")
        found = sim.evaluate({x: X[:BATCH, :1]}, {probe: X[:BATCH, :1]}, verbose=0)
    added = 0.1 * 5 * np.mean(X[:BATCH, 0] ** 2) + 0.01 * np.sum(dense.kernel**2)
    difference = found["loss"] - found["probe_loss"]
    np.testing.assert_allclose(difference, added, rtol=1e-5)
    assert square.losses == []  # tensors of a graph are of no use to anybody


@pytest.mark.everything
def test_trainable_weights_that_are_assigned_to_are_named():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        x = nengo.Node(np.zeros(3))
        normalized = L.SpectralNormalization(L.Dense(2), name="normalized")
        first = nengo_dl.Layer(normalized)(x)
        probe = nengo.Probe(nengo_dl.Layer(L.Dense(2))(first))
    with simulator(net) as sim, pytest.warns(NengoWarning, match="assigns to .*kernel"):
        sim.train({x: X, probe: Y}, "sgd")


class Cutting(keras.constraints.Constraint):
    def __call__(self, w):
        return w[:1]


class Failing(keras.regularizers.Regularizer):
    def __call__(self, x):
        return 1 / 0


@pytest.mark.parametrize(
    "rules, message",
    [
        ({"kernel_constraint": Cutting()}, r"kernel returned .* \(1, 2\)"),
        ({"bias_regularizer": Failing()}, r"bias, .*ZeroDivisionError"),
    ],
)
def test_rules_that_fail_are_named(rules, message):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        x = nengo.Node(np.zeros(3))
        probe = nengo.Probe(nengo_dl.Layer(L.Dense(2, **rules))(x))
    with simulator(net) as sim, pytest.raises(ValidationError, match=message):
        sim.train({x: X, probe: Y}, "sgd")
