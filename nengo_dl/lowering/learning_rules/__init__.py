"""Online learning rules as TensorFlow computations, one rule per file."""

from nengo_dl.lowering.learning_rules import pes

__all__ = ["pes"]
