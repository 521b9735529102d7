"""Operators as TensorFlow computations: one family per file, each registers itself.

A new operator, neuron type, process or learning rule is one new file and one line here
or in its folder's ``__init__``.
"""

from nengo_dl.lowering import (
    copy,
    dot,
    elementwise,
    fallback,
    learning_rules,
    neurons,
    probe,
    processes,
    python_function,
    reset,
    sparse,
    time,
)
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.numpy_operator import NumPyOperator
from nengo_dl.lowering.registry import Lowering, lower, register
from nengo_dl.lowering.values import SignalValues

__all__ = [
    "Context",
    "Lowering",
    "NumPyOperator",
    "SignalValues",
    "copy",
    "dot",
    "elementwise",
    "fallback",
    "learning_rules",
    "lower",
    "neurons",
    "probe",
    "processes",
    "python_function",
    "register",
    "reset",
    "sparse",
    "time",
]
