import nengo
import numpy as np
import scipy.sparse
from nengo.builder.operator import SparseDotInc
from nengo.builder.signal import Signal

from tests.helpers import assert_matches_nengo
from tests.operators import assert_operators_match, random_signal


def connect(net, transform):
    with net:
        rows, columns = transform.shape
        source = nengo.Node(lambda t: np.sin(100 * t + np.arange(columns)))
        sink = nengo.Node(size_in=rows)
        connection = nengo.Connection(source, sink, transform=transform, synapse=None)
        nengo.Probe(sink)
    return connection


def test_sparse_transforms_of_several_kinds_merge():
    matrix = scipy.sparse.random(7, 5, 0.4, random_state=0, format="csr")
    indices = [(0, 0), (0, 3), (2, 1), (2, 2), (2, 4), (3, 0)]
    with nengo.Network(seed=0) as net:
        pass
    connect(net, nengo.Sparse((7, 5), init=matrix))
    connect(net, nengo.Sparse((4, 5), indices=indices, init=np.arange(1.0, 7)))
    connect(net, nengo.Sparse((1, 8), indices=[(0, 7)], init=3.0))
    connect(net, nengo.Sparse((60, 1), indices=[(i, 0) for i in range(0, 60, 3)]))
    random = nengo.dists.Uniform(1, 2)
    connect(net, nengo.Sparse((3, 3), indices=[(0, 1), (1, 2)], init=random))
    assert_matches_nengo(net)


def test_many_entries_in_some_rows_and_none_in_others():
    rng = np.random.RandomState(0)
    dense = rng.uniform(-1, 1, (9, 20))
    dense[rng.rand(9, 20) < np.linspace(0, 1, 9)[:, None]] = 0
    with nengo.Network(seed=0) as net:
        connect(net, nengo.Sparse((9, 20), init=scipy.sparse.coo_matrix(dense)))
    assert_matches_nengo(net)


def test_neuron_to_neuron_connections():
    matrix = scipy.sparse.random(15, 20, 0.2, random_state=1)
    with nengo.Network(seed=0) as net:
        a = nengo.Ensemble(20, 1, neuron_type=nengo.LIFRate())
        b = nengo.Ensemble(15, 1, neuron_type=nengo.LIFRate())
        nengo.Connection(nengo.Node(lambda t: np.sin(20 * t)), a)
        transform = nengo.Sparse((15, 20), init=matrix * 0.05)
        nengo.Connection(a.neurons, b.neurons, transform=transform)
        nengo.Probe(b.neurons)
    assert_matches_nengo(net)


def test_entries_of_the_same_place_add_up():
    indices = [(1, 2), (0, 1), (1, 2), (1, 0), (3, 2)]
    data = np.random.RandomState(0).uniform(-1, 1, 5)
    matrix = scipy.sparse.coo_matrix((data, np.transpose(indices)), shape=(4, 3))
    with nengo.Network(seed=0) as net:
        pass
    connect(net, nengo.Sparse((4, 3), indices=indices, init=data))
    connect(net, nengo.Sparse((4, 3), init=matrix))
    assert_matches_nengo(net)


def test_whole_numbers_as_entries():
    with nengo.Network(seed=0) as net:
        pass
    connect(net, nengo.Sparse((2, 3), indices=[(0, 2), (1, 0)], init=[3, -2]))
    connect(net, nengo.Sparse((1, 3), init=scipy.sparse.csr_matrix([[0, 1, 2]])))
    assert_matches_nengo(net)


def test_matrix_without_entries():
    with nengo.Network(seed=0) as net:
        empty = nengo.Sparse((3, 4), init=scipy.sparse.csr_matrix((3, 4)))
        connection = connect(net, empty)
        nengo.Connection(nengo.Node(0.5), connection.post[1], synapse=None)
    assert_matches_nengo(net)


def test_views_as_operands():
    rng = np.random.RandomState(0)
    matrix = scipy.sparse.random(3, 4, 0.5, random_state=0, format="csr")
    x, y = random_signal(rng, 8), random_signal(rng, 6)
    operators = [
        SparseDotInc(Signal(matrix), x[::2], y[:3]),
        SparseDotInc(Signal(2 * matrix), x[::-2], y[1:4]),
    ]
    assert_operators_match(operators, [y])
