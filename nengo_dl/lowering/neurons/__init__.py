"""Neuron types as TensorFlow computations, one family per file."""

from nengo_dl.lowering.neurons import (
    adaptive,
    base,
    izhikevich,
    leaky,
    lif,
    rectified,
    regular,
    sigmoid,
    soft_lif,
)

__all__ = [
    "adaptive",
    "base",
    "izhikevich",
    "leaky",
    "lif",
    "rectified",
    "regular",
    "sigmoid",
    "soft_lif",
]
