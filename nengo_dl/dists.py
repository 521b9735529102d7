"""Distributions for the initial weights of networks that will be trained."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

import numpy as np
from nengo.dists import Distribution
from nengo.exceptions import ValidationError
from nengo.params import EnumParam

from nengo_dl.validation import FiniteParam

__all__ = ["Glorot", "He", "TruncatedNormal", "VarianceScaling"]

#: standard deviation of the normal distribution of width 1, cut at -2 and 2
_STDDEV_WITHIN_2 = math.sqrt(
    1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2))
)


class _Limit(FiniteParam):
    """Where a distribution ends; infinity: nowhere."""

    infinite = True


def _shape(n: Any, d: Any, rng: Any) -> tuple[int, ...]:
    """Return the shape of samples, if they can be drawn."""
    sizes = {"n": n} if d is None else {"n": n, "d": d}
    for name, size in sizes.items():
        whole = isinstance(size, Integral) and not isinstance(size, bool)
        if not whole or not 0 <= size < 2**31:
            raise ValidationError(
                f"Expected a whole number, 0 or more; got {size!r:.100}", attr=name
            )
    if not (hasattr(rng, "normal") and hasattr(rng, "uniform")):
        raise ValidationError(
            f"Expected np.random.RandomState or np.random; got {rng!r:.100}", attr="rng"
        )
    return tuple(map(int, sizes.values()))


class TruncatedNormal(Distribution):
    """Normal distribution without values that are far from the mean.

    What lies more than ``limit`` from the mean is not cut to the limit but drawn again.

    Parameters
    ----------
    mean : float
        Mean of the distribution.
    stddev : float
        Standard deviation of the normal distribution, before the tails are taken off.
        Greater than 0.
    limit : float, optional
        Largest distance from the mean, greater than 0; two standard deviations if not
        given.

    References
    ----------
    C. P. Robert, "Simulation of truncated normal variables", Statistics and Computing
    5, 1995.

    Examples
    --------
    >>> import nengo_dl, numpy as np
    >>> dist = nengo_dl.dists.TruncatedNormal(mean=1, stddev=0.5)
    >>> samples = dist.sample(1000, rng=np.random.RandomState(0))
    >>> bool(samples.min() >= 0 and samples.max() <= 2)
    True
    """

    mean: Any = FiniteParam("mean")
    stddev: Any = FiniteParam("stddev", low=0, low_open=True)
    limit: Any = _Limit("limit", low=0, low_open=True)

    def __init__(
        self, mean: float = 0, stddev: float = 1, limit: float | None = None
    ) -> None:
        super().__init__()
        self.mean = mean
        self.stddev = stddev
        self.limit = 2 * self.stddev if limit is None else limit

    def sample(self, n: int, d: int | None = None, rng: Any = np.random) -> np.ndarray:
        """Draw samples.

        Parameters
        ----------
        n : int
            Number of samples.
        d : int, optional
            Number of dimensions.
        rng : np.random.RandomState, optional
            Source of random numbers.

        Returns
        -------
        np.ndarray, shape (n, d), or (n,) without ``d``

        Raises
        ------
        ValidationError
            If a size is no whole number, or ``rng`` draws no random numbers.

        Examples
        --------
        >>> import nengo_dl
        >>> nengo_dl.dists.TruncatedNormal().sample(4, 3).shape
        (4, 3)
        """
        shape = _shape(n, d, rng)
        samples = np.empty(math.prod(shape))
        missing = np.arange(samples.size)
        while missing.size:
            drawn, accepted = self._propose(missing.size, rng)
            samples[missing] = drawn
            missing = missing[~accepted]
        return self.mean + self.stddev * samples.reshape(shape)

    def _propose(self, size: int, rng: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return standardized candidates, and which of them to keep."""
        bound = self.limit / self.stddev
        if bound > math.sqrt(math.pi / 2):
            drawn = rng.normal(size=size)
            return drawn, np.abs(drawn) <= bound
        # the normal distribution rarely hits a narrow range; within it it is nearly
        # uniform. At least three of four candidates are kept either way
        drawn = rng.uniform(-bound, bound, size=size)
        return drawn, rng.uniform(size=size) <= np.exp(-(drawn**2) / 2)


class VarianceScaling(Distribution):
    r"""Distribution around 0 whose variance fits the size of a weight matrix.

    .. math:: \mathrm{Var} = \frac{s}{k}

    where :math:`s` is the scale and :math:`k` the number of inputs of each neuron
    (``"fan_in"``), the number of its outputs (``"fan_out"``) or their mean
    (``"fan_avg"``). Weights are drawn as a matrix of shape (outputs, inputs), as in a
    ``nengo.Connection``, so :math:`k` follows from the arguments of `sample`.

    Parameters
    ----------
    scale : float
        Factor of the variance. Greater than 0.
    mode : {"fan_avg", "fan_in", "fan_out"}
        What the variance is divided by.
    distribution : {"uniform", "normal"}
        Uniform, or normal and cut at twice its standard deviation. Both have the
        variance given above.

    Notes
    -----
    For the kernels of a ``nengo.Convolution``, Nengo asks for one sample of shape
    (input channels, filters) for each point of the kernel, so "inputs" are then the
    filters and "outputs" the channels.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> dist = nengo_dl.dists.VarianceScaling(mode="fan_in", distribution="normal")
    >>> with nengo.Network(seed=0) as net:
    ...     a, b = nengo.Ensemble(50, 1), nengo.Ensemble(20, 1)
    ...     connection = nengo.Connection(a.neurons, b.neurons, transform=dist)
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     print(f"{sim.data[connection].weights.var():.2f}")  # 1 / 50
    0.02
    """

    scale: Any = FiniteParam("scale", low=0, low_open=True)
    mode = EnumParam("mode", values=("fan_avg", "fan_in", "fan_out"))
    distribution = EnumParam("distribution", values=("uniform", "normal"))

    def __init__(
        self,
        scale: float = 1,
        mode: str = "fan_avg",
        distribution: str = "uniform",
    ) -> None:
        super().__init__()
        self.scale = scale
        self.mode = mode
        self.distribution = distribution

    def sample(self, n: int, d: int | None = None, rng: Any = np.random) -> np.ndarray:
        """Draw samples.

        Parameters
        ----------
        n : int
            Number of outputs of the weight matrix.
        d : int, optional
            Number of its inputs; 1 if not given.
        rng : np.random.RandomState, optional
            Source of random numbers.

        Returns
        -------
        np.ndarray, shape (n, d), or (n,) without ``d``

        Raises
        ------
        ValidationError
            If a size is no whole number, or ``rng`` draws no random numbers.
        """
        shape = _shape(n, d, rng)
        stddev = math.sqrt(self.variance(fan_in=1 if d is None else d, fan_out=n))
        if self.distribution == "normal":
            return TruncatedNormal(stddev=stddev / _STDDEV_WITHIN_2).sample(n, d, rng)
        limit = math.sqrt(3) * stddev
        return rng.uniform(-limit, limit, size=shape)

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return the variance of weights from ``fan_in`` to ``fan_out`` elements.

        Parameters
        ----------
        fan_in, fan_out : int
            Elements of the input, and of the output.

        Returns
        -------
        float
            Their variance.

        Examples
        --------
        >>> import nengo_dl
        >>> nengo_dl.dists.VarianceScaling(mode="fan_in").variance(50, 20)
        0.02
        """
        fan = {
            "fan_in": fan_in,
            "fan_out": fan_out,
            "fan_avg": (fan_in + fan_out) / 2,
        }[self.mode]
        return self.scale / max(fan, 1)  # of no weights, any is right


class Glorot(VarianceScaling):
    r"""Glorot's initial weights: activity and gradients keep their size between layers.

    .. math:: \mathrm{Var} = \frac{2 s}{n_{in} + n_{out}}

    Also known as Xavier initialization.

    Parameters
    ----------
    scale : float
        Factor :math:`s` of the variance. Greater than 0.
    distribution : {"uniform", "normal"}
        As in `VarianceScaling`.

    References
    ----------
    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward
    neural networks", AISTATS, 2010.

    Examples
    --------
    >>> import nengo_dl
    >>> dist = nengo_dl.dists.Glorot()
    >>> dist.variance(fan_in=50, fan_out=30)
    0.025
    >>> dist.sample(30, 50).shape  # outputs, inputs
    (30, 50)
    """

    def __init__(self, scale: float = 1, distribution: str = "uniform") -> None:
        super().__init__(scale=scale, mode="fan_avg", distribution=distribution)


class He(VarianceScaling):
    r"""He's initial weights, for layers of rectified neurons.

    .. math:: \mathrm{Var} = \frac{s^2}{n_{in}}

    Half of a rectified line is zero, which a scale of :math:`\sqrt{2}` makes up for.

    Parameters
    ----------
    scale : float
        Factor :math:`s` of the standard deviation. Greater than 0.
    distribution : {"normal", "uniform"}
        As in `VarianceScaling`.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers: surpassing
    human-level performance on ImageNet classification", ICCV, 2015.

    Examples
    --------
    >>> import nengo_dl
    >>> nengo_dl.dists.He().variance(fan_in=50, fan_out=30)
    0.02
    """

    def __init__(self, scale: float = 1, distribution: str = "normal") -> None:
        super().__init__(scale=scale, mode="fan_in", distribution=distribution)

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return the variance of weights from ``fan_in`` to ``fan_out`` elements.

        Parameters
        ----------
        fan_in, fan_out : int
            Elements of the input, and of the output, which makes no difference.

        Returns
        -------
        float
            Their variance.
        """
        return self.scale**2 / max(fan_in, 1)
