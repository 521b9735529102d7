"""Random numbers computed within the loop, from a key and a count.

`tf.random` has stateless functions of this kind, but its Poisson numbers cannot be
compiled by XLA, and its other numbers depend on where an element stands in a tensor,
that is on which operators were merged.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

#: whole numbers that make a key, and their bits: as many as a float of 16 bits can hold
KEY_WORDS, KEY_BITS = 4, 11

#: means from here on are treated by rejection, which could begin at 10 but was measured
#: 5 to 20 times slower than inversion from there to here
LARGE = 30.0

#: terms of the distribution in one pass over all elements; more take longer to compile
_CHUNK = 4
#: a larger number has a probability below 1e-20, for all means below `LARGE`
_MAX_COUNT = 100
#: random numbers that belong to each element; about one in ten attempts is rejected
_ATTEMPTS = 64

_GAMMA = 0x9E3779B97F4A7C15  # 2**64 divided by the golden ratio, made odd


def random_key(words: tf.Tensor) -> tf.Tensor:
    """Return keys, made of whole numbers that are given as floats.

    The lowest 20 bits of a key are zero, so that the numbers of two keys can only
    overlap where more than 16,000 elements have a key in common.

    Parameters
    ----------
    words : tf.Tensor, shape (..., KEY_WORDS)
        Numbers of `KEY_BITS` bits.

    Returns
    -------
    tf.Tensor of uint64, shape (...)
    """
    parts = tf.cast(tf.cast(words, tf.int64), tf.uint64)
    shifts = 64 - KEY_BITS * np.arange(1, KEY_WORDS + 1, dtype=np.uint64)
    return tf.reduce_sum(tf.bitwise.left_shift(parts, shifts), axis=-1)


def random_bits(key: tf.Tensor, index: np.ndarray | tf.Tensor) -> tf.Tensor:
    r"""Return 64 random bits, number ``index`` of the sequence that ``key`` begins.

    SplitMix64: the sequence :math:`z_i = k + i \gamma` modulo :math:`2^{64}`, each
    number mixed by two multiplications.

    Parameters
    ----------
    key : tf.Tensor of uint64
        Where the sequence begins.
    index : np.ndarray or tf.Tensor of uint64
        Numbers within it; both are broadcast.

    References
    ----------
    G. L. Steele, D. Lea and C. H. Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014, https://doi.org/10.1145/2660193.2660195.
    """
    xor, right = tf.bitwise.bitwise_xor, tf.bitwise.right_shift
    z = key + tf.convert_to_tensor(index, tf.uint64) * _u64(_GAMMA)
    z = xor(z, right(z, _u64(30))) * _u64(0xBF58476D1CE4E5B9)
    z = xor(z, right(z, _u64(27))) * _u64(0x94D049BB133111EB)
    return xor(z, right(z, _u64(31)))


def poisson(mean: tf.Tensor, key: tf.Tensor, number: np.ndarray) -> tf.Tensor:
    r"""Return random numbers that have a Poisson distribution.

    Means below 30 are treated by inversion: with :math:`u` drawn evenly from 0 to 1,

    .. math:: n = \left|\left\{k \ge 0: u \ge \sum_{j \le k}
              e^{-\lambda} \frac{\lambda^j}{j!}\right\}\right|

    the sum being built up term by term until it has passed :math:`u` in all elements.
    Larger means are treated by PTRS, transformed rejection with squeeze. Both are exact
    but for rounding, which can be told from means of about 1e12 on.

    Parameters
    ----------
    mean : tf.Tensor, shape (batch, size)
        Expected values. Negative ones, and those that are not a number, give NaN.
    key : tf.Tensor of uint64, shape (batch, size)
        Key of each element; elements that have a key in common differ in ``number``.
    number : np.ndarray, shape (size,)
        Which of the numbers of its key an element gets.

    Returns
    -------
    tf.Tensor, shape (batch, size)
        Whole numbers, in the type of ``mean``. They are computed in double precision
        whatever that is.

    References
    ----------
    - L. Devroye, *Non-Uniform Random Variate Generation*, Springer, 1986, chapter X.3.
    - W. Hörmann, "The transformed rejection method for generating Poisson random
      variables", Insurance: Mathematics and Economics 12, 1993, 39-45.
    """
    exact = tf.cast(mean, tf.float64)
    first = number.astype(np.uint64) * np.uint64(_ATTEMPTS)
    count = tf.where(
        exact < LARGE,
        _inversion(exact, random_bits(key, first)),
        _rejection(exact, key, first),
    )
    count = tf.where(exact >= 0, count, np.nan)
    return tf.cast(count, mean.dtype)


def _inversion(mean: tf.Tensor, bits: tf.Tensor) -> tf.Tensor:
    """Return Poisson numbers where the mean is small, and anything elsewhere."""
    mean = tf.where(mean < LARGE, mean, 0.0)
    u = tf.cast(tf.bitwise.right_shift(bits, _u64(11)), tf.float64) * 2.0**-53

    def pass_on(
        k: tf.Tensor | float, term: tf.Tensor, total: tf.Tensor, count: tf.Tensor
    ) -> tuple:
        for i in range(_CHUNK):
            count = count + tf.cast(u >= total, tf.float64)
            term = term * (mean / (k + i))
            total = total + term
        return k + _CHUNK, term, total, count

    def more(
        k: tf.Tensor, term: tf.Tensor, total: tf.Tensor, _: tf.Tensor
    ) -> tf.Tensor:
        return tf.logical_and(tf.reduce_any(u >= total), k < _MAX_COUNT)

    term = tf.exp(-mean)
    # mostly the first pass is the last, and needs no loop
    _, *begun = pass_on(1.0, term, term, tf.zeros_like(u))
    first = tf.constant(1.0 + _CHUNK, tf.float64)
    return tf.while_loop(more, pass_on, (first, *begun))[-1]


def _rejection(mean: tf.Tensor, key: tf.Tensor, first: np.ndarray) -> tf.Tensor:
    """Return Poisson numbers where the mean is large, and anything elsewhere."""

    def attempt(k: tf.Tensor, open_: tf.Tensor, count: tf.Tensor) -> tuple:
        bits = random_bits(key, tf.constant(first) + k)
        half = [
            tf.bitwise.right_shift(bits, _u64(32)),
            tf.bitwise.bitwise_and(bits, _u64(2**32 - 1)),
        ]
        # never 0 or 1, whose distance to the edge or logarithm would be 0 or infinite
        u, v = ((tf.cast(h, tf.float64) + 0.5) * 2.0**-32 for h in half)
        u = u - 0.5
        edge = 0.5 - tf.abs(u)
        # of values that change from pass to pass: XLA would move what depends on the
        # mean alone to before the loop, which mostly has no pass at all
        large = tf.where(open_, mean, LARGE)
        b = 0.931 + 2.53 * tf.sqrt(large)
        a = -0.059 + 0.02483 * b
        n = tf.floor((2 * a / edge + b) * u + large + 0.43)
        inside = tf.logical_and(edge >= 0.07, v <= 0.9277 - 3.6224 / (b - 2))
        hat = 1.1239 + 1.1328 / (b - 3.4)
        under = tf.math.log(v * hat / (a / edge**2 + b)) <= (
            n * tf.math.log(large) - large - tf.math.lgamma(n + 1)
        )
        possible = tf.logical_and(n >= 0, tf.logical_or(edge >= 0.013, v <= edge))
        taken = tf.logical_or(inside, tf.logical_and(possible, under))
        count = tf.where(tf.logical_and(open_, taken), n, count)
        return k + 1, tf.logical_and(open_, tf.logical_not(taken)), count

    def more(k: tf.Tensor, open_: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        return tf.logical_and(tf.reduce_any(open_), k < _ATTEMPTS)

    shape = tf.broadcast_static_shape(mean.shape, key.shape)
    if not shape.is_fully_defined():
        shape = tf.broadcast_dynamic_shape(tf.shape(mean), tf.shape(key))
    # where no attempt can succeed, the mean is infinite
    open_ = tf.broadcast_to(
        tf.logical_and(mean >= LARGE, tf.math.is_finite(mean)), shape
    )
    begun = (tf.constant(1, tf.uint64), open_, tf.broadcast_to(mean, shape))
    return tf.while_loop(more, attempt, begun)[-1]


def _u64(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint64)
