"""Processes as TensorFlow computations, one family per file."""

from nengo_dl.lowering.processes import filter_series, linear_filter, triangle

__all__ = ["filter_series", "linear_filter", "triangle"]
