"""SimPES: prescribed error sensitivity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nengo.builder.learning_rules import SimPES

from nengo_dl.lowering.context import Context
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View


@register(SimPES)
@dataclass(frozen=True)
class LowerPES(Lowering):
    r"""Change decoders against the error.

    .. math:: \Delta\omega_{ij} = -\frac{\kappa\,\Delta t}{n} e_i a_j

    with the learning rate :math:`\kappa`, the number of presynaptic neurons :math:`n`,
    the error :math:`e` and the filtered presynaptic activity :math:`a`. The change is
    applied in the following time step, as in Nengo.

    References
    ----------
    D. MacNeil and C. Eliasmith, "Fine-tuning and the stability of recurrent neural
    networks", PLoS ONE 6(9), 2011.
    """

    activity: View
    error: View
    delta: View
    rate: np.ndarray

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        ops = group.ops
        rates = [
            -op.learning_rate * context.dt / op.pre_filtered.shape[0] for op in ops
        ]
        return cls(
            context.view([op.pre_filtered for op in ops]),
            context.view([op.error for op in ops]),
            context.view([op.delta for op in ops]),
            np.asarray(rates, dtype=context.dtype),
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        error = values.read(self.error) * self.rate[:, None]
        activity = values.read(self.activity)
        values.set(self.delta, error[..., :, None] * activity[..., None, :])
