"""Delays: values as they were some time steps ago.

References
----------
J. O. Smith, *Physical Audio Signal Processing*, W3K Publishing, 2010, chapter 4: delays
between samples by linear interpolation. That they start one step late is what Nengo's
synapses do.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from nengo.builder.operator import Operator
from nengo.builder.processes import SimProcess

from nengo_dl.graph.trained_attributes import TrainedSynapse
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.logarithms import Exponential, changes, derived
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import DerivedView, View
from nengo_dl.synapses import Delay


@register(SimProcess, Delay)
@dataclass(frozen=True)
class LowerDelay(Lowering):
    r"""Values that move on by one place in each step, and a sum of two of them.

    .. math:: y_n = (1 - f) u_{n - k + 1} + f u_{n - k}

    One step more is that in which the output is handed on. The values move, rather than
    a mark among them as in a ring: both read and write all of them, since they go round
    the loop in one tensor, and a place that is known when the step is compiled costs a
    slice where one that moves costs a sum.
    """

    u: View
    y: View
    kept: View
    weights: tuple[tuple[int, float], ...]
    mode: str

    @classmethod
    def attributes(cls, op: Operator, dt: float) -> Mapping[str, float | str]:
        """Return the delay in seconds, if it has room to change."""
        if op.process.most_steps(dt) == 1 or op.process.longest is None:
            return {
                "delay": "nothing says how long it may become. Expected a `Delay` "
                "with room, `Delay(..., longest=0.05)`"
            }
        return {"delay": op.process.steps(dt) * dt}

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return how many values are kept, and their shape."""
        return op.mode, op.state["X"].shape

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        return cls.of(group, context)

    @classmethod
    def of(cls, group: OpGroup, context: Context) -> LowerDelay:
        """Return where everything is, and the delays as they were built."""
        ops = group.ops
        count, size = len(ops), ops[0].input.size
        n_kept = ops[0].state["X"].shape[0]
        return cls(
            context.view([op.input for op in ops], (count, size)),
            context.view([op.output for op in ops], (count, size)),
            context.view([op.state["X"] for op in ops], (count, n_kept, size)),
            tuple(op.process.weights(context.dt) for op in ops),
            ops[0].mode,
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step.

        Shapes: u, y (batch, count, size); kept (batch, count, n_kept, size).
        """
        line = _moved(values, self.u, self.kept)
        delayed = []
        for i, (whole, part) in enumerate(self.weights):
            y = line[:, i, whole - 1]
            if part:
                y = (1 - part) * y + part * line[:, i, whole]
            delayed.append(y)
        emit = values.inc if self.mode == "inc" else values.set
        emit(self.y, tf.stack(delayed, axis=1))


@dataclass(frozen=True)
class Interpolation:
    r"""How much each of the values that are kept counts.

    .. math:: w_k = \max(0, 1 - |d / \Delta t - k|)

    Attributes
    ----------
    change : Exponential
        By which factor each delay has changed.
    start : np.ndarray, shape (count,)
        The delays as they were built, in time steps.
    n_kept : int
        How many steps back the values go.
    """

    change: Exponential
    start: np.ndarray
    n_kept: int

    def __call__(self, logarithms: tf.Tensor) -> tf.Tensor:
        """Return the weights, shape (count, n_kept, 1)."""
        steps = _within(self.start * self.change(logarithms), 1.0, float(self.n_kept))
        return _interpolated(steps, self.n_kept)


@register(TrainedSynapse, Delay)
@dataclass(frozen=True)
class LowerTrainedDelay(Lowering):
    r"""Values between those of two steps, for delays :math:`d` that are parameters.

    .. math:: y_n = \sum_k \max(0, 1 - |d / \Delta t - k|)\, u_{n - k + 1}

    Below one step, and beyond the longest delay, it is as at these ends; the gradient
    there is that towards the delays between them only, so that a delay comes back.
    """

    u: View
    y: View
    kept: View
    weights: DerivedView
    mode: str

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return how many values are kept, and their shape."""
        return LowerDelay.merge_key(op)

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        plain = LowerDelay.of(group, context)
        signals = [op.logarithms[0] for op in group.ops]
        start = [sum(weights) for weights in plain.weights]
        weights = Interpolation(
            changes(signals, context),
            np.asarray(start, context.dtype),
            plain.kept.shape[1] + 1,
        )
        view = derived(signals, context, weights)
        return cls(plain.u, plain.y, plain.kept, view, plain.mode)

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step; shapes as those of `LowerDelay`."""
        line = _moved(values, self.u, self.kept)
        emit = values.inc if self.mode == "inc" else values.set
        emit(self.y, tf.reduce_sum(values.read(self.weights) * line, axis=2))


def _interpolated(steps: tf.Tensor, n_kept: int) -> tf.Tensor:
    """Return how much each value counts, for delays in steps from 1 to ``n_kept``.

    At whole steps there is a corner, where delays begin more often than not. The
    gradient there is the mean of those on either side; beyond both ends it is 0.

    Returns
    -------
    tf.Tensor, shape (count, n_kept, 1)
    """
    places = np.arange(1, n_kept + 1, dtype=steps.dtype.as_numpy_dtype)

    @tf.custom_gradient
    def weights(d: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        d = d[:, None]

        def backward(upstream: tf.Tensor) -> tf.Tensor:
            slopes = tf.zeros_like(d * places)
            for cell in (tf.math.ceil(d) - 1, tf.floor(d)):
                inside = tf.cast((cell >= 1) & (cell < n_kept), d.dtype) / 2
                here = tf.cast(places == cell, d.dtype)
                there = tf.cast(places == cell + 1, d.dtype)
                slopes += inside * (there - here)
            return tf.reduce_sum(upstream[..., 0] * slopes, axis=1)

        return tf.nn.relu(1 - tf.abs(d - places))[..., None], backward

    return weights(steps)


def _moved(values: SignalValues, u: View, kept: View) -> tf.Tensor:
    """Return the present input and all that is kept, and keep it for the next step.

    Returns
    -------
    tf.Tensor, shape (batch, count, n_kept + 1, size)
        The latest first.
    """
    latest = values.read(u)
    latest = (latest if u.batched else latest[None])[..., None, :]
    past = values.read(kept)
    if latest.shape[0] != past.shape[0]:  # all items have the same input
        rows = past.shape[0] or tf.shape(past)[0]
        latest = tf.broadcast_to(latest, (rows, *latest.shape[1:]))
    line = tf.concat([latest, past], axis=-2)
    values.set(kept, line[:, :, :-1])
    return line


def _within(numbers: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Return numbers cut off at two ends, with the gradients that lead back."""

    @tf.custom_gradient
    def cut(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def backward(upstream: tf.Tensor) -> tf.Tensor:
            # gradient descent goes against it
            leads_out = ((x < low) & (upstream > 0)) | ((x > high) & (upstream < 0))
            return tf.where(leads_out, tf.zeros_like(upstream), upstream)

        return tf.clip_by_value(x, low, high), backward

    return cut(numbers)
