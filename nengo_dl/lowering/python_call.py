"""Groups that call Python from inside the loop, and which of them run together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from nengo.builder.operator import Operator

from nengo_dl.lowering.registry import Lowering
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.layout import View

#: computes the results of a time step, of which it is given the number, 1 for the first
StepCall = Callable[[int], None]


class PythonLowering(Lowering):
    """A group that calls Python in each step.

    Subclasses say what goes out of the compiled step, what happens in Python, and where
    the results go when the next compiled stage begins.
    """

    xla = False

    @property
    def reads(self) -> Sequence[View] | None:
        """The views that are all of its arguments, if results are only set.

        What several groups read and set goes into Python as one array each. None: it
        looks after its arguments and results itself.
        """
        return None

    @property
    def called(self) -> Sequence[Operator]:
        """The operators whose Python code is called."""
        raise NotImplementedError

    def arguments(self, values: SignalValues) -> list[tf.Tensor]:
        """Return the tensors that the Python code is called with."""
        raise NotImplementedError

    def bind(
        self, arguments: Sequence[np.ndarray], results: Sequence[np.ndarray]
    ) -> StepCall:
        """Return the function that computes the results in Python, once in each step.

        A loop has its arrays in the same places for many steps. So what is the same in
        all of them is done here, and not in the function.

        Parameters
        ----------
        arguments : sequence of np.ndarray
            What `arguments` returned, as arrays that may be changed.
        results : sequence of np.ndarray
            Where to write the results, of the shapes of `shapes`.
        """
        raise NotImplementedError

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shape of each result."""
        raise NotImplementedError

    @property
    def writes(self) -> Sequence[View]:
        """The views that the results of the call are written to."""
        raise NotImplementedError

    def store(self, values: SignalValues, results: Sequence[tf.Tensor]) -> None:
        """Write the results, tensors of the simulation's floating point type."""
        raise NotImplementedError


def independent(lowerings: Sequence[PythonLowering]) -> list[list[PythonLowering]]:
    """Divide neighbours in the plan into groups that do not read each other's results.

    Between two of these groups compiled code has to pass the results on.
    """
    divided: list[list[PythonLowering]] = []
    written: list[View] = []
    for lowering in lowerings:
        if not divided or any(v.overlaps(w) for v in lowering.views for w in written):
            divided.append([])
            written = []
        divided[-1].append(lowering)
        written += lowering.writes
    return divided
