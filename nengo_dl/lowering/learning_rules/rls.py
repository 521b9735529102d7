"""SimRLS: recursive least squares."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf
from nengo.builder.learning_rules import SimRLS

from nengo_dl.lowering.context import Context
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View


@register(SimRLS)
@dataclass(frozen=True)
class LowerRLS(Lowering):
    r"""Find the decoders of least squares while the model runs.

    .. math:: k = \frac{P a}{1 + a^T P a}, \quad
              P \leftarrow P - k\, (P a)^T, \quad
              \Delta\omega_{ij} = -e_i k_j

    with the activity :math:`a`, the error :math:`e` and the running estimate :math:`P`
    of the inverse correlation matrix of the activities.

    References
    ----------
    D. Sussillo and L. F. Abbott, "Generating coherent patterns of activity from chaotic
    neural networks", Neuron 63(4), 2009.
    """

    activity: View
    error: View
    delta: View
    inverse: View

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        ops = group.ops
        return cls(
            context.view([op.pre_filtered for op in ops]),
            context.view([op.error for op in ops]),
            context.view([op.delta for op in ops]),
            context.view([op.inv_gamma for op in ops]),
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        activity, inverse = values.read(self.activity), values.read(self.inverse)
        projected = tf.linalg.matvec(inverse, activity)
        norm = 1 + tf.reduce_sum(activity * projected, axis=-1, keepdims=True)
        gain = projected / norm
        values.set(self.inverse, inverse - gain[..., :, None] * projected[..., None, :])
        error = values.read(self.error)
        values.set(self.delta, -error[..., :, None] * gain[..., None, :])
