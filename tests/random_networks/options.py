"""How a random network is run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nengo_dl.graph.simplify import default_simplifications
from nengo_dl.plan.greedy import greedy_planner
from nengo_dl.plan.noop import noop_planner
from tests.random_networks.draw import Draw
from tests.random_networks.program import Program

CALLS = ("predict", "loss", "fit")


@dataclass(frozen=True)
class Options:
    """How a network is run.

    Attributes
    ----------
    dt : float
        Length of a time step (s).
    parts : tuple of int
        Steps of each call of ``run_steps``.
    rehearsal : int
        Steps before the simulator is reset; 0 for none.
    minibatch_size : int or None
        Number of items.
    unroll : int
        Steps in one iteration of the loop.
    jit_compile : bool
        Whether XLA compiles the simulation.
    greedy : bool
        Whether operators run together, rather than one by one.
    simplified : bool
        Whether the graph is rewritten before.
    calls : tuple of str
        What is called before: "predict", whose outputs are compared, too; "loss" and
        "fit" with learning rate 0, after which all is as before.
    """

    dt: float = 0.001
    parts: tuple[int, ...] = (30,)
    rehearsal: int = 0
    minibatch_size: int | None = None
    unroll: int = 1
    jit_compile: bool = True
    greedy: bool = True
    simplified: bool = True
    calls: tuple[str, ...] = ()

    @classmethod
    def of(cls, seed: int) -> Options:
        """Return the options that go with a seed."""
        draw = Draw(seed)
        steps = draw.integer(20, 35)
        first = draw.integer(1, steps - 1)
        return cls(
            dt=draw.one_of([0.001, 0.001, 0.0005, 0.002]),
            parts=draw.one_of([(steps,), (steps,), (first, steps - first)]),
            rehearsal=draw.one_of([0, 0, 0, 4]),
            minibatch_size=draw.one_of([None, None, 1, 2, 3]),
            unroll=draw.one_of([1, 1, 1, 1, 3]),
            jit_compile=draw.flip(0.7),
            greedy=draw.flip(0.8),
            simplified=draw.flip(0.8),
            calls=tuple(draw.some_of(CALLS, draw.integer(0, 2))),
        )

    @property
    def steps(self) -> int:
        """The number of steps that are compared."""
        return sum(self.parts)

    def settings(self, program: Program) -> dict[str, Any]:
        """Return what a network is configured with."""
        return {
            # by default these neurons have the same distribution as in Nengo only
            "nengo_random_draws": "PoissonSpiking" in str(program),
            "jit_compile": self.jit_compile,
            "planner": greedy_planner if self.greedy else noop_planner,
            "simplifications": default_simplifications if self.simplified else [],
        }
