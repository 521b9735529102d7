"""What part each base Signal plays in a time step."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping

from nengo.builder.operator import Operator
from nengo.builder.signal import Signal

from nengo_dl.graph.signals import size


class Role(enum.Enum):
    """The part that a Signal plays; blocks never mix roles."""

    PARAM = "read only: weights, biases, constants"
    ONLINE = "a parameter that a learning rule changes, a copy for each batch item"
    STATE = "carried from one time step to the next"
    TRANSIENT = "written anew in each step before anyone reads it"
    AHEAD = "written from inputs and parameters alone, known before the loop"
    INPUT = "fed from outside in each step"

    #: each is there once, and what Enum would do is Python code
    __hash__ = object.__hash__

    @property
    def carried(self) -> bool:
        """Whether the value goes round the loop."""
        return self in (Role.STATE, Role.ONLINE)

    @property
    def batched(self) -> bool:
        """Whether each item of a minibatch has a value of its own."""
        return self is not Role.PARAM


def assign(
    operators: Iterable[Operator],
    inputs: Collection[Signal] = (),
    parameters: Collection[Signal] = (),
    carries: Callable[[Operator], Collection[Signal]] = lambda op: (),
    redundant: Callable[[Operator], Collection[Signal]] = lambda op: (),
) -> dict[Signal, Role]:
    """Return the role of every base Signal that the operators touch.

    Parameters
    ----------
    operators : iterable of Operator
        What runs in the loop.
    inputs : collection of Signal
        Signals that are fed from outside.
    parameters : collection of Signal
        Signals that count as parameters of the model.
    carries : callable
        ``carries(op)`` gives the signals whose value of the step before ``op`` needs
        although Nengo lists them under its sets.
    redundant : callable
        ``redundant(op)`` gives signals that Nengo lists under the updates of ``op`` but
        that it leaves alone. They are carried only if somebody else touches them.
    """
    set_elements: Mapping[Signal, int] = defaultdict(int)
    whole: set[Signal] = set()
    changed: set[Signal] = set()
    needed: set[Signal] = set()
    touched: set[Signal] = set()
    idle: set[Signal] = set()
    bases: dict[Signal, None] = {}
    for op in operators:
        for signal in op.reads:
            base = signal.base
            bases[base] = None
            touched.add(base)
        for signal in op.sets:
            base = signal.base
            bases[base] = None
            touched.add(base)
            changed.add(base)
            if signal is base:
                whole.add(base)
            else:
                # Nengo guarantees that sets of one base never overlap
                set_elements[base] += size(signal)  # type: ignore[index]
        for signal in op.incs:
            base = signal.base
            bases[base] = None
            touched.add(base)
            changed.add(base)
        if op.updates:
            left_alone = redundant(op)
            for signal in op.updates:
                base = signal.base
                bases[base] = None
                changed.add(base)
                (idle if signal in left_alone else needed).add(base)
        if op.sets:
            needed.update(s.base for s in carries(op))
    idle -= touched
    fed = {signal.base for signal in inputs}
    tuned = {signal.base for signal in parameters}
    roles = {}
    for base in bases:
        if base in fed:
            roles[base] = Role.INPUT
        elif base not in changed:
            roles[base] = Role.PARAM
        elif base in idle or (
            base not in needed and (base in whole or set_elements[base] == size(base))
        ):
            roles[base] = Role.TRANSIENT
        else:
            roles[base] = Role.ONLINE if base in tuned else Role.STATE
    return roles
