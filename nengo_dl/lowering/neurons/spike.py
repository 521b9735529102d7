"""Spikes that gradients pass through: a step forward, a surrogate backward."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.lowering.neurons.numpy_tensor import NumPyTensor
from nengo_dl.surrogates import Custom, Surrogate


def fire(distance: tf.Tensor, surrogate: Surrogate) -> tf.Tensor:
    """Return 1 where a voltage is above its threshold, else 0.

    Parameters
    ----------
    distance : tf.Tensor, shape (batch, n_neurons)
        Voltages minus the threshold.
    surrogate : Surrogate
        The derivative for the backward pass.

    Returns
    -------
    tf.Tensor, shape (batch, n_neurons)
        Zeros and ones, of the type of ``distance``.

    Examples
    --------
    >>> import tensorflow as tf
    >>> from nengo_dl.lowering import fire
    >>> from nengo_dl.surrogates import FastSigmoid
    >>> distance = tf.constant([[-0.5, 0.0, 0.5]])
    >>> with tf.GradientTape() as tape:
    ...     tape.watch(distance)
    ...     spikes = fire(distance, FastSigmoid())
    >>> spikes.numpy().tolist()
    [[0.0, 0.0, 1.0]]
    >>> bool(tf.reduce_all(tape.gradient(spikes, distance) > 0))
    True
    """

    @tf.custom_gradient
    def step(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def backward(upstream: tf.Tensor) -> tf.Tensor:
            return upstream * slopes(surrogate, x)

        return tf.cast(x > 0, x.dtype), backward

    return step(distance)


def count(voltage: tf.Tensor, surrogate: Surrogate, down: bool = False) -> tf.Tensor:
    """Return how many whole thresholds of 1 a voltage has passed, on either side of 0.

    Parameters
    ----------
    voltage : tf.Tensor, shape (batch, n_neurons)
        Integrated voltages.
    surrogate : Surrogate
        The derivative for the backward pass, taken at the distance to the nearest of
        the thresholds ..., -2, -1, 1, 2, ...
    down : bool
        Whether negative voltages have passed 0 too, as numbers rounded down: -0.5
        counts as -1, and its nearest threshold is 0 or -1.

    Returns
    -------
    tf.Tensor, shape (batch, n_neurons)
        Numbers of spikes, negative for negative voltages.

    Examples
    --------
    >>> import tensorflow as tf
    >>> from nengo_dl.lowering import count
    >>> from nengo_dl.surrogates import FastSigmoid
    >>> count(tf.constant([[-1.5, 0.5, 2.5]]), FastSigmoid()).numpy().tolist()
    [[-1.0, 0.0, 2.0]]
    """

    @tf.custom_gradient
    def steps(v: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        size = tf.abs(v)

        def backward(upstream: tf.Tensor) -> tf.Tensor:
            nearest = tf.maximum(tf.round(size), 1)
            if down:
                nearest = tf.where(v < 0, tf.round(size), nearest)
            return upstream * slopes(surrogate, size - nearest)

        return tf.floor(v) if down else tf.sign(v) * tf.floor(size), backward

    return steps(voltage)


def slopes(surrogate: Surrogate, distance: tf.Tensor) -> tf.Tensor:
    """Return the derivatives of a surrogate as a tensor, or say what is wrong with it.

    Parameters
    ----------
    surrogate : Surrogate
        May be of the user's own class, or have a function of the user's own.
    distance : tf.Tensor
        Voltages minus the threshold.

    Returns
    -------
    tf.Tensor
        In the shape and type of ``distance``.

    Raises
    ------
    ValidationError
        If its own code fails with tensors, in all of the ways in which it may be
        written, or returns anything but real numbers, one or as many as there are
        distances.
    """
    try:
        value = surrogate.derivative(distance)
    except Exception as error:  # written for NumPy?
        try:
            value = surrogate.derivative(NumPyTensor(distance))
        except Exception:
            failure = f"failed: {type(error).__name__}: {error!s:.200}"
            raise _refused(surrogate, failure) from error
    if isinstance(value, NumPyTensor):
        value = value.tensor
    try:
        result = tf.convert_to_tensor(value)
    except (TypeError, ValueError) as error:
        raise _refused(surrogate, f"returned {value!r:.100}") from error
    dtype = result.dtype
    if not (dtype.is_floating or dtype.is_integer or dtype.is_bool):
        raise _refused(surrogate, f"returned {dtype.name}")
    try:
        shape = tf.broadcast_static_shape(result.shape, distance.shape)
    except ValueError:
        shape = None
    if shape is None or not shape.is_compatible_with(distance.shape):
        raise _refused(
            surrogate,
            f"returned the shape {tuple(result.shape)} for distances in the shape "
            f"{tuple(distance.shape)}",
        )
    return tf.broadcast_to(tf.cast(result, distance.dtype), tf.shape(distance))


def _refused(surrogate: Surrogate, what: str) -> ValidationError:
    is_custom = isinstance(surrogate, Custom)
    own = surrogate.function if isinstance(surrogate, Custom) else surrogate
    where = "The function" if is_custom else "The derivative of the surrogate"
    return ValidationError(
        f"{where} {own!r:.100} {what}. Expected a real number for each distance to the "
        "threshold, by arithmetic, comparisons, or functions of NumPy or keras.ops, "
        "without `if` or loops over elements",
        attr="surrogate",
    )
