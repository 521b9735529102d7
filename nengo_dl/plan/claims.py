"""Arrange the Signals of a plan in blocks so that groups read slices, not gathers.

The largest group goes first and claims, slot by slot, the Signals that nobody has
claimed yet: they become one block, in the group's order. Before a later group claims
anything, its operators are put into the order in which its largest claimed slot already
stands in memory, so that one order runs through the whole model; those of which nothing
is claimed are sorted by the group that comes next. No search is needed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache

import numpy as np
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal

from nengo_dl.graph.adjacency import Adjacency
from nengo_dl.graph.operators import KINDS, Operators, SignalNumbers
from nengo_dl.graph.roles import Role
from nengo_dl.plan.groups import OpGroup, Plan
from nengo_dl.plan.layout import Block, SignalLayout


def arrange(
    plan: Plan,
    roles: Mapping[Signal, Role],
    trainable: Collection[Signal] = (),
    numbers: SignalNumbers | None = None,
) -> tuple[Plan, SignalLayout]:
    """Give every base Signal a place, and every group its best order.

    Parameters
    ----------
    plan : tuple of OpGroup
        The groups in their order of execution.
    roles : mapping of Signal to Role
        The role of every base.
    trainable : collection of Signal
        Bases that an optimizer may change.
    numbers : SignalNumbers, optional
        Those of the operators, so that their Signals are not looked up again.

    Returns
    -------
    plan : tuple of OpGroup
        The same groups, their operators reordered.
    layout : SignalLayout
        Where everything lives.
    """
    operators = Operators([op for group in plan for op in group.ops], numbers)
    memory = _Memory(operators, roles, trainable)
    slots = [_slots(operators.like(group.ops)) for group in plan]
    totals = [memory.sizes[group].sum(axis=1).tolist() for group in slots]
    arranged = list(plan)
    # The more elements in its largest slot, the more a gather would cost. Among equals
    # those that write what is carried: a block that several groups write has to be put
    # together anew at the end of each step
    weights = [
        (-max(t, default=0), not _carries(g, roles))
        for t, g in zip(totals, plan, strict=True)
    ]
    turns = sorted(range(len(plan)), key=weights.__getitem__)
    following = memory.following([slots[i] for i in turns])
    for i, later in zip(turns, following, strict=True):
        signals = slots[i]
        order = memory.order_of(signals, later)
        if order is not None:
            arranged[i] = OpGroup(tuple([plan[i].ops[n] for n in order.tolist()]))
            signals = signals[:, order]
        name, first = plan[i].name, arranged[i].ops[0]
        for index in sorted(range(len(signals)), key=lambda n: -totals[i][n]):
            memory.claim(f"{name}/{_slot_name(first, index)}", signals[index])
    return tuple(arranged), memory.layout()


def _carries(group: OpGroup, roles: Mapping[Signal, Role]) -> bool:
    """Return whether a group updates a Signal that goes round the loop."""
    return any(roles[signal.base].carried for op in group.ops for signal in op.updates)


def _slots(group: Operators) -> np.ndarray:
    """Return the i-th Signal of every operator, for each i: `OpGroup.slots`.

    By their numbers, shape (n_slots, n_operators).
    """
    uses = group.uses(*KINDS)
    of_ops = Adjacency.of_pairs(len(group), uses.ops, uses.signals)
    return of_ops.members.reshape(len(group), -1).T


class _Memory:
    """What has been claimed: where each base stands. Signals go by their numbers.

    Parameters
    ----------
    operators : Operators
        All that use the Signals.
    roles : mapping of Signal to Role
        The role of every base.
    trainable : collection of Signal
        Bases that an optimizer may change.
    """

    def __init__(
        self,
        operators: Operators,
        roles: Mapping[Signal, Role],
        trainable: Collection[Signal],
    ) -> None:
        self._signals = signals = operators.numbers.signals
        self._bases = operators.numbers.bases
        self._roles, self._trainable = roles, trainable
        n = len(signals)
        self._blocks: list[Block] = []
        #: for each base the number of its block, or -1; and its offset there
        self._block, self._offset = np.full(n, -1), np.zeros(n, np.intp)
        #: for each Signal its number of elements, and where it begins in its base
        self.sizes, self._begin = operators.numbers.sizes, np.zeros(n, np.intp)
        views = np.unique(operators.uses(*KINDS).signals)
        views = views[self._bases[views] != views]
        self._begin[views] = [signals[i].elemoffset for i in views.tolist()]

    def following(self, groups: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return for each operator which later group uses one of its Signals first.

        Parameters
        ----------
        groups : sequence of np.ndarray of int, shape (n_slots, n_operators)
            The Signals of the groups, in the order in which they take turns.

        Returns
        -------
        list of np.ndarray of int, shape (n_operators,)
            Numbers of groups; ``len(groups)`` if no later one uses any.
        """
        later = np.full(len(self._bases), len(groups))
        found: list[np.ndarray] = []
        for turn in range(len(groups) - 1, -1, -1):
            bases = self._bases[groups[turn]]
            found.append(later[bases].min(axis=0, initial=len(groups)))
            later[bases] = turn
        return found[::-1]

    def order_of(self, slots: np.ndarray, later: np.ndarray) -> np.ndarray | None:
        """Return the order in which a group's most claimed slot stands in memory.

        Operators whose Signal in it nobody has claimed yet come last: side by side
        those that the same group will use next, so that it finds them side by side.
        None for the order in which they are.

        Parameters
        ----------
        slots : np.ndarray of int, shape (n_slots, n_operators)
            The group's Signals.
        later : np.ndarray of int, shape (n_operators,)
            The group that will use one of them next; see `following`.
        """
        n_slots, n_operators = slots.shape
        if n_slots == 0 or n_operators == 1:
            return None
        claimed = self._block[self._bases[slots]] >= 0
        totals = (self.sizes[slots] * claimed).sum(axis=1)
        largest = int(totals.argmax())
        signals, known = slots[largest], claimed[largest]
        bases = self._bases[signals]
        block = np.where(known, self._block[bases], len(self._blocks))
        position = np.where(known, self._offset[bases] + self._begin[signals], later)
        return np.lexsort((position, block))

    def claim(self, name: str, signals: np.ndarray) -> None:
        """Put the bases of some Signals that nobody has claimed into new blocks.

        Parameters
        ----------
        name : str
            What the blocks are called after.
        signals : np.ndarray of int, shape (n_operators,)
            One slot of a group, in the order in which they shall stand.
        """
        bases = self._bases[signals]
        bases = bases[self._block[bases] < 0]
        classes: dict[tuple[Role, str, bool], list[int]] = {}
        for number in dict.fromkeys(bases.tolist()):
            base = self._signals[number]
            role = self._roles[base]
            # whole numbers that are only read, as weights for example, take part in
            # products of floating point numbers
            kind = "f" if role is Role.PARAM else base.dtype.kind
            storage = (role, kind, base in self._trainable)
            classes.setdefault(storage, []).append(number)
        for (role, kind, trained), members in classes.items():
            sizes = self.sizes[members]
            self._block[members] = len(self._blocks)
            self._offset[members] = np.cumsum(sizes) - sizes
            key = f"{name}#{len(self._blocks)}"
            found = tuple([self._signals[number] for number in members])
            self._blocks.append(Block(key, role, kind, trained, found))

    def layout(self) -> SignalLayout:
        """Return where everything lives that was claimed."""
        claimed = np.flatnonzero(self._block >= 0)
        claimed = claimed[np.lexsort((self._offset[claimed], self._block[claimed]))]
        places = zip(
            self._block[claimed].tolist(), self._offset[claimed].tolist(), strict=True
        )
        signals = [self._signals[number] for number in claimed.tolist()]
        return SignalLayout(
            tuple(self._blocks), dict(zip(signals, places, strict=True))
        )


def _slot_name(op: Operator, index: int) -> str:
    """Return the name that an operator's class has for its signal number ``index``."""
    signal = (*op.sets, *op.incs, *op.reads, *op.updates)[index]
    state = getattr(op, "state", None) or {}
    for name, value in state.items():
        if value is signal:
            return str(name)
    for name in _properties(type(op)):  # type: ignore[arg-type]
        if getattr(op, name, None) is signal:
            return name
    return f"signal{index}"


@cache
def _properties(op_type: type[Operator]) -> tuple[str, ...]:
    """Return the names of an operator's properties; Nengo keeps its signals there."""
    return tuple(
        name for name in dir(op_type) if isinstance(getattr(op_type, name), property)
    )
