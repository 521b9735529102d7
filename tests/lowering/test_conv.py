import nengo
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nengo.builder.operator import Copy
from nengo.builder.signal import Signal
from nengo.builder.transforms import ConvInc, ConvTransposeInc

from nengo_dl.lowering.correlation import (
    correlate,
    correlate_transposed,
    transposed_table,
    windows_table,
)
from nengo_dl.lowering.registry import merge_kind
from tests.helpers import assert_matches_nengo, rest_with_everything
from tests.lowering.one_group import assert_gradients_match, assert_group_matches
from tests.operators import assert_operators_match, random_signal


def ordered(spatial, channels, channels_last):
    return (*spatial, channels) if channels_last else (channels, *spatial)


def operators_of(transform, number=1):
    """Return operators of one geometry, each with signals of its own."""
    transposed = isinstance(transform, nengo.ConvolutionTranspose)
    operator = ConvTransposeInc if transposed else ConvInc
    return [
        operator(
            Signal(np.zeros(transform.kernel_shape)),
            Signal(np.zeros(transform.size_in)),
            Signal(np.zeros(transform.size_out)),
            transform,
        )
        for _ in range(number)
    ]


def per_item_of(operators, what):
    """Return the bases of which each item of a minibatch has a copy."""
    return [
        signal
        for op in operators
        for name, signal in (("x", op.X), ("kernel", op.W))
        if name in what
    ]


@st.composite
def convolutions(draw):
    """Any convolution in one or two dimensions that Nengo accepts."""
    n_axes = draw(st.sampled_from([1, 2]))

    def along_axes(most):
        return draw(st.tuples(*[st.integers(1, most)] * n_axes))

    spatial, size = along_axes(8), along_axes(6)
    padding = draw(st.sampled_from(["same", "valid"]))
    if padding == "valid":
        assume(all(k <= n for k, n in zip(size, spatial, strict=True)))
    groups = draw(st.integers(1, 3))
    channels_last = draw(st.booleans())
    return nengo.Convolution(
        groups * draw(st.integers(1, 3)),
        ordered(spatial, groups * draw(st.integers(1, 3)), channels_last),
        kernel_size=size,
        strides=along_axes(4),
        padding=padding,
        channels_last=channels_last,
        groups=groups,
    )


@st.composite
def transposed_convolutions(draw):
    """The transpose of a convolution, with any output shape that Nengo accepts."""
    forward = draw(convolutions().filter(lambda conv: conv.groups == 1))
    return nengo.ConvolutionTranspose(
        forward.input_shape.n_channels,
        forward.output_shape.shape,
        output_shape=forward.input_shape.shape,
        kernel_size=forward.kernel_size,
        strides=forward.strides,
        padding=forward.padding,
        channels_last=forward.channels_last,
    )


WHAT = st.sampled_from([(), ("x",), ("kernel",), ("x", "kernel")])


@settings(max_examples=80, deadline=None)
@given(convolutions(), st.integers(1, 3), st.integers(1, 3), WHAT)
def test_any_convolution(transform, number, items, what):
    operators = operators_of(transform, number)
    assert_group_matches(operators, per_item_of(operators, what), items)


@settings(max_examples=80, deadline=None)
@given(transposed_convolutions(), st.integers(1, 3), st.integers(1, 3), WHAT)
def test_any_transposed_convolution(transform, number, items, what):
    operators = operators_of(transform, number)
    assert_group_matches(operators, per_item_of(operators, what), items)


#: the two orders of copies and products, groups, and both orders of channels
GEOMETRIES = {
    "few channels": nengo.Convolution(
        4, (5, 6, 2), kernel_size=(3, 2), strides=(2, 1), padding="same"
    ),
    "few filters": nengo.Convolution(2, (5, 6, 4), kernel_size=(2, 3)),
    "groups": nengo.Convolution(
        6, (4, 7), kernel_size=(3,), strides=(2,), channels_last=False, groups=2
    ),
    "depthwise": nengo.Convolution(3, (4, 5, 3), kernel_size=(2, 2), groups=3),
    "transposed": nengo.ConvolutionTranspose(
        3, (3, 4, 2), kernel_size=(3, 2), strides=(2, 3), padding="same"
    ),
    "transposed, wider": nengo.ConvolutionTranspose(
        2,
        (3, 4),
        output_shape=(2, 11),
        kernel_size=(2,),
        strides=(3,),
        channels_last=False,
    ),
}


@pytest.mark.parametrize("jit", rest_with_everything([False, True]))
@pytest.mark.parametrize("name", GEOMETRIES)
def test_derivatives_by_input_and_kernel(name, jit):
    operators = operators_of(GEOMETRIES[name], 2)
    assert_gradients_match(operators, per_item_of(operators, ["x"]), 2, jit=jit)


@pytest.mark.parametrize("name", ["few channels", "few filters", "transposed"])
def test_derivatives_by_kernels_of_each_item(name):
    operators = operators_of(GEOMETRIES[name])
    assert_gradients_match(operators, per_item_of(operators, ["x", "kernel"]), 2)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_in_32_bits(name):
    operators = operators_of(GEOMETRIES[name], 2)
    per_item = per_item_of(operators, ["x"])
    # sums of up to 12 products
    assert_group_matches(operators, per_item, 2, dtype="float32", rtol=1e-6)


def test_only_equal_geometries_merge():
    options = {"input_shape": (6, 6, 2), "kernel_size": (3, 3), "padding": "same"}
    (base,) = operators_of(nengo.Convolution(4, **options))
    (same,) = operators_of(nengo.Convolution(4, **options))
    assert merge_kind(base) == merge_kind(same)
    others = [
        nengo.Convolution(2, **options),
        nengo.Convolution(4, **{**options, "input_shape": (6, 7, 2)}),
        nengo.Convolution(4, **{**options, "kernel_size": (3, 2)}),
        nengo.Convolution(4, **options, strides=(1, 2)),
        nengo.Convolution(4, **options, groups=2),
        nengo.Convolution(
            4, **{**options, "input_shape": (2, 6, 6)}, channels_last=False
        ),
        nengo.ConvolutionTranspose(4, **options),
    ]
    kinds = [merge_kind(operators_of(other)[0]) for other in others]
    assert merge_kind(base) not in kinds


@pytest.mark.parametrize(
    "options",
    rest_with_everything(
        [
            {"strides": (2, 1), "channels_last": False},
            {"groups": 2, "strides": (3, 4), "padding": "same"},
            {},
            {"padding": "same"},
            {"groups": 2},
        ],
        2,
    ),
    ids=str,
)
def test_convolutions_in_two_dimensions(options):
    shape = (5, 4, 2) if options.get("channels_last", True) else (2, 5, 4)
    transform = nengo.Convolution(
        n_filters=4,
        input_shape=shape,
        kernel_size=(3, 2),
        init=nengo.dists.Uniform(-1, 1),
        **options,
    )
    with nengo.Network(seed=0) as net:
        source = nengo.Node(lambda t: np.sin(100 * t + np.arange(40)))
        sink = nengo.Node(size_in=transform.output_shape.size)
        nengo.Connection(source, sink, transform=transform)
        nengo.Probe(sink)
    assert_matches_nengo(net, steps=10, rtol32=1e-5)


def test_convolution_in_one_dimension_onto_neurons():
    transform = nengo.Convolution(3, (8, 1), kernel_size=(3,), strides=(1,))
    with nengo.Network(seed=0) as net:
        source = nengo.Node(lambda t: np.sin(100 * t + np.arange(8)))
        ensemble = nengo.Ensemble(
            transform.output_shape.size, 1, neuron_type=nengo.LIFRate()
        )
        nengo.Connection(source, ensemble.neurons, transform=transform)
        nengo.Connection(source, ensemble.neurons, transform=transform, synapse=0.01)
        nengo.Probe(ensemble.neurons)
    assert_matches_nengo(net, steps=10)


@pytest.mark.parametrize("padding", rest_with_everything(["same", "valid"]))
def test_transposed_convolutions(padding):
    transform = nengo.ConvolutionTranspose(
        2, (3, 3, 4), kernel_size=(2, 3), strides=(2, 1), padding=padding
    )
    with nengo.Network(seed=0) as net:
        source = nengo.Node(lambda t: np.sin(100 * t + np.arange(36)))
        sink = nengo.Node(size_in=transform.output_shape.size)
        nengo.Connection(source, sink, transform=transform)
        nengo.Probe(sink)
    assert_matches_nengo(net, steps=10, rtol32=1e-5)


def test_layers_of_spiking_neurons():
    first = nengo.Convolution(3, (6, 6, 1), strides=(2, 2))
    second = nengo.Convolution(2, first.output_shape, kernel_size=(2, 2))
    back = nengo.ConvolutionTranspose(1, second.output_shape, kernel_size=(2, 2))
    with nengo.Network(seed=0) as net:
        net.config[nengo.Ensemble].neuron_type = nengo.LIF()
        net.config[nengo.Ensemble].gain = nengo.dists.Uniform(2, 4)
        net.config[nengo.Ensemble].bias = nengo.dists.Uniform(1, 2)
        image = nengo.Node(np.random.RandomState(0).uniform(-1, 1, 36))
        branches = []
        for _ in range(2):
            previous = image
            for transform in (first, second, back):
                layer = nengo.Ensemble(transform.size_out, 1)
                nengo.Connection(
                    previous,
                    layer.neurons,
                    transform=transform,
                    synapse=None if previous is image else 0.005,
                )
                previous = layer.neurons
            branches.append(nengo.Probe(previous, synapse=0.01))
    left, right = assert_matches_nengo(net, steps=50, brief=True)
    assert np.any(left != right), "the branches have kernels of their own"


def test_a_kernel_that_changes_in_each_step():
    rng = np.random.RandomState(0)
    operators, outputs = [], []
    for _ in range(2):
        transform = nengo.Convolution(3, (5, 4, 2), kernel_size=(3, 2))
        kernel, change = (random_signal(rng, *transform.kernel_shape) for _ in "kc")
        y = random_signal(rng, transform.size_out)
        x = random_signal(rng, transform.size_in)
        operators += [ConvInc(kernel, x, y, transform), Copy(change, kernel, inc=True)]
        outputs += [y, kernel]
    back = nengo.ConvolutionTranspose(2, (4, 3), kernel_size=(2,), strides=(2,))
    kernel, change = (random_signal(rng, *back.kernel_shape) for _ in "kc")
    x, y = random_signal(rng, back.size_in), random_signal(rng, back.size_out)
    operators += [ConvTransposeInc(kernel, x, y, back), Copy(change, kernel, inc=True)]
    assert_operators_match(operators, [*outputs, y])


def test_views_as_operands():
    rng = np.random.RandomState(0)
    transform = nengo.Convolution(2, (4, 1), kernel_size=(3,), strides=(1,))
    kernels = random_signal(rng, 6, 1, 2)
    x, y = random_signal(rng, 8), random_signal(rng, 6)
    operators = [
        ConvInc(kernels[:3], x[:4], y[:4], transform),
        ConvInc(kernels[3:], x[::2], y[2:], transform),
        ConvInc(kernels[::2], x[::-2], y[1:5], transform),
    ]
    assert_operators_match(operators, [y])


# -- what Nengo's own operators cannot do


def test_three_dimensions():
    rng = np.random.RandomState(0)
    spatial, size, strides, before = (5, 4, 6), (2, 3, 4), (2, 1, 3), (1, 0, 2)
    n_windows = (3, 2, 2)
    table = windows_table(spatial, n_windows, size, strides, before)
    x, kernel = rng.randn(*spatial, 2), rng.randn(*size, 2, 3)
    result = correlate(
        tf.constant(x.reshape(1, 1, -1, 1, 2)),
        tf.constant(kernel.reshape(1, -1, 1, 2, 3)),
        table,
    ).numpy()

    # every product of the definition, one by one
    expected = np.zeros((*n_windows, 3))
    for p in np.ndindex(n_windows):
        for q in np.ndindex(size):
            place = np.add(np.multiply(p, strides), q) - before
            if np.all((place >= 0) & (place < spatial)):
                expected[p] += x[tuple(place)] @ kernel[q]
    np.testing.assert_allclose(result.reshape(expected.shape), expected, rtol=1e-12)

    # the transpose is defined by <A x, y> = <x, A' y>
    y = rng.randn(*expected.shape)
    back = correlate_transposed(
        tf.constant(y.reshape(1, 1, -1, 1, 3)),
        tf.constant(np.swapaxes(kernel, -1, -2).reshape(1, -1, 1, 3, 2)),
        transposed_table(table, np.prod(spatial)),
    ).numpy()
    assert np.sum(expected * y) == pytest.approx(
        np.sum(x.ravel() * back.ravel()), rel=1e-12
    )


@pytest.mark.parametrize("filters", rest_with_everything([4, 1]))
def test_through_a_loop_over_time(filters):
    rng = np.random.RandomState(0)
    kernel = tf.constant(rng.randn(1, 4, 1, 2, filters))
    back = tf.constant(rng.randn(1, 4, 1, filters, 2))
    start = tf.constant(rng.randn(2, 1, 16, 1, 2))
    table = windows_table((4, 4), (3, 3), (2, 2), (1, 1), (0, 0))
    transposed = transposed_table(table, 16)

    @tf.function(jit_compile=True)
    def run(kernel):
        x = start
        for _ in tf.range(tf.constant(3)):
            tf.autograph.experimental.set_loop_options(maximum_iterations=3)
            y = tf.tanh(correlate(x, kernel, table))
            x = tf.tanh(correlate_transposed(y, back, transposed))
        return tf.reduce_sum(x)

    @tf.function(jit_compile=True)
    def gradient(kernel):
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            result = run(kernel)
        return tape.gradient(result, kernel)

    direction = rng.randn(*kernel.shape)
    step = 1e-5
    numeric = run(kernel + step * direction) - run(kernel - step * direction)
    analytic = np.sum(gradient(kernel) * direction)
    assert analytic == pytest.approx(float(numeric) / (2 * step), rel=1e-6)
