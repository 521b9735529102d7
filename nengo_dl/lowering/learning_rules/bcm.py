"""SimBCM: Bienenstock, Cooper and Munro's rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nengo.builder.learning_rules import SimBCM

from nengo_dl.lowering.context import Context
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View


@register(SimBCM)
@dataclass(frozen=True)
class LowerBCM(Lowering):
    r"""Strengthen connections to neurons that are more active than usual.

    .. math:: \Delta\omega_{ij} = \kappa\,\Delta t\; a_i (a_i - \theta_i)\, a_j

    with the learning rate :math:`\kappa`, the activities :math:`a` of the postsynaptic
    neuron i and the presynaptic neuron j, and the slowly filtered activity
    :math:`\theta`.

    References
    ----------
    E. L. Bienenstock, L. N. Cooper and P. W. Munro, "Theory for the development of
    neuron selectivity", Journal of Neuroscience 2(1), 1982.
    """

    pre: View
    post: View
    theta: View
    delta: View
    rate: np.ndarray

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        ops = group.ops
        return cls(
            context.view([op.pre_filtered for op in ops]),
            context.view([op.post_filtered for op in ops]),
            context.view([op.theta for op in ops]),
            context.view([op.delta for op in ops]),
            np.array([[op.learning_rate * context.dt] for op in ops], context.dtype),
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        pre, post = values.read(self.pre), values.read(self.post)
        change = self.rate * post * (post - values.read(self.theta))
        values.set(self.delta, change[..., :, None] * pre[..., None, :])
