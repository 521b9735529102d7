"""Linear filters whose time constants are parameters.

References
----------
C. Moler and C. Van Loan, "Nineteen dubious ways to compute the exponential of a matrix,
twenty-five years later", SIAM Review 45(1), 2003: scaling and squaring.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from nengo.builder.operator import Operator
from nengo.synapses import Alpha, LinearFilter, Lowpass
from nengo.utils.filter_design import tf2ss

from nengo_dl.graph.trained_attributes import TrainedSynapse
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.logarithms import Exponential, changes, derived
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import DerivedView, View

#: terms of the exponential of a matrix whose norm is 1/2 at most
_TERMS = 12
#: how many times shorter time constants may become, as a power of two, with all digits
_HEADROOM = 8


@dataclass(frozen=True)
class Discretization:
    r"""The matrices of filters in steps of time, for time constants that change.

    .. math::
        \begin{pmatrix} A & B \\ 0 & I \end{pmatrix} = \exp \left(
        \frac{\tau_0 \Delta t}{\tau} \begin{pmatrix} A_0 & B_0 \\ 0 & 0 \end{pmatrix}
        \right)

    For one state the exponential is that of a number. It is computed in double
    precision.

    Attributes
    ----------
    change : Exponential
        By which factor the time constants of each filter have changed.
    a, b : np.ndarray, shape (count, order, order) and (count, order, 1)
        The matrices in continuous time.
    dt : float
        Length of a time step (s).
    """

    change: Exponential
    a: np.ndarray
    b: np.ndarray
    dt: float

    def __call__(self, logarithms: tf.Tensor) -> tf.Tensor:
        """Return A and B side by side, shape (count, order, order + 1)."""
        change = tf.cast(self.change(logarithms), tf.float64)
        step = (self.dt / change)[:, None, None]
        order = self.a.shape[1]
        if order == 1 and np.all(self.a):
            a = tf.exp(self.a * step)
            b = tf.math.expm1(self.a * step) * (self.b / self.a)
            joint = tf.concat([a, b], axis=2)
        else:
            continuous = np.zeros((len(self.a), order + 1, order + 1))
            continuous[:, :order, :order] = self.a
            continuous[:, :order, order:] = self.b
            joint = _exponential(continuous, step, self.dt)[:, :order]
        return tf.cast(joint, logarithms.dtype)


@register(TrainedSynapse, LinearFilter)
@register(TrainedSynapse, Lowpass)
@register(TrainedSynapse, Alpha)
@dataclass(frozen=True)
class LowerTrainedFilter(Lowering):
    r"""A linear filter in a time that is :math:`\tau / \tau_0` times as long.

    .. math::
        x_{n+1} = A x_n + B u_n, \quad y_n = C x_{n+1} \text{ or } C x_n + D u_n

    with the matrices of `Discretization`.
    """

    u: View
    y: View
    x: View
    system: DerivedView
    c: np.ndarray
    d: np.ndarray
    mode: str

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return the number of states, the size, and if inputs pass at once."""
        passes = bool(np.any(tf2ss(op.process.num, op.process.den)[3]))
        return op.mode, op.state["X"].shape, passes

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        ops = group.ops
        systems = [tf2ss(op.process.num, op.process.den) for op in ops]
        a, b, c, d = (np.stack(matrices) for matrices in zip(*systems, strict=True))
        count, order, size = len(ops), a.shape[1], ops[0].input.size
        signals = [op.logarithms[0] for op in ops]
        system = Discretization(changes(signals, context), a, b, float(context.dt))
        return cls(
            context.view([op.input for op in ops], (count, size)),
            context.view([op.output for op in ops], (count, size)),
            context.view([op.state["X"] for op in ops], (count, order, size)),
            derived(signals, context, system),
            c[:, 0, :, None].astype(context.dtype),
            d[:, 0].astype(context.dtype),
            ops[0].mode,
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step.

        Shapes: u, y (batch, count, size); x (batch, count, order, size).
        """
        u, x = values.read(self.u), values.read(self.x)
        system = values.read(self.system)
        a, b = system[..., :-1], system[..., -1:]
        new = tf.reduce_sum(a[..., None] * x[..., None, :, :], axis=-2)
        new = new + b * u[..., None, :]
        passes = bool(np.any(self.d))
        y = tf.reduce_sum(self.c * (x if passes else new), axis=-2)
        if passes:
            y = y + self.d * u
        values.set(self.x, new)
        (values.inc if self.mode == "inc" else values.set)(self.y, y)


def _exponential(matrices: np.ndarray, step: tf.Tensor, usual: float) -> tf.Tensor:
    """Return the exponentials of matrices times numbers.

    Parameters
    ----------
    matrices : np.ndarray, shape (count, n, n)
        Without the numbers.
    step : tf.Tensor, shape (count, 1, 1)
        The numbers.
    usual : float
        What they are at the beginning, by which the work is measured.
    """
    norm = float(np.abs(matrices).sum(axis=2).max()) * usual
    squarings = max(math.ceil(math.log2(norm)) + 1 if norm else 0, 0) + _HEADROOM
    small = matrices * (step / 2.0**squarings)
    # of the exponential minus one, whose digits the squarings of 1 + ... would lose
    total = small / _TERMS
    for k in range(_TERMS - 1, 0, -1):
        total = (small + tf.matmul(small, total)) / k
    for _ in range(squarings):
        total = 2 * total + tf.matmul(total, total)
    return total + np.eye(matrices.shape[1])
