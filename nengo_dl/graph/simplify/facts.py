"""What a rewrite may rely on, and the loop that applies rewrites."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal

from nengo_dl.graph.signals import initial_elements
from nengo_dl.graph.verify import verify


@dataclass(frozen=True)
class Facts:
    """What is known about the signals of a list of operators.

    Attributes
    ----------
    operators : sequence of Operator
        The operators that the facts are about.
    fixed : frozenset of Signal
        Inputs and trainable parameters: their values will change although no operator
        writes them.

    Examples
    --------
    >>> import numpy as np
    >>> from nengo.builder import Signal
    >>> from nengo.builder.operator import Copy
    >>> from nengo_dl.graph.simplify import Facts
    >>> x, y = Signal(np.ones(3)), Signal(np.zeros(3))
    >>> facts = Facts([Copy(x, y)])
    >>> facts.unchanging(x), facts.unchanging(y), facts.constant(x, 1)
    (True, False, True)
    """

    operators: Sequence[Operator]
    fixed: frozenset[Signal] = field(default=frozenset())

    @cached_property
    def _written(self) -> tuple[set[Signal], set[Signal]]:
        """Bases that are set, and those that are incremented or updated."""
        sets: set[Signal] = set()
        others: set[Signal] = set()
        for op in self.operators:
            for signal in op.sets:
                sets.add(signal.base)
            for signals in (op.incs, op.updates):
                for signal in signals:
                    others.add(signal.base)
        return sets, others

    @cached_property
    def _changing(self) -> frozenset[Signal]:
        """Bases that do not keep their initial value."""
        return self.fixed.union(*self._written)

    @property
    def incremented(self) -> Collection[Signal]:
        """Bases that some operator increments or updates."""
        return self._written[1]

    def unchanging(self, signal: Signal) -> bool:
        """Whether ``signal`` keeps its initial value at all times."""
        return signal.base not in self._changing

    def constant(self, signal: Signal, value: float) -> bool:
        """Whether every element of ``signal`` is ``value`` at all times."""
        return signal.base not in self._changing and bool(
            np.all(initial_elements(signal) == value)
        )


Rewrite = Callable[[Facts], list[Operator]]


def simplify(
    operators: Sequence[Operator],
    rewrites: Sequence[Rewrite],
    inputs: frozenset[Signal] = frozenset(),
    trainable: frozenset[Signal] = frozenset(),
) -> list[Operator]:
    """Apply ``rewrites`` in turn until none of them changes the operators.

    Parameters
    ----------
    operators : sequence of Operator
        In Nengo's order.
    rewrites : sequence of callable
        Functions of `Facts` that return the new operators.
    inputs, trainable : frozenset of Signal
        Base signals whose values are not known when the model is built.

    Raises
    ------
    BuildError
        If a rewrite leaves a graph that breaks the rules of `verify`.

    Returns
    -------
    list of Operator
        The operators that remain, in Nengo's order.

    Examples
    --------
    >>> import numpy as np
    >>> from nengo.builder import Signal
    >>> from nengo.builder.operator import Reset
    >>> from nengo_dl.graph.simplify import default_simplifications, simplify
    >>> simplify([Reset(Signal(np.zeros(3)))], default_simplifications)
    []
    """
    facts = Facts(list(operators), inputs | trainable)
    in_vain = 0
    for rewrite in itertools.cycle(rewrites):
        result = rewrite(facts)
        in_vain += 1
        if result != facts.operators:
            if _can_break_rules(result, facts.operators):
                name = getattr(rewrite, "__name__", repr(rewrite))
                verify(result, inputs, after=name)
            facts, in_vain = Facts(list(result), facts.fixed), 0
        if in_vain == len(rewrites):
            break
    return list(facts.operators)


def _can_break_rules(after: Sequence[Operator], before: Sequence[Operator]) -> bool:
    """Whether anything is new about `verify`'s rules: not if operators only went."""
    left = set(after)
    return len(left) < len(after) or any(
        op.sets or op.updates for op in left.difference(before)
    )
