import nengo
import numpy as np
import pytest
from nengo.builder.operator import Copy, Reset
from nengo.exceptions import BuildError

import nengo_dl
from tests.helpers import assert_matches_nengo, rest_with_everything
from tests.operators import assert_operators_match, model_of, random_signal

SLICES = {
    "whole": (slice(None), slice(None)),
    "halves": (slice(3), slice(3, None)),
    "backwards": (slice(None, None, -1), slice(None)),
    "backwards to backwards": (slice(4, 1, -1), slice(None, 2, -1)),
    "every second backwards": (slice(None, None, -2), slice(1, None, 2)),
    "single element": (2, 4),
    "negative element": (-1, -2),
    "list": ([4, 0, 2], [1, 3, 5]),
    "negative list": ([-1, 0], [0, -2]),
    "repeated source": ([1, 1, 1], [0, 2, 5]),
    "repeated target": ([0, 1, 2, 3], [5, 0, 0, 5]),
    "repeated both": ([3, 3, 3], [1, 1, 1]),
    "one source many targets": ([5, 5], slice(0, 2)),
    "permutation": ([3, 0, 5, 1, 4, 2], slice(None)),
}


@pytest.mark.parametrize("full", rest_with_everything([False, True]))
def test_slices_and_indices_of_connections_all_at_once(full):
    with nengo.Network(seed=0) as net:
        source = nengo.Node(lambda t: np.sin(100 * t + np.arange(6)))
        for label, (pre, post) in SLICES.items():
            sink = nengo.Node(size_in=6)
            nengo.Connection(source[pre], sink[post], synapse=None)
            nengo.Probe(sink, label=label)
    assert_matches_nengo(net, full=full, unroll=(1,))


@pytest.mark.parametrize(
    "label", rest_with_everything(["repeated target", "every second backwards"])
)
def test_slices_and_indices_of_connections_alone(label):
    # without anything to merge with
    pre, post = SLICES[label]
    with nengo.Network(seed=0) as net:
        source = nengo.Node(lambda t: np.sin(100 * t + np.arange(6)))
        sink = nengo.Node(size_in=6)
        nengo.Connection(source[pre], sink[post], synapse=0.002)
        nengo.Probe(sink)
    assert_matches_nengo(net)


def test_slices_of_ensembles_and_neurons():
    with nengo.Network(seed=0) as net:
        source = nengo.Node(lambda t: np.sin(100 * t + np.arange(3)))
        a = nengo.Ensemble(12, 3, neuron_type=nengo.RectifiedLinear())
        b = nengo.Ensemble(12, 3, neuron_type=nengo.RectifiedLinear())
        nengo.Connection(source[::-1], a, synapse=None)
        nengo.Connection(a[[2, 0]], b[1:], function=np.square)
        nengo.Connection(a.neurons[::-3], b.neurons[[1, 1, 5, -1]], transform=0.01)
        nengo.Connection(a[0], b[0], transform=-0.5)
        nengo.Probe(a[1:])
        nengo.Probe(b.neurons[::2])
        nengo.Probe(b, synapse=0.01)
    assert_matches_nengo(net, brief=True)


def test_more_targets_than_are_written_one_by_one():
    # many stretches become one gather
    indices = np.random.RandomState(0).permutation(60)[:40]
    with nengo.Network(seed=0) as net:
        source = nengo.Node(lambda t: np.sin(100 * t + np.arange(40)))
        sink = nengo.Node(size_in=60)
        nengo.Connection(source, sink[list(indices)], synapse=None)
        nengo.Connection(source[::-1], sink[list(indices % 7)], synapse=0.01)
        nengo.Probe(sink)
    assert_matches_nengo(net)


rng = np.random.RandomState(1)


@pytest.mark.parametrize("increment", [False, True])
def test_copies_of_any_shape(increment):
    operators, targets = [], []
    for shape in ((), (1,), (5,), (2, 3), (2, 1, 3)):
        a, y = random_signal(rng, *shape), random_signal(rng, *shape)
        operators.append(Copy(a, y, inc=increment))
        targets.append(y)
    assert_operators_match(operators, targets)


@pytest.mark.parametrize("increment", [False, True])
def test_one_value_is_broadcast_to_a_larger_target(increment):
    a, y, z = random_signal(rng), random_signal(rng, 4), random_signal(rng, 5)
    b, w = random_signal(rng, 3), random_signal(rng, 2, 3)
    operators = [
        Copy(a, y, inc=increment),
        Copy(y, z, src_slice=slice(2, 3), dst_slice=slice(1, 4), inc=increment),
        Copy(b, w, inc=increment),
    ]
    assert_operators_match(operators, [y, z, w])


def test_set_of_some_elements_keeps_the_others():
    a, y, z = random_signal(rng, 3), random_signal(rng, 6), random_signal(rng, 6)
    operators = [
        Copy(a, y, dst_slice=[4, 0, 2]),
        Copy(y, z, src_slice=slice(None, None, -2), dst_slice=slice(3), inc=True),
    ]
    assert_operators_match(operators, [y, z])


def test_views_as_sources_and_targets():
    a, y = random_signal(rng, 4, 6), random_signal(rng, 24)
    z = random_signal(rng, 6)
    operators = [
        Reset(y),
        Copy(a[1].reshape((6,)), y[3:9], inc=True),
        Copy(a[::2, 1:2].reshape((2,)), y[8:10], inc=True),
        Copy(a[:, ::-3], y.reshape((4, 6))[:, 2:4], inc=True),
        Copy(y[::-4], z),
    ]
    assert_operators_match(operators, [y, z])


def test_set_through_repeated_indices_is_refused():
    a, y = random_signal(rng, 2), random_signal(rng, 3)
    model, _ = model_of([Copy(a, y, dst_slice=[1, 1])], [y])
    with (
        pytest.warns(match="No top-level network"),
        pytest.raises(BuildError, match="repeats an index"),
    ):
        nengo_dl.Simulator(None, model=model, progress_bar=False)
