"""Neuron types as TensorFlow computations, one family per file."""

from nengo_dl.lowering.neurons import base, lif, rectified, sigmoid

__all__ = ["base", "lif", "rectified", "sigmoid"]
