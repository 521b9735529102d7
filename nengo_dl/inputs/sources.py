"""Where the values of inputs come from: constants, functions, Processes, draws."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import nengo
import numpy as np
from nengo.builder.operator import Operator
from nengo.exceptions import SimulationError

from nengo_dl.graph.inputs import Input, Source
from nengo_dl.graph.number_range import largest
from nengo_dl.graph.python_calls import Calling
from nengo_dl.graph.signals import initial_elements
from nengo_dl.inputs.memory import copy_into
from nengo_dl.inputs.pieces import let_go
from nengo_dl.inputs.random_streams import (
    DrawStream,
    Going,
    Position,
    ProcessStream,
    Rewindable,
    Stream,
    rewind,
)
from nengo_dl.lowering.numpy_operator import NumPyOperator
from nengo_dl.lowering.python_function import NUMBERS, evaluator, failure, store
from nengo_dl.lowering.registry import Lowering

#: what Nodes are fed instead of their own output, shape (batch, n_steps, size_out)
Presented = Mapping[nengo.Node, np.ndarray]


class Sources:
    """Compute the values of inputs, in Nengo's order and from Nengo's streams.

    Parameters
    ----------
    inputs : sequence of Input
        What has to be fed.
    lowerings : iterable of Lowering
        What runs; Python code among it draws from the same streams.
    order : sequence of Operator
        All operators in Nengo's order.
    dt : float
        Length of a time step (s).
    minibatch_size : int
        Number of items in the batch.
    dtype : dtype_like
        Floating point type of the simulation.
    items : slice, optional
        The items whose values are wanted; None: all. The streams of the others go on as
        if theirs were wanted, too.
    """

    def __init__(
        self,
        inputs: Sequence[Input],
        lowerings: Iterable[Lowering],
        order: Sequence[Operator],
        dt: float,
        minibatch_size: int,
        dtype: Any,
        items: slice | None = None,
    ) -> None:
        self.inputs = inputs
        self._items = range(minibatch_size)[items or slice(None)]
        self._dtype = np.dtype(dtype)
        self._largest = largest(dtype)
        self._order = order
        self._dt = dt
        self._functions = [i for i in inputs if i.source is Source.FUNCTION]
        batch = range(minibatch_size)
        processes = {
            item: [ProcessStream(item.op, dt) for _ in batch]
            for item in inputs
            if item.source is Source.PROCESS
        }
        self._draws = {
            item: [DrawStream(item.draws, i, item.op) for i in batch]
            for item in inputs
            if item.draws is not None
        }
        #: where the values of an input come from, for each item of the batch
        self._streams: dict[Input, Sequence[Stream]] = {**processes, **self._draws}
        self._hosts: list[dict[Operator, Rewindable]] = [
            {item.op: streams[i] for item, streams in processes.items()} for i in batch
        ]
        for lowering in lowerings:
            if isinstance(lowering, NumPyOperator):
                for op, stepped in zip(lowering.ops, lowering.stepped, strict=True):
                    for i in batch:
                        self._hosts[i][op] = stepped[i]
        #: the streams that were taken from since `begin`
        self._taken: list[Stream] = []

    def rewind(self, seed: int) -> None:
        """Start all random streams anew, and Python code that remembers."""
        self._rewind(self._hosts, seed)

    def _rewind(
        self, hosts: Sequence[Mapping[Operator, Rewindable]], seed: int
    ) -> None:
        self._seed = seed
        rewind(self._order, hosts, seed)
        for streams in self._draws.values():
            for stream in streams:
                stream.reset(seed)

    def positions(self) -> list[list[Position]]:
        """Return how far random numbers have gone, by item and operator."""
        return [[one.position for one in own.values()] for own in self._remembering]

    def advance(self, positions: Sequence[Sequence[Position]]) -> None:
        """Let what is at its beginning go on to where others of its kind were.

        Parameters
        ----------
        positions : list of list
            What `positions` returned.
        """
        for own, found in zip(self._remembering, positions, strict=True):
            for one, position in zip(own.values(), found, strict=True):
                one.advance(position)

    def return_to(self, positions: Sequence[Sequence[Position]]) -> None:
        """Return to where it was, whoever has used up numbers since.

        Nengo's Processes cannot be copied: their values are computed once more, from
        the first. What other Python code remembers for itself stays.
        """
        streams = [
            {op: one for op, one in own.items() if isinstance(one, Stream)}
            for own in self._hosts
        ]
        self._rewind(streams, self._seed)
        self.advance(positions)

    def take_over(self, other: Sources) -> None:
        """Go on where other sources of the same model are, in their place.

        Parameters
        ----------
        other : Sources
            What must not be used any more, or rewound first.
        """
        pairs = zip(self._remembering, other._remembering, strict=True)
        for mine, others in pairs:
            for op, own in mine.items():
                theirs = others.get(op)
                if isinstance(theirs, type(own)):
                    own.take_over(theirs)

    def pass_over(self, other: Sources, first_step: int, n_steps: int) -> None:
        """Draw, and use for nothing, what others lack who have run some steps for us.

        Parameters
        ----------
        other : Sources
            Of those who have run them.
        first_step, n_steps : int
            Number of the step before the first, and how many.
        """
        pairs = zip(self._remembering, other._remembering, strict=True)
        for mine, others in pairs:
            for op, own in mine.items():
                if isinstance(own, Stream) and not isinstance(others.get(op), Stream):
                    own.pass_over(first_step + 1, n_steps)

    @property
    def _remembering(self) -> list[dict[Operator, Going]]:
        """Streams and Python code by operator, for each item of the batch."""
        draws = self._draws.items()
        return [
            {**hosts, **{item.op: streams[i] for item, streams in draws}}
            for i, hosts in enumerate(self._hosts)
        ]

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Give the random numbers again that are used up in the meantime."""
        everything = [one for own in self._remembering for one in own.values()]
        for one in everything:
            one.keep()
        try:
            yield
        finally:
            for one in everything:
                one.return_kept()

    def begin(self) -> None:
        """Begin a chunk: what is taken from now on can be given back."""
        self._taken.clear()

    def give_back(self, n_steps: int) -> None:
        """Take back the last steps of a chunk, because they did not run."""
        for stream in self._taken:
            stream.give_back(n_steps)

    def end_at(self, n_steps: int) -> None:
        """Take back all steps of a chunk but the first, because one could not come."""
        for stream in self._taken:
            stream.give_back(max(stream.taken - n_steps, 0))

    def fill(
        self,
        item: Input,
        steps: Sequence[int],
        out: np.ndarray,
        presented: Presented,
        functions: Mapping[Input, np.ndarray],
    ) -> tuple[int, Exception | None]:
        """Write the values of an input for the next steps.

        Parameters
        ----------
        item : Input
            One of the inputs.
        steps : sequence of int, length n_minibatches * n_steps
            Numbers of the steps, those of one minibatch behind those of another.
        out : np.ndarray, shape (n_minibatches, n_steps, batch, size)
            Where to write them; the batch axis may have length 1 for what does not
            differ between items, and has the items that are wanted otherwise.
        presented : mapping of Node to np.ndarray, shape (batch, >= n_steps, size_out)
            What Nodes are fed instead of their own output.
        functions : mapping of Input to np.ndarray, shape (>= n_steps, 1, size)
            What `call_functions` returned; it may have further axes in front.

        Returns
        -------
        good : int
            How many of the steps were written.
        error : Exception or None
            Why not all of them.
        """
        good, error = len(steps), None
        n_minibatches, n_steps = out.shape[:2]
        if item.node in presented:
            rows = presented[item.node][:, :n_steps].swapaxes(0, 1)
            for minibatch in out:
                copy_into(minibatch, rows)
            let_go(rows)
        elif item.source is Source.CONSTANT:
            out[...] = initial_elements(item.signal)
        elif item.source is Source.FUNCTION:
            out[...] = functions[item][..., :n_steps, :, :]
        else:
            size, first = out.shape[-1], self._items.start
            for i, stream in enumerate(self._streams[item]):
                wanted = i in self._items
                # one minibatch has its steps in one piece, and they are not copied
                values = (
                    out[0, :, i - first]
                    if wanted and n_minibatches == 1
                    else np.empty((n_minibatches * n_steps, size), out.dtype)
                )
                taken, why = stream.take(steps, values)
                if taken < good:
                    good, error = taken, why
                if wanted and n_minibatches > 1:
                    out[:, :, i - first] = values.reshape(n_minibatches, n_steps, size)
                self._taken.append(stream)
        return good, error

    def call_functions(
        self, first_step: int, n_steps: int, presented: Mapping[nengo.Node, np.ndarray]
    ) -> tuple[dict[Input, np.ndarray], int, Exception | None]:
        """Call functions of time for all steps, step by step in Nengo's order.

        Returns
        -------
        values : dict of {Input: np.ndarray}, shape (good, 1, size)
            What they returned.
        good : int
            Steps before the first that failed.
        error : Exception or None
            How it failed.
        """
        called = [item for item in self._functions if item.node not in presented]
        if not called:
            return {}, n_steps, None
        functions = [item.op.fn for item in called]
        steps = range(first_step + 1, first_step + n_steps + 1)
        times = [step * self._dt for step in steps]
        columns: list[list] = [[] for _ in called]
        pairs = list(zip(functions, columns, strict=True))
        good = n_steps
        error: Exception | None = None
        try:
            # plain calls first: checks of a thousand single values would take longer
            # than the simulation
            with Calling(lambda: [item.op for item in called], first_step) as now:
                for t in times:
                    now.step += 1
                    for function, column in pairs:
                        result = function(t)
                        # a function may return the same, changed, object each time
                        if result.__class__ not in NUMBERS and isinstance(
                            result, np.ndarray | list
                        ):
                            result = result.copy()
                        column.append(result)
        except Exception as raised:
            good = len(columns[-1])
            culprit = next(j for j, c in enumerate(columns) if len(c) == good)
            error = failure(called[culprit].op, (times[good],), raised)
            error.__cause__ = raised
        values: dict[Input, np.ndarray] = {}
        for item, column in zip(called, columns, strict=True):
            if item.signal is not None:
                values[item], why = self._stack(item, column[:good], times)
                if why is not None:
                    good, error = len(values[item]), why
        return {item: v[:good, None] for item, v in values.items()}, good, error

    def bind(self, places: Mapping[Input, np.ndarray]) -> Callable[[int], None]:
        """Return what writes the values of some inputs for one step.

        It takes the number of the step, 1 for the first, and raises what functions and
        Processes raise; nothing is drawn then. What is the same in all steps is done
        here: it takes longer than a step of a small model.

        Parameters
        ----------
        places : mapping of Input to np.ndarray, shape (batch, size)
            Where to write them.
        """
        called = [(item.op, places.get(item)) for item in self._functions]
        calls = [
            evaluator(op, None if place is None else place[0], self._time)
            for op, place in called
        ]
        batches = [p for _, p in called if p is not None and len(p) > 1]
        streams = [
            (item, place[None, None])
            for item, place in places.items()
            if item in self._streams
        ]
        calling = Calling(lambda: [op for op, _ in called], 0)

        def fill(step: int) -> None:
            if calls:
                calling.step = step
                with calling:
                    for call in calls:
                        call(step)
                for place in batches:
                    place[1:] = place[0]
            self.begin()
            for item, place in streams:
                good, error = self.fill(item, [step], place, {}, {})
                if not good and error is not None:
                    self.end_at(0)
                    raise error

        return fill

    def _time(self, step: int) -> tuple[float]:
        """Return what functions are called with: the time (s)."""
        return (step * self._dt,)

    def _stack(
        self, item: Input, column: list, times: list[float]
    ) -> tuple[np.ndarray, Exception | None]:
        """Turn what a function returned into an array, shape (n_steps, size).

        The array ends before the first value that is not valid; the error says why.
        """
        n_steps, size = len(column), item.signal.size
        if n_steps == size == 1 and column[0].__class__ in NUMBERS:
            # looking at arrays takes longer than a step
            (value,) = column
            # NaN and infinity are no less
            if -self._largest <= value <= self._largest:
                return np.array([[value]], dtype=float), None
        try:
            array = _numbers(column)
            if (
                array.shape in ((n_steps,), (n_steps, size))
                # NaN and infinity are no less
                and np.abs(array).max(initial=0.0) <= self._largest
            ):
                rows = array.reshape(n_steps, -1)
                if rows.shape[1] != size:
                    rows = np.broadcast_to(rows, (n_steps, size))
                return rows, None
        except (TypeError, ValueError, OverflowError):
            pass
        # something is unusual: look at the values one by one, as Nengo does
        array, kept = np.empty((n_steps, size)), np.empty(size, self._dtype)
        for i, result in enumerate(column):
            try:
                with np.errstate(over="ignore"):
                    store(item.op, (times[i],), result, kept)
            except SimulationError as error:
                return array[:i], error
            array[i] = result
        return array, None


def _numbers(column: list) -> np.ndarray:
    """Return results of a function as an array of numbers.

    Raises
    ------
    TypeError, ValueError
        If there may be something else, which NumPy would turn into numbers: text,
        objects, or arrays with hidden elements.
    """
    if any(issubclass(kind, np.ma.MaskedArray) for kind in set(map(type, column))):
        raise TypeError("masked")
    array = np.asarray(column)
    if array.dtype.kind not in "biuf":
        raise TypeError(array.dtype)
    return array.astype(float, copy=False)
