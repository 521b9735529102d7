"""Operators, neuron types and processes that run as NumPy inside the loop.

The exact type decides: a user's subclass of a known type may have changed its step, and
so arrives here too.
"""

from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import BsrDotInc
from nengo.builder.processes import SimProcess
from nengo.builder.transforms import ConvInc, ConvTransposeInc

from nengo_dl.lowering.numpy_operator import NumPyOperator
from nengo_dl.lowering.registry import register

for _type in (
    SimNeurons,
    SimProcess,
    ConvInc,
    ConvTransposeInc,
    BsrDotInc,
):
    register(_type)(NumPyOperator)
