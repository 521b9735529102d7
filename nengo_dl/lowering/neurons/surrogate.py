"""Spiking neurons whose spikes gradients pass through, for training.

Forward they are the spiking neurons themselves. Backward, what a spike takes from the
voltage counts as constant, and so does the refractory time: gradients that went through
resets would be those of an instant, and infinite.

References
----------
E. O. Neftci, H. Mostafa and F. Zenke, "Surrogate gradient learning in spiking neural
networks", IEEE Signal Processing Magazine 36(6), 2019.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Operator
from nengo.neurons import (
    LIF,
    AdaptiveLIF,
    RegularSpiking,
    SpikingRectifiedLinear,
)

from nengo_dl.graph.rates import rate_equivalent
from nengo_dl.graph.surrogate_neurons import SurrogateNeurons
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.neurons.adaptive import LowerAdaptiveLIF
from nengo_dl.lowering.neurons.base import LowerNeurons
from nengo_dl.lowering.neurons.leaky import LowerSpikingLeakyReLU
from nengo_dl.lowering.neurons.lif import LowerLIF
from nengo_dl.lowering.neurons.rectified import LowerSpikingRectifiedLinear
from nengo_dl.lowering.neurons.regular import LowerRegularSpiking
from nengo_dl.lowering.neurons.spike import count, fire
from nengo_dl.lowering.registry import Lowering, lowering_of, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.neurons import SpikingLeakyReLU
from nengo_dl.plan.groups import OpGroup
from nengo_dl.surrogates import Surrogate


@dataclass(frozen=True)
class _Firing(LowerNeurons):
    r"""One spike at a time, with the surrogate :math:`f`.

    .. math:: \frac{\partial a}{\partial v'} = \frac{\alpha}{\Delta t} f(v' - 1)
    """

    surrogate: Surrogate

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return what the neurons do, the refractory times as constants."""
        spikes, voltage, refractory, *more = super().step(j, *state)
        return spikes, voltage, tf.stop_gradient(refractory), *more

    def spikes(self, voltage: tf.Tensor) -> tf.Tensor:
        """Return 1 for voltages above the threshold, else 0."""
        return fire(voltage - 1, self.surrogate)


@dataclass(frozen=True)
class _Counting(LowerNeurons):
    r"""Any number of spikes; the threshold :math:`k` next to the voltage counts.

    .. math:: \frac{\partial a}{\partial v'} = \frac{\alpha}{\Delta t} f(v' - k)
    """

    #: whether negative voltages have passed 0 too
    down: ClassVar[bool] = True

    surrogate: Surrogate

    def step(self, j: tf.Tensor, *state: tf.Tensor) -> Sequence[tf.Tensor]:
        """Return what the neurons do; the voltage keeps its own gradient only."""
        spikes, rest = super().step(j, *state)
        # `rest` is the voltage without the spikes, and they have their own gradient
        voltage = rest + spikes * (self.dt / self.amplitude)
        return spikes, _value_with_gradient_of(rest, voltage)

    def spikes(self, voltage: tf.Tensor) -> tf.Tensor:
        """Return the whole thresholds that voltages have passed."""
        return count(voltage, self.surrogate, self.down)


@dataclass(frozen=True)
class LowerSurrogateLIF(_Firing, LowerLIF):
    r"""Gradients for LIF neurons; see `_Firing`.

    .. math:: \partial a / \partial v' = \alpha f(v' - 1) / \Delta t
    """


@dataclass(frozen=True)
class LowerSurrogateAdaptiveLIF(_Firing, LowerAdaptiveLIF):
    r"""Gradients for AdaptiveLIF neurons; see `_Firing`.

    .. math:: \partial a / \partial v' = \alpha f(v' - 1) / \Delta t
    """


@dataclass(frozen=True)
class LowerSurrogateRectifiedLinear(_Counting, LowerSpikingRectifiedLinear):
    r"""Gradients for SpikingRectifiedLinear neurons; see `_Counting`.

    .. math:: \partial a / \partial v' = \alpha f(v' - k) / \Delta t
    """


@dataclass(frozen=True)
class LowerSurrogateRegularSpiking(_Counting, LowerRegularSpiking):
    r"""Gradients for RegularSpiking neurons; see `_Counting`.

    .. math:: \partial a / \partial v' = \alpha f(v' - k) / \Delta t
    """


@dataclass(frozen=True)
class LowerSurrogateLeakyReLU(_Counting, LowerSpikingLeakyReLU):
    r"""Gradients for SpikingLeakyReLU neurons; see `_Counting`.

    .. math:: \partial a / \partial v' = \alpha f(v' - k) / \Delta t
    """

    down = False


@dataclass(frozen=True)
class LowerRateGradient(Lowering):
    r"""Spikes forward, backward the derivative of the firing rate.

    .. math:: \frac{\partial a}{\partial J} = r'(J)

    with the rates :math:`r` of the type's rate equivalent.
    """

    spikes: LowerNeurons
    rates: LowerNeurons

    @property
    def views(self) -> tuple:
        """What the spiking neurons touch."""
        return self.spikes.views

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        names = type(self.spikes).state_names
        state = [values.read(view) for view in self.spikes.state]
        j = values.read(self.spikes.current)
        output, *new_state = self.spikes.step(j, *state)
        by_name = dict(zip(names, state, strict=True))
        rate, *_ = self.rates.step(
            j, *(by_name[name] for name in type(self.rates).state_names)
        )
        values.set(self.spikes.output, _value_with_gradient_of(output, rate))
        for view, value in zip(self.spikes.state, new_state, strict=True):
            values.set(view, tf.stop_gradient(value))


_WITH_VOLTAGE: dict[type, type[LowerNeurons]] = {
    LIF: LowerSurrogateLIF,
    AdaptiveLIF: LowerSurrogateAdaptiveLIF,
    SpikingRectifiedLinear: LowerSurrogateRectifiedLinear,
    RegularSpiking: LowerSurrogateRegularSpiking,
    SpikingLeakyReLU: LowerSurrogateLeakyReLU,
}


class LowerSurrogateNeurons(LowerNeurons):
    r"""Choose between a surrogate for the voltage and the gradient of the rates.

    The derivative of the spikes is :math:`\partial a / \partial v'`, see `_Firing` and
    `_Counting`, or :math:`\partial a / \partial J`, see `LowerRateGradient`.
    """

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return the derivative."""
        return "surrogate", op.surrogate

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context, **fields: Any) -> Lowering:
        """Return the lowering of a group."""
        first = group.ops[0]
        if first.surrogate != "rate":
            lowering = _WITH_VOLTAGE[type(first.neurons)]
            return lowering.build_pre(group, context, surrogate=first.surrogate)
        spikes, rates = (OpGroup(tuple(map(f, group.ops))) for f in (_spikes, _rates))
        parts: list[Any] = [
            lowering_of(g.ops[0]).build_pre(g, context) for g in (spikes, rates)
        ]
        return LowerRateGradient(*parts)


for _type in _WITH_VOLTAGE:
    register(SurrogateNeurons, _type)(LowerSurrogateNeurons)


def _spikes(op: SimNeurons) -> SimNeurons:
    return SimNeurons(op.neurons, op.J, op.output, op.state)


def _rates(op: SimNeurons) -> SimNeurons:
    rates: Any = rate_equivalent(op.neurons)
    state = {name: op.state[name] for name in rates.state if name in op.state}
    return SimNeurons(rates, op.J, op.output, state)


def _value_with_gradient_of(value: tf.Tensor, source: tf.Tensor) -> tf.Tensor:
    """Return ``value``; gradients go to ``source`` instead, which may be broadcast."""

    @tf.custom_gradient
    def exchange(value: tf.Tensor, source: tf.Tensor) -> tuple:
        return tf.identity(value), lambda upstream: (tf.zeros_like(upstream), upstream)

    # rates for a constant current have no batch axis, or one item, unlike spikes
    return exchange(value, tf.broadcast_to(source, value.shape))
