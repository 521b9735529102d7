"""Operators as TensorFlow computations: one family per file, each registers itself.

A new operator, neuron type, process or learning rule is one new file and one line here
or in its folder's ``__init__``. What packages of others need to add theirs can be
imported from here.
"""

from nengo_dl.graph.draws import Draws
from nengo_dl.lowering import (
    block_sparse,
    convolution,
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
    tensor_nodes,
    time,
)
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.neurons.base import LowerNeurons
from nengo_dl.lowering.neurons.drawn import LowerDrawnNeurons, register_draws
from nengo_dl.lowering.neurons.rate_equivalents import register_rates
from nengo_dl.lowering.neurons.spike import count, fire
from nengo_dl.lowering.neurons.surrogate import (
    LowerSurrogateNeurons,
    register_surrogate,
)
from nengo_dl.lowering.numpy_operator import NumPyOperator
from nengo_dl.lowering.registry import Lowering, lower, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View

__all__ = [
    "Context",
    "Draws",
    "LowerDrawnNeurons",
    "LowerNeurons",
    "LowerSurrogateNeurons",
    "Lowering",
    "NumPyOperator",
    "OpGroup",
    "SignalValues",
    "View",
    "block_sparse",
    "convolution",
    "copy",
    "count",
    "dot",
    "elementwise",
    "fallback",
    "fire",
    "learning_rules",
    "lower",
    "neurons",
    "probe",
    "processes",
    "python_function",
    "register",
    "register_draws",
    "register_rates",
    "register_surrogate",
    "reset",
    "sparse",
    "tensor_nodes",
    "time",
]
