"""Neurons whose spikes are a whole number of time steps apart, as on the chip Loihi.

The types are those of NengoLoihi, which is not imported here: `nengo_dl.compat`
registers what is in this file when NengoLoihi hands its types in.

References
----------
M. Davies et al., "Loihi: A neuromorphic manycore processor with on-chip learning", IEEE
Micro 38(1), 2018.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from nengo.builder.operator import Operator
from nengo.neurons import NeuronType, RectifiedLinear

from nengo_dl.lowering.constants import merged
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.neurons.base import LowerNeurons, neurons
from nengo_dl.lowering.neurons.lif import LowerLIF
from nengo_dl.lowering.neurons.rate_equivalents import attributes
from nengo_dl.lowering.neurons.soft_lif import soft_lif_rates
from nengo_dl.lowering.registry import Lowering
from nengo_dl.neurons import SoftLIFRate
from nengo_dl.plan.groups import OpGroup
from nengo_dl.user_code import warn_user

#: width of a threshold that is not softened
_HARD = 1e-12
#: decays are kept in 12 bits
_DECAY_SCALE = 2**12 - 1


def rounded_tau_rc(tau_rc: float, dt: float) -> float:
    """Return the membrane time constant (s) of the decay that the chip can hold."""
    decay = np.round(-np.expm1(-dt / tau_rc) * _DECAY_SCALE) / _DECAY_SCALE
    return -dt / np.log1p(-decay)


def rounded_tau_ref(tau_ref: float, dt: float) -> float:
    """Return the refractory time (s) in whole time steps."""
    return dt * np.round(tau_ref / dt)


class _Rounded:
    """A lowering whose time constants are rounded to what the chip can hold."""

    @classmethod
    def attributes(cls, op: Operator, dt: float) -> Mapping[str, float | str]:
        """Return why time constants cannot be trained."""
        reason = "it is rounded to what the chip Loihi can hold"
        return {"tau_rc": reason, "tau_ref": reason}

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context, **fields: Any) -> Lowering:
        """Return the lowering of a group."""
        made: Any = super().build_pre(group, context, **fields)  # type: ignore[misc]
        sizes = [op.J.size for op in group.ops]
        types = [op.neurons for op in group.ops]
        tau_rc = [rounded_tau_rc(n.tau_rc, context.dt) for n in types]
        tau_ref = [rounded_tau_ref(n.tau_ref, context.dt) for n in types]
        rounded = {
            "tau_rc": merged(tau_rc, sizes, context.dtype),
            "tau_ref": merged(tau_ref, sizes, context.dtype),
        }
        return replace(made, constants={**made.constants, **rounded})


@dataclass(frozen=True)
class LowerWholeStepLIF(_Rounded, LowerLIF):
    """Spikes of LIF neurons that start again at the end of a step.

    The refractory time begins with the next step, whenever the voltage crossed 1, and
    both time constants are rounded.

    References
    ----------
    The definition is that of ``nengo_loihi.LoihiLIF``.
    """

    def past(self, j: tf.Tensor, voltage: tf.Tensor, spiked: tf.Tensor) -> tf.Tensor:
        """Return 0: spikes are at the end of the step."""
        return tf.zeros_like(voltage)


@dataclass(frozen=True)
class LowerWholeStepRectified(LowerNeurons):
    r"""Spikes of integrators that start again from zero, at most one in a step.

    .. math:: v' = v + J\,\Delta t, \quad a = \frac{\alpha}{\Delta t} [v' > 1]

    References
    ----------
    The definition is that of ``nengo_loihi.LoihiSpikingRectifiedLinear``.
    """

    parameters: ClassVar[tuple[str, ...]] = ("amplitude",)
    state_names: ClassVar[tuple[str, ...]] = ("voltage",)

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return spikes and voltages."""
        (voltage,) = state
        voltage = voltage + j * self.dt
        spiked = voltage > 1
        return (
            tf.cast(spiked, voltage.dtype) * (self.amplitude / self.dt),
            tf.where(spiked, tf.zeros_like(voltage), tf.nn.relu(voltage)),
        )


class WholeStepLIFRate(SoftLIFRate):
    """Rates of LIF neurons whose spikes are a whole number of steps apart."""


class WholeStepRectifiedRate(RectifiedLinear):
    """Rates of integrators whose spikes are a whole number of steps apart."""


@neurons(WholeStepLIFRate)
@dataclass(frozen=True)
class LowerWholeStepLIFRate(_Rounded, LowerNeurons):
    r"""Steady-state rates in stairs.

    .. math:: a = \frac{\alpha}{\Delta t \lceil p / \Delta t \rceil}, \quad
              p = \tau_{ref} + \tau_{rc} \ln(1 + 1/(J - 1))

    The gradient is that of :math:`\alpha / p`, with a threshold that may be softened:
    that of stairs is zero.

    References
    ----------
    E. Hunsberger and C. Eliasmith, "Spiking deep networks with LIF neurons",
    arXiv:1510.08829, 2015, for the softened threshold.
    """

    parameters: ClassVar[tuple[str, ...]] = ("sigma", "tau_rc", "tau_ref", "amplitude")

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return the rates."""
        above = j - 1
        firing = above > 0
        safe = tf.where(firing, above, tf.ones_like(above))
        period = self.tau_ref + self.tau_rc * tf.math.log1p(1 / safe)
        rates = (self.amplitude / self.dt) / tf.math.ceil(period / self.dt)
        rates = tf.where(firing, rates, tf.zeros_like(rates))
        return (_with_gradient(rates, soft_lif_rates(j, **self.constants)),)


@neurons(WholeStepRectifiedRate)
@dataclass(frozen=True)
class LowerWholeStepRectifiedRate(LowerNeurons):
    r"""Rates in stairs: :math:`a = \alpha / (\Delta t \lceil 1 / (J \Delta t) \rceil)`.

    The gradient is that of :math:`\alpha \max(0, J)`.

    References
    ----------
    The definition is that of ``nengo_loihi.LoihiSpikingRectifiedLinear``.
    """

    parameters: ClassVar[tuple[str, ...]] = ("amplitude",)

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return the rates."""
        firing = j > 0
        safe = tf.where(firing, j, tf.ones_like(j))
        rates = (self.amplitude / self.dt) / tf.math.ceil(1 / safe / self.dt)
        rates = tf.where(firing, rates, tf.zeros_like(rates))
        return (_with_gradient(rates, self.amplitude * tf.nn.relu(j)),)


def lif_rates(neurons: Any, smoothing: float | None) -> NeuronType:
    """Return what trains in the place of ``nengo_loihi.LoihiLIF``."""
    if getattr(neurons, "nengo_dl_noise", None) is not None:
        warn_user(
            f"`nengo_dl_noise` of {neurons} is not added in training; use a "
            "nengo_dl.TensorNode that adds noise, or train without"
        )
    same = attributes(neurons, "tau_rc", "tau_ref", "amplitude")
    return WholeStepLIFRate(sigma=smoothing or _HARD, **same)


def rectified_rates(neurons: Any, smoothing: float | None) -> NeuronType:
    """Return what trains in the place of NengoLoihi's SpikingRectifiedLinear."""
    return WholeStepRectifiedRate(amplitude=neurons.amplitude)


def _with_gradient(values: tf.Tensor, differentiable: tf.Tensor) -> tf.Tensor:
    """Return values with the gradient of others."""
    return differentiable + tf.stop_gradient(values - differentiable)
