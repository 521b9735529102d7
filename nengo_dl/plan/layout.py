"""Where each Signal lives: blocks of memory, and views into them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from nengo.builder.signal import Signal

from nengo_dl.graph import signals as sig
from nengo_dl.graph.roles import Role


@dataclass(frozen=True, eq=False)
class Block:
    """Base Signals of one role and type that are stored as one flat tensor.

    A block is flat so that Signals of any shape, and views of any kind, are positions
    in it; row-major reshapes cost nothing in XLA.

    Attributes
    ----------
    key : str
        A readable name: ``SimNeurons.LIF/voltage#0``.
    role : Role
        The part all its Signals play.
    kind : str
        NumPy's kind of type, ``"f"`` or ``"i"``.
    trainable : bool
        Whether an optimizer may change it.
    signals : tuple of Signal
        The bases, in the order in which they stand in the block.
    """

    key: str
    role: Role
    kind: str
    trainable: bool
    signals: tuple[Signal, ...]

    @cached_property
    def size(self) -> int:
        """Number of elements, for one batch item."""
        return sum(sig.size(signal) for signal in self.signals)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The shape of all its Signals, stacked, if they are of one; else (size,)."""
        shapes = {signal.shape for signal in self.signals}
        if len(shapes) > 1 or any(signal.sparse for signal in self.signals):
            return (self.size,)
        return (len(self.signals), *shapes.pop())

    def initial_values(self) -> np.ndarray:
        """Return the initial values of all its Signals, shape (size,)."""
        return np.concatenate([sig.initial_elements(s) for s in self.signals])


class Run(NamedTuple):
    """A contiguous stretch of one block."""

    block: int
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class View:
    """Where a Signal, or the i-th Signal of each operator of a group, lives.

    Attributes
    ----------
    runs : tuple of Run
        The stretches that hold the elements, in the order of the elements.
    shape : tuple of int
        The shape to read them in, without a batch axis.
    batched : bool
        Whether each batch item has its own values; then a batch axis comes first.

    Examples
    --------
    A view is what `Context.view` returns. Of a vector of six elements in block 0:

    >>> import numpy as np
    >>> from nengo_dl.lowering import View
    >>> from nengo_dl.plan.layout import Run
    >>> view = View((Run(block=0, start=0, stop=6),), shape=(2, 3), batched=True)
    >>> view.size, view.reshape(6).shape
    (6, (6,))
    >>> view.take(np.array([0, 1, 5])).runs
    (Run(block=0, start=0, stop=2), Run(block=0, start=5, stop=6))
    """

    runs: tuple[Run, ...]
    shape: tuple[int, ...]
    batched: bool

    @property
    def size(self) -> int:
        """Number of elements, for one batch item."""
        return math.prod(self.shape)

    @cached_property
    def blocks(self) -> tuple[int, ...]:
        """The blocks it touches, each once."""
        return tuple(dict.fromkeys(run.block for run in self.runs))

    def overlaps(self, other: View) -> bool:
        """Return whether the two have any element in common."""
        return any(
            a.block == b.block and a.start < b.stop and b.start < a.stop
            for a in self.runs
            for b in other.runs
        )

    def reshape(self, *shape: int) -> View:
        """Return the same places under another shape."""
        return View(self.runs, shape, self.batched)

    def take(self, elements: np.ndarray) -> View:
        """Return the view of some of its elements, by their row-major numbers."""
        chosen = elements.ravel()
        if not chosen.size:
            return View((), elements.shape, self.batched)
        position = np.concatenate([np.arange(r.start, r.stop) for r in self.runs])
        block = np.repeat(
            [r.block for r in self.runs], [r.stop - r.start for r in self.runs]
        )
        position, block = position[chosen], block[chosen]
        breaks = np.flatnonzero((np.diff(position) != 1) | (np.diff(block) != 0)) + 1
        first = np.concatenate([[0], breaks])
        last = np.concatenate([breaks, [chosen.size]]) - 1
        runs = tuple(
            Run(int(block[a]), int(position[a]), int(position[b]) + 1)
            for a, b in zip(first, last, strict=True)
        )
        return View(runs, elements.shape, self.batched)


@dataclass(frozen=True, eq=False)
class DerivedView(View):
    """Parameters, which are read as something that is computed from them.

    A loop computes it once, for all steps, since parameters stay the same meanwhile.

    Attributes
    ----------
    function : callable
        Takes the values in the shape of the view, and returns what is read: one tensor.
        A frozen dataclass, so that it is known when two are equal.
    """

    function: Callable[[Any], Any]

    # whether two views are of the same parameters does not tell if the functions are
    __eq__ = object.__eq__
    __hash__ = object.__hash__


@dataclass(frozen=True)
class SignalLayout:
    """The blocks of a model, and where in them each base Signal stands.

    Attributes
    ----------
    blocks : tuple of Block
        All blocks; a `Run` names one by its number.
    places : mapping of Signal to (int, int)
        ``{base: (block, offset)}``.
    """

    blocks: tuple[Block, ...]
    places: Mapping[Signal, tuple[int, int]]

    def view(
        self, signals: Sequence[Signal], shape: tuple[int, ...] | None = None
    ) -> View:
        """Return where ``signals`` live, one after the other.

        Parameters
        ----------
        signals : sequence of Signal
            Bases or views of them, all of one role.
        shape : tuple of int, optional
            The shape to read them in; ``(number of signals, *signal.shape)`` if they
            are of one shape, else flat.
        """
        runs = join_runs(self._runs(signals))
        if shape is None:
            shapes = {signal.shape for signal in signals}
            if len(shapes) == 1 and not signals[0].sparse:
                shape = (len(signals), *shapes.pop())
            else:
                shape = (sum(run.stop - run.start for run in runs),)
        batched = self.blocks[runs[0].block].role.batched if runs else True
        return View(runs, shape, batched)

    @cached_property
    def _of_bases(self) -> tuple[dict[Signal, int], np.ndarray]:
        """A number for each base; block, start and stop of each, shape (n_bases, 3)."""
        where = [
            (block, offset, offset + sig.size(base))
            for base, (block, offset) in self.places.items()
        ]
        numbers = {base: number for number, base in enumerate(self.places)}
        return numbers, np.array(where, np.intp).reshape(-1, 3)

    def _runs(self, signals: Sequence[Signal]) -> np.ndarray:
        """Return block, start and stop of each stretch, shape (n_stretches, 3)."""
        numbers, where = self._of_bases
        # most Signals are bases, of which there may be thousands
        found = [numbers.get(signal, -1) for signal in signals]
        if min(found, default=0) >= 0:
            return where[found]
        stretches: list[tuple[int, int, int]] = []
        for signal in signals:
            block, offset = self.places[signal.base]
            stretches += [(block, offset + a, offset + b) for a, b in sig.runs(signal)]
        return np.array(stretches, np.intp).reshape(-1, 3)

    def carried(self) -> list[int]:
        """Return the blocks whose values go round the loop."""
        return [i for i, block in enumerate(self.blocks) if block.role.carried]

    def of_role(self, role: Role) -> list[int]:
        """Return the blocks of one role."""
        return [i for i, block in enumerate(self.blocks) if block.role is role]


def join_runs(runs: Sequence[Run] | np.ndarray) -> tuple[Run, ...]:
    """Merge neighbours that continue each other; the order of elements stays.

    Parameters
    ----------
    runs : sequence of Run, or np.ndarray of int, shape (n_runs, 3)
        Block, start and stop of each.
    """
    block, start, stop = np.array(runs, np.intp).reshape(-1, 3).T
    apart = (block[1:] != block[:-1]) | (start[1:] != stop[:-1])
    breaks = np.flatnonzero(apart) + 1
    first = np.concatenate([np.arange(len(block))[:1], breaks])
    last = np.concatenate([breaks - 1, np.arange(len(block))[-1:]])
    columns = block[first].tolist(), start[first].tolist(), stop[last].tolist()
    return tuple(map(Run, *columns))


def together(views: Sequence[View]) -> tuple[View, tuple[tuple[int, int], ...]]:
    """Return one view of what several views have, and where in it each has its own.

    They follow each other as they do in memory, so that they are few stretches of it,
    and what several of them have occurs once.

    Parameters
    ----------
    views : sequence of View
        Batched ones, of blocks of one type.

    Returns
    -------
    view : View
        All elements, flat.
    parts : tuple of (int, int)
        The stretch of these that each view has.

    Examples
    --------
    >>> from nengo_dl.plan.layout import Run, View, together
    >>> views = [View((Run(0, a, b),), (b - a,), True) for a, b in ((4, 6), (0, 4))]
    >>> view, parts = together(views)
    >>> view.runs, parts
    ((Run(block=0, start=0, stop=6),), ((4, 6), (0, 4)))
    """
    places: dict[tuple[Run, ...], tuple[int, int]] = {}
    runs: list[Run] = []
    stop = 0
    for view in sorted(views, key=lambda view: view.runs):
        if view.runs not in places:
            places[view.runs] = stop, stop + view.size
            stop += view.size
            runs += view.runs
    whole = View(join_runs(runs), (stop,), batched=True)
    return whole, tuple(places[view.runs] for view in views)
