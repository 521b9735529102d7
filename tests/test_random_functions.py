"""Random functions of TensorFlow in TensorNodes: the seed decides what they draw."""

import pickle
import warnings
from itertools import product

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import NengoWarning
from scipy import stats

import nengo_dl
from tests.helpers import rest_with_everything


def network(function, size=4, jit=False, own_seed=None, **options):
    """Return a network of an input, a TensorNode and a probe, and these."""
    with nengo.Network(seed=own_seed) as net:
        nengo_dl.configure_settings(jit_compile=jit)
        source = nengo.Node(np.ones(size), label="source")
        node = nengo_dl.TensorNode(
            function, shape_in=(size,), shape_out=(size,), label="node", **options
        )
        nengo.Connection(source, node, synapse=None)
        probe = nengo.Probe(node)
    return net, source, probe


def simulator(net, seed, **options):
    return nengo_dl.Simulator(net, seed=seed, progress_bar=False, **options)


def add_noise(t, x):
    return x + tf.random.normal(x.shape)


def ran(function, seed, steps=5, **options):
    net, _, probe = network(function, **options)
    with simulator(net, seed) as sim:
        sim.run_steps(steps)
        return sim.data[probe]


GENERATOR = tf.random.Generator.from_seed(3)

FUNCTIONS = {
    "normal": (lambda x: tf.random.normal(x.shape, 1.0, 2.0), stats.norm(1, 2).cdf),
    "uniform": (lambda x: tf.random.uniform(x.shape, 1, 3), stats.uniform(1, 2).cdf),
    "truncated": (
        lambda x: tf.random.truncated_normal(x.shape),
        stats.truncnorm(-2, 2).cdf,
    ),
    "generator": (lambda x: GENERATOR.normal(x.shape), stats.norm.cdf),
    "gamma": (lambda x: tf.random.gamma(x.shape, 2.0, 0.5), stats.gamma(2, 0, 2).cdf),
    "scalar": (lambda x: tf.random.normal(()), None),
    "integers": (
        lambda x: tf.cast(
            tf.random.uniform(x.shape, 10, 1000, dtype=tf.int32), x.dtype
        ),
        stats.randint(10, 1000).cdf,
    ),
    "poisson": (lambda x: tf.random.poisson(x.shape, 200.0), stats.poisson(200).cdf),
    "categorical": (
        lambda x: tf.reshape(
            tf.cast(tf.random.categorical(tf.zeros((1, 500)), x.shape[1]), x.dtype),
            x.shape,
        ),
        stats.randint(0, 500).cdf,
    ),
    "shuffle": (
        lambda x: tf.cast(
            tf.random.shuffle(tf.range(3000))[None, : x.shape[1]], x.dtype
        ),
        stats.randint(0, 3000).cdf,
    ),
    "in a condition": (
        lambda x: tf.cond(
            x[0, 0] > 0, lambda: tf.random.normal(x.shape), lambda: x + 3
        ),
        stats.norm.cdf,
    ),
}


#: XLA compiles the same as for others, or cannot compile the rest
CASES = [
    *product([False], FUNCTIONS),
    (True, "normal"),
    (True, "categorical"),
    (True, "shuffle"),
]


@pytest.mark.parametrize(
    "jit, name", rest_with_everything(CASES, len(CASES) - 1, together=True)
)
def test_seed_of_the_simulator_decides(name, jit):
    draw, cdf = FUNCTIONS[name]

    def function(t, x):
        return 0 * x + draw(x)

    with warnings.catch_warnings():
        warnings.simplefilter("error", NengoWarning)
        first, same, other = (
            ran(function, seed, size=40, jit=jit) for seed in (0, 0, 1)
        )
    np.testing.assert_array_equal(first, same)
    assert np.mean(first == other) < 0.1
    # each step draws anew
    assert all(np.mean(a == b) < 0.1 for a, b in zip(first, first[1:], strict=False))
    if cdf is not None:
        assert stats.kstest(np.ravel([first, other]), cdf).pvalue > 1e-3


def test_seed_of_the_network_decides_too():
    assert not np.array_equal(
        ran(add_noise, 0, own_seed=1), ran(add_noise, 0, own_seed=2)
    )


def test_calls_and_nodes_draw_numbers_of_their_own():
    def twice(t, x):
        return tf.random.normal(x.shape) - tf.random.normal(x.shape)

    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        nodes = [nengo_dl.TensorNode(f, shape_in=(4,)) for f in (twice, add_noise) * 2]
        probes = [nengo.Probe(node) for node in nodes]
    with simulator(net, 0) as sim:
        sim.run_steps(2)
        found = np.ravel([sim.data[probe] for probe in probes])
        assert np.all(found != 0)
        assert len(np.unique(found)) == len(found)


def everything(seed):
    """Return what each method of a simulator makes of random numbers."""
    keras.utils.set_random_seed(0)
    layer = keras.layers.Dense(4, use_bias=False)
    net, source, probe = network(lambda t, x: layer(add_noise(t, x)))
    x, y = np.ones((4, 2, 4)), np.zeros((4, 2, 4))
    quiet = {"progress_bar": False}
    with simulator(net, seed, minibatch_size=2) as sim:
        sim.run_steps(3)
        found = [sim.data[probe]]
        found.append(sim.run_batch({source: x}, {probe: None})[probe])
        found.append(sim.loss({source: x, probe: y}, **quiet))
        found += list(sim.train({source: x, probe: y}, "sgd", n_epochs=2, **quiet))
        sim.compile("sgd", loss="mse")
        found += sim.fit(x, y, epochs=2, verbose=0).history["loss"]
        found.append(sim.predict(x, verbose=0)[probe])
        found += sim.evaluate(x, y, verbose=0).values()
        found += sim.keras_model.get_weights()
    return found


def test_every_method_follows_the_seed():
    first, same, other = (everything(seed) for seed in (0, 0, 1))
    for a, b, c in zip(first, same, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.any(np.equal(a, c))


def test_training_with_xla_follows_the_seed():
    losses = []
    for seed in (0, 0, 1):
        net, source, probe = network(add_noise, jit=True)
        with simulator(net, seed) as sim:
            data = {source: np.ones((2, 1, 4)), probe: np.ones((2, 1, 4))}
            losses.append(sim.loss(data, training=True, progress_bar=False))
    assert losses[0] == losses[1] != losses[2]


def test_reset_and_copies_draw_the_same_again():
    net, _, probe = network(add_noise)
    with simulator(net, 0) as sim:
        sim.run_steps(3)
        first = sim.data[probe]
        sim.reset()
        sim.run_steps(1)
        other = pickle.loads(pickle.dumps(sim))
        for one in (sim, other):
            one.run_steps(2)
        np.testing.assert_array_equal(sim.data[probe], first)
        with other:
            (copied,) = other.model.probes
            np.testing.assert_array_equal(other.data[copied][-2:], first[1:])
        sim.reset(seed=1)
        sim.run_steps(3)
        assert not np.any(sim.data[probe] == first)


def test_model_that_is_simulated_twice():
    net, _, probe = network(add_noise)
    with simulator(net, 0) as one, simulator(None, 0, model=one.model) as two:
        for sim in (one, two):
            sim.run_steps(3)
        np.testing.assert_array_equal(one.data[probe], two.data[probe])


@keras.saving.register_keras_serializable("nengo_dl_tests")
class Noisy(keras.layers.Layer):
    """Draws in training only, by a function of TensorFlow."""

    def call(self, x, training=False):
        return x + tf.random.normal(x.shape) if training else x


def test_layer_that_draws_in_training_only():
    found = []
    for seed in (0, 0, 1):
        net, source, probe = network(Noisy(), pass_time=False)
        with simulator(net, seed) as sim:
            sim.run_steps(2)
            assert np.all(sim.data[probe] == 1)
            data = {source: np.ones((2, 3, 4)), probe: np.ones((2, 3, 4))}
            found.append(sim.loss(data, training=True, progress_bar=False))
    assert found[0] == found[1] != found[2]
    assert found[0] > 0.1


def test_steps_in_one_call_draw_numbers_of_their_own():
    net, source, probe = network(lambda t, x: 0 * x + tf.random.normal(()))
    x = np.ones((1, 6, 4))
    with simulator(net, 0) as sim:
        found = sim.run_batch({source: x}, {probe: None})[probe][0]
        assert len(np.unique(found)) == 6


def test_numbers_within_loops_and_functions_are_tensorflows():
    @tf.function
    def helper(x):
        return x + tf.random.normal(x.shape)

    def loop(t, x):
        return tf.map_fn(lambda row: row + tf.random.normal(row.shape), x)

    for function in (lambda t, x: helper(x), loop):
        net, _, probe = network(function)
        match = "'node'.*RandomStandardNormal.*within a `tf.while_loop`"
        with pytest.warns(NengoWarning, match=match):
            sim = simulator(net, 0)
        with sim:
            sim.run_steps(2)
            assert np.all(np.abs(sim.data[probe] - 1) > 0)
