"""Random numbers computed in the loop: are they those, and as independent, as they say?

All seeds are fixed, so a test that passes once passes always. Statistics are held to
what one in a thousand honest generators would miss.
"""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from nengo_dl.lowering.sampling import (
    KEY_BITS,
    KEY_WORDS,
    LARGE,
    poisson,
    random_bits,
    random_key,
)
from tests.helpers import rest_with_everything

LEVEL = 1e-3
Z = stats.norm.isf(LEVEL / 2)
#: on both sides of `LARGE`, the first ones by default
MEANS = [0.3, 12.0, 29.99, 30.0, 1e4, 0.01, 3.0, 47.5, 300.0, 1e7]


def keys(*shape):
    words = np.random.RandomState(0).randint(2**KEY_BITS, size=(*shape, KEY_WORDS))
    return random_key(tf.constant(words, tf.float32))


def draw(mean, key, numbers, jit=False):
    @tf.function(jit_compile=jit, autograph=False)
    def function(mean, key):
        return poisson(mean, key, np.asarray(numbers))

    return function(mean, key).numpy()


def sample(mean, rows=1, size=100_000):
    """Return numbers of one mean, shape (rows, size), a key for each row."""
    means = tf.fill((rows, size), tf.constant(mean, tf.float64))
    values = draw(means, keys(rows, 1), range(size))
    assert np.array_equal(values, np.round(values))
    return values


def assert_independent(first, second):
    """Two samples of whole numbers: their joint counts against the product."""
    top = 3
    table = np.zeros((top + 1, top + 1))
    np.add.at(
        table, tuple(np.minimum(s.ravel(), top).astype(int) for s in (first, second)), 1
    )
    assert stats.chi2_contingency(table)[1] > LEVEL


def assert_sum(total, expected):
    """A sum of Poisson numbers, which has the variance that is its expected value."""
    assert np.all(np.abs(total - expected) < Z * np.sqrt(expected))


def test_bits_are_those_of_the_published_generator():
    # SplitMix64 from the seed 0, as in the reference implementation by S. Vigna
    bits = random_bits(tf.constant(0, tf.uint64), np.arange(1, 6, dtype=np.uint64))
    assert bits.numpy().tolist() == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
        0x06C45D188009454F,
        0xF88BB8A8724C81EC,
        0x1B39896A51A8749B,
    ]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("jit", rest_with_everything([False, True]))
def test_keys_are_made_of_words_without_loss(dtype, jit):
    words = [[2**KEY_BITS - 1] * KEY_WORDS, [1, 2, 3, 4], [0, 0, 0, 1]]
    make = tf.function(random_key, jit_compile=jit, autograph=False)
    expected = [
        sum(word << (64 - KEY_BITS * (k + 1)) for k, word in enumerate(own))
        for own in words
    ]
    assert make(tf.constant(words, dtype)).numpy().tolist() == expected


@pytest.mark.parametrize("mean", rest_with_everything(MEANS, 5))
def test_distribution_is_that_of_poisson(mean):
    values = sample(mean, rows=20 if mean < 1 else 1).ravel()
    count = len(values)
    assert_sum(values.sum(), mean * count)
    # variance of the variance of a Poisson distribution: (mean + 2 mean^2) / count
    z = (values.var() - mean) / np.sqrt((mean + 2 * mean**2) / count)
    assert abs(z) < Z

    low, high = stats.poisson.ppf([1e-3, 1 - 1e-3], mean)
    edges = np.unique(np.linspace(low, high, 50).round())
    expected = np.diff([0, *stats.poisson.cdf(edges, mean), 1]) * count
    observed = np.histogram(values, [-np.inf, *(edges + 0.5), np.inf])[0]
    assert stats.chisquare(observed, expected).pvalue > LEVEL


def test_elements_with_small_and_large_means_stand_side_by_side():
    means = np.resize([0.0, 0.2, 100.0, LARGE, 5.0], 50_000)
    values = draw(tf.constant(means[None]), keys(1, 1), range(len(means)))[0]
    assert not values[means == 0].any()
    for mean in np.unique(means)[1:]:
        own = values[means == mean]
        assert_sum(own.sum(), mean * len(own))
        z = (own.var() - mean) / np.sqrt((mean + 2 * mean**2) / len(own))
        assert abs(z) < Z


def test_no_number_comes_from_a_mean_of_zero():
    assert not sample(0.0, size=10_000).any()


def test_elements_do_not_depend_on_each_other():
    values = sample(0.7, size=200_000)[0]
    for lag in (1, 2, 64, 1000):
        assert_independent(values[:-lag], values[lag:])
    large = sample(50.0, size=200_000)[0]
    for lag in (1, 2, 64):
        correlation = np.corrcoef(large[:-lag], large[lag:])[0, 1]
        assert abs(correlation) < Z / np.sqrt(len(large))


def test_keys_do_not_depend_on_each_other():
    rows, size = 2000, 100
    values = sample(0.7, rows, size)
    assert_independent(values[:-1], values[1:])
    # sums over elements, and over keys, are as wide as those of independent numbers
    for axis in (0, 1):
        expected = 0.7 * values.shape[axis]
        z = (values.sum(axis=axis) - expected) / np.sqrt(expected)
        assert LEVEL < stats.chi2.sf(np.sum(z**2), len(z)) < 1 - LEVEL


def test_keys_that_differ_in_one_bit_give_other_numbers():
    words = np.zeros((2, 1, KEY_WORDS))
    words[1, 0, -1] = 1
    first, second = draw(
        tf.fill((2, 50_000), tf.constant(0.7, tf.float64)),
        random_key(tf.constant(words)),
        range(50_000),
    )
    assert_independent(first, second)


@pytest.mark.parametrize(
    "dtype", rest_with_everything(["float32", "float16", "float64"])
)
def test_numbers_do_not_depend_on_the_compiler(dtype):
    means = tf.constant(np.random.RandomState(1).uniform(0, 60, (3, 500)), dtype)
    compiled = draw(means, keys(3, 1), range(500), jit=True)
    assert compiled.dtype == dtype
    assert np.array_equal(compiled, draw(means, keys(3, 1), range(500), jit=False))


def test_an_element_gets_the_same_number_alone():
    means = tf.constant(np.random.RandomState(1).uniform(0, 60, (1, 300)))
    together = draw(means, keys(1, 1), range(300))
    for k in (7, 299):
        alone = draw(means[:, k : k + 1], keys(1, 1), [k])
        assert alone.item() == together[0, k]


def test_means_that_no_distribution_has():
    means = tf.constant([[np.nan, -1.0, np.inf, -0.0, 3.0, 1e30]], tf.float64)
    values = draw(means, keys(1, 1), range(6))[0]
    assert np.isnan(values[:2]).all()
    assert values[2] == np.inf
    assert values[3] == 0
    assert np.isfinite(values[4:]).all()
