"""Firing rates times a factor, with the same output."""

from __future__ import annotations

import inspect
from typing import Any

import nengo
from nengo.neurons import NeuronType, RatesToSpikesNeuronType

from nengo_dl.neurons import LimitedReLU
from nengo_dl.validation import positive_number

_EXACT = (nengo.RectifiedLinear,)


def check_scale(value: Any) -> float:
    """Return a factor of firing rates as a number.

    Raises
    ------
    ValidationError
        If it is not a finite number above 0.
    """
    return positive_number(
        value,
        "scale_firing_rates",
        "a finite number above 0, a dict {layer: number} or 'auto'",
    )


def scaled(neuron_type: NeuronType, scale: float) -> tuple[NeuronType, float, str]:
    r"""Return neurons whose rates are larger by a factor, and whose output is not.

    .. math:: y = \frac{\alpha}{s}\, f(s J)

    which is :math:`\alpha f(J)` where f is a ray from the origin, as for rectified
    lines. Types that make spikes of the rates of another type are scaled behind these
    rates, which is right for every f.

    Parameters
    ----------
    neuron_type : NeuronType
        The neurons; they are not changed.
    scale : float
        The factor s.

    Returns
    -------
    neuron_type : NeuronType
        A copy with another amplitude.
    gain : float
        Factor of the neurons' input.
    problem : str
        What users should know; empty if the output stays the same.
    """
    if scale == 1:
        return neuron_type, 1.0, ""
    name = type(neuron_type).__name__
    if isinstance(neuron_type, RatesToSpikesNeuronType):
        made = _faster_rates(neuron_type, scale)
        if made is not None:
            return made, 1.0, ""
    remedy = (
        "Types that spike at the rates of another keep their output when they are "
        "scaled, `nengo.RegularSpiking(nengo.LIFRate())` for example, and so do "
        "rectified lines"
    )
    if not hasattr(neuron_type, "amplitude"):
        if not neuron_type.spiking:
            return (
                neuron_type,
                1.0,
                f"{name} has no amplitude and no spikes, so that its firing rates are "
                "not scaled",
            )
        return (
            neuron_type,
            scale,
            f"{name} has no amplitude: its input is scaled, but not its output, which "
            f"changes what the network computes. {remedy}",
        )
    made = _with(neuron_type, amplitude=neuron_type.amplitude / scale)
    if isinstance(neuron_type, LimitedReLU):
        made = _with(made, limit=neuron_type.limit * scale)
    if isinstance(neuron_type, _EXACT):
        return made, scale, ""
    return (
        made,
        scale,
        f"The response of {name} is no straight line, so that scaled firing rates "
        f"change what the network computes. {remedy}",
    )


def _faster_rates(
    neuron_type: RatesToSpikesNeuronType, scale: float
) -> NeuronType | None:
    """Return a type that makes spikes at rates that are larger by a factor."""
    base = neuron_type.base_type
    if hasattr(base, "amplitude"):
        faster = _with(base, amplitude=base.amplitude * scale)
    elif isinstance(base, nengo.Sigmoid | nengo.Tanh):
        faster = _with(base, tau_ref=base.tau_ref / scale)
    else:
        return None
    return _with(neuron_type, base_type=faster, amplitude=neuron_type.amplitude / scale)


def _with(neuron_type: NeuronType, **values: Any) -> NeuronType:
    """Return a neuron type with other parameters; types themselves never change."""
    names = inspect.signature(type(neuron_type).__init__).parameters
    given = {
        name: getattr(neuron_type, name)
        for name in names
        if name != "self" and hasattr(neuron_type, name)
    }
    return type(neuron_type)(**{**given, **values})
