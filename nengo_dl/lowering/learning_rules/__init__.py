"""Online learning rules as TensorFlow computations, one rule per file."""

from nengo_dl.lowering.learning_rules import bcm, oja, pes, rls, voja

__all__ = ["bcm", "oja", "pes", "rls", "voja"]
