"""Networks written layer by layer."""

import re
import warnings

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

import nengo_dl


def simulator(net, **options):
    return nengo_dl.Simulator(net, progress_bar=False, **options)


def square(x, factor=1.0):
    return factor * x**2


@pytest.fixture
def net():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False, dtype="float64")
        net.source = nengo.Node(np.linspace(0.1, 1, 6), label="source")
        yield net


def last(net, layer, **options):
    """Return what a layer gives in the first step."""
    with net:
        probe = nengo.Probe(layer)
    with simulator(net, **options) as sim:
        sim.run_steps(1)
        return sim.data[probe][0]


# -- TensorNodes


def test_functions_become_tensor_nodes_that_get_no_time(net):
    layer = nengo_dl.Layer(square)(net.source)
    assert isinstance(layer, nengo_dl.TensorNode)
    assert (layer.shape_in, layer.shape_out, layer.pass_time) == ((6,), (6,), False)
    np.testing.assert_allclose(last(net, layer), net.source.output**2)


def test_arguments_go_to_the_function_but_for_those_of_the_node(net):
    layer = nengo_dl.Layer(square)(
        net.source, factor=3.0, label="three", shape_out=(2, 3), shape_in=(2, 3)
    )
    assert layer.label == "three" and layer.shape_out == (2, 3)
    np.testing.assert_allclose(last(net, layer), 3 * net.source.output**2)


def test_classes_of_layers_are_made_with_the_arguments(net):
    layer = nengo_dl.Layer(keras.layers.Dense)(
        net.source, units=2, kernel_initializer="ones", label="dense"
    )
    assert layer.tensor_func.units == 2
    np.testing.assert_allclose(last(net, layer), [net.source.output.sum()] * 2)


def test_layers_are_connected_to_objects_with_an_output(net):
    with net:
        probe = nengo.Probe(net.source)
    connection = nengo_dl.Layer(square)(net.source, return_conn=True)[1]
    for wrong in (3, None, net, probe, connection, np.ones(2), tf.ones(2)):
        with pytest.raises(ValidationError, match="input: Expected a Node, an Ens"):
            nengo_dl.Layer(square)(wrong)


def test_without_a_shape_the_input_is_a_flat_vector(net):
    conv = nengo_dl.Layer(keras.layers.Conv1D(2, 2))(net.source, shape_in=(6, 1))
    assert conv.shape_out == (5, 2)
    assert nengo_dl.Layer(square)(conv).shape_in == (10,)
    neurons = nengo_dl.Layer(nengo.RectifiedLinear())(conv)
    assert nengo_dl.Layer(square)(neurons).shape_in == (10,)
    assert nengo_dl.Layer(square)(conv, transform=np.ones((3, 10))).shape_in == (3,)
    with pytest.warns(DeprecationWarning):
        dense = nengo_dl.tensor_layer(conv, keras.layers.Dense, units=3)
    assert dense.shape_in == (10,) and dense.shape_out == (3,)
    flat = last(net, dense)
    kernel = dense.tensor_func.kernel.numpy()
    with net:
        probe = nengo.Probe(conv)
    with simulator(net) as sim:
        sim.run_steps(1)
        np.testing.assert_allclose(flat, sim.data[probe][0] @ kernel, rtol=1e-6)


@pytest.mark.parametrize(
    "layer, size, shape",
    [
        (lambda: keras.layers.Conv1D(2, 2), 64, (64, 1)),
        (lambda: keras.layers.Conv2D(2, 2), 64, (8, 8, 1)),
        (lambda: keras.layers.Conv2D(2, 2), 48, (4, 4, 3)),
        (lambda: keras.layers.Conv2D(2, 1), 7, (1, 1, 7)),
        (lambda: keras.layers.Conv3D(2, 2), 64, (4, 4, 4, 1)),
        (lambda: keras.layers.AveragePooling2D(2), 64, (8, 8, 1)),
        (
            lambda: keras.layers.MaxPool2D(2, data_format="channels_first"),
            48,
            (3, 4, 4),
        ),
        (lambda: keras.layers.GlobalMaxPool1D(), 6, (6, 1)),
        (lambda: keras.layers.LSTM(3), 6, (6, 1)),
        (lambda: keras.layers.ConvLSTM1D(3, 1), 64, (8, 8, 1)),
        (lambda: keras.layers.SimpleRNN(3), 6, (6, 1)),
        (lambda: keras.layers.RNN(keras.layers.GRUCell(3)), 6, (6, 1)),
        (lambda: keras.layers.TimeDistributed(keras.layers.Dense(2)), 6, (6, 1)),
        (lambda: keras.Sequential([keras.layers.Conv2D(1, 1)]), 64, (8, 8, 1)),
        (
            lambda: keras.Sequential(
                [keras.Input((2, 16, 2)), keras.layers.Conv2D(1, 1)]
            ),
            64,
            (2, 16, 2),
        ),
    ],
)
def test_layers_that_need_more_axes_say_which_shape_to_write(layer, size, shape):
    match = re.escape(f"this one has the shape ({size},); write `shape_in={shape}`")
    with nengo.Network() as net:
        source = nengo.Node(np.zeros(size))
        with pytest.raises(ValidationError, match=match):
            nengo_dl.Layer(layer())(source)
        with (
            pytest.raises(ValidationError, match=match),
            pytest.warns(DeprecationWarning),
        ):
            nengo_dl.tensor_layer(source, layer())
        with pytest.raises(ValidationError, match=match):
            nengo_dl.TensorNode(layer(), shape_in=(size,))
        assert not net.connections and net.nodes == [source]
        made = layer()
        assert nengo_dl.Layer(made)(source, shape_in=shape).shape_in == shape
        # now the layer knows how many channels it has
        with pytest.raises(ValidationError, match=match):
            nengo_dl.Layer(made)(source)


@pytest.mark.parametrize(
    "layer, shape",
    [
        (lambda: keras.layers.Conv1D(2, 2), (64, 1)),
        (lambda: keras.layers.DepthwiseConv1D(2), (64, 1)),
        (lambda: keras.layers.LSTM(2), (64, 1)),
        (lambda: keras.layers.Conv2D(2, 2), (4, 8, 2)),
        (lambda: keras.layers.TimeDistributed(keras.layers.Dense(2)), (4, 8, 2)),
    ],
)
def test_shape_to_write_has_as_many_axes_as_the_layer_takes(layer, shape):
    with nengo.Network():
        source = nengo.Node(np.zeros(64))
        image = nengo_dl.Layer(tf.identity)(source, shape_in=(4, 8, 2))
        with pytest.raises(
            ValidationError, match=re.escape(f"write `shape_in={shape}`")
        ):
            nengo_dl.Layer(layer())(image)
        made = nengo_dl.Layer(layer())(image, shape_in=shape)
        assert made.shape_in == shape


@pytest.mark.parametrize("between", [0, 1, 2])
def test_shape_to_write_is_that_of_the_tensor_node_before(net, between):
    x = nengo_dl.Layer(tf.identity)(net.source, shape_in=(3, 2, 1))
    for _ in range(between):
        x = nengo_dl.Layer(nengo.RectifiedLinear())(x)
    match = r"write `shape_in=\(3, 2, 1\)`.* where it comes from"
    for layer in (
        keras.layers.Conv2D(2, 2),
        lambda x: tf.nn.relu(x)[:, :, 0],
        keras.layers.Lambda(lambda x: x[:, :, :, 0], name="last"),
    ):
        with pytest.raises(ValidationError, match=match):
            nengo_dl.Layer(layer)(x)
    # nobody knows what a transform, or part of it, makes of a shape
    with pytest.raises(ValidationError, match=r"write `shape_in=\(1, 1, 6\)`, for"):
        nengo_dl.Layer(keras.layers.Conv2D(2, 1))(x, transform=np.eye(6))
    with pytest.raises(ValidationError, match=r"write `shape_in=\(2, 2, 1\)`, for"):
        nengo_dl.Layer(keras.layers.Conv2D(2, 1))(x[:4])


@pytest.mark.parametrize("layer", [nengo.RectifiedLinear(), square])
@pytest.mark.parametrize(
    "transform",
    [
        nengo_dl.dists.Glorot(),
        nengo.dists.Gaussian(0, 1),
        nengo.Dense((4, 6), init=nengo_dl.dists.Glorot()),
        np.ones((4, 6)),
    ],
)
def test_transforms_that_are_drawn(net, layer, transform):
    made, connection = nengo_dl.Layer(layer)(
        net.source, transform=transform, shape_in=(4,), return_conn=True
    )
    assert made.size_in == 4 and connection.transform.shape == (4, 6)
    found = last(net, made, seed=0)
    with simulator(net, seed=0) as sim:
        weights = sim.data[connection].weights
    expected = weights @ net.source.output
    expected = np.maximum(expected, 0) if layer is not square else expected**2
    np.testing.assert_allclose(found, expected)
    if isinstance(transform, nengo.dists.Distribution):
        # without a shape there are as many as before
        assert nengo_dl.Layer(layer)(net.source, transform=transform).size_in == 6


@pytest.mark.parametrize("shape", [(None, 1), [None], (6, None), None])
def test_shapes_of_which_not_all_is_known(net, shape):
    calls = [
        lambda: nengo_dl.Layer(tf.identity)(net.source, shape_in=shape),
        lambda: nengo_dl.Layer(nengo.LIF())(net.source, shape_in=shape),
        lambda: nengo_dl.tensor_layer(net.source, tf.identity, shape_in=shape),
        lambda: nengo_dl.TensorNode(lambda t, x: x, shape_in=shape),
        lambda: nengo_dl.TensorNode(keras.layers.Flatten(), shape_in=shape),
        lambda: nengo_dl.reshaped(shape),
    ]
    if shape is None:
        # there it says something: a flat vector
        assert calls[0]().shape_in == (6,)
        return
    for call in calls:
        with (
            pytest.raises(ValidationError, match=r"^shape_in: .*got.*None.*one item"),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", DeprecationWarning)
            call()
    with pytest.raises(ValidationError, match="^shape_out: .*None"):
        nengo_dl.TensorNode(lambda t, x: x, shape_in=2, shape_out=shape)


def test_connections_are_returned_if_wanted_and_never_trained(net):
    matrix = np.random.RandomState(0).randn(4, 6)
    layer, connection = nengo_dl.Layer(square)(
        net.source, transform=matrix, synapse=0.01, return_conn=True
    )
    assert connection.pre is net.source and connection.post is layer
    assert connection.synapse == nengo.Lowpass(0.01)
    assert net.config[connection].trainable is False
    assert layer.shape_in == (4,)
    other = nengo_dl.Layer(keras.layers.Dense(2))(layer)
    with net:
        probe = nengo.Probe(other)
    with simulator(net) as sim:
        assert len(sim.keras_model.trainable_weights) == 2
        sim.run_steps(2)
        assert np.any(sim.data[probe])
        np.testing.assert_array_equal(sim.data[connection].weights, matrix)


def test_transforms_of_nengo_decide_the_size_of_the_input(net):
    transform = nengo.Convolution(
        n_filters=3, input_shape=(6, 1), kernel_size=(2,), strides=(1,)
    )
    layer = nengo_dl.Layer(square)(net.source, transform=transform)
    assert layer.shape_in == (transform.size_out,) == (15,)
    scaled = nengo_dl.Layer(square)(net.source, transform=2)
    np.testing.assert_allclose(last(net, scaled), (2 * net.source.output) ** 2)


def test_parts_of_objects_are_inputs(net):
    layer = nengo_dl.Layer(square)(net.source[2:4])
    np.testing.assert_allclose(last(net, layer), net.source.output[2:4] ** 2)
    with net:
        ensemble = nengo.Ensemble(10, 3)
    assert nengo_dl.Layer(square)(ensemble).shape_in == (3,)
    assert nengo_dl.Layer(square)(ensemble.neurons).shape_in == (10,)


# -- neurons


@pytest.mark.parametrize(
    "neuron_type", [nengo.RectifiedLinear, nengo.RectifiedLinear()]
)
def test_neurons_have_their_input_as_current(net, neuron_type):
    neurons = nengo_dl.Layer(neuron_type)(net.source)
    assert isinstance(neurons, nengo.ensemble.Neurons)
    np.testing.assert_allclose(last(net, neurons), net.source.output)


def test_arguments_of_ensembles(net):
    neurons = nengo_dl.Layer(nengo.LIFRate(amplitude=0.1))(
        net.source, gain=np.full(6, 2.0), bias=np.ones(6), label="six"
    )
    ensemble = neurons.ensemble
    assert ensemble.label == "six" and ensemble.neuron_type.amplitude == 0.1
    rates = nengo.LIFRate(amplitude=0.1).rates(net.source.output, 2.0, 1.0)
    np.testing.assert_allclose(last(net, neurons), np.ravel(rates))


def test_configuration_of_ensembles_is_respected(net):
    net.config[nengo.Ensemble].max_rates = nengo.dists.Choice([100])
    net.config[nengo.Ensemble].intercepts = nengo.dists.Choice([0])
    neurons = nengo_dl.Layer(nengo.LIFRate())(net.source)
    assert neurons.ensemble.gain is None and neurons.ensemble.bias is None
    # at the end of the range of unit length the rate is 100 Hz
    np.testing.assert_allclose(last(net, neurons)[-1], 100)


def test_biases_of_neurons_are_trained(net):
    neurons = nengo_dl.Layer(nengo.RectifiedLinear())(net.source)
    with net:
        probe = nengo.Probe(neurons)
    with simulator(net) as sim:
        data = {net.source: np.ones((1, 1, 6)), probe: np.zeros((1, 1, 6))}
        sim.train(data, keras.optimizers.SGD(0.3))
        np.testing.assert_allclose(sim.data[neurons.ensemble].bias, -0.1, rtol=1e-6)


# -- errors and older forms


@pytest.mark.parametrize(
    "layer, arguments, match",
    [
        (3, {}, "Expected a function of a tensor, a Keras layer or a Nengo neuron"),
        (nengo.LIF(), {"shape_in": (5,)}, r"shape_in=\(5,\) has 5 elements.* 6"),
        (square, {"shape_in": (2, 2)}, r"shape_in=\(2, 2\) has 4 elements.* 6"),
        (keras.layers.Flatten(), {"units": 3}, "made already.*units"),
        (square, {"power": 3}, "(?s)raised TypeError.*'power'"),
    ],
)
def test_what_cannot_be_a_layer(net, layer, arguments, match):
    with pytest.raises(ValidationError, match=match):
        nengo_dl.Layer(layer)(net.source, **arguments)
    assert not net.connections and net.nodes == [net.source]


@pytest.mark.parametrize(
    "function, options, expected",
    [
        (square, {"factor": 2.0}, lambda x: 2 * x**2),
        (nengo.RectifiedLinear(), {"bias": np.ones(6)}, lambda x: np.maximum(x + 1, 0)),
        (keras.layers.Flatten(), {"shape_in": (2, 3), "transform": 1}, lambda x: x),
        (square, {"transform": np.eye(6) * 3}, lambda x: 9 * x**2),
    ],
)
def test_older_form(net, function, options, expected):
    with pytest.warns(DeprecationWarning, match=r"nengo_dl.Layer\(f\)\(input, ...\)"):
        layer, connection = nengo_dl.tensor_layer(
            net.source, function, return_conn=True, **options
        )
    assert connection.post is layer and connection.synapse is None
    np.testing.assert_allclose(last(net, layer), expected(net.source.output))


def test_layers_in_a_row_have_right_gradients(net):
    x = nengo_dl.Layer(keras.layers.Conv1D(2, 3))(net.source, shape_in=(6, 1))
    x = nengo_dl.Layer(nengo.Sigmoid(tau_ref=1))(x)
    x = nengo_dl.Layer(tf.tanh)(x)
    x = nengo_dl.Layer(keras.layers.Dense(2))(x, synapse=0.005)
    with net:
        probe = nengo.Probe(x)
    with simulator(net, minibatch_size=2) as sim:
        found = sim.check_gradients(n_steps=3)[probe]
    # two kernels, two biases of layers, those of the neurons, and the input
    assert len(found["names"]) == 6
    assert np.all(found["analytic"] != 0)


@pytest.mark.parametrize("func", [tf.exp, keras.layers.ReLU(), nengo.RectifiedLinear()])
def test_arguments_that_are_left_to_defaults(func):
    """As packages hand them on, which have no values of their own."""
    default = nengo.params.Default
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        source = nengo.Node([0.5, 2.0])
        whole = nengo_dl.Layer(func)(source, transform=default, shape_in=None)
        plain = nengo_dl.Layer(func)(source)
        node = nengo_dl.TensorNode(
            lambda t, x: x + t,
            shape_in=(whole.size_out,),
            shape_out=default,
            pass_time=default,
        )
        nengo.Connection(whole, node, synapse=None)
        probes = [nengo.Probe(end) for end in (whole, plain, node)]
    with nengo_dl.Simulator(net, seed=0, progress_bar=False) as sim:
        sim.run_steps(2)
        outputs, expected, shifted = (sim.data[probe] for probe in probes)
    if not isinstance(func, nengo.RectifiedLinear):
        np.testing.assert_array_equal(outputs, expected)
    times = np.array([[0.001], [0.002]])
    np.testing.assert_allclose(shifted, outputs + times, rtol=1e-6)
