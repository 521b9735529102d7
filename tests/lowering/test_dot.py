import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.builder.operator import DotInc, Reset

import nengo_dl
from nengo_dl.lowering import dot
from tests.helpers import assert_matches_nengo, rest_with_everything
from tests.operators import assert_operators_match, random_signal

SHAPES = [(1, 1), (1, 5), (5, 1), (4, 3), (3, 4), (2, 60), (60, 2), (40, 50)]


@pytest.mark.parametrize("number", rest_with_everything([3, 1]))
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
    assert_matches_nengo(net, brief=True)


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
@pytest.mark.parametrize("number", rest_with_everything([3, 1]))
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


@pytest.mark.parametrize("rows", rest_with_everything([3, 1]))
@pytest.mark.parametrize("views", [False, True])
def test_products_that_share_a_vector(rows, views):
    """Their matrices are stacked; results go where each of them belongs."""
    rng = np.random.RandomState(0)
    base = random_signal(rng, 12 * 10)
    vectors = [base[10 * i : 10 * i + 10] for i in range(12)]
    if not views:
        vectors = [random_signal(rng, 10) for _ in vectors]
    targets = [random_signal(rng, rows) for _ in range(5)]
    operators = [
        DotInc(random_signal(rng, rows, 10), vectors[i], targets[rng.randint(5)])
        for i in rng.permutation([*range(12), *range(12), *range(6), 0])
    ]
    assert_operators_match(operators, targets)


def random_populations(count=12, seed=0):
    """Return populations that are connected as often as not."""
    rng = np.random.RandomState(seed)
    with nengo.Network(seed=seed) as net:
        populations = [
            nengo.Ensemble(20, 1, neuron_type=nengo.LIFRate()) for _ in range(count)
        ]
        for pre in populations:
            for post in populations:
                if rng.rand() < 0.5:
                    nengo.Connection(pre, post, synapse=0.01)
        nengo.Connection(nengo.Node(lambda t: np.cos(9 * t)), populations[0])
        for population in populations[:3]:
            nengo.Probe(population, synapse=0.02)
    return net


def kinds(sim):
    return [type(lowering).__name__ for lowering in sim._program.lowerings]


def test_decoders_of_one_population_are_stacked(monkeypatch):
    net = random_populations()
    assert_matches_nengo(net, brief=True)
    options = {"progress_bar": False}
    with nengo_dl.Simulator(net, **options) as sim:
        assert "_SharedDot" in kinds(sim)
    monkeypatch.setattr(dot, "MAX_STACKED", 100)
    with nengo_dl.Simulator(net, **options) as sim:
        assert "_SharedDot" not in kinds(sim)


def test_stacked_decoders_are_trained():
    """Each gets its own gradient, whatever stands in for missing ones."""
    net = random_populations(10)
    with net:
        nengo_dl.configure_settings(dtype="float64", jit_compile=False)
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        assert "_SharedDot" in kinds(sim)
        sim.check_gradients(net.probes[:1], n_steps=3)


@pytest.mark.parametrize("minibatch_size", [1, 3])
def test_one_population_that_several_decode(minibatch_size):
    """A Connection and a Probe: one product, without the same vector twice."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(dtype="float64", jit_compile=False)
        source = nengo.Node(lambda t: np.cos(9 * t))
        ensemble = nengo.Ensemble(20, 1, neuron_type=nengo.LIFRate())
        nengo.Connection(source, ensemble)
        nengo.Connection(ensemble, ensemble, synapse=0.05, function=np.square)
        nengo.Probe(ensemble, synapse=0.02)
    assert_matches_nengo(net, brief=True)
    options = {"minibatch_size": minibatch_size, "progress_bar": False}
    with nengo_dl.Simulator(net, **options) as sim:
        assert "_SharedDot" in kinds(sim)
        sim.check_gradients(net.probes, n_steps=3)


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("columns", [3, 5, 40])
def test_a_second_row_changes_nothing(rows, batch, columns):
    rng = np.random.RandomState(0)
    a = tf.constant(rng.uniform(-1, 1, (6, rows, columns)))
    x = tf.constant(rng.uniform(-1, 1, (batch, 6, columns)))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([a, x])
        expected = dot.product(a, x)
        found = dot.product(a, x, padded=True)
    assert found.shape == (batch, 6, rows)
    assert np.allclose(found, expected, rtol=1e-12)
    assert np.allclose(expected, np.einsum("irc,bic->bir", a, x), rtol=1e-12)
    for target in (a, x):
        same = tape.gradient(found, target), tape.gradient(expected, target)
        assert np.allclose(*same, rtol=1e-12)
