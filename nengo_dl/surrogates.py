"""Surrogate derivatives: slopes for spikes, so that networks of them can be trained.

Whether a neuron fires is a step function of its voltage, whose derivative is zero
nearly everywhere. Training with surrogates keeps the step in the forward pass and puts
another derivative in its place in the backward pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

from nengo.exceptions import ValidationError

from nengo_dl.validation import positive_number

__all__ = ["Arctan", "FastSigmoid", "Surrogate", "Triangular", "resolve"]


@dataclass(frozen=True)
class Surrogate:
    r"""A derivative for the step with which a neuron begins to fire.

    .. math:: \frac{\partial n}{\partial v} \approx c\, f(\beta (v - \vartheta)), \quad
              f(0) = 1

    Subclasses define the shape :math:`f`, with arithmetic alone: `derivative` takes
    NumPy arrays and TensorFlow's tensors.

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
    >>> from nengo_dl.surrogates import Surrogate
    >>> class Rectangular(Surrogate):
    ...     def _shape(self, u):
    ...         return 1.0 * (abs(u) < 0.5)
    >>> Rectangular(slope=2).derivative(0.2)
    1.0
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


_BY_NAME = {cls.name: cls for cls in (FastSigmoid, Arctan, Triangular)}


def resolve(value: Any) -> Surrogate | Literal["rate"] | None:
    """Return the surrogate that a value of the setting ``surrogate`` stands for.

    Parameters
    ----------
    value : Surrogate, str or None
        A surrogate; the name of one, ``"fast_sigmoid"``, ``"arctan"`` or
        ``"triangular"``, for its default parameters; or ``"rate"``, for the slope of
        the neuron type's rate curve.

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
    names = ", ".join(map(repr, (*_BY_NAME, "rate")))
    raise ValidationError(
        f"Expected one of {names}, or one with parameters of your own, such as "
        f"`nengo_dl.surrogates.FastSigmoid(slope=25)`; got {value!r:.100}",
        attr="surrogate",
    )
