"""Losses about outputs of any kind, whatever they mean."""

from __future__ import annotations

from numbers import Real
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.validation import LARGEST, positive_number, whole_number


@keras.saving.register_keras_serializable(package="nengo_dl")
def nan_mse(y_true: Any, y_pred: Any) -> tf.Tensor:
    """Return the mean squared error; targets of ``nan`` count as errors of 0.

    Their error is zero, and they are counted in the mean: an output for which half of
    the targets are missing has half the loss.

    Parameters
    ----------
    y_true : tf.Tensor or array_like, shape (batch, n_steps, d)
        Targets; ``np.nan`` where there is none.
    y_pred : tf.Tensor, shape (batch, n_steps, d)
        Outputs.

    Returns
    -------
    tf.Tensor, shape (batch, n_steps)
        Means over the last axis. Keras takes the mean over the others, with weights
        where there are any.

    Raises
    ------
    ValidationError
        If the shapes differ.

    Examples
    --------
    >>> import nengo_dl, numpy as np
    >>> targets = np.array([[[1.0, np.nan], [np.nan, np.nan]]])
    >>> nengo_dl.losses.nan_mse(targets, np.zeros((1, 2, 2))).numpy()
    array([[0.5, 0. ]])
    """
    return squared_errors(y_true, y_pred, ("y_true", "y_pred"))


def squared_errors(targets: Any, outputs: Any, attrs: tuple[str, str]) -> tf.Tensor:
    """Return what `nan_mse` does.

    Parameters
    ----------
    targets, outputs : tf.Tensor or array_like, shape (batch, n_steps, d)
        As there.
    attrs : tuple of str
        What they are called, for errors.

    Returns
    -------
    tf.Tensor, shape (batch, n_steps)
        Means over the last axis.
    """
    y_pred = real_tensor(outputs, attrs[1])
    y_true = tf.cast(real_tensor(targets, attrs[0]), y_pred.dtype)
    if not y_true.shape.is_compatible_with(y_pred.shape):
        # broadcasting would compare every output with the wrong targets
        raise ValidationError(
            f"Expected targets in the shape of the outputs, {tuple(y_pred.shape)}; "
            f"got {tuple(y_true.shape)}",
            attr=attrs[0],
        )
    missing = tf.math.is_nan(y_true)
    error = tf.where(missing, tf.zeros_like(y_pred), y_pred - y_true)
    return tf.reduce_mean(tf.square(error), axis=-1)


def real_tensor(values: Any, attr: str) -> tf.Tensor:
    """Return numbers as a tensor of floating point numbers."""
    try:
        tensor = tf.convert_to_tensor(values)
    except (TypeError, ValueError, OverflowError):
        tensor = None
    dtype = None if tensor is None else tensor.dtype
    if dtype is None or not (dtype.is_floating or dtype.is_integer or dtype.is_bool):
        raise ValidationError(
            f"Expected a tensor or an array of real numbers; got {values!r:.100}",
            attr=attr,
        )
    return tensor if dtype.is_floating else tf.cast(tensor, keras.config.floatx())


class OfNumbers(keras.losses.Loss):
    """A loss that names what is no array of real numbers, before Keras converts it."""

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the loss; see `keras.losses.Loss`.

        Raises
        ------
        ValidationError
            If targets or outputs are no real numbers.
        """
        real_tensor(y_true, "y_true")
        real_tensor(y_pred, "y_pred")
        return super().__call__(y_true, y_pred, sample_weight)


class OutputsOnly(OfNumbers):
    """A loss for which targets make no difference: there may be none, or None."""

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the loss, also without targets; see `keras.losses.Loss`."""
        if y_true is None:
            y_true = 0.0  # Keras makes a tensor of it
        return super().__call__(y_true, y_pred, sample_weight)


@keras.saving.register_keras_serializable(package="nengo_dl")
class Regularize(OutputsOnly):
    r"""Penalty on the mean norm of an output, such as firing rates or weights.

    .. math:: \frac{1}{N} \sum_{i=1}^N \Big(\sum_j |y_{ij}|^p\Big)^{1/p}

    where :math:`i` goes over the items of the batch and the time steps, and :math:`j`
    over the elements of the output. Targets make no difference: there may be none, or
    None. At 0, where norms have no derivative, gradients are 0.

    Parameters
    ----------
    order : float or str
        Order :math:`p` of the norm, greater than 0; ``np.inf`` for the largest element;
        ``"euclidean"`` is 2.
    axis : int, optional
        Axis of the norm, counted behind batch and time: 0 is the first axis of the
        probed signal. The mean is taken over its other axes. By default the norm goes
        over all of the signal.
    reduction, name, dtype
        As in all losses of Keras.

    Raises
    ------
    ValidationError
        If there is no such norm or, when called, no such axis.

    Examples
    --------
    >>> import keras, nengo_dl
    >>> loss = {probe: "mse", rates: nengo_dl.losses.Regularize()}  # doctest: +SKIP
    >>> sim.compile("adam", loss=loss, loss_weights={rates: 1e-3})  # doctest: +SKIP
    """

    def __init__(
        self,
        order: float | str = 2,
        axis: int | None = None,
        reduction: str = "sum_over_batch_size",
        name: str = "regularize",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.order = check_norm(order, axis)
        self.axis = axis

    def call(self, y_true: Any, y_pred: Any) -> tf.Tensor:
        """Return the norms.

        Parameters
        ----------
        y_true : object
            Not used.
        y_pred : tf.Tensor, shape (batch, n_steps, ...)
            Outputs.

        Returns
        -------
        tf.Tensor, shape (batch, n_steps)
            Norms, or means of the norms along ``axis``.
        """
        return norms(y_pred, self.order, self.axis)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        order = "inf" if self.order == np.inf else self.order  # JSON has no infinity
        return {**super().get_config(), "order": order, "axis": self.axis}


def norms(values: Any, order: float | str = 2, axis: int | None = None) -> tf.Tensor:
    r"""Return norms of what was recorded in each time step.

    Parameters
    ----------
    values : tf.Tensor, shape (batch, n_steps, ...)
        Outputs of a probe.
    order : float or str
        Order of the norm: a positive number, ``np.inf`` or ``"euclidean"``.
    axis : int, optional
        Axis of the norm, counted behind the first two; all of them if not given.

    Returns
    -------
    tf.Tensor, shape (batch, n_steps)
        Norms, or means of norms over the remaining axes. Their gradients are finite:
        zero where all elements are.
    """
    order = check_norm(order, axis)
    values = tf.convert_to_tensor(values)
    n_axes = values.shape.rank - 2
    if n_axes < 1 or not (axis is None or -n_axes <= axis < n_axes):
        wanted = "axes" if axis is None else f"an axis {axis}"
        raise ValidationError(
            f"Expected outputs with {wanted} behind those of batch and time; got the "
            f"shape {tuple(values.shape)}",
            attr="axis",
        )
    along = list(range(2, n_axes + 2)) if axis is None else [axis % n_axes + 2]
    size = tf.abs(values)
    largest = tf.reduce_max(size, axis=along, keepdims=True)
    if order == np.inf:
        # XLA's maximum passes over what is not a number
        lost = tf.reduce_any(tf.math.is_nan(size), axis=along, keepdims=True)
        result = tf.where(lost, tf.constant(np.nan, size.dtype), largest)
    elif order == 1:
        result = tf.reduce_sum(size, axis=along, keepdims=True)
    else:
        # relative to the largest element no power overflows, or vanishes
        usable = (largest > 0) & tf.math.is_finite(largest)
        unit = tf.stop_gradient(tf.where(usable, largest, tf.ones_like(largest)))
        # neither the powers of 0 nor the roots of 0 have a finite slope for all orders,
        # so where there is nothing but 0 no gradient may pass
        nonzero = size != 0
        some = tf.reduce_any(nonzero, axis=along, keepdims=True)
        ones, zeros = tf.ones_like(size), tf.zeros_like(size)
        powers = tf.where(nonzero, tf.where(nonzero, size / unit, ones) ** order, zeros)
        total = tf.reduce_sum(powers, axis=along, keepdims=True)
        root = tf.where(some, total, tf.ones_like(total)) ** (1 / order)
        result = unit * tf.where(some, root, tf.zeros_like(root))
    return tf.reduce_mean(result, axis=list(range(2, n_axes + 2)))


def check_norm(order: Any, axis: Any) -> float:
    """Return the order of a norm as a number, if there are such orders and axes."""
    names = {"euclidean": 2.0, "inf": np.inf}
    number = names.get(order, order) if isinstance(order, str) else order
    if axis is not None:
        whole_number(axis, "axis", -LARGEST, "a whole number or None")
    if isinstance(number, Real) and number == np.inf:
        return np.inf
    expected = "a number greater than 0, np.inf or 'euclidean'"
    return positive_number(number, "order", expected)
