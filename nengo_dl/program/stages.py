"""A plan with Python in it, cut into compiled stages and the calls between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import tensorflow as tf

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

    def host(
        self, arguments: Sequence[np.ndarray], counts: Sequence[int]
    ) -> list[np.ndarray]:
        """Call one group after the other; ``counts`` are their numbers of arguments."""
        results: list[np.ndarray] = []
        start = 0
        for lowering, count in zip(self.lowerings, counts, strict=True):
            results += lowering.host(*arguments[start : start + count])
            start += count
        return results

    def store(self, values: SignalValues, results: Sequence[tf.Tensor]) -> None:
        """Write the results of all the calls."""
        start = 0
        for lowering in self.lowerings:
            count = len(lowering.results)
            lowering.store(values, results[start : start + count])
            start += count


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
    """Add groups to the graph that is being traced, in their order."""
    for lowering in lowerings:
        with tf.name_scope(type(lowering).__name__.lstrip("_")):
            lowering.build_step(values)


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


@dataclass
class Flat:
    """The outputs of a traced function as a flat list in which nothing stands twice.

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
