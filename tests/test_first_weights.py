"""Weights of Keras layers begin with what the seed of the simulator decides."""

import json
import pickle
import random

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import nengo_dl
from tests.helpers import printed_by

SIZE = 4


class Own(layers.Layer):
    """A user's layer with one weight."""

    def __init__(self, initializer):
        super().__init__()
        self.initializer = initializer

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], 2), initializer=self.initializer)

    def call(self, x):
        return x @ self.w


class Nested(layers.Layer):
    """A layer without a method ``build``, whose parts are built when it is called."""

    def __init__(self):
        super().__init__()
        self.parts = [layers.Dense(3), layers.Dense(2)]

    def call(self, x):
        for part in self.parts:
            x = part(x)
        return x


class Unconfigured(keras.initializers.GlorotUniform):
    def get_config(self):
        return {}


def doubled(initializer):
    return lambda shape, dtype=None: 2 * initializer(shape, dtype=dtype)


def within_a_function(layer):
    return lambda x: layer(x)


#: layers whose weights nobody has given a seed
UNSEEDED = {
    "dense": lambda: layers.Dense(2),
    "sequential": lambda: keras.Sequential(
        [layers.Dense(3), layers.BatchNormalization(), layers.Dense(2)]
    ),
    "nested": Nested,
    "function": lambda: within_a_function(layers.Dense(2)),
    "initializer": lambda: Own(Unconfigured()),
    "closure": lambda: Own(doubled(keras.initializers.HeNormal())),
    "keras.random": lambda: Own(lambda s, dtype: keras.random.normal(s, dtype=dtype)),
    "tf.random": lambda: Own(lambda s, dtype: tf.random.normal(s, dtype=dtype)),
    "numpy": lambda: Own(lambda s, dtype: np.random.randn(*s)),
}
MORE_UNSEEDED = {
    "convolution": lambda: keras.Sequential(
        [layers.Reshape((SIZE, 1)), layers.Conv1D(2, 3), layers.Flatten()]
    ),
    "embedding": lambda: keras.Sequential([layers.Embedding(3, 2), layers.Flatten()]),
    "recurrent": lambda: keras.Sequential(
        [layers.Reshape((SIZE, 1)), layers.LSTM(2, bias_initializer="random_normal")]
    ),
    "orthogonal": lambda: layers.Dense(2, kernel_initializer="orthogonal"),
    "function of a user's": lambda: within_a_function(
        Own(lambda s, dtype: tf.random.uniform(s, dtype=dtype))
    ),
    "made later": lambda: Own(lambda s, dtype: keras.initializers.HeNormal()(s, dtype)),
    "python": lambda: Own(lambda s, dtype: tf.fill(s, random.random())),
}
STREAM = np.random.RandomState(0)
#: layers whose first weights their user has decided
SEEDED = {
    "dense": lambda: layers.Dense(
        2, kernel_initializer=keras.initializers.GlorotUniform(seed=3)
    ),
    "generator": lambda: Own(
        keras.initializers.HeNormal(seed=keras.random.SeedGenerator(3))
    ),
    "keras.random": lambda: Own(lambda s, dtype: keras.random.normal(s, seed=3)),
    "tf.random": lambda: Own(lambda s, dtype: tf.random.normal(s, seed=3)),
    "numpy": lambda: Own(lambda s, dtype: STREAM.randn(*s)),
    "constant": lambda: Own("ones"),
}


def network(layer):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        net.source = nengo.Node(np.ones(SIZE))
        net.layer = nengo_dl.Layer(layer)(net.source)
        net.probe = nengo.Probe(net.layer)
    return net


def simulator(net, seed=None, **options):
    return nengo_dl.Simulator(net, seed=seed, progress_bar=False, **options)


def first_weights(net, seed=None):
    """Return all weights that a simulator begins with, as one vector."""
    with simulator(net, seed) as sim:
        return flat(sim, net)


def flat(sim, net):
    signals = sim.model.sig[net.layer].items()
    values = [
        sim.signals[signal] for key, signal in signals if key not in ("in", "out")
    ]
    return np.concatenate([np.ravel(value) for value in values])


def cases(made, more):
    rare = [pytest.param(more[key], marks=pytest.mark.everything) for key in more]
    return pytest.mark.parametrize("make", [*made.values(), *rare], ids=[*made, *more])


@cases(UNSEEDED, MORE_UNSEEDED)
def test_the_seed_of_the_simulator_decides(make):
    net, same = network(make()), network(make())
    start, other = first_weights(net, 1), first_weights(net, 2)
    np.testing.assert_array_equal(start, first_weights(same))  # network.seed + 1
    assert not np.array_equal(start, other)
    # the layer has what the simulator has that was made last
    with simulator(net, 1) as sim:
        np.testing.assert_array_equal(flat(sim, net), start)
        sim.run_steps(1)
        given = net.layer.tensor_func(np.ones((1, SIZE), np.float32))
        np.testing.assert_allclose(sim.data[net.probe], given, rtol=1e-5, atol=1e-6)


@cases(SEEDED, {})
def test_seeds_of_initializers_stay(make):
    net = network(make())
    layer = net.layer.tensor_func
    before = np.concatenate([np.ravel(value) for value in layer.get_weights()])
    for seed in (1, 2):
        np.testing.assert_array_equal(first_weights(net, seed), before)


def test_values_that_users_gave_stay():
    built = layers.Dense(2)
    built.build((None, SIZE))
    before = built.get_weights()[0]
    parts = [built, layers.Dense(2)]
    net = network(keras.Sequential(parts))
    outcomes = [first_weights(net, seed) for seed in (1, 2)]
    np.testing.assert_array_equal(built.get_weights()[0], before)
    assert not np.array_equal(*outcomes)  # of the other one
    parts[1].set_weights([np.full((2, 2), 7), np.zeros(2)])
    for seed in (3, 4):
        assert 7 in first_weights(net, seed)
        assert np.all(parts[1].kernel == 7)


def test_what_users_draw_themselves_is_as_without_a_simulator():
    def draws(drawn_again):
        # older versions of Keras keep the generator behind functions without a seed
        keras.utils.clear_session()
        keras.utils.set_random_seed(0)
        layer = Own(lambda shape, dtype: keras.random.normal(shape, dtype=dtype))
        net, constant = network(layer), network(Own("ones"))
        first_weights(net if drawn_again else constant, 1)
        tensor = tf.random.normal(())
        return random.random(), np.random.rand(), keras.random.normal(()), tensor

    np.testing.assert_array_equal(draws(True), draws(False))


def test_initializers_that_work_once_are_called_once():
    left = [2.0]

    def initializer(shape, dtype):
        return left.pop() * keras.random.normal(shape, dtype=dtype)

    net = network(Own(initializer))
    before = np.ravel(net.layer.tensor_func.w)
    np.testing.assert_array_equal(first_weights(net, 1), before)


def test_simulators_side_by_side_keep_theirs():
    net = network(layers.Dense(2))
    with simulator(net, 1) as one, simulator(net, 2) as two:
        first, second = flat(one, net), flat(two, net)
        assert not np.array_equal(first, second)
        one.reset(seed=2)  # decides what is drawn from now on
        np.testing.assert_array_equal(flat(one, net), first)
        with nengo_dl.Simulator(None, model=one.model, seed=3) as again:
            np.testing.assert_array_equal(flat(again, net), first)


@pytest.mark.parametrize("copy", [nengo.Network.copy, pickle.dumps])
def test_copies_of_networks_begin_as_they_do(copy):
    net = network(keras.Sequential([layers.Dense(3), layers.Dense(2)]))
    net.layer.tensor_func.layers[1].kernel.assign(np.full((3, 2), 7))
    other = copy(net)
    other = pickle.loads(other) if isinstance(other, bytes) else other
    (other.layer,) = [n for n in other.nodes if isinstance(n, nengo_dl.TensorNode)]
    weights = [first_weights(net, 1), first_weights(other, 1), first_weights(other, 2)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[1], weights[2])
    assert all(np.sum(found == 7) == 6 for found in weights)


def test_one_layer_in_two_nodes_has_one_set_of_weights():
    layer = layers.Dense(SIZE)
    net = network(layer)
    with net:
        nengo_dl.Layer(layer)(net.layer)
    assert np.array_equal(first_weights(net, 1), first_weights(net, 1))
    assert not np.array_equal(first_weights(net, 1), first_weights(net, 2))


def test_layers_that_are_alike_begin_differently():
    net = network(keras.Sequential([layers.Dense(SIZE), layers.Dense(SIZE)]))
    with net:
        nengo_dl.Layer(layers.Dense(SIZE))(net.layer)
    with simulator(net, 0) as sim:
        sizes = [v for v in sim.signals.values() if np.shape(v) == (SIZE, SIZE)]
        assert len(sizes) == 3
        assert len({np.asarray(value).tobytes() for value in sizes}) == 3


@pytest.mark.everything
def test_it_is_the_same_in_each_process():
    code = (
        "import keras; keras.layers.Dense(3).build((None, 3)); "
        "from tests import test_first_weights as t; "
        "net = t.network(keras.Sequential([keras.layers.Dense(3), t.Nested()])); "
        "print(t.first_weights(net, 5).tolist())"
    )
    there = np.array(json.loads(printed_by(code).splitlines()[-1]))
    here = first_weights(network(keras.Sequential([layers.Dense(3), Nested()])), 5)
    np.testing.assert_array_equal(here, there.astype(here.dtype))
