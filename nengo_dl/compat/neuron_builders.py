"""``nengo_dl.neuron_builders`` of earlier releases, which other packages write into.

NengoLoihi puts a builder for each of its neuron types into ``TF_NEURON_IMPL`` when the
first of them is made, whichever simulator runs it.
"""

from __future__ import annotations

from typing import Any

from nengo.builder.neurons import SimNeurons

from nengo_dl.lowering.neurons import whole_steps
from nengo_dl.lowering.neurons.rate_equivalents import register_rates
from nengo_dl.lowering.registry import register
from nengo_dl.user_code import warn_user

__all__ = ["LIFBuilder", "SimNeuronsBuilder", "SpikingRectifiedLinearBuilder"]

#: types of other packages that run in TensorFlow here: their lowering, and their rates
_KNOWN = {
    "LoihiLIF": (whole_steps.LowerWholeStepLIF, whole_steps.lif_rates),
    "LoihiSpikingRectifiedLinear": (
        whole_steps.LowerWholeStepRectified,
        whole_steps.rectified_rates,
    ),
}


class _Builders(dict):
    """Builders of earlier releases by neuron type: noted, and never called."""

    def __setitem__(self, neuron_type: Any, builder: Any) -> None:
        known = neuron_type not in self
        super().__setitem__(neuron_type, builder)
        name = getattr(neuron_type, "__name__", str(neuron_type))
        package = getattr(neuron_type, "__module__", "").partition(".")[0]
        if package == "nengo_loihi" and name in _KNOWN:
            if known:
                lowering, rates = _KNOWN[name]
                register(SimNeurons, neuron_type)(lowering)
                register_rates(neuron_type)(rates)
            return
        warn_user(
            f"The builder of {name} was written for an earlier NengoDL, and is not "
            "used: the neurons run their own NumPy code. "
            "`nengo_dl.lowering.register(SimNeurons, ...)` and `register_rates` teach "
            "NengoDL a neuron type"
        )


class SimNeuronsBuilder:
    """Where earlier releases looked up how a neuron type is built.

    Attributes
    ----------
    TF_NEURON_IMPL : dict of {type: type}
        What other packages have put in.
    """

    TF_NEURON_IMPL: dict[type, Any] = _Builders()


class LIFBuilder:
    """A class that builders of other packages inherit from; it builds nothing."""


class SpikingRectifiedLinearBuilder:
    """A class that builders of other packages inherit from; it builds nothing."""
