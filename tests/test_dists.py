"""Distributions of initial weights: their moments, and their shapes by statistics."""

import copy
import pickle

import nengo
import numpy as np
import pytest
from nengo.exceptions import ReadonlyError, ValidationError
from scipy import stats

from nengo_dl.dists import Glorot, He, TruncatedNormal, VarianceScaling
from tests.helpers import assert_matches_nengo

ALL = [
    TruncatedNormal(),
    TruncatedNormal(mean=-3, stddev=0.5, limit=2),
    VarianceScaling(),
    VarianceScaling(scale=2, mode="fan_in", distribution="normal"),
    VarianceScaling(mode="fan_out"),
    Glorot(),
    Glorot(scale=0.5, distribution="normal"),
    He(),
    He(scale=np.sqrt(2), distribution="uniform"),
]


def probability(samples, distribution):
    """Return how probable it is that samples of a distribution look like these."""
    return stats.kstest(np.ravel(samples), distribution.cdf).pvalue


@pytest.mark.parametrize("dist", ALL, ids=str)
def test_are_values_that_do_not_change(dist):
    assert eval(repr(dist)) == dist
    assert copy.deepcopy(dist) == dist
    assert pickle.loads(pickle.dumps(dist)) == dist
    assert hash(pickle.loads(pickle.dumps(dist))) == hash(dist)
    with pytest.raises(ReadonlyError):
        setattr(dist, "mean" if isinstance(dist, TruncatedNormal) else "scale", 3)


@pytest.mark.parametrize("dist", ALL, ids=str)
def test_shapes_and_reproducibility(dist):
    for n, d, shape in ((7, None, (7,)), (7, 3, (7, 3)), (7, 1, (7, 1))):
        samples = dist.sample(n, d, rng=np.random.RandomState(1))
        assert samples.shape == shape
        assert np.unique(samples).size == samples.size
        again = dist.sample(n, d=d, rng=np.random.RandomState(1))
        np.testing.assert_array_equal(samples, again)
    assert dist.sample(0, 3).shape == (0, 3)
    assert dist.sample(3, 0).shape == (3, 0)
    np.random.seed(3)
    samples = dist.sample(5)
    np.random.seed(3)
    np.testing.assert_array_equal(dist.sample(5), samples)


@pytest.mark.parametrize(
    "mean, stddev, limit",
    # from a range much wider than the distribution to one much narrower
    [(0, 1, None), (2, 0.1, 1), (-1, 3, 4), (0, 1, 1.26), (0, 1, 1.25), (5, 1, 0.01)],
)
def test_truncated_normal(mean, stddev, limit):
    dist = TruncatedNormal(mean, stddev, limit)
    samples = dist.sample(5000, 4, rng=np.random.RandomState(0))
    bound = dist.limit / stddev
    assert np.abs(samples - mean).max() <= dist.limit
    assert probability(samples, stats.truncnorm(-bound, bound, mean, stddev)) > 0.01
    # the tails are missing, so no normal distribution looks like this
    if bound < 3:
        assert probability(samples, stats.norm(mean, samples.std())) < 1e-3


def test_limit_is_two_standard_deviations():
    assert TruncatedNormal(stddev=3).limit == 6
    assert TruncatedNormal(stddev=3, limit=1).limit == 1


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
@pytest.mark.parametrize(
    "make, variance",
    [
        (lambda **kw: VarianceScaling(**kw), 2 / (40 + 160)),
        (lambda **kw: VarianceScaling(3, "fan_in", **kw), 3 / 160),
        (lambda **kw: VarianceScaling(3, "fan_out", **kw), 3 / 40),
        (lambda **kw: Glorot(1.5, **kw), 1.5 * 2 / (40 + 160)),
        (lambda **kw: He(**kw), 1 / 160),
        (lambda **kw: He(3, **kw), 9 / 160),
    ],
)
def test_variance_fits_the_size_of_the_matrix(make, variance, distribution):
    dist = make(distribution=distribution)
    rng = np.random.RandomState(0)
    samples = np.concatenate([dist.sample(40, 160, rng=rng) for _ in range(5)])
    assert samples.mean() == pytest.approx(0, abs=4 * np.sqrt(variance / samples.size))
    assert samples.var() == pytest.approx(variance, rel=0.03)
    if distribution == "uniform":
        limit = np.sqrt(3 * variance)
        assert probability(samples, stats.uniform(-limit, 2 * limit)) > 0.01
    else:
        unit = stats.truncnorm(-2, 2)
        wide = np.sqrt(variance) / unit.std()
        assert probability(samples, stats.truncnorm(-2, 2, 0, wide)) > 0.01


def test_vectors_have_one_input():
    rng = np.random.RandomState(0)
    assert He().sample(10000, rng=rng).var() == pytest.approx(1, rel=0.05)
    assert VarianceScaling(mode="fan_out").sample(10000, rng=rng).var() == (
        pytest.approx(1e-4, rel=0.05)
    )


def test_defaults():
    assert VarianceScaling() == VarianceScaling(1, "fan_avg", "uniform")
    assert (Glorot().mode, Glorot().distribution) == ("fan_avg", "uniform")
    assert (He().mode, He().distribution) == ("fan_in", "normal")
    assert Glorot() != VarianceScaling()  # equal in effect, but of different types


@pytest.mark.parametrize(
    "make, name",
    [
        (lambda: TruncatedNormal(stddev=0), "TruncatedNormal.stddev"),
        (lambda: TruncatedNormal(limit=0), "TruncatedNormal.limit"),
        (lambda: TruncatedNormal(mean="zero"), "TruncatedNormal.mean"),
        (lambda: VarianceScaling(scale=0), "VarianceScaling.scale"),
        (lambda: VarianceScaling(mode="fan"), "VarianceScaling.mode"),
        (lambda: Glorot(distribution="gamma"), "Glorot.distribution"),
        (lambda: He(scale=-1), "He.scale"),
    ],
)
def test_bad_parameters_are_named(make, name):
    with pytest.raises(ValidationError, match=name):
        make()


def test_weights_of_a_network_in_both_simulators():
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(np.linspace(-1, 1, 40))
        pre = nengo.Ensemble(
            300, 2, neuron_type=nengo.RectifiedLinear(), encoders=TruncatedNormal()
        )
        post = nengo.Ensemble(
            20, 1, neuron_type=nengo.RectifiedLinear(), bias=Glorot(), gain=He(scale=3)
        )
        nengo.Connection(stimulus, pre.neurons, transform=Glorot(), synapse=None)
        weights = nengo.Connection(
            pre.neurons, post.neurons, transform=He(scale=2), synapse=None
        )
        nengo.Probe(post.neurons)
    with nengo.Simulator(net, progress_bar=False) as sim:
        assert sim.data[weights].weights.shape == (20, 300)
        assert sim.data[weights].weights.var() == pytest.approx(4 / 300, rel=0.1)
    assert_matches_nengo(net, steps=3)
