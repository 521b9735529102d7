"""Neuron types as TensorFlow computations, one family per file."""

from nengo_dl.lowering.neurons import (
    adaptive,
    base,
    drawn,
    izhikevich,
    leaky,
    lif,
    poisson,
    rate_equivalents,
    rectified,
    regular,
    sigmoid,
    soft_lif,
    stochastic,
    surrogate,
    trained_neurons,
    whole_steps,
)

__all__ = [
    "adaptive",
    "base",
    "drawn",
    "izhikevich",
    "leaky",
    "lif",
    "poisson",
    "rate_equivalents",
    "rectified",
    "regular",
    "sigmoid",
    "soft_lif",
    "stochastic",
    "surrogate",
    "trained_neurons",
    "whole_steps",
]
