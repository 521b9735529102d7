"""SimOja: Hebbian learning that forgets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nengo.builder.learning_rules import SimOja

from nengo_dl.lowering.context import Context
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View


@register(SimOja)
@dataclass(frozen=True)
class LowerOja(Lowering):
    r"""Strengthen connections between neurons that are active together.

    .. math:: \Delta\omega_{ij} = \kappa\,\Delta t\;
              (a_i a_j - \beta a_i^2 \omega_{ij})

    with the learning rate :math:`\kappa`, the activities :math:`a` of the postsynaptic
    neuron i and the presynaptic neuron j, and the forgetting rate :math:`\beta`.

    References
    ----------
    E. Oja, "A simplified neuron model as a principal component analyzer", Journal of
    Mathematical Biology 15(3), 1982.
    """

    pre: View
    post: View
    weights: View
    delta: View
    rate: np.ndarray
    beta: np.ndarray

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        ops, dtype = group.ops, context.dtype
        return cls(
            context.view([op.pre_filtered for op in ops]),
            context.view([op.post_filtered for op in ops]),
            context.view([op.weights for op in ops]),
            context.view([op.delta for op in ops]),
            np.array([[op.learning_rate * context.dt] for op in ops], dtype),
            np.array([[[op.beta]] for op in ops], dtype),
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        pre, post = values.read(self.pre), values.read(self.post)
        scaled = (self.rate * post)[..., :, None]
        forgotten = self.beta * post[..., :, None] * values.read(self.weights)
        values.set(self.delta, scaled * (pre[..., None, :] - forgotten))
