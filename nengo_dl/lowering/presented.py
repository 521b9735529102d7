"""Data that users present for Nodes whose functions are called inside the loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from nengo.builder.operator import Operator


@dataclass
class Presented:
    """Data that take the place of functions' results in the chunk that is running.

    Attributes
    ----------
    values : dict of {Operator: np.ndarray}, shape (minibatch_size, n_steps, size_out)
        By the operator whose function is not called.
    first_step : int
        Number of the step before the first of the values.
    """

    values: Mapping[Operator, np.ndarray] = field(default_factory=dict)
    first_step: int = 0

    def row(self, op: Operator, step: int) -> np.ndarray | None:
        """Return the values for one step, shape (minibatch_size, size_out), or None."""
        if not self.values:
            return None
        values = self.values.get(op)
        return None if values is None else values[:, step - 1 - self.first_step]
