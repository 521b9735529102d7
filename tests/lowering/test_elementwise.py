import nengo
import numpy as np
import pytest
from nengo.builder.operator import ElementwiseInc, Reset

from tests.helpers import assert_matches_nengo
from tests.operators import assert_operators_match, random_signal


def test_scalar_and_vector_transforms_onto_nodes_ensembles_and_neurons():
    with nengo.Network(seed=0) as net:
        net.config[nengo.Ensemble].neuron_type = nengo.RectifiedLinear()
        source = nengo.Node(lambda t: np.sin(100 * t + np.arange(3)))
        sink = nengo.Node(size_in=3)
        a = nengo.Ensemble(3, 3)
        b = nengo.Ensemble(3, 1, gain=[1, 2, 3], bias=[0.5, 1, -0.5])
        nengo.Connection(source, sink, transform=2.5, synapse=None)
        nengo.Connection(source, sink, transform=[1, -2, 0.5], synapse=0.01)
        nengo.Connection(source, a, transform=[1, 0.5, 2])
        nengo.Connection(source, b.neurons, transform=[-1, 3, 0.5])
        nengo.Connection(a.neurons, b.neurons, transform=0.03)
        nengo.Connection(a.neurons, sink, transform=[0.01, 0.02, 0.03])
        for target in (sink, a, a.neurons, b.neurons):
            nengo.Probe(target)
    assert_matches_nengo(net)


@pytest.mark.parametrize(
    "a, x, y",
    [
        ((), (), ()),
        ((), (4,), (4,)),
        ((4,), (), (4,)),
        ((1,), (4,), (4,)),
        ((4,), (4,), (4,)),
        ((3, 1), (3, 4), (3, 4)),
        ((3, 4), (3, 1), (3, 4)),
        ((4,), (3, 4), (3, 4)),
        ((3, 4), (4,), (3, 4)),
        ((3, 4), (), (3, 4)),
    ],
    ids=str,
)
def test_shapes_broadcast_as_in_numpy(a, x, y):
    rng = np.random.RandomState(0)
    operators, targets = [], []
    for _ in range(2):  # two of a kind merge
        y_signal = random_signal(rng, *y)
        operators.append(
            ElementwiseInc(random_signal(rng, *a), random_signal(rng, *x), y_signal)
        )
        targets.append(y_signal)
    assert_operators_match(operators, targets)


def test_products_of_what_changes_in_the_step():
    rng = np.random.RandomState(0)
    a, x, y, z = (random_signal(rng, 4) for _ in range(4))
    operators = [
        Reset(y, value=0.5),
        ElementwiseInc(a, x, y),
        ElementwiseInc(y, a, z),  # z is never reset, so it grows
    ]
    assert_operators_match(operators, [y, z])
