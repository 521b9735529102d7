"""Many small tensors as one: every tensor that crosses into Python costs time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Packing:
    """How arrays of given shapes stand in one vector, one after the other.

    Attributes
    ----------
    shapes : tuple of tuple of int
        The shapes.
    """

    shapes: tuple[tuple[int, ...], ...]
    _bounds: tuple[tuple[int, int], ...] = field(init=False)

    def __post_init__(self) -> None:
        ends = np.cumsum([math.prod(shape) for shape in self.shapes], dtype=int)
        starts = [0, *ends[:-1]]
        bounds = tuple((int(a), int(b)) for a, b in zip(starts, ends, strict=False))
        object.__setattr__(self, "_bounds", bounds)

    @property
    def size(self) -> int:
        """Length of the vector."""
        return self._bounds[-1][1] if self._bounds else 0

    def pack(self, tensors: Sequence[tf.Tensor]) -> tf.Tensor:
        """Return the tensors as one vector, shape (size,)."""
        return tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], axis=0)

    def split(self, vector: tf.Tensor) -> list[tf.Tensor]:
        """Return the tensors that `pack` joined."""
        return [
            tf.reshape(vector[a:b], shape)
            for (a, b), shape in zip(self._bounds, self.shapes, strict=True)
        ]

    def views(self, vector: np.ndarray) -> list[np.ndarray]:
        """Return the parts of a NumPy vector, as views."""
        return [
            vector[a:b].reshape(shape)
            for (a, b), shape in zip(self._bounds, self.shapes, strict=True)
        ]


@dataclass
class Outputs:
    """The outputs of a traced function, in which nothing stands twice.

    A block that a stage leaves alone is both new state and input of the next stage;
    each output that XLA has to materialize costs about a microsecond in every step.
    """

    tensors: list[tf.Tensor] = field(default_factory=list)
    _places: dict[int, int] = field(default_factory=dict)

    def add(self, tensors: Sequence[tf.Tensor]) -> list[int]:
        """Add tensors; return where in the list each of them is."""
        for tensor in tensors:
            if id(tensor) not in self._places:
                self._places[id(tensor)] = len(self.tensors)
                self.tensors.append(tensor)
        return [self._places[id(tensor)] for tensor in tensors]
