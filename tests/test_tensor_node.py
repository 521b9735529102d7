"""TensorFlow code in networks: what it computes, how it learns, what it refuses."""

import copy
import pickle

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import NengoWarning, SimulationError, ValidationError

import nengo_dl
from nengo_dl.simulation.store import StateStore
from tests.helpers import rest_with_everything


def simulator(net, **options):
    return nengo_dl.Simulator(net, progress_bar=False, **options)


def network(function, size=3, synapse=None, jit=False, dtype="float64", **options):
    """Return a network of an input, a TensorNode and a probe, and these."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=jit, dtype=dtype)
        source = nengo.Node(np.linspace(-0.5, 1, size), label="source")
        node = nengo_dl.TensorNode(function, shape_in=(size,), label="node", **options)
        nengo.Connection(source, node, synapse=synapse)
        probe = nengo.Probe(node)
    return net, source, node, probe


def weights(sim, node):
    """Return the values of a node's variables by name."""
    keys = [key for key in sim.model.sig[node] if key not in ("in", "out")]
    return {key: np.array(sim.signals[sim.model.sig[node][key]]) for key in keys}


class Scale:
    """A function in the form of NengoDL 2, with a variable of its own."""

    def __init__(self):
        self.calls = []

    def pre_build(self, shape_in, shape_out):
        self.calls.append(("pre_build", shape_in, shape_out))
        self.factor = tf.Variable(np.ones(shape_out[1:]), dtype=tf.float64)

    def post_build(self, sess, rng):
        self.calls.append(("post_build", sess))
        self.factor.assign(rng.uniform(1, 2, size=self.factor.shape))

    def __call__(self, t, x):
        return x * self.factor


@keras.saving.register_keras_serializable("nengo_dl_tests")
class Counter(keras.layers.Layer):
    """Adds up what it gets: a layer that remembers."""

    def build(self, shape):
        self.total = self.add_weight(
            shape=shape[1:], initializer="zeros", trainable=False, name="total"
        )
        self.calls = self.add_weight(
            shape=(), initializer="zeros", trainable=False, dtype="int32", name="calls"
        )

    def call(self, x):
        self.total.assign(self.total + keras.ops.mean(x, axis=0))
        self.calls.assign(self.calls + 1)
        return x * 0 + self.total * keras.ops.cast(self.calls, x.dtype)


def double(t, x):
    return 2 * x


# -- what it computes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("jit, unroll, minibatch", [(True, 2, 3), (False, 1, None)])
def test_function_of_time_and_input_is_what_a_node_computes(
    dtype, jit, unroll, minibatch
):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=jit, dtype=dtype)
        source = nengo.Node(lambda t: [np.sin(40 * t), t])
        numpy = nengo.Node(lambda t, x: np.exp(x) + t, size_in=2)
        tensor = nengo_dl.TensorNode(lambda t, x: tf.exp(x) + t, size_in=2)
        for node in (numpy, tensor):
            nengo.Connection(source, node, synapse=None)
        probes = [nengo.Probe(node, synapse=0.01) for node in (numpy, tensor)]
    with simulator(net, minibatch_size=minibatch, unroll_simulation=unroll) as sim:
        sim.run_steps(5)
        expected, found = (sim.data[p] for p in probes)
    assert found.shape == ((3, 5, 2) if minibatch else (5, 2))
    rtol = 1e-6 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-12)


def test_function_is_given_tensors_of_the_simulations_shape_and_type():
    seen = []

    def function(t, x):
        seen.append((t.shape, t.dtype, x.shape, x.dtype))
        return tf.reshape(x, (x.shape[0], -1))

    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False, dtype="float64")
        node = nengo_dl.TensorNode(function, shape_in=(2, 3))
        probe = nengo.Probe(node)
    assert (node.size_in, node.size_out) == (6, 6)
    assert (node.shape_in, node.shape_out) == ((2, 3), (6,))
    with simulator(net, minibatch_size=4) as sim:
        sim.run_steps(2)
        assert sim.data[probe].shape == (4, 2, 6)
    assert seen[0] == ((), tf.float64, (1, 2, 3), tf.float64)
    assert set(seen[1:]) == {((), tf.float64, (4, 2, 3), tf.float64)}


@pytest.mark.parametrize(
    "arguments, shape_in, shape_out",
    [
        ({"size_in": 2}, (2,), (2,)),
        ({"shape_in": 2}, (2,), (2,)),
        ({"shape_in": (2,), "shape_out": [2]}, (2,), (2,)),
        ({"size_in": 2, "size_out": 2}, (2,), (2,)),
        ({"shape_in": (1, 2)}, (1, 2), (1, 2)),
    ],
)
def test_shapes_are_given_in_both_forms_and_the_output_is_inferred(
    arguments, shape_in, shape_out
):
    with nengo.Network():
        node = nengo_dl.TensorNode(double, **arguments)
    assert isinstance(node, nengo.Node)
    assert (node.shape_in, node.shape_out) == (shape_in, shape_out)
    assert (node.size_in, node.size_out) == (np.prod(shape_in), np.prod(shape_out))
    assert node.tensor_func is double and node.pass_time is True


def test_shape_of_the_output_that_is_given_is_not_inferred():
    def function(t, x):
        raise AssertionError("called")

    with nengo.Network() as net:
        node = nengo_dl.TensorNode(function, shape_in=2, shape_out=(3, 4))
    assert node.size_out == 12
    with pytest.raises(ValidationError, match="AssertionError: called"):
        simulator(net)


def test_function_of_time_alone():
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False, dtype="float64")
        node = nengo_dl.TensorNode(lambda t: tf.stack([t, 2 * t]), size_out=2)
        probe = nengo.Probe(node)
        nodes = [nengo.Node(0)]
    with simulator(net, minibatch_size=2) as sim:
        sim.run_steps(3)
        time = sim.trange()
        for item in sim.data[probe]:
            np.testing.assert_allclose(item, np.stack([time, 2 * time], 1))
        # data are presented to Nodes that have their own output, not to TensorNodes
        assert list(sim._endpoints.nodes) == nodes
        with pytest.raises(ValidationError):
            sim.run_steps(3, data={node: np.zeros((2, 3, 2))})


def test_reshaped_gives_a_function_of_vectors_its_shape():
    @nengo_dl.reshaped((2, 3))
    def function(t, x):
        assert x.shape[1:] == (2, 3)
        return tf.transpose(x, (0, 2, 1)) + t

    net, _, _, probe = network(function, size=6)
    with simulator(net) as sim:
        sim.run_steps(1)
        x = np.linspace(-0.5, 1, 6).reshape(2, 3)
        np.testing.assert_allclose(sim.data[probe][0], x.T.ravel() + 0.001)


def test_functions_of_networks_of_equal_structure_are_not_mixed_up():
    found = []
    for factor in (2.0, 3.0):
        net, source, _, probe = network(lambda t, x, k=factor: k * x, jit=True)
        with simulator(net) as sim:
            sim.run_steps(1)
            found.append(sim.data[probe][0] / source.output)
    np.testing.assert_allclose(found, [[2.0] * 3, [3.0] * 3])


def test_tensors_that_a_function_refers_to_are_captured():
    # larger ones than TensorFlow copies into its graphs
    matrix = tf.constant(np.random.RandomState(0).randn(3, 500))
    for jit in (True, False):
        net, source, _, probe = network(lambda t, x: x @ matrix, jit=jit)
        with simulator(net) as sim:
            sim.run_steps(1)
            np.testing.assert_allclose(
                sim.data[probe][0], source.output @ matrix.numpy()
            )


# -- what it refuses


@pytest.mark.parametrize(
    "function, options, match",
    [
        (None, {}, "Expected a function of tensors or a Keras layer"),
        (np.ones(3), {}, "belong into a nengo.Node"),
        (double, {"shape_in": None, "pass_time": False}, "no arguments"),
        (double, {"size_in": 3}, "another name"),
        (double, {"shape_in": (-1,)}, "positive whole numbers"),
        (double, {"shape_in": "abc"}, "positive whole numbers"),
        (double, {"pass_time": 3}, "True or False"),
        (lambda t, x: np.ones((1, 3)), {}, "returned a ndarray; expected a tf.Tensor"),
        (lambda t, x: None, {}, "returned a NoneType"),
        (lambda t, x: tf.cast(x, tf.int32), {}, r"int32; .*`tf.cast\(y, t.dtype\)`"),
        (lambda t, x: x[0], {}, r"shape \(3,\); expected \(1, ...\): as many items"),
        (lambda t, x: tf.reduce_sum(x), {}, "as many items"),
        (lambda x: x, {}, r"with t of shape \(\) and x of shape \(3,\).*`shape_out=`"),
        (lambda t, x: x @ tf.ones((4, 2)), {}, "raised ValueError: Dim.*`shape_out=`"),
        (
            lambda t, x: keras.layers.Dense(2)(x),
            {},
            "(?s)raised ValueError.*variables.*`shape_out=`",
        ),
    ],
)
def test_what_cannot_be_a_tensor_node(function, options, match):
    with nengo.Network() as net, pytest.raises(ValidationError, match=match):
        nengo_dl.TensorNode(function, **{"shape_in": (3,), **options})
    assert not net.nodes


def test_output_of_another_shape_than_declared():
    net, *_ = network(double, shape_out=(2,))
    message = r"<TensorNode 'node'>.* returned .*\(1, 3\); expected \(batch, 2\)"
    with pytest.raises(ValidationError, match=message):
        simulator(net)


def test_other_simulators_say_which_one_to_use():
    net, *_ = network(double)
    with pytest.raises(SimulationError, match="'node'.*nengo_dl.Simulator"):
        nengo.Simulator(net, progress_bar=False)
    with pytest.raises(SimulationError, match="nengo_dl.Simulator"):
        net.nodes[1].output(0.0, np.zeros(3))


def test_code_that_xla_cannot_compile_runs_without_it_and_learns():
    layer = keras.layers.Dense(2)
    net, source, _, probe = network(
        lambda t, x: tf.math.special.bessel_j0(layer(x)), jit=None
    )
    with pytest.warns(NengoWarning, match="XLA cannot compile .*'node'") as caught:
        sim = simulator(net)
    assert len([w for w in caught if "XLA" in str(w.message)]) == 1
    with sim:
        sim.run_steps(2)
        expected = tf.math.special.bessel_j0(layer(source.output[None]))
        np.testing.assert_allclose(sim.data[probe][-1:], expected, rtol=1e-6)
        sim.check_gradients()


@pytest.mark.parametrize("minibatch", rest_with_everything([2, None]))
def test_what_is_around_code_that_xla_cannot_compile_is_compiled(minibatch):
    tuning = {"gain": np.ones(10), "bias": np.linspace(-1, 1, 10)}

    def make(function, jit):
        with nengo.Network(seed=0) as net:
            nengo_dl.configure_settings(jit_compile=jit, dtype="float64")
            source = nengo.Node(lambda t: np.sin(200 * t))
            before, behind = (
                nengo.Ensemble(10, 1, neuron_type=nengo.Tanh(tau_ref=1), **tuning)
                for _ in range(2)
            )
            node = nengo_dl.TensorNode(function, size_in=1)
            nengo.Connection(source, before, synapse=0.01)
            nengo.Connection(before, node, synapse=None)
            nengo.Connection(node, behind)
            nengo.Connection(behind, before)
            return net, source, nengo.Probe(behind)

    def refused(t, x):
        return tf.math.special.bessel_j0(3 * x)

    net, source, probe = make(refused, None)
    with pytest.warns(NengoWarning, match="XLA cannot compile"):
        sim = simulator(net, minibatch_size=minibatch)
    plain = simulator(make(refused, False)[0], minibatch_size=minibatch)
    with sim, plain:
        for one in (sim, plain):
            one.run_steps(20)
        other = plain.model.probes[0]
        np.testing.assert_allclose(sim.data[probe], plain.data[other], rtol=1e-12)
        assert np.abs(sim.data[probe]).max() > 0.1
        sim.check_gradients(n_steps=4)
        sim.compile("sgd", loss="mse")
        data = np.ones((2, 4, 1))
        sim.fit({source: data}, {probe: data}, verbose=0)


# -- weights


def test_layer_gives_what_it_gives_in_keras():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.layers.Reshape((4, 4, 1)),
            keras.layers.Conv2D(2, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    net, source, node, probe = network(model, size=16, jit=True, dtype="float32")
    assert node.shape_out == (3,)
    with simulator(net, minibatch_size=5) as sim:
        x = np.random.RandomState(0).randn(5, 2, 16).astype(np.float32)
        sim.run_steps(2, data={source: x})
        for step in range(2):
            np.testing.assert_allclose(
                sim.data[probe][:, step], model(x[:, step]), rtol=1e-5, atol=1e-6
            )
        # as many weights as the model has, as parameters of the simulation
        assert sim.keras_model.count_params() == model.count_params()
        assert len(sim.keras_model.trainable_weights) == len(model.trainable_weights)
        assert len(sim.keras_model.weights) == len(model.weights)
        for name, value in zip(
            ("conv2d/kernel", "conv2d/bias"), model.weights, strict=False
        ):
            np.testing.assert_array_equal(weights(sim, node)[name], value)


def test_class_of_layers_is_instantiated():
    with nengo.Network():
        node = nengo_dl.TensorNode(keras.layers.Flatten, shape_in=(2, 3))
    assert isinstance(node.tensor_func, keras.layers.Flatten)
    assert node.shape_out == (6,)


@keras.saving.register_keras_serializable("nengo_dl_tests")
class Clock(keras.layers.Layer):
    def call(self, t, x):
        return x * 0 + t


def test_layer_that_takes_two_tensors_gets_the_time():
    net, _, _, probe = network(Clock(), dtype="float32")
    with simulator(net) as sim:
        sim.run_steps(3)
        np.testing.assert_allclose(sim.data[probe][:, 0], sim.trange(), rtol=1e-6)


@keras.saving.register_keras_serializable("nengo_dl_tests")
class Scaled(keras.layers.Layer):
    """A layer of time and input, as 3.x called it."""

    def build(self, shapes):
        time, x = shapes
        assert tuple(time) == () and tuple(x)[1:] == (3,)
        self.kernel = self.add_weight(shape=(x[-1], 2), initializer="ones")

    def call(self, inputs, training=False):
        t, x = inputs
        assert t.shape == () and t.dtype == x.dtype
        return (x @ self.kernel) * t


@pytest.mark.parametrize(
    "options, dtype",
    rest_with_everything(
        [
            ({}, "float32"),
            ({"shape_out": (2,)}, "float64"),
            ({"pass_time": True}, "float32"),
            ({}, "float64"),
            ({"shape_out": (2,)}, "float32"),
            ({"pass_time": True}, "float64"),
        ],
        3,
        together=True,
    ),
)
def test_layer_is_called_with_a_list_of_time_and_input(options, dtype):
    net, source, node, probe = network(Scaled(), dtype=dtype, **options)
    assert node.pass_time and node.shape_out == (2,)
    with simulator(net) as sim:
        sim.run_steps(3)
        expected = np.outer(sim.trange(), [source.output.sum()] * 2)
        np.testing.assert_allclose(sim.data[probe], expected, rtol=1e-5)
        data = {source: np.ones((2, 3, 3)), probe: np.zeros((2, 3, 2))}
        found = sim.loss(data, progress_bar=False)
        times = np.arange(1, 4) * 0.001
        np.testing.assert_allclose(found, np.mean((3 * times) ** 2), rtol=1e-5)
        sim.check_gradients(n_steps=2)


def test_model_with_two_inputs_gets_the_time():
    time, x = keras.Input(batch_shape=()), keras.Input((3,))
    model = keras.Model([time, x], keras.layers.Dense(2)(x) * time)
    net, source, node, probe = network(model, dtype="float32")
    with simulator(net) as sim:
        sim.run_steps(2)
        kernel = weights(sim, node)["dense/kernel"]
        expected = np.outer(sim.trange(), source.output @ kernel)
        np.testing.assert_allclose(sim.data[probe], expected, rtol=1e-5)


def test_layers_of_one_tensor_that_are_to_get_the_time():
    with nengo.Network():
        node = nengo_dl.TensorNode(keras.layers.Dense(2), shape_in=(3,))
        assert node.pass_time is False
        message = r"list `\[t, x\]`; `pass_time=False` calls it with x alone"
        for options in ({"pass_time": True}, {"pass_time": True, "shape_out": (2,)}):
            with pytest.raises(ValidationError, match=message):
                net, *_ = network(keras.layers.Dense(2), **options)
                simulator(net)


def test_defaults_of_the_network():
    default = nengo.params.Default
    with nengo.Network() as net:
        node = nengo_dl.TensorNode(
            double,
            shape_in=3,
            shape_out=default,
            pass_time=default,
            label=default,
            size_in=default,
            size_out=default,
        )
        assert (node.shape_in, node.shape_out, node.pass_time) == ((3,), (3,), True)
        clock = nengo_dl.TensorNode(lambda t: t[None], default, size_out=1)
        assert clock.shape_in is None and clock.shape_out == (1,)
        with pytest.raises(ValidationError, match="Expected a function of tensors"):
            nengo_dl.TensorNode(default, shape_in=3)
        net.config.configures(nengo_dl.TensorNode)
        net.config[nengo_dl.TensorNode].pass_time = False
        net.config[nengo_dl.TensorNode].shape_in = (2,)
        node = nengo_dl.TensorNode(lambda x: 2 * x)
        assert (node.shape_in, node.pass_time) == ((2,), False)
        assert nengo_dl.TensorNode(double, pass_time=True, size_in=3).size_in == 3


def test_simulators_have_weights_of_their_own():
    keras.utils.set_random_seed(0)
    layer = keras.layers.Dense(3)
    net, source, node, _ = network(layer)
    first, second = simulator(net), simulator(net)
    with first, second:
        start = weights(first, node)
        x = np.ones((1, 1, 3))
        first.train({source: x, net.probes[0]: x}, keras.optimizers.SGD(0.1))
        trained = weights(first, node)
        assert np.abs(trained["kernel"] - start["kernel"]).max() > 1e-3
        for key, value in weights(second, node).items():
            np.testing.assert_array_equal(value, start[key])
        np.testing.assert_allclose(layer.kernel, start["kernel"])
        first.reset(include_trainable=False)
        np.testing.assert_array_equal(weights(first, node)["kernel"], trained["kernel"])
        first.reset()
        np.testing.assert_array_equal(weights(first, node)["kernel"], start["kernel"])
    # simulators that are made later start with the layer's own weights
    layer.kernel.assign(np.full((3, 3), 7))
    with simulator(net) as third:
        assert np.all(weights(third, node)["kernel"] == 7)


def normalised(momentum=0.5):
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.layers.Dense(4, activation="tanh"),
            keras.layers.BatchNormalization(momentum=momentum),
            keras.layers.Dense(2),
        ]
    )


@pytest.mark.parametrize("how", ["train", "fit"])
def test_training_takes_the_steps_that_keras_takes(how):
    rng = np.random.RandomState(0)
    x, y = rng.randn(12, 3), rng.randn(12, 2)
    # built: the seed of the simulator decides how layers begin that are not
    model, same = normalised(), normalised()
    model.build((None, 3))
    same.build((None, 3))
    net, source, node, probe = network(same, dtype="float32")
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0)
    optimizer = keras.optimizers.SGD(0.1)
    with simulator(net, minibatch_size=4) as sim:
        before = weights(sim, node)
        if how == "train":
            data = {source: x[:, None], probe: y[:, None]}
            sim.train(data, optimizer, n_epochs=3, shuffle=False)
        else:
            sim.compile(optimizer, loss="mse")
            sim.fit(x[:, None], y[:, None], epochs=3, shuffle=False, verbose=0)
        trained = weights(sim, node)
        # the moving averages among them
        assert len(trained) == len(model.weights) == 8
        by_name = {w.path.split("/")[-1]: w for w in model.weights}
        for name in ("gamma", "beta", "moving_mean", "moving_variance"):
            key = f"batch_normalization/{name}"
            assert np.abs(trained[key] - before[key]).max() > 1e-3
            np.testing.assert_allclose(trained[key], by_name[name], rtol=1e-4)
        # and inference uses them
        sim.run_steps(1, data={source: x[:4, None]})
        np.testing.assert_allclose(
            sim.data[probe][:, 0], model.predict(x[:4], verbose=0), rtol=1e-4
        )
        # losses are measured without a change of averages
        sim.loss({source: x[:, None], probe: y[:, None]}, training=True)
        for key, value in weights(sim, node).items():
            np.testing.assert_array_equal(value, trained[key])


@pytest.mark.parametrize("steps", rest_with_everything([2, 6]))
def test_averages_are_the_same_in_front_of_the_loop_and_in_it(steps):
    # a delay of one step brings the node into the loop
    x = np.random.RandomState(0).randn(4, steps, 3)
    late = np.concatenate([np.zeros((4, 1, 3)), x[:, :-1]], axis=1)
    found = []
    for synapse, values in ((None, late), (0, x)):
        net, source, node, probe = network(normalised(), synapse=synapse)
        with simulator(net, minibatch_size=4) as sim:
            data = {source: values, probe: np.ones((4, steps, 2))}
            sim.train(data, keras.optimizers.SGD(0.1), n_epochs=2)
            found.append(weights(sim, node))
    for key, value in found[0].items():
        np.testing.assert_allclose(found[1][key], value, rtol=1e-9, atol=1e-12)


def test_time_is_known_where_steps_are_computed_at_once():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False, dtype="float64")
        source = nengo.Node([1.0])
        ensemble = nengo.Ensemble(20, 1, neuron_type=nengo.LIFRate())
        nengo.Connection(source, ensemble, synapse=0.01)
        node = nengo_dl.TensorNode(lambda t, x: x * t, size_in=1)
        nengo.Connection(ensemble, node, synapse=None)
        probe = nengo.Probe(node)
    with simulator(net, minibatch_size=2) as sim:
        sim.run_steps(7)
        predicted = sim.predict(n_steps=7, verbose=0)[probe]
        assert np.abs(np.diff(predicted[0, :, 0])).min() > 0
        np.testing.assert_allclose(
            sim.loss({probe: sim.data[probe]}, training=True, progress_bar=False),
            0,
            atol=1e-20,
        )
        sim.check_gradients(n_steps=7)


def test_function_that_takes_a_fixed_number_of_items():
    # many time steps would be more items
    def function(t, x):
        return tf.reshape(tf.reshape(x, (2, 3)) * 2, x.shape)

    net, source, _, probe = network(function, shape_out=(3,))
    x = np.random.RandomState(0).randn(2, 6, 3)
    with simulator(net, minibatch_size=2) as sim:
        assert sim.loss({source: x, probe: 2 * x}, progress_bar=False) < 1e-20


@pytest.mark.parametrize(
    "dtype, synapse",
    rest_with_everything(
        [("float64", 0.01), ("float32", None), ("float64", None), ("float32", 0.01)],
        2,
        together=True,
    ),
)
def test_gradients(dtype, synapse):
    model = keras.Sequential(
        [
            keras.layers.Dense(4, activation="tanh"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(2),
        ]
    )
    net, *_ = network(model, synapse=synapse, dtype=dtype)
    with simulator(net, minibatch_size=4) as sim:
        (found,) = sim.check_gradients(n_steps=3).values()
    # all but the moving averages, and the input
    assert len(found["names"]) == 7
    # what normalisation takes away has no gradient
    assert np.sum(np.abs(found["analytic"]) > 1e-6) >= 5


def test_dropout_drops_in_training_only_and_follows_the_seed():
    net, source, _, probe = network(keras.layers.Dropout(0.5), size=64)
    data = {source: np.ones((4, 1, 64)), probe: np.zeros((4, 1, 64))}

    def losses(seed):
        with simulator(net, minibatch_size=2, seed=seed) as sim:
            sim.run_steps(1, data={source: np.ones((2, 1, 64))})
            assert np.all(sim.data[probe] == 1)
            return [
                float(
                    sim.loss(data, combine=np.array, training=True, **kwargs).ravel()[i]
                )
                for i in range(2)
                for kwargs in ({"progress_bar": False},)
            ]

    first = losses(0)
    # half of the elements are twice as large, so the mean of squares is about 2
    assert all(1 < loss < 3 for loss in first)
    assert first == losses(0)
    assert first != losses(1)


@pytest.mark.parametrize("synapse", [None, 0])
def test_dropout_draws_anew_for_each_item_and_minibatch(synapse):
    net, source, _, probe = network(keras.layers.Dropout(0.5), size=64, synapse=synapse)
    with net:
        nengo_dl.configure_settings(learning_phase=True)
    with simulator(net, minibatch_size=2) as sim:
        found = sim.predict({source: np.ones((4, 3, 64))}, verbose=0)[probe]
    start = 0 if synapse is None else 1
    rows = found[:, start:].reshape(-1, 64)
    assert set(np.unique(rows)) == {0.0, 2.0}
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_layer_that_remembers():
    net, source, _, probe = network(Counter(), jit=True, pass_time=False)
    x = np.random.RandomState(0).randn(2, 4, 3)
    expected = np.cumsum(x.mean(0), 0) * np.arange(1, 5)[:, None]
    with simulator(net, minibatch_size=2) as sim:
        for _ in range(2):
            sim.run_steps(3, data={source: x[:, :3]})
            sim.run_steps(1, data={source: x[:, 3:]})
            for item in sim.data[probe]:
                np.testing.assert_allclose(item, expected)
            sim.reset()
        data = {source: x, probe: np.broadcast_to(expected, (2, 4, 3))}
        # older releases of Keras assign 32 bits
        assert sim.loss(data, progress_bar=False) < 1e-12
        assert not sim.keras_model.weights


@pytest.mark.parametrize("synapse", [None, 0.01])
def test_variables_that_a_function_refers_to_are_parameters(synapse):
    matrix = tf.Variable(np.ones((3, 2)), name="matrix")
    table = tf.Variable(np.ones((4, 2)), name="table")
    fixed = tf.Variable(3.0, trainable=False, dtype=tf.float64, name="fixed")

    def function(t, x):
        return x @ matrix + tf.gather(table, 1) * fixed

    net, source, node, probe = network(function, synapse=synapse)
    with simulator(net) as sim:
        assert sorted(weights(sim, node)) == ["fixed", "matrix", "table"]
        assert len(sim.keras_model.trainable_weights) == 2
        sim.check_gradients()
        sim.train({source: np.ones((1, 2, 3)), probe: np.zeros((1, 2, 2))}, "sgd")
        new = weights(sim, node)
        assert np.all(new["table"][1] < 1) and np.all(new["table"][[0, 2, 3]] == 1)
        assert np.all(matrix.numpy() == 1) and new["fixed"] == 3
        # nothing of the replacement stays
        matrix.assign_add(np.ones((3, 2)))
        np.testing.assert_array_equal(matrix + 0.0, np.full((3, 2), 2.0))


def test_pre_build_and_post_build_are_called():
    function = Scale()
    net, source, node, probe = network(function, shape_out=(3,))
    with simulator(net, minibatch_size=2, seed=3) as sim:
        assert function.calls == [("pre_build", (2, 3), (2, 3)), ("post_build", None)]
        factor = weights(sim, node)["Variable"]
        expected = np.random.RandomState(3).uniform(1, 2, size=3)
        np.testing.assert_allclose(factor, expected)
        sim.run_steps(1)
        np.testing.assert_allclose(sim.data[probe][0, 0], source.output * expected)
        sim.train({source: np.ones((2, 1, 3)), probe: np.zeros((2, 1, 3))}, "sgd")
        assert np.all(weights(sim, node)["Variable"] < factor)
        sim.reset()
        assert function.calls[-1] == ("post_build", None) and len(function.calls) == 3
        np.testing.assert_allclose(weights(sim, node)["Variable"], expected)


def test_layer_of_several_nodes_has_one_set_of_weights():
    layer = keras.layers.Dense(3, use_bias=False, kernel_initializer="identity")
    net, source, node, _ = network(layer)
    with net:
        second = nengo_dl.Layer(layer)(node)
        probe = nengo.Probe(second)
    with simulator(net) as sim:
        assert len(sim.keras_model.trainable_weights) == 1
        sim.check_gradients([probe])
        data = {source: np.ones((1, 1, 3)), probe: np.zeros((1, 1, 3))}
        sim.train(data, keras.optimizers.SGD(0.1))
        # both uses bring 2 / 3 for each element
        kernel = weights(sim, node)["kernel"]
        np.testing.assert_array_equal(kernel, weights(sim, second)["kernel"])
        np.testing.assert_allclose(kernel, np.eye(3) - 0.1 * 4 / 3, rtol=1e-6)
        sim.run_steps(1)
        expected = source.output @ kernel @ kernel
        np.testing.assert_allclose(sim.data[probe][0], expected)


def test_inference_only_and_layers_that_are_frozen_have_nothing_to_train():
    net, *_ = network(keras.layers.Dense(2))
    with net:
        nengo_dl.configure_settings(inference_only=True)
    with simulator(net) as sim:
        assert not sim.keras_model.trainable_weights
        assert len(sim.keras_model.weights) == 2
    layer = keras.layers.Dense(2)
    layer.trainable = False
    net, *_ = network(layer)
    with simulator(net) as sim:
        assert not sim.keras_model.trainable_weights


# -- what lasts


def test_weights_are_saved_by_names_that_other_layers_share(tmp_path):
    net, source, node, probe = network(normalised())
    rng = np.random.RandomState(0)
    data = {source: rng.randn(4, 1, 3), probe: rng.randn(4, 1, 2)}
    with simulator(net, minibatch_size=4) as sim:
        sim.train(data, keras.optimizers.SGD(0.1), n_epochs=2)
        sim.save_params(tmp_path / "params")
        trained = weights(sim, node)
    keras.layers.Dense(3)  # whatever Keras numbers in between
    net, _, node, _ = network(normalised(), dtype="float32")
    with simulator(net) as sim:
        sim.load_params(tmp_path / "params")
        for key, value in weights(sim, node).items():
            np.testing.assert_allclose(value, trained[key], rtol=1e-6)


def test_simulators_with_layers_are_copied_with_their_weights():
    net, source, _, probe = network(keras.layers.Dense(2), dtype="float32")
    with simulator(net) as sim:
        sim.train({source: np.ones((1, 1, 3)), probe: np.zeros((1, 1, 2))}, "sgd")
        sim.run_steps(1)
        other = pickle.loads(pickle.dumps(sim))
        third = copy.deepcopy(sim)
        for one in (sim, other, third):
            with one:
                one.run_steps(2)
                np.testing.assert_allclose(
                    one.data[one.model.probes[0]][-1], sim.data[probe][0], rtol=1e-6
                )


def test_networks_with_layers_are_copied():
    net, _, _, probe = network(keras.layers.Dense(2))
    for other in (net.copy(), pickle.loads(pickle.dumps(net))):
        assert other.nodes[1].shape_out == (2,)
        with simulator(other) as one, simulator(net) as two:
            one.run_steps(1)
            two.run_steps(1)
            np.testing.assert_allclose(one.data[other.probes[0]], two.data[probe])


def test_closed_simulators_keep_what_was_recorded():
    net, source, _, probe = network(double)
    with simulator(net) as sim:
        sim.run_steps(2)
    np.testing.assert_allclose(sim.data[probe], np.tile(2 * source.output, (2, 1)))


def test_application_of_keras():
    model = keras.applications.MobileNet(
        weights=None, input_shape=(32, 32, 3), alpha=0.25, classes=10
    )
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        image = nengo.Node(np.zeros(32 * 32 * 3))
        node = nengo_dl.TensorNode(model, shape_in=(32, 32, 3), pass_time=False)
        nengo.Connection(image, node, synapse=None)
        ensemble = nengo.Ensemble(10, 10, neuron_type=nengo.RectifiedLinear())
        nengo.Connection(node, ensemble.neurons, synapse=None)
        probe = nengo.Probe(node)
    images = np.random.RandomState(0).rand(2, 1, 3072)
    with simulator(net, minibatch_size=2) as sim:
        sim.run_steps(1, data={image: images})
        expected = model(images.reshape(2, 32, 32, 3).astype(np.float32))
        np.testing.assert_allclose(sim.data[probe][:, 0], expected, rtol=1e-5)
        counted = sum(int(np.prod(v.shape)) for v in weights(sim, node).values())
        assert counted == model.count_params()


def test_store_knows_what_it_keeps():
    net, _, node, _ = network(keras.layers.Dense(2))
    with simulator(net) as sim:
        store = sim._runner.store
        assert isinstance(store, StateStore)
        assert store.has(sim.model.sig[node]["kernel"])
        assert not store.has(sim.model.sig[node]["out"])
