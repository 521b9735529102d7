"""Losses about firing rates and spikes, in Hz, spikes and seconds.

They are for Probes of neurons, whose samples are ``amplitude / dt`` in the step of a
spike, and ``amplitude`` times the firing rate where rates stand in for spikes. Divided
by the amplitude, the mean over time is the firing rate in Hz in both cases.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import keras
import numpy as np
import tensorflow as tf
from nengo import Probe
from nengo.base import ObjView
from nengo.ensemble import Neurons
from nengo.exceptions import ValidationError

from nengo_dl.losses.outputs import OfNumbers, OutputsOnly, real_tensor
from nengo_dl.validation import finite_number, positive_number, real_number, refused

#: what a Probe of neurons can sample that is made of spikes or rates
_OUTPUTS = ("output", "spikes", "rates")


class OfSpikes(OfNumbers):
    """A loss that is about firing rates, or single spikes.

    Parameters
    ----------
    weight : float
        Factor of the loss.
    amplitude, dt : float, optional
        Size of a spike times ``dt``, and the time step (s). By default those of the
        Probe and the simulator; 1 and 0.001 outside of a simulator.
    reduction, name, dtype
        As in all losses of Keras.
    """

    #: whether samples have to be the spikes themselves, neither filtered nor left out
    single_spikes: ClassVar[bool] = False
    #: see `nengo_dl.inputs.shapes.TargetSize`
    target_size: ClassVar[Literal["equal", "class"]] = "equal"
    #: whether it becomes NaN if a target is
    needs_all: ClassVar[bool] = False

    def __init__(
        self,
        weight: float,
        amplitude: float | None,
        dt: float | None,
        reduction: str,
        name: str,
        dtype: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.weight = finite_number(weight, "weight")
        self.amplitude = _positive_or_none(amplitude, "amplitude")
        self.dt = _positive_or_none(dt, "dt")

    def of_probe(self, probe: Probe, dt: float) -> OfSpikes:
        """Return the loss with the amplitude of a Probe's neurons, and a time step (s).

        Raises
        ------
        ValidationError
            If it is no Probe of neurons, or does not see single spikes and has to.
        """
        config = self.get_config()
        if self.amplitude is None:
            config["amplitude"] = _amplitude(probe, self.name)
        if self.dt is None:
            config["dt"] = dt
        sampled = probe.sample_every is not None and probe.sample_every > 1.5 * dt
        if self.single_spikes and (probe.synapse is not None or sampled):
            raise ValidationError(
                f"{type(self).__name__} needs each single spike; {probe} has "
                f"synapse={probe.synapse} and sample_every={probe.sample_every}. "
                "Expected a Probe of neurons without a synapse that keeps every step",
                attr="probe",
            )
        return type(self).from_config(config)

    def _spikes(self, y_pred: Any) -> tf.Tensor:
        """Return numbers of spikes, shape (batch, n_steps, n_neurons)."""
        dt = 0.001 if self.dt is None else self.dt
        return self._hertz(y_pred) * dt

    def _hertz(self, y_pred: Any) -> tf.Tensor:
        """Return momentary rates in Hz, shape (batch, n_steps, n_neurons)."""
        outputs = real_tensor(y_pred, "y_pred")
        if outputs.shape.rank is not None and outputs.shape.rank < 3:
            raise ValidationError(
                "Expected outputs of neurons, (batch, n_steps, n_neurons); got the "
                f"shape {tuple(outputs.shape)}",
                attr="y_pred",
            )
        if outputs.shape[1] == 0:
            raise ValidationError("Expected at least 1 time step, got 0", attr="y_pred")
        sizes = outputs.shape[2:].num_elements()
        n_neurons = -1 if sizes is None else sizes
        steps = outputs.shape[1]
        shape = tf.shape(outputs)
        rows = shape[1] if steps is None else steps
        flat = tf.reshape(outputs, [shape[0], rows, n_neurons])
        # types such as Tanh have negative outputs; at 0, where neurons are silent, the
        # derivative of tf.abs would be 0
        size = tf.where(flat < 0, -flat, flat)
        return size / (1.0 if self.amplitude is None else self.amplitude)

    def _rates(self, y_pred: Any) -> tf.Tensor:
        """Return mean rates over time in Hz, shape (batch, n_neurons)."""
        return tf.reduce_mean(self._hertz(y_pred), axis=1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        own = {"weight": self.weight, "amplitude": self.amplitude, "dt": self.dt}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="nengo_dl")
class TargetRate(OfSpikes, OutputsOnly):
    r"""Penalty on firing rates outside of a target range (Hz).

    .. math::

        & \frac{w}{n} \sum_{i=1}^n e_i^p \\
        & e_i = \max(0,\ r_{\min} - r_i,\ r_i - r_{\max})

    for the rates :math:`r_i`, means over time, of the n neurons. Targets make no
    difference: there may be none, or None. Where the network is trained with spikes,
    gradients are those of the surrogate.

    Parameters
    ----------
    target : float or tuple
        The rate of all neurons, or the least and the highest (Hz); None for no limit on
        one side. ``(5, None)`` keeps neurons from being silent.
    order : float
        Power :math:`p` of the errors, at least 1.
    percentile : float, optional
        Percentile over the neurons of which the error is taken, from 0 to 100: with 99,
        one neuron in a hundred may be faster. By default each neuron counts.
    weight : float
        Factor :math:`w`. Errors of 10 Hz are 100 when squared.
    amplitude, dt : float, optional
        Size of a spike times ``dt``, and the time step (s). By default those of the
        Probe and the simulator; 1 and 0.001 outside of a simulator.
    reduction, name, dtype
        As in all losses of Keras.

    Raises
    ------
    ValidationError
        If an argument is out of range; within a simulator, if the Probe is not one of
        neurons and no amplitude was given.

    Examples
    --------
    >>> import nengo, nengo_dl, numpy as np
    >>> with nengo.Network(seed=0) as net:
    ...     node = nengo.Node([0])
    ...     ensemble = nengo.Ensemble(20, 1)
    ...     _ = nengo.Connection(node, ensemble)
    ...     rates = nengo.Probe(ensemble.neurons)
    >>> objective = {rates: nengo_dl.losses.TargetRate((10, 50), weight=1e-3)}
    >>> data = {node: np.zeros((1, 10, 1))}
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     before = sim.loss(data, objective, training=True)
    ...     losses = sim.train(data, "sgd", objective=objective, n_epochs=5)
    ...     bool(sim.loss(data, objective, training=True) < before)
    True
    """

    def __init__(
        self,
        target: Any,
        order: float = 2,
        percentile: float | None = None,
        weight: float = 1.0,
        amplitude: float | None = None,
        dt: float | None = None,
        reduction: str = "sum_over_batch_size",
        name: str = "target_rate",
        dtype: Any = None,
    ) -> None:
        super().__init__(weight, amplitude, dt, reduction, name, dtype)
        self.target = _range(target)
        self.order = finite_number(order, "order", least=1, expected="at least 1")
        if percentile is not None:
            expected = "a number from 0 to 100, or None"
            percentile = finite_number(
                percentile, "percentile", least=0, expected=expected
            )
            if percentile > 100:
                raise refused(percentile, "percentile", expected)
        self.percentile = percentile

    def call(self, y_true: Any, y_pred: Any) -> tf.Tensor:
        """Return the error of each item.

        Parameters
        ----------
        y_true : object
            Not used.
        y_pred : tf.Tensor, shape (batch, n_steps, ...)
            Outputs of neurons.

        Returns
        -------
        tf.Tensor, shape (batch,)
        """
        rates = self._rates(y_pred)
        if self.percentile is not None:
            rates = _percentile(rates, self.percentile)
        low, high = self.target
        error = tf.zeros_like(rates)
        if low is not None:
            error += tf.nn.relu(low - rates)
        if high is not None:
            error += tf.nn.relu(rates - high)
        if self.order != 1:
            error = tf.square(error) if self.order == 2 else error**self.order
        return self.weight * tf.reduce_mean(error, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        own = {"order": self.order, "percentile": self.percentile}
        return {**super().get_config(), "target": list(self.target), **own}


@keras.saving.register_keras_serializable(package="nengo_dl")
class MaximumRate(TargetRate):
    r"""Penalty on neurons that fire faster than a maximum rate (Hz).

    .. math:: \frac{w}{n} \sum_{i=1}^n \max(0, r_i - r_{\max})^p

    `TargetRate` for ``(None, maximum)``.

    Parameters
    ----------
    maximum : float
        The highest rate (Hz).
    order : float
        Power :math:`p` of the errors, at least 1.
    percentile : float, optional
        Percentile over the neurons of which the error is taken, from 0 to 100; 100 is
        the fastest neuron. By default each neuron counts.
    weight : float
        Factor :math:`w`.
    amplitude, dt : float, optional
        As in `TargetRate`.
    reduction, name, dtype
        As in all losses of Keras.

    Raises
    ------
    ValidationError
        As `TargetRate`.

    Examples
    --------
    Rates of 100 and 300 Hz:

    >>> import nengo_dl, numpy as np
    >>> rates = np.full((1, 10, 2), [100.0, 300.0])
    >>> float(nengo_dl.losses.MaximumRate(200, order=1)(None, rates))
    50.0
    """

    def __init__(
        self,
        maximum: float,
        order: float = 2,
        percentile: float | None = None,
        weight: float = 1.0,
        amplitude: float | None = None,
        dt: float | None = None,
        reduction: str = "sum_over_batch_size",
        name: str = "maximum_rate",
        dtype: Any = None,
    ) -> None:
        maximum = finite_number(
            maximum, "maximum", least=0, expected="a rate of at least 0 Hz"
        )
        super().__init__(
            (None, maximum),
            order,
            percentile,
            weight,
            amplitude,
            dt,
            reduction,
            name,
            dtype,
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        config = super().get_config()
        _, maximum = config.pop("target")
        return {**config, "maximum": maximum}


@keras.saving.register_keras_serializable(package="nengo_dl")
class Sparsity(TargetRate):
    r"""Penalty on the mean firing rate (Hz).

    .. math:: \frac{w}{n} \sum_{i=1}^n r_i^p

    `TargetRate` for 0.

    Parameters
    ----------
    weight : float
        Factor :math:`w`.
    order : float
        Power :math:`p` of the rates, at least 1. With 1, all spikes cost the same; with
        2, those of fast neurons cost more.
    amplitude, dt : float, optional
        As in `TargetRate`.
    reduction, name, dtype
        As in all losses of Keras.

    Raises
    ------
    ValidationError
        As `TargetRate`.

    Examples
    --------
    >>> import nengo_dl, numpy as np
    >>> rates = np.full((1, 10, 2), [100.0, 300.0])
    >>> float(nengo_dl.losses.Sparsity(weight=0.1)(None, rates))
    20.0
    """

    def __init__(
        self,
        weight: float = 1.0,
        order: float = 1,
        amplitude: float | None = None,
        dt: float | None = None,
        reduction: str = "sum_over_batch_size",
        name: str = "sparsity",
        dtype: Any = None,
    ) -> None:
        super().__init__(0, order, None, weight, amplitude, dt, reduction, name, dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        config = super().get_config()
        return {k: v for k, v in config.items() if k not in ("target", "percentile")}


@keras.saving.register_keras_serializable(package="nengo_dl")
class SpikeCount(OfSpikes):
    r"""Squared error of the numbers of spikes, compared with target numbers.

    .. math:: \frac{w}{n} \sum_{i=1}^n (n_i - \hat n_i)^2

    Where rates stand in for spikes, they count as rates times the duration.

    Parameters
    ----------
    weight : float
        Factor :math:`w`.
    amplitude, dt : float, optional
        As in `TargetRate`.
    reduction, name, dtype
        As in all losses of Keras.

    Raises
    ------
    ValidationError
        If an argument is out of range; within a simulator, if the Probe is not one of
        neurons without synapse, in every time step.

    Examples
    --------
    Two spikes of one neuron, none of the other, where 3 and 0 were wanted:

    >>> import nengo_dl, numpy as np
    >>> outputs = np.zeros((1, 5, 2))
    >>> outputs[0, [1, 3], 0] = 1000
    >>> float(nengo_dl.losses.SpikeCount()(np.array([[[3.0, 0.0]]]), outputs))
    0.5
    """

    single_spikes = True

    def __init__(
        self,
        weight: float = 1.0,
        amplitude: float | None = None,
        dt: float | None = None,
        reduction: str = "sum_over_batch_size",
        name: str = "spike_count",
        dtype: Any = None,
    ) -> None:
        super().__init__(weight, amplitude, dt, reduction, name, dtype)

    def call(self, y_true: Any, y_pred: Any) -> tf.Tensor:
        """Return the mean squared difference of each item.

        Parameters
        ----------
        y_true : tf.Tensor, shape (batch, 1 or n_steps, n_neurons)
            Numbers of spikes; those in the last step count. ``np.nan`` where any number
            will do, which counts as met.
        y_pred : tf.Tensor, shape (batch, n_steps, n_neurons)
            Outputs of neurons.

        Returns
        -------
        tf.Tensor, shape (batch,)
        """
        counts = tf.reduce_sum(self._spikes(y_pred), axis=1)
        return self.weight * _squares(y_true, counts)


@keras.saving.register_keras_serializable(package="nengo_dl")
class FirstSpikeTime(SpikeCount):
    r"""Squared error of the times of first spikes, compared with target times.

    .. math::

        & \frac{w}{n} \sum_{i=1}^n (t_i - \hat t_i)^2 \\
        & t_i = \Delta t \Big(1 + \sum_{k=1}^{K} \prod_{l=1}^k (1 - n_{il})\Big)

    for the numbers of spikes :math:`n_{il}`, 0 or 1, in time steps l. This is the time
    of the first spike in s, ``dt`` if it is in the first step; without a spike, it is
    one step after the end. Where rates stand in for spikes, they count as the
    probabilities of spikes, and it is the time that is expected.

    Parameters
    ----------
    weight : float
        Factor :math:`w`.
    amplitude, dt : float, optional
        As in `TargetRate`.
    reduction, name, dtype
        As in all losses of Keras.

    Raises
    ------
    ValidationError
        As `SpikeCount`.

    Examples
    --------
    A first spike in step 4 where one in step 2 was wanted, in ms:

    >>> import nengo_dl, numpy as np
    >>> outputs = np.zeros((1, 5, 1))
    >>> outputs[0, 3:] = 1000
    >>> loss = nengo_dl.losses.FirstSpikeTime(weight=1e6)
    >>> round(float(loss(np.full((1, 1, 1), 0.002), outputs)), 3)
    4.0
    """

    def __init__(
        self,
        weight: float = 1.0,
        amplitude: float | None = None,
        dt: float | None = None,
        reduction: str = "sum_over_batch_size",
        name: str = "first_spike_time",
        dtype: Any = None,
    ) -> None:
        super().__init__(weight, amplitude, dt, reduction, name, dtype)

    def call(self, y_true: Any, y_pred: Any) -> tf.Tensor:
        """Return the mean squared difference of each item.

        Parameters
        ----------
        y_true : tf.Tensor, shape (batch, 1 or n_steps, n_neurons)
            Times of spikes (s); those in the last step count. ``np.nan`` where any time
            will do, which counts as met.
        y_pred : tf.Tensor, shape (batch, n_steps, n_neurons)
            Outputs of neurons.

        Returns
        -------
        tf.Tensor, shape (batch,)
        """
        dt = 0.001 if self.dt is None else self.dt
        return self.weight * _squares(y_true, _first(self._spikes(y_pred), dt))


class _Crossentropy(OfSpikes):
    """Cross-entropy between classes and what their neurons do."""

    single_spikes = True
    target_size = "class"
    needs_all = True

    def call(self, y_true: Any, y_pred: Any) -> tf.Tensor:
        """Return the cross-entropy of each item.

        Parameters
        ----------
        y_true : tf.Tensor, shape (batch, 1 or n_steps, 1 or n_neurons)
            Numbers of classes, or their probabilities; those in the last step count.
            Where there is no class of a number, the loss is NaN.
        y_pred : tf.Tensor, shape (batch, n_steps, n_neurons)
            Outputs of neurons, one for each class.

        Returns
        -------
        tf.Tensor, shape (batch,)
        """
        logits = self._logits(self._spikes(y_pred))
        targets = _last(y_true, logits)
        if targets.shape[-1] == 1 and logits.shape[-1] != 1:
            targets = _one_hot(targets, logits.shape[-1])
        _check_shape(targets, logits)
        return self.weight * tf.nn.softmax_cross_entropy_with_logits(targets, logits)

    def _logits(self, spikes: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="nengo_dl")
class SpikeCountCrossentropy(_Crossentropy):
    r"""Cross-entropy between classes and numbers of spikes: the most active one wins.

    .. math:: -w \log \frac{e^{n_c}}{\sum_i e^{n_i}}

    for the numbers of spikes :math:`n_i` of neurons that stand for classes, and the
    right class c. Where rates stand in for spikes, they count as rates times the
    duration.

    Parameters
    ----------
    weight : float
        Factor :math:`w`.
    amplitude, dt : float, optional
        As in `TargetRate`.
    reduction, name, dtype
        As in all losses of Keras.

    Raises
    ------
    ValidationError
        As `SpikeCount`.

    Examples
    --------
    >>> import nengo_dl, numpy as np
    >>> outputs = np.zeros((1, 5, 2))
    >>> outputs[0, [1, 3], 0] = 1000
    >>> loss = nengo_dl.losses.SpikeCountCrossentropy()
    >>> [round(float(loss(np.full((1, 1, 1), c), outputs)), 3) for c in (0, 1)]
    [0.127, 2.127]
    """

    def __init__(
        self,
        weight: float = 1.0,
        amplitude: float | None = None,
        dt: float | None = None,
        reduction: str = "sum_over_batch_size",
        name: str = "spike_count_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(weight, amplitude, dt, reduction, name, dtype)

    def _logits(self, spikes: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(spikes, axis=1)


@keras.saving.register_keras_serializable(package="nengo_dl")
class FirstSpikeCrossentropy(_Crossentropy):
    r"""Cross-entropy between classes and first spikes: the first neuron to spike wins.

    .. math:: -w \log \frac{e^{-t_c / \tau}}{\sum_i e^{-t_i / \tau}}

    for the times of the first spikes :math:`t_i` of neurons that stand for classes, as
    in `FirstSpikeTime`, and the right class c.

    Parameters
    ----------
    tau : float
        How much earlier makes a difference :math:`\tau` (s).
    weight : float
        Factor :math:`w`.
    amplitude, dt : float, optional
        As in `TargetRate`.
    reduction, name, dtype
        As in all losses of Keras.

    Raises
    ------
    ValidationError
        As `SpikeCount`.

    Examples
    --------
    >>> import nengo_dl, numpy as np
    >>> outputs = np.zeros((1, 5, 2))
    >>> outputs[0, 1, 0] = outputs[0, 4, 1] = 1000
    >>> loss = nengo_dl.losses.FirstSpikeCrossentropy(tau=0.003)
    >>> round(float(loss(np.zeros((1, 1, 1)), outputs)), 3)
    0.313
    """

    def __init__(
        self,
        tau: float = 0.005,
        weight: float = 1.0,
        amplitude: float | None = None,
        dt: float | None = None,
        reduction: str = "sum_over_batch_size",
        name: str = "first_spike_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(weight, amplitude, dt, reduction, name, dtype)
        self.tau = positive_number(tau, "tau")

    def _logits(self, spikes: tf.Tensor) -> tf.Tensor:
        return -_first(spikes, 0.001 if self.dt is None else self.dt) / self.tau

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        return {**super().get_config(), "tau": self.tau}


def of_probe(loss: Any, probe: Probe, dt: float) -> Any:
    """Return a loss as it is meant for a Probe, in a simulation with a time step (s).

    Raises
    ------
    ValidationError
        If it is about spikes, and the Probe does not see them.
    """
    return loss.of_probe(probe, dt) if isinstance(loss, OfSpikes) else loss


def _amplitude(probe: Probe, name: str) -> float:
    """Return what spikes times dt are in the samples of a Probe."""
    seen = probe.target.obj if isinstance(probe.target, ObjView) else probe.target
    if isinstance(seen, Neurons) and probe.attr in _OUTPUTS:
        return float(getattr(seen.ensemble.neuron_type, "amplitude", 1.0))
    raise ValidationError(
        f"The loss {name!r} is about spikes of neurons, and {probe} samples the "
        f"{probe.attr!r} of {seen}. Expected `nengo.Probe(ensemble.neurons)`, or "
        "`amplitude=...` in the loss, by which outputs are divided to give Hz",
        attr="probe",
    )


def _first(spikes: tf.Tensor, dt: float) -> tf.Tensor:
    """Return times of first spikes (s) from numbers of spikes in each step.

    How many steps pass from step k on without a spike is ``a[k] * (1 + passed[k + 1])``
    with ``a = 1 - spikes``. These are straight lines, composed in pairs here, so that
    the gradient has no quotient in it, which would be 0 / 0 at spikes.
    """
    silent = 1 - tf.minimum(tf.maximum(spikes, 0), 1)
    if silent.shape[1] is None:
        raise ValidationError(
            "The number of time steps is not known when the loss is traced", attr="loss"
        )
    slope, start = silent, silent
    while (n := slope.shape[1]) > 1:
        if n % 2:
            pad = [[0, 0], [0, 1], [0, 0]]
            slope = tf.pad(slope, pad, constant_values=1)
            start = tf.pad(start, pad)
        start = start[:, ::2] + slope[:, ::2] * start[:, 1::2]
        slope = slope[:, ::2] * slope[:, 1::2]
    return dt * (1 + start[:, 0])


def _squares(y_true: Any, found: tf.Tensor) -> tf.Tensor:
    """Return mean squared differences from targets, shape (batch,)."""
    targets = _last(y_true, found)
    _check_shape(targets, found)
    error = tf.where(tf.math.is_nan(targets), tf.zeros_like(found), found - targets)
    return tf.reduce_mean(tf.square(error), axis=-1)


def _last(y_true: Any, found: tf.Tensor) -> tf.Tensor:
    """Return targets of the last step, shape (batch, size)."""
    targets = tf.cast(real_tensor(y_true, "y_true"), found.dtype)
    if targets.shape.rank != 3:
        raise ValidationError(
            "Expected targets of shape (batch, 1 or n_steps, size); got "
            f"{tuple(targets.shape)}",
            attr="y_true",
        )
    return targets[:, -1]


def _one_hot(classes: tf.Tensor, n_classes: int) -> tf.Tensor:
    """Return classes as probabilities; NaN where there is no class of this number."""
    known = (classes == tf.floor(classes)) & (classes >= 0) & (classes < n_classes)
    number = tf.cast(tf.where(known, classes, tf.zeros_like(classes)), tf.int32)
    found = tf.one_hot(number[..., 0], n_classes, dtype=classes.dtype)
    return tf.where(known, found, tf.constant(np.nan, classes.dtype))


def _check_shape(targets: tf.Tensor, found: tf.Tensor) -> None:
    if not targets.shape.is_compatible_with(found.shape):
        raise ValidationError(
            f"Expected targets for {found.shape[-1]} neurons of each item, got the "
            f"shape {tuple(targets.shape)} for {tuple(found.shape)}",
            attr="y_true",
        )


def _percentile(rates: tf.Tensor, percentile: float) -> tf.Tensor:
    """Return a percentile over neurons, shape (batch, 1)."""
    n = rates.shape[-1]
    position = (n - 1) * percentile / 100
    low, high = int(np.floor(position)), int(np.ceil(position))
    ranked = tf.sort(rates, axis=-1)
    part = position - low
    return ranked[:, low : low + 1] * (1 - part) + ranked[:, high : high + 1] * part


def _range(target: Any) -> tuple[float | None, float | None]:
    """Return the least and the highest rate that were asked for."""
    expected = "a rate of at least 0 Hz, or (least, highest), None for no limit"
    pair = tuple(target) if isinstance(target, list | tuple) else (target, target)
    numbers = [None if rate is None else real_number(rate) for rate in pair]
    is_good = len(pair) == 2 and any(rate is not None for rate in pair)
    for rate, number in zip(pair, numbers, strict=True):
        if isinstance(rate, bool) or (rate is not None and number is None):
            is_good = False
        if number is not None and number < 0:
            is_good = False
    if is_good:
        low, high = numbers
        if low is None or high is None or low <= high:
            return low, high
    raise refused(target, "target", expected)


def _positive_or_none(value: Any, name: str) -> float | None:
    expected = "a finite number above 0, or None for that of the simulator"
    return None if value is None else positive_number(value, name, expected)
