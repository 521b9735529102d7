"""Objectives for ``Simulator.train`` and ``loss``, called as ``(outputs, targets)``.

The same as in `nengo_dl.losses`, under the names and in the order of arguments that
``train`` has. Also available as ``nengo_dl.obj``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from nengo_dl.losses.outputs import check_norm, norms, squared_errors
from nengo_dl.validation import finite_number

__all__ = ["Regularize", "mse"]


def mse(outputs: Any, targets: Any) -> tf.Tensor:
    """Return the mean squared error; targets of ``nan`` count as errors of 0.

    Parameters
    ----------
    outputs : tf.Tensor, shape (batch, n_steps, d)
        Outputs of a probe.
    targets : tf.Tensor or array_like, shape (batch, n_steps, d)
        Targets; ``np.nan`` where there is none. The error is zero there, and counted in
        the mean.

    Returns
    -------
    tf.Tensor, shape ()

    Raises
    ------
    ValidationError
        If the shapes differ.

    Examples
    --------
    >>> import nengo_dl, numpy as np
    >>> float(nengo_dl.objectives.mse(np.ones((2, 5, 1)), np.full((2, 5, 1), 3.0)))
    4.0
    """
    return tf.reduce_mean(squared_errors(targets, outputs, ("targets", "outputs")))


@dataclass(frozen=True)
class Regularize:
    r"""Penalty on the mean norm of an output, such as firing rates or weights.

    .. math:: \frac{w}{N} \sum_{i=1}^N \Big(\sum_j |y_{ij}|^p\Big)^{1/p}

    where :math:`i` goes over the items of the batch and the time steps, and :math:`j`
    over the elements of the output. At 0, where norms have no derivative, gradients
    are 0.

    Parameters
    ----------
    order : float or str
        Order :math:`p` of the norm, greater than 0; ``np.inf`` for the largest element;
        ``"euclidean"`` is 2.
    axis : int, optional
        Axis of the norm, counted behind batch and time: 0 is the first axis of the
        probed signal. The mean is taken over its other axes. By default the norm goes
        over all of the signal.
    weight : float, optional
        Factor :math:`w`; 1 if not given.

    Raises
    ------
    ValidationError
        If there is no such norm or, when called, no such axis.

    Examples
    --------
    >>> import nengo_dl
    >>> objective = {probe: "mse", rates: nengo_dl.obj.Regularize()}  # doctest: +SKIP
    >>> sim.train(data, "adam", objective=objective)  # doctest: +SKIP
    """

    order: float | str = 2
    axis: int | None = None
    weight: float | None = None

    def __post_init__(self) -> None:
        check_norm(self.order, self.axis)
        if self.weight is not None:
            finite_number(self.weight, "weight", expected="a finite number or None")

    def __call__(self, outputs: Any) -> tf.Tensor:
        """Return the mean norm.

        Parameters
        ----------
        outputs : tf.Tensor, shape (batch, n_steps, ...)
            Outputs of a probe.

        Returns
        -------
        tf.Tensor, shape ()
        """
        mean = tf.reduce_mean(norms(outputs, self.order, self.axis))
        return mean if self.weight is None else self.weight * mean
