"""Writing a program, and running it at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.random_networks.draw import Draw
from tests.random_networks.program import Program


class Writer:
    """Write statement after statement, and know what Nengo makes of them.

    Parameters
    ----------
    seed : int
        Seed of the network and of all choices.

    Attributes
    ----------
    draw : Draw
        Makes the choices.
    """

    def __init__(self, seed: int) -> None:
        self.draw = Draw(seed)
        self._seed = seed
        self._net, self._names = Program(seed).empty()
        self._lines: list[str] = []
        self._context = ""

    def say(self, prefix: str, text: str) -> str:
        """Add a statement that makes an object, and return the object's name."""
        name = f"{prefix}_{len(self._lines)}"
        line = f"{self._context}{name} = {text}"
        with self._net:
            exec(line, self._names)
        self._lines.append(line)
        return name

    def ask(self, text: str) -> Any:
        """Return the value of an expression."""
        return eval(text, self._names)

    @contextmanager
    def inside(self, network: str) -> Iterator[None]:
        """Add what follows to a network in the network."""
        outside, self._context = self._context, f"with {network}: "
        yield
        self._context = outside

    @property
    def place(self) -> int:
        """The number of statements so far."""
        return len(self._lines)

    @property
    def program(self) -> Program:
        """The program so far."""
        return Program(self._seed, tuple(self._lines))
