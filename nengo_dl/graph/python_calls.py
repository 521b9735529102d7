"""Which Python code of the user's a simulation is calling at this moment.

Nodes' functions may ask their simulator for the time, and must not run it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence

from nengo.builder.operator import Operator


class _Stack(threading.local):
    def __init__(self) -> None:
        self.calls: list[Calling] = []


#: XLA and TensorFlow call Python in threads of their own
_stack = _Stack()


class Calling:
    """Context in which code of the user's is called, in one time step after the other.

    Parameters
    ----------
    operators : callable
        Returns the operators whose code that is.
    step : int
        Number of the time step, 1 for the first; it may be changed.
    """

    def __init__(self, operators: Callable[[], Iterable[Operator]], step: int) -> None:
        self.operators = operators
        self.step = step

    def __enter__(self) -> Calling:
        _stack.calls.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _stack.calls.pop()

    def around(
        self, functions: Sequence[Callable[[int], None]]
    ) -> Callable[[int], None]:
        """Return what calls functions in the step of a number, within this context.

        For what is called in each step of a loop: the statement ``with`` would take
        twice as long as what it does.
        """

        def call(step: int) -> None:
            self.step = step
            calls = _stack.calls
            calls.append(self)
            try:
                for function in functions:
                    function(step)
            finally:
                calls.pop()

        return call


def step_in_progress(operators: Collection[Operator]) -> int | None:
    """Return the time step in which code of one of some operators is being called.

    Parameters
    ----------
    operators : collection of Operator
        Those of a model.

    Returns
    -------
    int or None
        1 for the first step; None if none of their code is being called.
    """
    for call in reversed(_stack.calls):
        own = set(map(id, call.operators()))
        if any(id(op) in own for op in operators):
            return call.step
    return None
