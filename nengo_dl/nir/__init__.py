"""NIR graphs as networks, and back: a family of nodes per file, each registers itself.

A new type of node is one new reader in the file of its family, or a new file and one
line here.
"""

from nengo_dl.nir import (
    filter_nodes,
    kernel_nodes,
    linear_nodes,
    neuron_nodes,
    port_nodes,
)
from nengo_dl.nir.reading import from_nir
from nengo_dl.nir.writing import to_nir

__all__ = [
    "filter_nodes",
    "from_nir",
    "kernel_nodes",
    "linear_nodes",
    "neuron_nodes",
    "port_nodes",
    "to_nir",
]
