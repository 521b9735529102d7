"""Linear filters for all time steps at once, as products of matrices.

References
----------
G. E. Blelloch, "Prefix sums and their applications", in *Synthesis of Parallel
Algorithms*, Morgan Kaufmann, 1993: how to compute recurrences block by block.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal
from nengo.synapses import Alpha, LinearFilter, Lowpass

from nengo_dl.graph.series import FilterSeries
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.processes.linear_filter import (
    StateSpace,
    output_is_state,
    state_space,
)
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View


@dataclass(frozen=True)
class Blocks:
    r"""Matrices of a filter for blocks of steps.

    With :math:`h` the impulse response, and a state :math:`x` at the beginning of a
    block of :math:`c` steps:

    .. math::
        y_i = \sum_{j \le i} h_{i-j} u_j + O_i x, \quad
        x' = A^c x + \sum_j A^{c-1-j} B u_j

    Attributes
    ----------
    response : np.ndarray, shape (c, c)
        Outputs that inputs of the same block lead to.
    reach : np.ndarray, shape (order, c)
        The state at the end of a block that its inputs lead to.
    starts : np.ndarray, shape (m + 1, m, order, order)
        States at the beginning of each of m blocks, and at the end of the last, that
        the states which single blocks lead to add up to.
    observed : np.ndarray, shape (c, order)
        Outputs in a block that the state at its beginning leads to.
    free : np.ndarray, shape (n_steps, order)
        Outputs in all steps that the first state leads to.
    last : np.ndarray, shape (order, order)
        The last state that the first state leads to.
    """

    response: np.ndarray
    reach: np.ndarray
    starts: np.ndarray
    observed: np.ndarray
    free: np.ndarray
    last: np.ndarray

    @classmethod
    def of(cls, system: StateSpace, n_steps: int) -> Blocks:
        """Return the matrices of a filter for a number of steps."""
        a, b, c, d = system
        order, passes = len(a), bool(np.any(d))
        length = math.ceil(math.sqrt(n_steps))
        count = -(-n_steps // length)
        powers = [np.eye(order)]
        for _ in range(n_steps):
            powers.append(a @ powers[-1])
        # without passthrough the output is that of the state after the step
        ahead = 0 if passes else 1
        free = np.concatenate([c @ powers[i + ahead] for i in range(n_steps)])
        impulse = np.array([(c @ p @ b).item() for p in powers[:length]])
        if passes:
            impulse = np.array([d.item(), *impulse[:-1]])
        lag = np.subtract.outer(np.arange(length), np.arange(length))
        reach = np.concatenate([powers[length - 1 - j] @ b for j in range(length)], 1)
        starts = np.zeros((count + 1, count, order, order))
        block = np.linalg.matrix_power(a, length)
        power = np.eye(order)
        for distance in range(count):
            for k in range(count - distance):
                starts[k + distance + 1, k] = power
            power = block @ power
        return cls(
            np.where(lag >= 0, impulse[np.maximum(lag, 0)], 0),
            reach,
            starts,
            free[:length],
            free,
            powers[n_steps],
        )


def run_blocks(
    system: StateSpace, u: tf.Tensor, x: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Filter the values of all time steps, a block of steps at a time.

    Parameters
    ----------
    system : tuple of np.ndarray
        The matrices A, B, C, D of the filter.
    u : tf.Tensor, shape (batch, n_steps, size)
        The inputs.
    x : tf.Tensor, shape (batch, order, size)
        The state before the first step.

    Returns
    -------
    y : tf.Tensor, shape (batch, n_steps, size)
        The outputs at the end of each step.
    x : tf.Tensor, shape (batch, order, size)
        The state after the last step.
    """
    batch, n_steps, size = u.shape
    blocks = Blocks.of(system, n_steps)

    def constant(matrix: np.ndarray) -> tf.Tensor:
        return tf.constant(matrix, u.dtype)

    length, count = len(blocks.response), blocks.starts.shape[1]
    # zeros in front of the first step leave a state of zero as it is
    padded = tf.pad(u, [[0, 0], [length * count - n_steps, 0], [0, 0]])
    padded = tf.reshape(padded, (batch, count, length, size))
    y = tf.einsum("ij,bmjn->bmin", constant(blocks.response), padded)
    alone = tf.einsum("kj,bmjn->bmkn", constant(blocks.reach), padded)
    states = tf.einsum("smkl,bmln->bskn", constant(blocks.starts), alone)
    y += tf.einsum("ik,bmkn->bmin", constant(blocks.observed), states[:, :-1])
    y = tf.reshape(y, (batch, length * count, size))[:, length * count - n_steps :]
    y += tf.einsum("ik,bkn->bin", constant(blocks.free), x)
    return y, states[:, -1] + tf.einsum("kl,bln->bkn", constant(blocks.last), x)


@register(FilterSeries, LinearFilter)
@register(FilterSeries, Lowpass)
@register(FilterSeries, Alpha)
@dataclass(frozen=True)
class LowerFilterSeries(Lowering):
    r"""Filters for all steps.

    .. math:: x_{n+1} = A x_n + B u_n, \quad y_n = C x_{n+1} \text{ or } C x_n + D u_n

    computed in blocks, see `Blocks`.

    Its input and outputs have one row for each item and step, steps of one item in a
    row; its state has one for each item.
    """

    u: View
    begin: View
    end: View
    y: View
    x: View | None
    system: StateSpace
    shape: tuple[int, int]

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return the filter's definition, and its shape if states are sorted by it."""
        synapse = op.process
        system = (
            tuple(synapse.num),
            tuple(synapse.den),
            synapse.analog,
            synapse.method,
        )
        return system, True if output_is_state(op.op) else op.input.shape

    @classmethod
    def redundant(cls, op: Operator) -> Collection[Signal]:
        """Return the state where the output holds the same numbers."""
        return (op.op.state["X"],) if output_is_state(op.op) else ()

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        ops = group.ops
        width = sum(op.input.size for op in ops)
        a, b, c, d = state_space(ops[0].process, context.dt)
        x = None
        if output_is_state(ops[0].op):
            a, b, c = a, b @ c, np.ones((1, 1))
        else:
            shape = (len(ops), len(a), width // len(ops))
            x = context.view([op.op.state["X"] for op in ops], shape)
        return cls(
            context.view([op.input for op in ops], (width,)),
            context.view([op.begin for op in ops], (width,)),
            context.view([op.end for op in ops], (width,)),
            context.view([op.op.output for op in ops], (width,)),
            x,
            (a, b, c, d),
            (len(a), width),
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the segment."""
        order, size = self.shape
        rows = values.minibatch_size
        first = values.read(self.y)
        batch = first.shape[0]
        u = tf.broadcast_to(values.read(self.u), (rows, size))
        u = tf.reshape(u, (batch, -1, size))
        if self.x is None:
            x = first[:, None]
        else:
            x = tf.transpose(values.read(self.x), (0, 2, 1, 3))
            x = tf.reshape(x, (batch, order, size))
        end, x = run_blocks(self.system, u, x)
        begin = tf.concat([first[:, None], end[:, :-1]], axis=1)
        values.set(self.begin, tf.reshape(begin, (rows, size)))
        values.set(self.end, tf.reshape(end, (rows, size)))
        values.set(self.y, end[:, -1])
        if self.x is not None:
            count, _, width = self.x.shape
            x = tf.reshape(x, (batch, order, count, width))
            values.set(self.x, tf.transpose(x, (0, 2, 1, 3)))
