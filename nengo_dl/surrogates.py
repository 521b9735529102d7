"""Surrogate derivatives: slopes for spikes, so that networks of them can be trained.

Whether a neuron fires is a step function of its voltage, whose derivative is zero
nearly everywhere. Training with surrogates keeps the step in the forward pass and puts
another derivative in its place in the backward pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

from nengo.exceptions import ValidationError

from nengo_dl.validation import function_of, positive_number

__all__ = [
    "LSO",
    "Arctan",
    "Boxcar",
    "Circ",
    "Custom",
    "FastSigmoid",
    "HeaviErfc",
    "Sigmoid",
    "SpikeRateEscape",
    "StraightThrough",
    "Surrogate",
    "Triangular",
    "resolve",
]


@dataclass(frozen=True)
class Surrogate:
    r"""Base class of derivatives that take the place of that of a spike.

    .. math:: \frac{\partial n}{\partial v} \approx c\, f(\beta (v - \vartheta)), \quad
              f(0) = 1

    Subclasses define the shape :math:`f` as ``_shape(self, u)``, where u is an array of
    NumPy or a tensor: by arithmetic, comparisons, which count as 1 and 0, functions of
    NumPy, or those of `keras.ops`. `Custom` does the same for a single function.

    Parameters
    ----------
    slope : float
        Steepness :math:`\beta`: the larger, the narrower the range of voltages around
        the threshold that learn. In units of 1 / threshold, which is 1 in all of
        Nengo's integrate-and-fire neurons.
    scale : float
        Height :math:`c` of the derivative at the threshold. Below 1, gradients fade
        that pass through many spikes.

    Raises
    ------
    ValidationError
        If a parameter is not a positive, finite number.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> from nengo_dl.surrogates import Surrogate
    >>> class Rectangular(Surrogate):
    ...     def _shape(self, u):
    ...         return 1.0 * (abs(u) < 0.5)
    >>> Rectangular(slope=2).derivative(0.2)
    1.0
    >>> with nengo.Network() as net:
    ...     nengo_dl.configure_settings(surrogate=Rectangular(slope=2))
    """

    slope: float = 1.0
    scale: float = 1.0

    #: name in ``configure_settings(surrogate=...)``
    name: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for field in fields(self):
            positive_number(getattr(self, field.name), field.name, obj=self)

    def derivative(self, distance: Any) -> Any:
        """Return the derivative of a spike with respect to the voltage.

        Parameters
        ----------
        distance : np.ndarray or tf.Tensor
            Voltages minus the threshold.

        Returns
        -------
        np.ndarray or tf.Tensor
            What the gradient of the spikes is multiplied with, in the same shape.

        Examples
        --------
        >>> import nengo_dl, numpy as np
        >>> surrogate = nengo_dl.surrogates.Triangular(scale=1)
        >>> surrogate.derivative(np.array([-2.0, -0.5, 0.0]))
        array([0. , 0.5, 1. ])
        """
        return self.scale * self._shape(self.slope * distance)

    def _shape(self, u: Any) -> Any:
        raise NotImplementedError


@dataclass(frozen=True)
class FastSigmoid(Surrogate):
    r"""Derivative of the fast sigmoid :math:`u / (1 + |u|)`.

    .. math:: f(u) = (1 + |u|)^{-2}

    It falls slowly, so that neurons far from their threshold learn too.

    Parameters
    ----------
    slope : float
        Steepness :math:`\beta` in :math:`u = \beta (v - \vartheta)`.
    scale : float
        Height at the threshold.

    References
    ----------
    F. Zenke and S. Ganguli, "SuperSpike: supervised learning in multilayer spiking
    neural networks", Neural Computation 30(6), 2018.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> with nengo.Network() as net:
    ...     surrogate = nengo_dl.surrogates.FastSigmoid(slope=25)
    ...     nengo_dl.configure_settings(surrogate=surrogate)
    >>> surrogate.derivative(0.04)
    0.25
    """

    slope: float = 10.0

    name: ClassVar[str] = "fast_sigmoid"

    def _shape(self, u: Any) -> Any:
        # the square of the quotient: that of the denominator may overflow
        quotient = 1 / (1 + abs(u))
        return quotient * quotient


@dataclass(frozen=True)
class Arctan(Surrogate):
    r"""Derivative of :math:`\arctan(\pi u) / \pi`.

    .. math:: f(u) = \frac{1}{1 + (\pi u)^2}

    Parameters
    ----------
    slope : float
        Steepness :math:`\beta` in :math:`u = \beta (v - \vartheta)`.
    scale : float
        Height at the threshold.

    References
    ----------
    W. Fang et al., "Incorporating learnable membrane time constant to enhance learning
    of spiking neural networks", ICCV, 2021.

    Examples
    --------
    >>> import math, nengo_dl
    >>> nengo_dl.surrogates.Arctan().derivative(1 / math.pi)
    0.5
    """

    name: ClassVar[str] = "arctan"

    def _shape(self, u: Any) -> Any:
        return 1 / (1 + (math.pi * u) ** 2)


@dataclass(frozen=True)
class Triangular(Surrogate):
    r"""A triangle around the threshold.

    .. math:: f(u) = \max(0, 1 - |u|)

    Parameters
    ----------
    slope : float
        Steepness :math:`\beta` in :math:`u = \beta (v - \vartheta)`; the triangle is
        :math:`2 / \beta` wide.
    scale : float
        Height at the threshold; 0.3 as in Bellec et al., which keeps gradients through
        many time steps from growing.

    References
    ----------
    S. K. Esser et al., "Convolutional networks for fast, energy-efficient neuromorphic
    computing", PNAS 113(41), 2016.

    G. Bellec et al., "Long short-term memory and learning-to-learn in networks of
    spiking neurons", NeurIPS, 2018.

    Examples
    --------
    >>> import nengo_dl
    >>> nengo_dl.surrogates.Triangular(slope=2, scale=1).derivative(0.25)
    0.5
    """

    scale: float = 0.3

    name: ClassVar[str] = "triangular"

    def _shape(self, u: Any) -> Any:
        rest = 1 - abs(u)
        return 0.5 * (rest + abs(rest))  # max(0, rest), in arithmetic


@dataclass(frozen=True)
class Sigmoid(Surrogate):
    r"""Derivative of the logistic function :math:`\sigma(u) = 1 / (1 + e^{-u})`.

    .. math:: f(u) = 4\, \sigma(u)\, (1 - \sigma(u)) = \cosh(u / 2)^{-2}

    The derivative of :math:`\tanh(k x)` is the same, for :math:`\beta = 2 k`. By
    default it is SpikingJelly's, whose :math:`\alpha` is :math:`\beta`, and whose
    scale is :math:`\beta / 4`, as that of snnTorch's ``sigmoid(slope=25)``:
    ``Sigmoid(slope=25, scale=6.25)``.

    Parameters
    ----------
    slope : float
        Steepness :math:`\beta` in :math:`u = \beta (v - \vartheta)`.
    scale : float
        Height at the threshold.

    References
    ----------
    E. O. Neftci, H. Mostafa and F. Zenke, "Surrogate gradient learning in spiking
    neural networks", IEEE Signal Processing Magazine 36(6), 2019.

    Examples
    --------
    >>> import math, nengo_dl
    >>> nengo_dl.surrogates.Sigmoid(slope=1).derivative(math.log(3))
    0.75
    """

    slope: float = 4.0

    name: ClassVar[str] = "sigmoid"

    def _shape(self, u: Any) -> Any:
        # of the distance from either side, so that no power overflows
        power = math.e ** -abs(u)
        return 4 * power / ((1 + power) * (1 + power))


@dataclass(frozen=True)
class Boxcar(Surrogate):
    r"""A rectangle around the threshold.

    .. math:: f(u) = 1 \text{ for } |u| \le 1/2, \text{ else } 0

    It is :math:`1 / \beta` wide: Spyx' ``boxcar(2, 0.5)``, 2 wide and 0.5 high, is
    ``Boxcar(slope=0.5, scale=0.5)``.

    Parameters
    ----------
    slope : float
        Steepness :math:`\beta` in :math:`u = \beta (v - \vartheta)`.
    scale : float
        Height of the rectangle.

    References
    ----------
    Y. Wu et al., "Spatio-temporal backpropagation for training high-performance spiking
    neural networks", Frontiers in Neuroscience 12:331, 2018.

    Examples
    --------
    >>> import nengo_dl
    >>> boxcar = nengo_dl.surrogates.Boxcar(slope=0.5)
    >>> boxcar.derivative(1.0), boxcar.derivative(1.01)
    (1.0, 0.0)
    """

    name: ClassVar[str] = "boxcar"

    def _shape(self, u: Any) -> Any:
        beyond = abs(u) - 0.5
        return 0.0 ** (abs(beyond) + beyond)  # 0 to the power of 0 is 1


@dataclass(frozen=True)
class HeaviErfc(Surrogate):
    r"""A Gaussian, the derivative of the error function.

    .. math:: f(u) = e^{-u^2}

    Norse's ``heavi_erfc`` with its factor k is ``HeaviErfc(slope=k, scale=1.128)``,
    :math:`2 / \sqrt{\pi}` high.

    Parameters
    ----------
    slope : float
        Steepness :math:`\beta` in :math:`u = \beta (v - \vartheta)`.
    scale : float
        Height at the threshold.

    References
    ----------
    B. Yin, F. Corradi and S. M. Bohté, "Accurate and efficient time-domain
    classification with adaptive spiking recurrent neural networks", Nature Machine
    Intelligence 3, 2021.

    Examples
    --------
    >>> import nengo_dl
    >>> round(nengo_dl.surrogates.HeaviErfc().derivative(1.0), 4)
    0.3679
    """

    name: ClassVar[str] = "heavi_erfc"

    def _shape(self, u: Any) -> Any:
        return math.e ** -(u * u)


@dataclass(frozen=True)
class StraightThrough(Surrogate):
    r"""A constant derivative: gradients pass the spike unchanged.

    .. math:: f(u) = 1

    Parameters
    ----------
    slope : float
        As in other surrogates; it makes no difference.
    scale : float
        The derivative.

    References
    ----------
    Y. Bengio, N. Léonard and A. Courville, "Estimating or propagating gradients through
    stochastic neurons for conditional computation", arXiv:1308.3432, 2013.

    Examples
    --------
    >>> import nengo_dl
    >>> nengo_dl.surrogates.StraightThrough(scale=0.5).derivative(-7.0)
    0.5
    """

    name: ClassVar[str] = "straight_through"

    def _shape(self, u: Any) -> Any:
        return u**0


@dataclass(frozen=True)
class SpikeRateEscape(Surrogate):
    r"""An exponential on both sides of the threshold: the rate at which noise fires.

    .. math:: f(u) = e^{-|u|}

    snnTorch's ``spike_rate_escape(beta, slope)`` is
    ``SpikeRateEscape(slope=beta, scale=slope)``, but for its centre, which lies 1 above
    the threshold there.

    Parameters
    ----------
    slope : float
        Steepness :math:`\beta` in :math:`u = \beta (v - \vartheta)`.
    scale : float
        Height at the threshold.

    References
    ----------
    W. Gerstner and W. M. Kistler, "Spiking neuron models", Cambridge University Press,
    2002.

    S. B. Shrestha and G. Orchard, "SLAYER: spike layer error reassignment in time",
    NeurIPS, 2018.

    Examples
    --------
    >>> import nengo_dl
    >>> round(nengo_dl.surrogates.SpikeRateEscape(slope=2).derivative(-0.5), 4)
    0.3679
    """

    name: ClassVar[str] = "spike_rate_escape"

    def _shape(self, u: Any) -> Any:
        return math.e ** -abs(u)


@dataclass(frozen=True)
class Circ(Surrogate):
    r"""Derivative of :math:`u / \sqrt{1 + u^2}`, which consists of arcs.

    .. math:: f(u) = (1 + u^2)^{-3/2}

    Norse's ``circ`` with its parameter :math:`\alpha` is ``Circ(slope=1 / alpha)``.

    Parameters
    ----------
    slope : float
        Steepness :math:`\beta` in :math:`u = \beta (v - \vartheta)`.
    scale : float
        Height at the threshold.

    References
    ----------
    C. Pehle and J. E. Pedersen, "Norse: a deep learning library for spiking neural
    networks", 2021, doi:10.5281/zenodo.4422025.

    Examples
    --------
    >>> import math, nengo_dl
    >>> round(nengo_dl.surrogates.Circ().derivative(math.sqrt(3)), 4)
    0.125
    """

    name: ClassVar[str] = "circ"

    def _shape(self, u: Any) -> Any:
        return (1 + u * u) ** -1.5


@dataclass(frozen=True)
class LSO(Surrogate):
    r"""The leaky spike operator: one derivative above the threshold, another below.

    .. math:: f(u) = 1 \text{ for } u \ge 0, \text{ else } k

    Parameters
    ----------
    slope : float
        As in other surrogates; it makes no difference.
    scale : float
        The derivative above the threshold.
    leak : float
        The part :math:`k` of it that is left below the threshold; snnTorch calls it the
        slope.

    References
    ----------
    J. K. Eshraghian et al., "Training spiking neural networks using lessons from deep
    learning", Proceedings of the IEEE 111(9), 2023.

    Examples
    --------
    >>> import nengo_dl
    >>> lso = nengo_dl.surrogates.LSO(leak=0.2)
    >>> lso.derivative(0.3), lso.derivative(-0.3)
    (1.0, 0.2)
    """

    leak: float = 0.1

    name: ClassVar[str] = "lso"

    def _shape(self, u: Any) -> Any:
        above = 0.0 ** (abs(u) - u)  # 0 to the power of 0 is 1
        return above + self.leak * (1 - above)


@dataclass(frozen=True, init=False)
class Custom(Surrogate):
    r"""A derivative of your own, as a function of the distance to the threshold.

    .. math:: \frac{\partial n}{\partial v} \approx c\, f(\beta (v - \vartheta))

    ``configure_settings(surrogate=function)`` is ``Custom(function)``.

    Parameters
    ----------
    function : callable
        ``function(u)`` with an array or a tensor of any shape, voltages minus the
        threshold where ``slope`` is 1. It returns as many numbers, or a single one:
        by arithmetic, comparisons, which count as 1 and 0, functions of NumPy, or those
        of `keras.ops`.
    slope, scale : float
        Factors :math:`\beta` of the distances and :math:`c` of the derivative.

    Raises
    ------
    ValidationError
        If it cannot be called, or another parameter is not a positive, finite number.

    Examples
    --------
    >>> import nengo, nengo_dl, numpy as np
    >>> def one_sided(u):
    ...     return np.exp(-abs(u)) * (u > -1)
    >>> with nengo.Network() as net:
    ...     nengo_dl.configure_settings(surrogate=one_sided)
    >>> surrogate = nengo_dl.surrogates.Custom(one_sided, slope=2)
    >>> surrogate.derivative(np.array([-1.0, 0.0]))
    array([0., 1.])
    """

    function: Callable[[Any], Any] | None = None

    def __init__(
        self,
        function: Callable[[Any], Any] | None = None,
        slope: float = 1.0,
        scale: float = 1.0,
    ) -> None:
        # the function first, as users write it
        given = {"slope": slope, "scale": scale, "function": function}
        for name, value in given.items():
            object.__setattr__(self, name, value)
        for name in ("slope", "scale"):
            positive_number(getattr(self, name), name, obj=self)
        expected = "a function of the distance to the threshold"
        function_of(self.function, "function", expected)

    def _shape(self, u: Any) -> Any:
        assert self.function is not None
        return self.function(u)


_KINDS: tuple[type[Surrogate], ...] = (
    FastSigmoid,
    Arctan,
    Triangular,
    Sigmoid,
    Boxcar,
    HeaviErfc,
    StraightThrough,
    SpikeRateEscape,
    Circ,
    LSO,
)
#: names that other libraries and papers have for the same shapes
_ALIASES: dict[str, type[Surrogate]] = {
    "atan": Arctan,
    "gaussian": HeaviErfc,
    "rectangular": Boxcar,
    "straight_through_estimator": StraightThrough,
    "superspike": FastSigmoid,
    "tanh": Sigmoid,
    "triangle": Triangular,
}
_BY_NAME = {**{cls.name: cls for cls in _KINDS}, **_ALIASES}


def resolve(value: Any) -> Surrogate | Literal["rate"] | None:
    """Return the surrogate that a value of the setting ``surrogate`` stands for.

    Parameters
    ----------
    value : Surrogate, str, callable or None
        A surrogate; the name of one, ``"fast_sigmoid"``, ``"arctan"``,
        ``"triangular"``, ``"sigmoid"``, ``"boxcar"``, ``"heavi_erfc"``,
        ``"straight_through"``, ``"spike_rate_escape"``, ``"circ"`` or ``"lso"``, for
        its default parameters; ``"rate"``, for the slope of the neuron type's rate
        curve; or a function of the distance to the threshold, see `Custom`. Names that
        other libraries have for these shapes are taken too: ``"atan"``,
        ``"superspike"``, ``"tanh"``, ``"rectangular"``, ``"gaussian"``, ``"triangle"``
        and ``"straight_through_estimator"``.

    Returns
    -------
    Surrogate, "rate" or None
        None is returned as it is: no surrogate.

    Raises
    ------
    ValidationError
        If the value is none of these.

    Examples
    --------
    >>> from nengo_dl.surrogates import resolve
    >>> resolve("arctan")
    Arctan(slope=1.0, scale=1.0)
    """
    if value is None or isinstance(value, Surrogate):
        return value
    if isinstance(value, str) and value == "rate":
        return "rate"
    if isinstance(value, str) and value in _BY_NAME:
        return _BY_NAME[value]()
    if callable(value) and not isinstance(value, type):
        return Custom(value)
    names = ", ".join(map(repr, (*(cls.name for cls in _KINDS), "rate")))
    raise ValidationError(
        f"Expected one of {names}, one with parameters of your own, such as "
        "`nengo_dl.surrogates.FastSigmoid(slope=25)`, or a function of the distance to "
        f"the threshold; got {value!r:.100}",
        attr="surrogate",
    )
