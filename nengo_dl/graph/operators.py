"""Operators in a sequence, and which Signals they use, as arrays of numbers.

Planning asks again and again who sets, increments, reads or updates which Signal. Nengo
keeps that in lists of each operator. A large model has a million of such uses all over
memory, and planning took most of its time to fetch them. So they are looked up once for
each operator; what is asked about all of them is then a few operations of NumPy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError

from nengo_dl.graph.adjacency import Adjacency
from nengo_dl.graph.signals import size

#: what operators do with a Signal within one time step, in this order
KINDS = ("sets", "incs", "reads", "updates")


class Uses(NamedTuple):
    """All uses of one kind, in the order of the operators.

    Attributes
    ----------
    ops : np.ndarray of int, shape (n_uses,)
        The place of the operator in its sequence, for each use.
    signals : np.ndarray of int, shape (n_uses,)
        The number of the Signal, for each use.
    """

    ops: np.ndarray
    signals: np.ndarray


class Operators(Sequence[Operator]):
    """A sequence of operators, which knows all uses of Signals as arrays.

    Parameters
    ----------
    operators : iterable of Operator
        Their lists of Signals must not change any more.
    numbers : SignalNumbers, optional
        Numbers of Signals that go on; see `like`.

    Examples
    --------
    >>> import numpy as np
    >>> from nengo.builder import Signal
    >>> from nengo.builder.operator import Copy, Reset
    >>> from nengo_dl.graph.operators import Operators
    >>> x, y = Signal(np.ones(3), name="x"), Signal(np.zeros(3), name="y")
    >>> operators = Operators([Reset(y), Copy(x, y, inc=True)])
    >>> ops, signals = operators.uses("incs")
    >>> ops.tolist(), [operators.numbers.signals[i].name for i in signals]
    ([1], ['y'])
    """

    def __init__(
        self, operators: Iterable[Operator], numbers: SignalNumbers | None = None
    ) -> None:
        self._operators = tuple(operators)
        self.numbers = SignalNumbers() if numbers is None else numbers
        self._rows = self.numbers.rows(self._operators)
        self._uses: dict[str, Uses] = {}

    @classmethod
    def of(cls, operators: Iterable[Operator]) -> Operators:
        """Return ``operators`` as they are, if they are of this class, or as one."""
        return operators if isinstance(operators, cls) else cls(operators)

    def like(self, operators: Iterable[Operator]) -> Operators:
        """Return other operators, with Signals of the same numbers.

        What both sequences have is not looked up again.
        """
        return Operators(operators, self.numbers)

    def apart(self) -> Operators:
        """Return the same; what is derived from it leaves this one as it is.

        So that several threads can plan at once, and one of them be interrupted.
        """
        return Operators(self, self.numbers.copy())

    def uses(self, *kinds: str) -> Uses:
        """Return all uses of these kinds, of one kind after another.

        Parameters
        ----------
        *kinds : str
            Of `KINDS`.
        """
        for kind in kinds:
            if kind not in self._uses:
                self._uses[kind] = self.numbers.uses(self._rows, kind)
        found = [self._uses[kind] for kind in kinds]
        if len(found) == 1:
            return found[0]
        return Uses(*map(np.concatenate, zip(*found, strict=True)))

    def bases(self, *kinds: str) -> np.ndarray:
        """Return the number of the base of each Signal in `uses`, shape (n_uses,)."""
        return self.numbers.bases[self.uses(*kinds).signals]

    def __getitem__(self, index: Any) -> Any:
        return self._operators[index]

    def __len__(self) -> int:
        return len(self._operators)

    def __iter__(self) -> Iterator[Operator]:
        return iter(self._operators)


class SignalNumbers:
    """Numbers of Signals, and what operators do with them.

    Attributes
    ----------
    signals : list of Signal
        All that were met so far, bases included; their places are their numbers.
    bases : np.ndarray of int, shape (n_signals,)
        The number of the base of each; its own for a base.
    """

    def __init__(self) -> None:
        self.signals: list[Signal] = []
        nothing = np.empty(0, np.intp)
        self.bases = self._sizes = nothing
        #: whoever is asked for gets the next number
        self._numbers: dict[Signal, int] = _Counting()
        self._rows: dict[Operator, int] = _Counting()
        #: for each kind: the Signals that each operator uses
        self._used = dict.fromkeys(KINDS, Adjacency(nothing, nothing))

    def copy(self) -> SignalNumbers:
        """Return the same numbers; what is added to either is not in the other."""
        copied = SignalNumbers()
        copied.signals, copied.bases = [*self.signals], self.bases
        copied._sizes = self._sizes
        copied._numbers.update(self._numbers)
        copied._rows.update(self._rows)
        copied._used.update(self._used)
        return copied

    @property
    def sizes(self) -> np.ndarray:
        """The number of stored elements of each Signal, shape (n_signals,)."""
        new = self.signals[len(self._sizes) :]
        if new:
            found = np.fromiter(map(size, new), np.intp, len(new))
            self._sizes = np.concatenate([self._sizes, found])
        return self._sizes

    def rows(self, operators: Sequence[Operator]) -> np.ndarray:
        """Return a number for each operator, shape (n_operators,)."""
        known = len(self._rows)
        rows = _looked_up(self._rows, operators)
        if len(self._rows) > known:
            self._add(list(islice(self._rows, known, None)))
        return rows

    def of(self, signals: Iterable[Signal]) -> np.ndarray:
        """Return the numbers of those Signals that have one."""
        found = [self._numbers[s] for s in signals if s in self._numbers]
        return np.array(found, np.intp)

    def uses(self, rows: np.ndarray, kind: str) -> Uses:
        """Return the uses of one kind by the operators with these numbers."""
        used = self._used[kind]
        ops = np.repeat(np.arange(len(rows)), used.counts[rows])
        return Uses(ops, used.of(rows))

    def _add(self, operators: Sequence[Operator]) -> None:
        """Look up the Signals of further operators."""
        for kind, before in self._used.items():
            lists = list(map(attrgetter(kind), operators))
            if None in lists:
                raise BuildError(
                    f"{operators[lists.index(None)]} does not say which Signals it "
                    f"{kind}: give it a list of them in its constructor, [] for none"
                )
            counts = np.fromiter(map(len, lists), np.intp, len(lists))
            used = _looked_up(self._numbers, list(chain.from_iterable(lists)))
            self._used[kind] = Adjacency(
                np.concatenate([before.counts, counts]),
                np.concatenate([before.members, used]),
            )
        known = len(self.signals)
        new = list(islice(self._numbers, known, None))
        bases = [signal.base for signal in new]
        numbers = _looked_up(self._numbers, bases)
        # bases that are not used themselves come last
        added = list(islice(self._numbers, known + len(new), None))
        self.signals += new + added
        self.bases = np.concatenate(
            [self.bases, numbers, np.arange(known + len(new), len(self.signals))]
        )


class _Counting(dict[Any, int]):
    """Numbers of things, in the order in which they are looked up first."""

    def __missing__(self, thing: Any) -> int:
        self[thing] = number = len(self)
        return number


def _looked_up(numbers: Mapping[Any, int], things: Sequence[Any]) -> np.ndarray:
    """Return the number of each."""
    return np.fromiter(map(numbers.__getitem__, things), np.intp, len(things))
