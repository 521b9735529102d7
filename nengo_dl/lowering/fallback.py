"""Neuron types and processes that run as NumPy inside the loop.

The exact type decides: a user's subclass of a known type may have changed its step, and
so arrives here too.
"""

from nengo.builder.neurons import SimNeurons
from nengo.builder.processes import SimProcess

from nengo_dl.lowering.numpy_operator import NumPyOperator
from nengo_dl.lowering.registry import register

for _type in (SimNeurons, SimProcess):
    register(_type)(NumPyOperator)
