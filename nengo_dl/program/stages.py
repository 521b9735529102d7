"""A plan with Python in it, cut into compiled stages and the calls between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.lowering.python_call import PythonLowering, independent
from nengo_dl.lowering.registry import Lowering
from nengo_dl.lowering.values import SignalValues


@dataclass(frozen=True)
class PythonCalls:
    """Groups whose Python code runs between two compiled stages."""

    lowerings: tuple[PythonLowering, ...]

    @property
    def blocks(self) -> frozenset[int]:
        """The blocks that the calls touch."""
        return _blocks(self.lowerings)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shape of each result."""
        return [shape for lowering in self.lowerings for shape in lowering.shapes]

    def arguments(self, values: SignalValues) -> list[list[tf.Tensor]]:
        """Return what each of the calls needs."""
        return [lowering.arguments(values) for lowering in self.lowerings]

    def host(
        self,
        step: int,
        arguments: Sequence[np.ndarray],
        counts: Sequence[int],
        results: Sequence[np.ndarray],
    ) -> None:
        """Call one group after the other; ``counts`` are their numbers of arguments."""
        first_argument = first_result = 0
        for lowering, count in zip(self.lowerings, counts, strict=True):
            own = len(lowering.writes)
            lowering.host(
                step,
                arguments[first_argument : first_argument + count],
                results[first_result : first_result + own],
            )
            first_argument += count
            first_result += own

    def store(self, values: SignalValues, results: Sequence[tf.Tensor]) -> None:
        """Write the results of all the calls."""
        start = 0
        for lowering in self.lowerings:
            own = len(lowering.writes)
            lowering.store(values, results[start : start + own])
            start += own


@dataclass(frozen=True)
class Stage:
    """Compiled groups, and the Python calls that follow them."""

    lowerings: tuple[Lowering, ...] = ()
    calls: PythonCalls | None = None

    @property
    def blocks(self) -> frozenset[int]:
        """The blocks that the stage, or the calls behind it, touch."""
        own = _blocks(self.lowerings)
        return own if self.calls is None else own | self.calls.blocks

    def trace(self, values: SignalValues) -> None:
        """Add the compiled groups to the graph that is being traced."""
        trace(self.lowerings, values)


def _blocks(lowerings: Sequence[Lowering]) -> frozenset[int]:
    return frozenset(b for low in lowerings for v in low.views for b in v.blocks)


def trace(lowerings: Sequence[Lowering], values: SignalValues) -> None:
    """Add groups to the graph that is being traced, in their order.

    If XLA cannot compile one of them, it is not compiled, nor is what calls this; then
    XLA compiles those around it by themselves.
    """
    whole = all(lowering.compiled for lowering in lowerings)
    for compiled, members in groupby(lowerings, key=lambda lowering: lowering.compiled):
        add = _trace if whole or not compiled else _compile
        add(tuple(members), values)


def _trace(lowerings: Sequence[Lowering], values: SignalValues) -> None:
    for lowering in lowerings:
        with tf.name_scope(type(lowering).__name__.lstrip("_").removeprefix("Lower")):
            lowering.build_step(values)


def _compile(lowerings: Sequence[Lowering], values: SignalValues) -> None:
    """Add groups as one function that XLA compiles."""
    blocks = sorted(
        i for i in _blocks(lowerings) if values.layout.blocks[i].role.batched
    )
    structure: list = []

    def compiled() -> list[tf.Tensor]:
        _trace(lowerings, values)
        tensors, structure[:] = values.pack(blocks)
        return tensors

    tensors = tf.function(compiled, jit_compile=True, autograph=False)()
    values.unpack(tensors, structure)


def check_steps(n_steps: int, only: int | None) -> None:
    """Check that there can be so many steps, where there is no loop around them.

    Raises
    ------
    ValidationError
        If only another number can be run.
    """
    if only is not None and n_steps != only:
        raise ValidationError(
            f"Got {n_steps} time steps in a network configured with use_loop=False; "
            f"expected {only}, which is the simulator's unroll_simulation",
            attr="n_steps",
        )


def cut(lowerings: Sequence[Lowering]) -> tuple[Stage, ...]:
    """Cut a plan wherever compiled code and Python meet.

    Returns
    -------
    tuple of Stage
        All but the last end in Python calls; the last ends the time step.
    """
    stages: list[Stage] = []
    compiled: tuple[Lowering, ...] = ()
    for xla, members in groupby(lowerings, key=lambda lowering: lowering.xla):
        if xla:
            compiled = tuple(members)
            continue
        for together in independent(list(members)):  # type: ignore[arg-type]
            stages.append(Stage(compiled, PythonCalls(tuple(together))))
            compiled = ()
    return (*stages, Stage(compiled))
