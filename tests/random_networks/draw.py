"""Random choices, written as Python."""

from collections.abc import Sequence
from typing import Any

import numpy as np

#: larger arrays are written as the call that draws them
MAX_WRITTEN = 6


class Draw:
    """Make random choices, each a function of the seed and the choices before.

    Parameters
    ----------
    seed : int
        Where the stream of random numbers starts.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.RandomState(seed)

    def flip(self, probability: float) -> bool:
        """Return True so often."""
        return bool(self._rng.rand() < probability)

    def integer(self, low: int, high: int) -> int:
        """Return an integer; both ends are possible."""
        return int(self._rng.randint(low, high + 1))

    def one_of(self, options: Sequence) -> Any:
        """Return one of the options."""
        return options[self._rng.randint(len(options))]

    def some_of(self, options: Sequence, n: int) -> list:
        """Return ``n`` different options in random order, or all if there are fewer."""
        return [options[i] for i in self._rng.permutation(len(options))[:n]]

    def number(self, low: float, high: float) -> str:
        """Return a number of three digits."""
        return f"{self._rng.uniform(low, high):.3g}"

    def values(self, scale: float, *shape: int) -> str:
        """Return an array of numbers between ``-scale`` and ``scale``."""
        seed = self.integer(0, 999)
        if np.prod(shape) > MAX_WRITTEN:
            return (
                f"np.random.RandomState({seed}).uniform({-scale:.3g}, {scale:.3g}, "
                f"{shape})"
            )
        values = np.random.RandomState(seed).uniform(-scale, scale, shape)
        digits = 3 - int(np.floor(np.log10(scale)))
        return str(np.round(values, digits).tolist())


def call(name: str, *positional: Any, **named: Any) -> str:
    """Return a call as Python; arguments are Python already."""
    arguments = [*map(str, positional), *(f"{k}={v}" for k, v in named.items())]
    return f"{name}({', '.join(arguments)})"
