import nengo
import numpy as np
import pytest
from nengo.builder.operator import DotInc, Reset

from tests.helpers import assert_matches_nengo
from tests.operators import assert_operators_match, random_signal

SHAPES = [(1, 1), (1, 5), (5, 1), (4, 3), (3, 4), (2, 60), (60, 2), (40, 50)]


@pytest.mark.parametrize("number", [1, 3])
def test_transforms_of_any_shape(number):
    rng = np.random.RandomState(0)
    with nengo.Network(seed=0) as net:
        for rows, columns in SHAPES:
            source = nengo.Node(lambda t, n=columns: np.sin(100 * t + np.arange(n)))
            sink = nengo.Node(size_in=rows)
            for _ in range(number):
                transform = rng.uniform(-1, 1, (rows, columns))
                nengo.Connection(source, sink, transform=transform, synapse=None)
            nengo.Probe(sink, label=f"{rows} x {columns}")
    assert_matches_nengo(net)


def test_encoders_and_decoders_of_many_populations():
    with nengo.Network(seed=0) as net:
        net.config[nengo.Ensemble].neuron_type = nengo.LIFRate()
        source = nengo.Node(lambda t: np.sin(100 * t + np.arange(4)))
        for n, d in ((10, 1), (10, 1), (20, 3), (20, 3), (20, 4), (1, 1)):
            ensemble = nengo.Ensemble(n, d, max_rates=[80] * n, intercepts=[-0.9] * n)
            nengo.Connection(source[:d], ensemble)
            nengo.Connection(ensemble, ensemble, synapse=0.05)
            nengo.Probe(ensemble)
    assert_matches_nengo(net)


@pytest.mark.parametrize(
    "a, x, y",
    [
        ((), (), ()),
        ((), (3,), (3,)),
        ((3,), (), (3,)),
        ((3,), (3,), ()),
        ((4, 3), (3,), (4,)),
        ((1, 3), (3,), (1,)),
        ((4, 1), (1,), (4,)),
        ((4, 3), (3, 1), (4, 1)),
        ((4, 30), (30,), (4,)),
        ((1, 30), (30,), (1,)),
    ],
    ids=str,
)
@pytest.mark.parametrize("number", [1, 3])
def test_operands_of_any_shape(a, x, y, number):
    rng = np.random.RandomState(0)
    operators, targets = [], []
    for _ in range(number):
        y_signal = random_signal(rng, *y)
        operators.append(
            DotInc(random_signal(rng, *a), random_signal(rng, *x), y_signal)
        )
        targets.append(y_signal)
    assert_operators_match(operators, targets)


def test_matrix_that_changes_in_the_step():
    rng = np.random.RandomState(0)
    a, x = random_signal(rng, 3, 3), random_signal(rng, 3)
    y, z = random_signal(rng, 3), random_signal(rng, 3)
    operators = [Reset(a[0]), DotInc(a, x, y), DotInc(a, y, z)]
    assert_operators_match(operators, [y, z])


def test_views_as_operands():
    rng = np.random.RandomState(0)
    a, x, y = random_signal(rng, 6, 8), random_signal(rng, 8), random_signal(rng, 12)
    operators = [
        DotInc(a[:3, ::2], x[:4], y[:3]),
        DotInc(a[3:, 1::2], x[::-2], y[3:6]),
        DotInc(a[::2, 4:], x[4:], y[5:8]),
    ]
    assert_operators_match(operators, [y])
