"""Processes as TensorFlow computations, one family per file."""

from nengo_dl.lowering.processes import linear_filter, triangle

__all__ = ["linear_filter", "triangle"]
