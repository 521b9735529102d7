"""SimVoja: Oja's rule in the space of the represented vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nengo.builder.learning_rules import SimVoja

from nengo_dl.lowering.context import Context
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View


@register(SimVoja)
@dataclass(frozen=True)
class LowerVoja(Lowering):
    r"""Move encoders of active neurons towards the input.

    .. math:: \Delta e_{ik} = \kappa\,\Delta t\,\lambda\; (s_i a_i x_k - a_i e_{ik})

    with the learning rate :math:`\kappa`, the learning signal :math:`\lambda`, the
    activity :math:`a_i`, the decoded input :math:`x`, the scaled encoders :math:`e` and
    their scale :math:`s` (gain over radius).

    References
    ----------
    A. R. Voelker, E. Crawford and C. Eliasmith, "Learning large-scale heteroassociative
    memories in spiking neurons", Unconventional Computation and Natural Computation,
    2014.
    """

    x: View
    post: View
    encoders: View
    learning: View
    delta: View
    rate: np.ndarray
    scale: np.ndarray

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        ops, dtype = group.ops, context.dtype
        return cls(
            context.view([op.pre_decoded for op in ops]),
            context.view([op.post_filtered for op in ops]),
            context.view([op.scaled_encoders for op in ops]),
            context.view([op.learning_signal for op in ops], (len(ops), 1)),
            context.view([op.delta for op in ops]),
            np.array([[op.learning_rate * context.dt] for op in ops], dtype),
            np.stack([op.scale for op in ops]).astype(dtype),
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        x, encoders = values.read(self.x), values.read(self.encoders)
        active = self.rate * values.read(self.learning) * values.read(self.post)
        target = self.scale[:, :, None] * x[..., None, :]
        values.set(self.delta, active[..., :, None] * (target - encoders))
