"""Neuron types as TensorFlow computations, one family per file."""

from nengo_dl.lowering.neurons import (
    adaptive,
    base,
    drawn,
    izhikevich,
    leaky,
    lif,
    poisson,
    rectified,
    regular,
    sigmoid,
    soft_lif,
    stochastic,
)

__all__ = [
    "adaptive",
    "base",
    "drawn",
    "izhikevich",
    "leaky",
    "lif",
    "poisson",
    "rectified",
    "regular",
    "sigmoid",
    "soft_lif",
    "stochastic",
]
