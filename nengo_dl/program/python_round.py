"""Groups whose Python code runs between two compiled stages, as one round of calls.

What crosses between compiled code and Python costs a computation for each array in each
step, and some 10 ms of compilation. So what many functions of Nodes are given, and what
they return, is one array each way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
import tensorflow as tf
from nengo.builder.operator import Operator

from nengo_dl.graph.python_calls import Calling
from nengo_dl.lowering.python_call import PythonLowering, StepCall
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.layout import View, together

#: a stretch of an array along its last axis
Part = tuple[int, int]
#: arrays that a group is given, and that it writes results to
Places = tuple[list[np.ndarray], list[np.ndarray]]
#: where nothing is given, or returned
_NOTHING = np.zeros((1, 0))


@dataclass(frozen=True)
class PythonCalls:
    """Groups whose Python code runs between two compiled stages.

    Attributes
    ----------
    lowerings : tuple of PythonLowering
        The groups, in the order in which they are called.
    """

    lowerings: tuple[PythonLowering, ...]

    @property
    def blocks(self) -> frozenset[int]:
        """The blocks that the calls touch."""
        views = [view for lowering in self.lowerings for view in lowering.views]
        return frozenset(block for view in views for block in view.blocks)

    @cached_property
    def shared(self) -> Shared | None:
        """What groups are given and return together, if more than one can."""
        members = {i: low for i, low in enumerate(self.lowerings) if _can_share(low)}
        return Shared(members) if len(members) > 1 else None

    @cached_property
    def others(self) -> tuple[PythonLowering, ...]:
        """The groups that have arguments and results of their own."""
        members = {} if self.shared is None else self.shared.members
        return tuple(low for i, low in enumerate(self.lowerings) if i not in members)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shape of each result."""
        shapes = [] if self.shared is None else self.shared.shapes
        return [*shapes, *(shape for low in self.others for shape in low.shapes)]

    def arguments(self, values: SignalValues) -> list[list[tf.Tensor]]:
        """Return the arguments of the calls: shared ones, and those of each other."""
        shared = [] if self.shared is None else [self.shared.arguments(values)]
        return [*shared, *(lowering.arguments(values) for lowering in self.others)]

    def host(
        self,
        step: int,
        arguments: Sequence[np.ndarray],
        counts: Sequence[int],
        results: Sequence[np.ndarray],
    ) -> None:
        """Call one group after the other; ``counts`` are their numbers of arguments."""
        self.bind(arguments, counts, results)(step)

    def bind(
        self,
        arguments: Sequence[np.ndarray],
        counts: Sequence[int],
        results: Sequence[np.ndarray],
    ) -> StepCall:
        """Return what calls one group after the other, in the step of a number."""
        calls = [
            lowering.bind(given, returned)
            for lowering, (given, returned) in zip(
                self.lowerings, self._places(arguments, counts, results), strict=True
            )
        ]
        return Calling(self.operators, 0).around(calls)

    def _places(
        self,
        arguments: Sequence[np.ndarray],
        counts: Sequence[int],
        results: Sequence[np.ndarray],
    ) -> list[Places]:
        """Return the arguments and results of each group, as parts of arrays."""
        given, returned, numbers = iter(arguments), iter(results), iter(counts)
        found: dict[int, Places] = {}
        if self.shared is not None:
            x = next(given) if next(numbers) else _NOTHING
            y = next(returned) if self.shared.shapes else _NOTHING
            found = self.shared.places(x, y)
        for i, lowering in enumerate(self.lowerings):
            if i not in found:
                own = list(islice(given, next(numbers)))
                found[i] = own, list(islice(returned, len(lowering.writes)))
        return [found[i] for i in range(len(self.lowerings))]

    def operators(self) -> list[Operator]:
        """Return the operators whose code is called."""
        return [op for lowering in self.lowerings for op in lowering.called]

    def store(self, values: SignalValues, results: Sequence[tf.Tensor]) -> None:
        """Write the results of all the calls."""
        remaining = iter(results)
        if self.shared is not None and self.shared.shapes:
            values.set(self.shared.write, next(remaining))
        for lowering in self.others:
            lowering.store(values, list(islice(remaining, len(lowering.writes))))


def _can_share(lowering: PythonLowering) -> bool:
    """Return whether a group may have parts of arrays as arguments and results."""
    if lowering.reads is None:
        return False
    flat = all(len(view.shape) == 1 for view in lowering.writes)
    return flat and all(view.batched for view in (*lowering.reads, *lowering.writes))


@dataclass(frozen=True, eq=False)
class Shared:
    """Arguments and results of several groups, as one array each.

    Attributes
    ----------
    members : mapping of int to PythonLowering
        The groups, by their number in the round.
    """

    members: Mapping[int, PythonLowering]

    @cached_property
    def _layout(self) -> tuple[View, View, dict[int, tuple[list[Part], list[Part]]]]:
        """What is read, what is written, and the parts of each group."""
        groups = self.members.values()
        read, reads = together([v for low in groups for v in low.reads or ()])
        write, writes = together([v for low in groups for v in low.writes])
        given, returned = iter(reads), iter(writes)
        parts = {
            i: (
                list(islice(given, len(low.reads or ()))),
                list(islice(returned, len(low.writes))),
            )
            for i, low in self.members.items()
        }
        return read, write, parts

    @property
    def write(self) -> View:
        """Where all results go."""
        return self._layout[1]

    @cached_property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shape of the results, if there are any."""
        shapes = [shape for low in self.members.values() for shape in low.shapes]
        return [(shapes[0][0], self.write.size)] if shapes else []

    def arguments(self, values: SignalValues) -> list[tf.Tensor]:
        """Return the arguments, shape (batch or 1, size), if there are any."""
        read = self._layout[0]
        return [values.read(read)] if read.size else []

    def places(self, x: np.ndarray, y: np.ndarray) -> dict[int, Places]:
        """Return the arguments and results of each group, as parts of two arrays."""
        return {
            i: ([x[:, a:b] for a, b in reads], [y[:, a:b] for a, b in writes])
            for i, (reads, writes) in self._layout[2].items()
        }
