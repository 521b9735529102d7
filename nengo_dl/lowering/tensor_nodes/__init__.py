"""TensorFlow code of users as Nodes: traced, bound to parameters, lowered."""

from nengo_dl.lowering.tensor_nodes import lowering

__all__ = ["lowering"]
