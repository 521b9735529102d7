"""Spikes that gradients pass through: a step forward, a surrogate backward."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from nengo_dl.surrogates import Surrogate


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
            return upstream * surrogate.derivative(x)

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
            return upstream * surrogate.derivative(size - nearest)

        return tf.floor(v) if down else tf.sign(v) * tf.floor(size), backward

    return steps(voltage)
