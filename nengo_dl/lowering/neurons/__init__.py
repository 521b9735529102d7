"""Neuron types as TensorFlow computations, one family per file."""

from nengo_dl.lowering.neurons import (
    adaptive,
    base,
    izhikevich,
    lif,
    rectified,
    regular,
    sigmoid,
)

__all__ = ["adaptive", "base", "izhikevich", "lif", "rectified", "regular", "sigmoid"]
