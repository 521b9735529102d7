"""Processes as TensorFlow computations, one family per file."""

from nengo_dl.lowering.processes import (
    delay,
    filter_series,
    linear_filter,
    trained_filter,
    triangle,
)

__all__ = ["delay", "filter_series", "linear_filter", "trained_filter", "triangle"]
