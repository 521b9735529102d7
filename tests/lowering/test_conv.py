import nengo
import numpy as np
import pytest

from tests.helpers import assert_matches_nengo

rng = np.random.RandomState(0)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": "same"},
        {"strides": (2, 1), "channels_last": False},
        {"groups": 2},
    ],
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
    assert_matches_nengo(net, steps=10)


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


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_transposed_convolutions(padding):
    transform = nengo.ConvolutionTranspose(
        2, (3, 3, 4), kernel_size=(2, 3), strides=(2, 1), padding=padding
    )
    with nengo.Network(seed=0) as net:
        source = nengo.Node(lambda t: np.sin(100 * t + np.arange(36)))
        sink = nengo.Node(size_in=transform.output_shape.size)
        nengo.Connection(source, sink, transform=transform)
        nengo.Probe(sink)
    assert_matches_nengo(net, steps=10)
