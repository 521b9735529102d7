"""Leaky integrate-and-fire neurons, as rates and with spikes.

References
----------
C. Eliasmith and C. H. Anderson, *Neural Engineering*, MIT Press, 2003, chapter 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from nengo.neurons import LIF, LIFRate, NeuronType

from nengo_dl.graph.roles import Role
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.neurons.base import LowerNeurons, neurons
from nengo_dl.lowering.neurons.power_series import expm1, log1p
from nengo_dl.lowering.neurons.rate_equivalents import attributes, register_rates
from nengo_dl.lowering.neurons.surrogate import Firing, register_surrogate
from nengo_dl.lowering.registry import Lowering
from nengo_dl.lowering.values import SignalValues
from nengo_dl.neurons import SoftLIFRate
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View


@neurons(LIFRate)
@dataclass(frozen=True)
class LowerLIFRate(LowerNeurons):
    r"""Steady-state rates.

    .. math:: a = \frac{\alpha}{\tau_{ref} + \tau_{rc} \ln(1 + 1/(J - 1))}
              \text{ for } J > 1, \text{ else } 0
    """

    parameters: ClassVar[tuple[str, ...]] = ("tau_rc", "tau_ref", "amplitude")

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return the rates."""
        above = j - 1
        firing = above > 0
        # the branch that is not taken must be finite too, or its gradient is not a
        # number: 0 * inf
        safe = tf.where(firing, above, tf.ones_like(above))
        rate = self.amplitude / (self.tau_ref + self.tau_rc * tf.math.log1p(1 / safe))
        return (tf.where(firing, rate, tf.zeros_like(rate)),)


@neurons(LIF)
@dataclass(frozen=True)
class LowerLIF(LowerNeurons):
    r"""Spikes from an exactly integrated membrane voltage.

    With the part :math:`\delta` of the step that is left after the refractory time,

    .. math:: v' = v + (J - v)(1 - e^{-\delta/\tau_{rc}}), \quad
              a = \frac{\alpha}{\Delta t} [v' > 1]

    A neuron that fires starts its refractory time at the moment when :math:`v` crossed
    1, which follows from the same equation; its voltage returns to 0. Other voltages
    are kept above ``min_voltage``.
    """

    parameters: ClassVar[tuple[str, ...]] = (
        "tau_rc",
        "tau_ref",
        "min_voltage",
        "amplitude",
    )
    state_names: ClassVar[tuple[str, ...]] = ("voltage", "refractory_time")

    #: whether voltages start no higher than the threshold, where steps leave them
    from_below: bool
    #: whether they are reset when the next step begins. See `Lowering.postponed`: it
    #: pays where many others would compute the voltage anew, for each row of a product
    #: with weights that change (PES 64-D: 1.15 times as fast), or for all items of a
    #: minibatch (784-128-10, 100 items: 38 us per step, and 24). Elsewhere XLA splits
    #: the step in more pieces than it saves (integrator, circular convolution: 0.95)
    resets_late: bool
    #: whether somebody may ask for gradients
    differentiable: bool

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context, **fields: Any) -> Lowering:
        """Return the lowering of a group."""
        from_below = not context.any_state and all(
            op.neurons.min_voltage <= 1
            and np.max(op.state["voltage"].initial_value, initial=0) <= 1
            for op in group.ops
        )
        roles = {block.role for block in context.layout.blocks}
        resets_late = (
            cls.step is LowerLIF.step
            and all(op.neurons.min_voltage <= 0 for op in group.ops)
            and (context.minibatch_size > 1 or Role.ONLINE in roles)
        )
        return super().build_pre(
            group,
            context,
            from_below=from_below,
            resets_late=resets_late,
            differentiable=context.differentiable,
            **fields,
        )

    @property
    def decay(self) -> float:
        """How long a step is, in the shortest time constant of the membranes."""
        if tf.is_tensor(self.tau_rc):  # it is trained, and may become anything
            return np.inf
        return float(np.max(self.dt / self.tau_rc))

    @property
    def postponed(self) -> Mapping[View, Callable[[tf.Tensor], tf.Tensor]]:
        """Return the voltages, which are reset when the next step begins."""
        return {self.state[0]: self.reset} if self.resets_late else {}

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        if not self.resets_late:
            super().build_step(values)
            return
        views = (self.output, *self.state)
        state = [values.read(view) for view in self.state]
        output, reached, refractory = self.advance(values.read(self.current), *state)
        new = (output, self.reset(reached), refractory)
        for view, value in zip(views, new, strict=True):
            values.set(view, value)
        values.postponed[self.state[0]] = reached

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return spikes, voltages and remaining refractory times (s)."""
        output, reached, refractory = self.advance(j, *state)
        return output, self.reset(reached), refractory

    def advance(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return spikes, voltages before they are reset, and refractory times (s)."""
        voltage, refractory = state
        refractory = refractory - self.dt
        delta = tf.clip_by_value(self.dt - refractory, 0, self.dt)
        voltage = voltage - (j - voltage) * expm1(delta, self.tau_rc, self.decay)
        spikes, spiked = self.spikes(voltage), voltage > 1
        past = self.past(j, voltage, spiked)
        return (
            spikes * (self.amplitude / self.dt),
            voltage,
            tf.where(spiked, self.tau_ref + self.dt + past, refractory),
        )

    def reset(self, voltage: tf.Tensor) -> tf.Tensor:
        """Return 0 for voltages above the threshold, the others above the minimum."""
        zero = tf.zeros_like(voltage)
        return tf.where(voltage > 1, zero, tf.maximum(voltage, self.min_voltage))

    def past(self, j: tf.Tensor, voltage: tf.Tensor, spiked: tf.Tensor) -> tf.Tensor:
        """Return the time (s) from a spike to the end of the step, negative.

        Where there was none, it is any number, and a finite one if that matters.
        """
        # How far the voltage went beyond the threshold, beside how far it could have
        # gone: no further than a step lets it from below, and only with a current
        # above 1. For gradients the branch that is not taken must be finite too.
        # Elsewhere it need not be, and what is left has no more operations than bytes,
        # so that XLA leaves it in one piece; see `power_series`.
        most = j - 1
        if self.differentiable:
            most = tf.where(spiked, most, tf.ones_like(j))
        farthest = 1 - np.exp(-self.decay) if self.from_below else np.inf
        return log1p(1 - voltage, most, farthest, self.tau_rc)

    def spikes(self, voltage: tf.Tensor) -> tf.Tensor:
        """Return 1 for voltages above the threshold, else 0."""
        return tf.cast(voltage > 1, voltage.dtype)


@register_surrogate(LIF)
@dataclass(frozen=True)
class LowerSurrogateLIF(Firing, LowerLIF):
    r"""Gradients for LIF neurons; see `Firing`.

    .. math:: \partial a / \partial v' = \alpha f(v' - 1) / \Delta t

    References
    ----------
    See `nengo_dl.lowering.neurons.surrogate`.
    """


@register_rates(LIF)
def lif_rates(neurons: LIF, smoothing: float | None) -> NeuronType:
    """Return LIFRate, or with a soft threshold SoftLIFRate."""
    same = attributes(neurons, "tau_rc", "tau_ref", "amplitude")
    return SoftLIFRate(sigma=smoothing, **same) if smoothing else LIFRate(**same)
