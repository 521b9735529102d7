"""A network as a short program, which can be printed, shortened and run."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

import nengo
import numpy as np
import scipy.sparse

from tests.random_networks import user_types

HEADER = """import nengo
import numpy as np
import scipy.sparse

from tests.random_networks import user_types
"""


@dataclass(frozen=True)
class Program:
    """Statements that make a network when they run in its context.

    Attributes
    ----------
    seed : int
        Seed of the network.
    lines : tuple of str
        One statement each; names are assigned to once only.
    """

    seed: int
    lines: tuple[str, ...] = ()

    def build(self) -> nengo.Network:
        """Return a new network."""
        net, namespace = self.empty()
        with net:
            exec("\n".join(self.lines), namespace)
        return net

    def empty(self) -> tuple[nengo.Network, dict]:
        """Return a network without objects, and the names that statements may use."""
        namespace = {
            "nengo": nengo,
            "np": np,
            "scipy": scipy,
            "user_types": user_types,
        }
        return nengo.Network(seed=self.seed), namespace

    def without(self, i: int) -> Program:
        """Return the program without statement ``i`` and all those that need it."""
        gone = assigned(self.lines[i])
        kept = list(self.lines[:i])
        for line in self.lines[i + 1 :]:
            if used(line) & gone:
                gone |= assigned(line)
            else:
                kept.append(line)
        return replace(self, lines=tuple(kept))

    def __str__(self) -> str:
        body = "\n".join(f"    {line}" for line in self.lines) or "    pass"
        return f"{HEADER}\nwith nengo.Network(seed={self.seed}) as net:\n{body}\n"


def assigned(line: str) -> set[str]:
    """Return the names that a statement assigns to."""
    return _names(line, ast.Store)


def used(line: str) -> set[str]:
    """Return the names whose values a statement needs."""
    return _names(line, ast.Load)


def _names(line: str, context: type) -> set[str]:
    return {
        node.id
        for node in ast.walk(ast.parse(line))
        if isinstance(node, ast.Name) and isinstance(node.ctx, context)
    }
