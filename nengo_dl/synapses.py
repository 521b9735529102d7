"""Synapses that Nengo does not have; Nengo runs them all the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from nengo.exceptions import ValidationError
from nengo.params import IntParam
from nengo.rc import rc
from nengo.synapses import Synapse

from nengo_dl.validation import FiniteParam, refused, whole_number

__all__ = ["Delay"]

#: delays that differ from whole steps by less than this, in steps, are whole
_WHOLE = 1e-6
#: more steps than this would be a mistake: of milliseconds for seconds, for example
_MOST_STEPS = 1_000_000


class Delay(Synapse):
    r"""A synapse that delays its input by some time, and does not change it.

    .. math:: y(t) = x(t - d)

    A Connection with this synapse delays by exactly :math:`d`, the time step included
    by which every synapse of Nengo delays. Between two steps values are interpolated:

    .. math::

        y_n &= (1 - f)\, x_{n - k} + f\, x_{n - k - 1} \\
        d / \Delta t &= k + f

    so that the delay can be trained, see ``configure_settings(trainable=["delay"])``.
    Of single spikes a delay between two steps makes two spikes of less height.

    Parameters
    ----------
    n_steps : int, optional
        The delay in time steps. At least 1.
    seconds : float, optional
        The delay (s). At least one time step. Either this or ``n_steps`` is given.
    longest : float, optional
        What the delay can become at most when it is trained (s); as many values are
        kept. By default it is as long as it is, and cannot be trained.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> with nengo.Network() as net:
    ...     stimulus = nengo.Node(lambda t: t)
    ...     delayed = nengo.Node(size_in=1)
    ...     _ = nengo.Connection(stimulus, delayed, synapse=nengo_dl.Delay(3))
    ...     probe = nengo.Probe(delayed)
    >>> with nengo.Simulator(net, progress_bar=False) as sim:
    ...     sim.run_steps(6)
    >>> sim.data[probe].ravel().round(3).tolist()
    [0.0, 0.0, 0.0, 0.001, 0.002, 0.003]
    """

    n_steps: Any = IntParam(
        "n_steps", default=None, optional=True, low=1, readonly=True
    )
    seconds: Any = FiniteParam(
        "seconds", default=None, optional=True, low=0, low_open=True, readonly=True
    )
    longest: Any = FiniteParam(
        "longest", default=None, optional=True, low=0, low_open=True, readonly=True
    )

    def __init__(
        self,
        n_steps: int | None = None,
        seconds: float | None = None,
        longest: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (n_steps is None) == (seconds is None):
            raise ValidationError(
                "Expected either a number of time steps, `Delay(3)`, or a time, "
                f"`Delay(seconds=0.003)`; got n_steps={n_steps!r}, seconds={seconds!r}",
                attr="n_steps",
                obj=self,
            )
        if n_steps is not None:
            n_steps = whole_number(
                n_steps,
                "n_steps",
                least=1,
                expected="a whole number of time steps, at least 1; for a time, "
                "`Delay(seconds=...)`",
            )
        self.n_steps = n_steps
        self.seconds = _seconds(seconds, "seconds")
        self.longest = _seconds(longest, "longest")

    def steps(self, dt: float) -> float:
        """Return the delay in time steps, which need not be a whole number.

        Parameters
        ----------
        dt : float
            Length of a time step (s).

        Returns
        -------
        float
            At least 1.

        Raises
        ------
        ValidationError
            If it is shorter than one step, or longer than ``longest``.
        """
        steps = _rounded(self._given(dt))
        longest = self.most_steps(dt)
        if not 1 <= steps <= longest:
            raise ValidationError(
                f"{self} is a delay of {steps:g} time steps of {dt:g} s. Expected at "
                f"least 1, which every synapse delays, and at most {longest}",
                attr="seconds" if self.n_steps is None else "n_steps",
                obj=self,
            )
        return steps

    def _given(self, dt: float) -> float:
        """Return the delay in time steps, as it was given."""
        return self.seconds / dt if self.n_steps is None else self.n_steps

    def most_steps(self, dt: float) -> int:
        """Return how many time steps back the values go that are kept.

        Parameters
        ----------
        dt : float
            Length of a time step (s).

        Returns
        -------
        int
            At least the delay, rounded up.

        Raises
        ------
        ValidationError
            If that would be too many to keep.
        """
        steps = self._given(dt) if self.longest is None else self.longest / dt
        if steps > _MOST_STEPS:
            raise ValidationError(
                f"{self} would keep {steps:.3g} steps. Expected at most {_MOST_STEPS}; "
                "is the time in seconds?",
                attr="seconds",
                obj=self,
            )
        return max(math.ceil(_rounded(steps)), 1)

    def weights(self, dt: float) -> tuple[int, float]:
        """Return the last whole step of the delay, and the part of the next.

        Parameters
        ----------
        dt : float
            Length of a time step (s).

        Returns
        -------
        whole : int
            At least 1.
        part : float
            From 0 to 1, 1 excluded.
        """
        steps = self.steps(dt)
        whole = math.floor(steps)
        return whole, steps - whole

    def with_seconds(self, seconds: float, dt: float) -> Delay:
        """Return the same synapse with another delay.

        Parameters
        ----------
        seconds : float
            The delay (s). Below one time step, and beyond ``longest``, it is cut off.
        dt : float
            Length of a time step (s).
        """
        seconds = min(max(seconds, dt), self.most_steps(dt) * dt)
        others = {
            name: getattr(self, name)
            for name in ("default_size_in", "default_size_out", "default_dt", "seed")
        }
        return type(self)(seconds=seconds, longest=self.longest, **others)

    def make_state(
        self,
        shape_in: tuple[int, ...],
        shape_out: tuple[int, ...],
        dt: float,
        dtype: Any = None,
        y0: float | np.ndarray = 0,
    ) -> dict[str, np.ndarray]:
        """Return the values that are kept, the latest first.

        Parameters
        ----------
        shape_in, shape_out : tuple of int
            Shape of the input and of the output, which is the same.
        dt : float
            Length of a time step (s).
        dtype : np.dtype, optional
            Type of the values.
        y0 : float or np.ndarray, optional
            What they are at the beginning.

        Returns
        -------
        dict of {"X": np.ndarray}, shape (n_kept, *shape_in)
            As many as the longest delay has steps, but for the present one.
        """
        self.steps(dt)  # checks it
        dtype = rc.float_dtype if dtype is None else np.dtype(dtype)
        kept = np.zeros((self.most_steps(dt) - 1, *shape_in), dtype=dtype)
        kept[...] = 0 if y0 is None else y0
        return {"X": kept}

    def make_step(
        self,
        shape_in: tuple[int, ...],
        shape_out: tuple[int, ...],
        dt: float,
        rng: Any,
        state: dict[str, np.ndarray],
    ) -> Callable[[float, np.ndarray], np.ndarray]:
        """Return the function that Nengo calls in each step.

        Parameters
        ----------
        shape_in, shape_out : tuple of int
            Shape of the input and of the output.
        dt : float
            Length of a time step (s).
        rng : np.random.RandomState
            Not used.
        state : dict of {"X": np.ndarray}
            What `make_state` has made; it is changed.
        """
        whole, part = self.weights(dt)
        kept = state["X"]

        def step(t: float, x: np.ndarray) -> np.ndarray:
            # the step in which a Connection hands it on is one of the delay
            y = np.array(x if whole == 1 else kept[whole - 2])
            if part:
                y = (1 - part) * y + part * kept[whole - 1]
            if len(kept):
                kept[1:] = kept[:-1].copy()
                kept[0] = x
            return y

        return step


def _rounded(steps: float) -> float:
    """Return a number of steps; what division has made of a whole one is whole."""
    nearest = round(steps)
    return float(nearest) if abs(steps - nearest) < _WHOLE * max(nearest, 1) else steps


def _seconds(value: Any, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool | str):
        raise refused(value, name, "a time in seconds")
    return value
