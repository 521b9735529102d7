"""What part each base Signal plays in a time step."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Collection, Iterable

import numpy as np
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal

from nengo_dl.graph.operators import Operators
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
    operators = Operators.of(operators)
    numbers = operators.numbers
    signals, n = numbers.signals, len(numbers.signals)

    changed = _marked(n, operators.bases("sets", "incs", "updates"))
    touched = _marked(n, operators.bases("reads", "sets", "incs"))
    needed: set[Signal] = set()
    idle: set[Signal] = set()
    for i in np.unique(operators.uses("updates").ops).tolist():
        op = operators[i]
        left_alone = redundant(op)
        for signal in op.updates:
            (idle if signal in left_alone else needed).add(signal.base)
    for i in np.unique(operators.uses("sets").ops).tolist():
        needed.update(signal.base for signal in carries(operators[i]))
    begins_anew = _set_in_full(operators, changed) & ~_marked(n, numbers.of(needed))
    transient = begins_anew | (_marked(n, numbers.of(idle)) & ~touched)
    fed = _marked(n, numbers.of(signal.base for signal in inputs))
    tuned = _marked(n, numbers.of(signal.base for signal in parameters))
    chosen = np.select(
        [fed, ~changed, transient, tuned],
        [_NUMBERS[r] for r in (Role.INPUT, Role.PARAM, Role.TRANSIENT, Role.ONLINE)],
        _NUMBERS[Role.STATE],
    )
    used = _in_order_of_use(operators)
    return {
        signals[number]: _ROLES[role]
        for number, role in zip(used, chosen[used].tolist(), strict=True)
    }


#: a number for each role, since NumPy chooses between numbers
_ROLES = tuple(Role)
_NUMBERS = {role: number for number, role in enumerate(_ROLES)}


def _marked(n: int, numbers: np.ndarray) -> np.ndarray:
    """Return whether each of ``n`` numbers is among ``numbers``, shape (n,)."""
    found = np.zeros(n, bool)
    found[numbers] = True
    return found


def _set_in_full(operators: Operators, changed: np.ndarray) -> np.ndarray:
    """Return whether each Signal is a base of which each element is set, shape (n,).

    Parameters
    ----------
    operators : Operators
        What runs in the loop.
    changed : np.ndarray of bool, shape (n,)
        Whether each is a base that changes.
    """
    signals = operators.numbers.signals
    sets, bases = operators.uses("sets").signals, operators.bases("sets")
    found = _marked(len(signals), sets[sets == bases])
    # Nengo guarantees that sets of one base never overlap
    elements: Counter[int] = Counter()
    views = np.flatnonzero(sets != bases)
    for number, base in zip(sets[views].tolist(), bases[views].tolist(), strict=True):
        elements[base] += size(signals[number])
    for base in np.flatnonzero(changed & ~found).tolist():
        found[base] = elements[base] == size(signals[base])
    return found


def _in_order_of_use(operators: Operators) -> list[int]:
    """Return the bases by their numbers, as the operators come across them."""
    order = ("reads", "sets", "incs", "updates")
    bases, ops = operators.bases(*order), operators.uses(*order).ops
    return list(dict.fromkeys(bases[np.argsort(ops, kind="stable")].tolist()))
