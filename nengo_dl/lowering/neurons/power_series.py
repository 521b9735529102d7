"""Functions of small arguments as short series, exact to the last digits.

A neuron's time constant is long beside a time step, so that the exponential and the
logarithm of its equation have small arguments. XLA needs twenty operations for each of
them, whatever the argument: half of the time that a step of LIF neurons takes. And
TensorFlow needs 10 ms to translate each of them for XLA, and 20 ms more for the first.

Both take a quotient, and multiply by what the caller would multiply by, so as to need
few operations. XLA divides a fused computation among the processor's cores when it has
more operations than bytes to read and write and costs more than a tenth of a
millisecond by XLA's estimate, which 1,000 neurons do; to wake a second core takes
longer than such a population does. With no more operations than bytes it is left in one
piece up to 512 kB, or 20,000 neurons. `tests/lowering/neurons/test_one_piece.py` reads
XLA's result.

References
----------
M. Abramowitz and I. A. Stegun, *Handbook of Mathematical Functions*, 1964: 4.1.27 is
the series of the logarithm, 23.1.1 that of :math:`x / (e^x - 1)`.
"""

from __future__ import annotations

import math
from itertools import count

import ml_dtypes
import numpy as np
import tensorflow as tf

#: more terms than this are not quicker than the functions
MAX_TERMS = 16

#: the even coefficients of :math:`x / (e^x - 1)`, Bernoulli numbers over factorials
BERNOULLI = (
    1 / 12,
    -1 / 720,
    1 / 30240,
    -1 / 1209600,
    1 / 47900160,
    -691 / 1307674368000,
)


def log1p(
    a: tf.Tensor, b: tf.Tensor, bound: float, scale: float | np.ndarray | tf.Tensor
) -> tf.Tensor:
    r"""Return :math:`c \ln(1 + a / b)`.

    .. math:: \ln(1 + a / b) = 2 \operatorname{artanh} s
              = 2 s (1 + s^2 / 3 + s^4 / 5 + \dots), \quad s = \frac{a}{2 b + a}

    Parameters
    ----------
    a, b : tf.Tensor
        Numerator and denominator.
    bound : float
        What the absolute value of ``a / b`` does not exceed. Where a positive one does,
        the result stops rising.
    scale : float or numpy.ndarray or tf.Tensor
        The factor :math:`c`.
    """
    if not bound < 1:
        return scale * tf.math.log1p(a / b)
    highest = bound / (2 - bound)
    small = highest**2
    n = next(n for n in count(1) if small**n / (2 * n + 1) / (1 - small) < _rounding(a))
    if n > MAX_TERMS:
        return scale * tf.math.log1p(a / b)
    # A quotient that is read twice would be an array of its own to XLA. Read once, by
    # this, it is part of the computation.
    s = tf.minimum(a / (2 * b + a), highest)
    square = s * s
    total = scale * (2 / (2 * n - 1))
    for k in range(2 * n - 3, 0, -2):
        total = scale * (2 / k) + square * total
    return s * total


def expm1(t: tf.Tensor, tau: float | np.ndarray | tf.Tensor, bound: float) -> tf.Tensor:
    r"""Return :math:`e^{-t / \tau} - 1`.

    The division at its end is of use itself: XLA computes chains of products anew in
    everything that reads them, for each row of a matrix even, but no division (as a
    power series: PES 64-D 36 -> 87 us per step, circular convolution 30 -> 59).

    Parameters
    ----------
    t : tf.Tensor
        Times (s).
    tau : float or numpy.ndarray or tf.Tensor
        Time constants (s).
    bound : float
        What the absolute value of ``t / tau`` does not exceed.
    """
    small = (bound / (2 * math.pi)) ** 2
    for n in range(len(BERNOULLI) + 1):
        if small < 1 and 2 * small ** (n + 1) / (1 - small) < _rounding(t):
            break
    else:
        return tf.math.expm1(-t / tau)
    # x / (1 - x / 2 + x^2 / 12 - ...) for x = -t / tau, times tau above and below as
    # long as no power of tau is needed, which could be too small a number
    unit: float | np.ndarray | tf.Tensor = tau
    if n > 1:
        t, unit = t / tau, 1.0
    if n == 0:
        return t / (t * -0.5 - unit)
    rest = -BERNOULLI[n - 1] / unit
    for coefficient in reversed(BERNOULLI[: n - 1]):
        rest = rest * (t * t) - coefficient / unit
    return t / (t * (t * rest - 0.5) - unit)


def _rounding(x: tf.Tensor) -> float:
    """Return a relative error that is lost among those of rounding."""
    return float(ml_dtypes.finfo(x.dtype.as_numpy_dtype).eps) / 8
