"""Neuron types in addition to Nengo's; ``nengo.Simulator`` runs them too."""

from __future__ import annotations

from typing import Any

import numpy as np
from nengo.dists import Uniform
from nengo.neurons import LIFRate, RectifiedLinear

from nengo_dl.validation import FiniteParam

__all__ = [
    "Heaviside",
    "LeakyReLU",
    "LimitedReLU",
    "SoftLIFRate",
    "SpikingLeakyReLU",
]


class SoftLIFRate(LIFRate):
    r"""Rates of leaky integrate-and-fire neurons with a soft threshold.

    .. math::

        a &= \frac{\alpha}{\tau_{ref} + \tau_{rc} \ln(1 + 1/z)} \\
        z &= \sigma \ln\left(1 + e^{(J - 1)/\sigma}\right)

    LIFRate has :math:`z = \max(0, J - 1)`, and its slope is unbounded where firing
    begins. The soft threshold makes the slope finite, so that networks can be trained;
    the smaller :math:`\sigma`, the closer the rates are to those of LIFRate.

    Gain and bias are those of LIFRate for the same maximum rates and intercepts, so
    that a network has the same parameters with LIF as with SoftLIFRate. The intercept
    is therefore the input for which the current is 1, and neurons exceed their maximum
    rate slightly: by less than 0.1 Hz of 200 Hz for the default :math:`\sigma`.

    Parameters
    ----------
    sigma : float
        Width of the threshold, in units of current. Greater than 0.
    tau_rc : float
        Time constant of the membrane (s). Greater than 0.
    tau_ref : float
        Refractory period after each spike (s).
    amplitude : float
        Factor of the output. Greater than 0.
    initial_state : dict, optional
        For compatibility with other neuron types; there are no state variables.

    References
    ----------
    E. Hunsberger and C. Eliasmith, "Spiking deep networks with LIF neurons",
    arXiv:1510.08829, 2015.

    Examples
    --------
    >>> import nengo_dl
    >>> neurons = nengo_dl.SoftLIFRate(sigma=0.1)
    >>> neurons.rates([-1, 0, 1], gain=[1], bias=[1]).round(1)
    array([[ 4. ],
           [17.6],
           [63. ]])
    """

    sigma: Any = FiniteParam("sigma", low=0, low_open=True)
    # as Nengo's, but for NaN and infinity
    tau_rc: Any = FiniteParam("tau_rc", low=0, low_open=True)
    tau_ref: Any = FiniteParam("tau_ref", low=0)
    amplitude: Any = FiniteParam("amplitude", low=0, low_open=True)

    def __init__(
        self,
        sigma: float = 1.0,
        tau_rc: float = 0.02,
        tau_ref: float = 0.002,
        amplitude: float = 1,
        initial_state: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            tau_rc=tau_rc,
            tau_ref=tau_ref,
            amplitude=amplitude,
            initial_state=initial_state,
        )
        self.sigma = sigma

    def rates(self, x: Any, gain: Any, bias: Any) -> np.ndarray:
        """Return the rates for represented values.

        Parameters
        ----------
        x : array_like, shape (n_samples,) or (n_samples, n_neurons)
            Values along the neurons' encoders.
        gain, bias : array_like, shape (n_neurons,)
            Gains and bias currents.

        Returns
        -------
        np.ndarray, shape (n_samples, n_neurons)
            Rates times amplitude (Hz).
        """
        current = self.current(x, gain, bias)
        output = np.zeros_like(current)
        self.step(1.0, current, output)
        return output

    def step(self, dt: float, J: np.ndarray, output: np.ndarray) -> None:
        """Write the rates for input currents to ``output``.

        Parameters
        ----------
        dt : float
            Length of a time step (s); has no effect on rates.
        J : np.ndarray, shape (n_neurons,)
            Input currents.
        output : np.ndarray, shape (n_neurons,)
            Array to write the rates to (Hz).
        """
        above = J - 1
        with np.errstate(over="ignore"):  # then infinity is right, and its exp(-u) = 0
            u = above / self.sigma
        z = np.maximum(above, 0) + self.sigma * np.log1p(np.exp(-np.abs(u)))
        # ln(1 + 1/z) loses all digits where z is tiny, ln(1 + z) - ln(z) where z is
        # large; and far below the threshold z = sigma exp(u) is too small for a number
        # while its logarithm is not
        large = z > 1
        far = u < -30
        log_z = np.where(far, np.log(self.sigma) + u, np.log(np.where(far, 1, z)))
        reciprocal = 1 / np.where(large, z, 1)
        log = np.log1p(np.where(large, reciprocal, z)) - np.where(large, 0, log_z)
        output[...] = self.amplitude / (self.tau_ref + self.tau_rc * log)


class LeakyReLU(RectifiedLinear):
    r"""Rectified linear rates, with a smaller slope for negative currents.

    .. math:: a = \alpha J \text{ for } J > 0, \text{ else } \alpha \lambda J

    With RectifiedLinear, a neuron that is silent for every input has a gradient of zero
    and does not learn any more; here the gradient is the slope :math:`\lambda`.

    Parameters
    ----------
    negative_slope : float
        Slope :math:`\lambda` of the output for negative currents.
    amplitude : float
        Factor of the output. Greater than 0.
    initial_state : dict, optional
        Initial values of state variables, by name.

    References
    ----------
    A. L. Maas, A. Y. Hannun and A. Y. Ng, "Rectifier nonlinearities improve neural
    network acoustic models", ICML Workshop on Deep Learning for Audio, Speech and
    Language Processing, 2013.

    Examples
    --------
    >>> import nengo_dl
    >>> nengo_dl.LeakyReLU(negative_slope=0.1).rates([-10, 10], gain=[1], bias=[0])
    array([[-1.],
           [10.]])
    """

    negative = True

    negative_slope: Any = FiniteParam("negative_slope")
    amplitude: Any = FiniteParam("amplitude", low=0, low_open=True)

    def __init__(
        self,
        negative_slope: float = 0.3,
        amplitude: float = 1,
        initial_state: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(amplitude=amplitude, initial_state=initial_state)
        self.negative_slope = negative_slope

    def rates(self, x: Any, gain: Any, bias: Any) -> np.ndarray:
        """Return the rates for represented values.

        Parameters
        ----------
        x : array_like, shape (n_samples,) or (n_samples, n_neurons)
            Values along the neurons' encoders.
        gain, bias : array_like, shape (n_neurons,)
            Gains and bias currents.

        Returns
        -------
        np.ndarray, shape (n_samples, n_neurons)
            Rates times amplitude (Hz), negative for negative currents.
        """
        return self.amplitude * self._leak(self.current(x, gain, bias))

    def step(self, dt: float, J: np.ndarray, output: np.ndarray) -> None:
        """Write the rates for input currents to ``output``.

        Parameters
        ----------
        dt : float
            Length of a time step (s); has no effect on rates.
        J : np.ndarray, shape (n_neurons,)
            Input currents.
        output : np.ndarray, shape (n_neurons,)
            Array to write the rates to (Hz).
        """
        output[...] = self.amplitude * self._leak(J)

    def _leak(self, current: np.ndarray) -> np.ndarray:
        return np.where(current > 0, current, self.negative_slope * current)


class LimitedReLU(RectifiedLinear):
    r"""Rectified linear rates that are constant above a highest current.

    .. math:: a = \alpha \min(\max(J, 0), J_{max})

    With a limit of 6 this is ReLU6, as in MobileNets. For spiking neurons with these
    rates use ``nengo.RegularSpiking(nengo_dl.LimitedReLU())``.

    Parameters
    ----------
    limit : float
        The current :math:`J_{max}` above which the rate is constant. Greater than 0.
    amplitude : float
        Factor of the output. Greater than 0.
    initial_state : dict, optional
        For compatibility with other neuron types; there are no state variables.

    References
    ----------
    A. Krizhevsky, "Convolutional deep belief networks on CIFAR-10", University of
    Toronto, 2010.

    Examples
    --------
    >>> import nengo_dl
    >>> nengo_dl.LimitedReLU(limit=6).rates([-10, 4, 10], gain=[1], bias=[0])
    array([[0.],
           [4.],
           [6.]])
    """

    limit: Any = FiniteParam("limit", low=0, low_open=True)
    amplitude: Any = FiniteParam("amplitude", low=0, low_open=True)

    def __init__(
        self,
        limit: float = 6.0,
        amplitude: float = 1,
        initial_state: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(amplitude=amplitude, initial_state=initial_state)
        self.limit = limit

    def step(self, dt: float, J: np.ndarray, output: np.ndarray) -> None:
        """Write the rates for input currents to ``output``.

        Parameters
        ----------
        dt : float
            Length of a time step (s); has no effect on rates.
        J : np.ndarray, shape (n_neurons,)
            Input currents.
        output : np.ndarray, shape (n_neurons,)
            Array to write the rates to (Hz).
        """
        output[...] = self.amplitude * np.clip(J, 0, self.limit)


class Heaviside(RectifiedLinear):
    r"""Step function: a constant output for positive currents, else 0.

    .. math:: a = \alpha [J > 0]

    The neurons have no state, unlike spiking neurons. Training uses
    :math:`1/(1 + |J|)^2` in place of the derivative of the step.

    Parameters
    ----------
    amplitude : float
        The output :math:`\alpha`. Greater than 0.
    initial_state : dict, optional
        For compatibility with other neuron types; there are no state variables.

    References
    ----------
    W. S. McCulloch and W. Pitts, "A logical calculus of the ideas immanent in nervous
    activity", Bulletin of Mathematical Biophysics 5, 1943.

    Examples
    --------
    >>> from nengo_dl.neurons import Heaviside
    >>> Heaviside().rates([-1, 0, 2], gain=[1], bias=[0])
    array([[0.],
           [0.],
           [1.]])
    """

    amplitude: Any = FiniteParam("amplitude", low=0, low_open=True)

    def step(self, dt: float, J: np.ndarray, output: np.ndarray) -> None:
        """Write 0 or the amplitude for input currents to ``output``.

        Parameters
        ----------
        dt : float
            Length of a time step (s); has no effect on the output.
        J : np.ndarray, shape (n_neurons,)
            Input currents.
        output : np.ndarray, shape (n_neurons,)
            Array to write to.
        """
        output[...] = self.amplitude * (J > 0)


class SpikingLeakyReLU(LeakyReLU):
    r"""Spiking neurons with the rates of `LeakyReLU`, with negative spikes too.

    .. math::

        v' &= v + f(J)\,\Delta t \\
        a &= \frac{\alpha}{\Delta t} n \\
        v &\leftarrow v' - n

    :math:`f(J)` is :math:`J` for positive and :math:`\lambda J` for negative currents,
    and :math:`n` is :math:`v'` without its fraction: a neuron fires when :math:`v'`
    reaches 1, and has a negative spike when it reaches -1.

    Parameters
    ----------
    negative_slope : float
        Slope :math:`\lambda` of the rates for negative currents.
    amplitude : float
        Factor of the output. Greater than 0.
    initial_state : dict, optional
        Initial values of state variables, by name; the only one is ``"voltage"``, which
        by default is drawn between 0 and 1.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> with nengo.Network(seed=0) as net:
    ...     neuron_type = nengo_dl.SpikingLeakyReLU(negative_slope=0.5)
    ...     ensemble = nengo.Ensemble(
    ...         1, 1, neuron_type=neuron_type, gain=[100], bias=[-100]
    ...     )
    ...     probe = nengo.Probe(ensemble.neurons)
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     sim.run(0.2)  # at a rate of -50 Hz
    >>> round(float(sim.data[probe].sum() * sim.dt))
    -9
    """

    state = {"voltage": Uniform(low=0, high=1)}  # noqa: RUF012
    spiking = True

    def step(  # type: ignore[override]
        self, dt: float, J: np.ndarray, output: np.ndarray, voltage: np.ndarray
    ) -> None:
        """Write spikes to ``output`` and subtract them from ``voltage``.

        Parameters
        ----------
        dt : float
            Length of a time step (s).
        J : np.ndarray, shape (n_neurons,)
            Input currents.
        output : np.ndarray, shape (n_neurons,)
            Array to write the spikes to: whole multiples of ``amplitude / dt``.
        voltage : np.ndarray, shape (n_neurons,)
            Input integrated since the last spike; updated in place.
        """
        voltage += self._leak(J) * dt
        n_spikes = np.trunc(voltage)
        output[...] = (self.amplitude / dt) * n_spikes
        voltage -= n_spikes
