"""Facts about Signals that rewrites rely on, and the loop that applies rewrites."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError

from nengo_dl.graph.operators import Operators
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

    @classmethod
    def about(cls, operators: Operators, fixed: frozenset[Signal]) -> Facts:
        """Return the facts about operators whose uses of Signals are known."""
        facts = cls(list(operators), fixed)
        vars(facts)["uses"] = operators
        return facts

    @cached_property
    def uses(self) -> Operators:
        """The same operators, and who uses which Signals."""
        return Operators.of(self.operators)

    @cached_property
    def _changing(self) -> frozenset[Signal]:
        """Bases that do not keep their initial value."""
        return self.fixed | self._bases("sets", "incs", "updates")

    @cached_property
    def incremented(self) -> Collection[Signal]:
        """Bases that some operator increments or updates."""
        return self._bases("incs", "updates")

    def _bases(self, *kinds: str) -> frozenset[Signal]:
        """Return the bases of the Signals that are used so."""
        found = np.unique(self.uses.bases(*kinds)).tolist()
        return frozenset(map(self.uses.numbers.signals.__getitem__, found))

    @cached_property
    def _values(self) -> dict[Signal, tuple[float, ...] | None]:
        """The distinct initial values of a Signal's elements; None: there are several.

        Of those that were asked for; initial values never change.
        """
        return {}

    def changed(self, operators: Iterable[Operator]) -> Facts:
        """Return the facts about other operators, most of which are the same."""
        facts = Facts.about(self.uses.like(operators), self.fixed)
        vars(facts)["_values"] = self._values
        return facts

    def unchanging(self, signal: Signal) -> bool:
        """Whether ``signal`` keeps its initial value at all times."""
        return signal.base not in self._changing

    def constant(self, signal: Signal, value: float) -> bool:
        """Whether every element of ``signal`` is ``value`` at all times."""
        return self.unchanging(signal) and self._begins(signal, value)

    def _begins(self, signal: Signal, value: float) -> bool:
        """Whether every element of ``signal`` is ``value`` in the beginning."""
        if signal not in self._values:
            self._values[signal] = _equal_values(initial_elements(signal))
        values = self._values[signal]
        return values is not None and all(found == value for found in values)

    def reading(self, value: float) -> frozenset[Operator]:
        """Return the operators that read a Signal of which `constant` is true."""
        reads, numbers = self.uses.uses("reads"), self.uses.numbers
        changing = np.zeros(len(numbers.signals), bool)
        changing[self.uses.bases("sets", "incs", "updates")] = True
        changing[numbers.of(self.fixed)] = True
        read = np.unique(reads.signals)
        read = read[~changing[numbers.bases[read]]].tolist()
        found = [i for i in read if self._begins(numbers.signals[i], value)]
        places = reads.ops[np.isin(reads.signals, found)]
        return frozenset([self.uses[i] for i in places.tolist()])


Rewrite = Callable[[Facts], list[Operator]]

#: see `pure`
_pure: list[Rewrite] = []


def pure(rewrite: Rewrite) -> Rewrite:
    """Mark a rewrite that changes no operator in its place.

    What is known about the operators that stay then needs no second look. Those of
    users may do what they like.
    """
    _pure.append(rewrite)
    return rewrite


def is_pure(rewrite: Rewrite) -> bool:
    """Return whether a rewrite was marked as `pure`."""
    return any(rewrite is known for known in _pure)


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
    facts = Facts.about(Operators.of(operators), inputs | trainable)
    in_vain = 0
    for rewrite in itertools.cycle(rewrites):
        result = rewrite(facts)
        in_vain += 1
        if not isinstance(result, list | tuple) or not all(
            issubclass(kind, Operator) for kind in set(map(type, result))
        ):
            raise BuildError(
                f"The simplification {rewrite!r} returned {result!r:.100}; expected a "
                "list of operators"
            )
        same = list(result) == facts.operators
        before = facts.operators
        if not is_pure(rewrite):
            facts = Facts(list(result), facts.fixed)
        elif not same:
            facts = facts.changed(result)
        if not same:
            after = set(result)
            added = after.difference(before)
            # operators that only go, or that only add to a signal, break no rule
            if len(after) < len(result) or any(op.sets or op.updates for op in added):
                name = getattr(rewrite, "__name__", repr(rewrite))
                verify(facts.uses, inputs, after=name)
            in_vain = 0
        if in_vain == len(rewrites):
            break
    return list(facts.operators)


def _equal_values(elements: np.ndarray) -> tuple[float, ...] | None:
    """Return the distinct values of an array: at most one; None if there are more."""
    if not elements.size:
        return ()
    first = elements.item(0)
    # to compare all takes NumPy ten times as long as two, which are enough for most
    same = first == elements.item(-1) and bool(np.all(elements == first))
    return (first,) if same else None
