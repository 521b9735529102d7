"""Facts about Signals that rewrites rely on, and the loop that applies rewrites."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError

from nengo_dl.graph.signals import initial_elements
from nengo_dl.graph.verify import verify


@dataclass(frozen=True)
class Facts:
    """Which signals of a list of operators change, and which are constant.

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
    def _writes(self) -> tuple[Counter[Signal], Counter[Signal]]:
        """How many operators set each base, and how many increment or update it."""
        return _count_writes(self.operators)

    @cached_property
    def _changing(self) -> frozenset[Signal]:
        """Bases that do not keep their initial value."""
        return self.fixed.union(*self._writes)

    @property
    def incremented(self) -> Collection[Signal]:
        """Bases that some operator increments or updates."""
        return self._writes[1].keys()

    def changed(
        self,
        operators: Sequence[Operator],
        added: Collection[Operator],
        removed: Collection[Operator],
    ) -> Facts:
        """Return the facts once some operators are others; only these are looked at.

        Parameters
        ----------
        operators : sequence of Operator
            All that are there now.
        added, removed : collection of Operator
            Those that are new, and those that have gone.
        """
        writes = tuple(counts.copy() for counts in self._writes)
        for counts, more, fewer in zip(
            writes, _count_writes(added), _count_writes(removed), strict=True
        ):
            counts.update(more)
            counts.subtract(fewer)
            for base in fewer:
                if not counts[base]:
                    del counts[base]
        facts = Facts(operators, self.fixed)
        vars(facts)["_writes"] = writes
        return facts

    def unchanging(self, signal: Signal) -> bool:
        """Whether ``signal`` keeps its initial value at all times."""
        return signal.base not in self._changing

    def constant(self, signal: Signal, value: float) -> bool:
        """Whether every element of ``signal`` is ``value`` at all times."""
        if signal.base in self._changing:
            return False
        elements = initial_elements(signal)
        # to compare all takes NumPy ten times as long as the first, which says no for
        # almost all
        if elements.size and elements.item(0) != value:
            return False
        return bool(np.all(elements == value))


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
        If a rewrite leaves a graph that breaks the rules of `verify`, or returns
        something else than a list of operators.

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
        if not isinstance(result, list | tuple) or not all(
            isinstance(op, Operator) for op in result
        ):
            raise BuildError(
                f"The simplification {rewrite!r} returned {result!r:.100}; expected a "
                "list of operators"
            )
        if result != facts.operators:
            before, after = set(facts.operators), set(result)
            added, removed = after - before, before - after
            # operators that only go, or that only add to a signal, break no rule
            if len(after) < len(result) or any(op.sets or op.updates for op in added):
                name = getattr(rewrite, "__name__", repr(rewrite))
                verify(result, inputs, after=name)
            facts, in_vain = facts.changed(list(result), added, removed), 0
        if in_vain == len(rewrites):
            break
    return list(facts.operators)


def _count_writes(
    operators: Iterable[Operator],
) -> tuple[Counter[Signal], Counter[Signal]]:
    """Return how many set each base, and how many increment or update it."""
    sets: Counter[Signal] = Counter()
    others: Counter[Signal] = Counter()
    for op in operators:
        # `+= 1` would call Python code for each new base
        for signal in op.sets:
            base = signal.base
            sets[base] = sets.get(base, 0) + 1
        for signals in (op.incs, op.updates):
            for signal in signals:
                base = signal.base
                others[base] = others.get(base, 0) + 1
    return sets, others
