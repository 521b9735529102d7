"""Traced and compiled functions, kept in one place with one bound.

TensorFlow keeps what it has compiled to the end of the process (about 3 MB of a small
model), so equal functions are compiled once. Weights, state and data are arguments, and
variables are chosen at each call: what is computed is the same for every model of equal
structure, whichever simulator, optimizer or loss it came with.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

import tensorflow as tf

from nengo_dl.program.calling import flat_call
from nengo_dl.program.python_errors import in_own_words
from nengo_dl.program.value_keys import Same, by_value
from nengo_dl.user_code import warn_user

T = TypeVar("T")

#: so many functions are kept; the one that was not used for the longest time goes first
CAPACITY = 64

#: bytes of variables that a function may keep in memory for simulators to come
MAX_BYTES = 32 * 2**20

#: seconds that one call of compiled code should take: progress is shown between calls
CALL = 0.3

#: the warnings of the function that is being traced, each of them once
_warnings: ContextVar[dict[str, None] | None] = ContextVar("warnings", default=None)


def warn_of_traced(message: str) -> None:
    """Warn of something in code that is being traced, whenever the trace is used.

    A function that is compiled is traced once, and used by many calls: each of these
    warns. Outside of a trace the warning comes at once.

    Parameters
    ----------
    message : str
        The warning.
    """
    noted = _warnings.get()
    if noted is None:
        warn_user(message)
    else:
        noted[message] = None


class Traced:
    """A traced function of flat tensors, whose variables are chosen at each call.

    Parameters
    ----------
    function : callable
        From flat tensors to tensors, in any structure.
    specs : sequence of tf.TensorSpec
        Types and shapes of its arguments.
    variables : sequence of tf.Variable
        The variables that it reads and changes in this trace.
    jit_compile : bool
        Whether XLA compiles it.

    Attributes
    ----------
    structure : nested structure
        What its flat outputs are parts of, for `tf.nest.pack_sequence_as`.
    shareable : bool
        Whether it is good for other simulators, too: there are no other variables in
        it, nor Python functions or random numbers of TensorFlow's, and the variables
        that it was traced with, which stay in memory as long as it is kept, are not
        large.
    per_call : int
        How many units of work one call should do, as far as is known.
    warnings : tuple of str
        What was found while it was traced; see `warn_of_traced`.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        specs: Sequence[tf.TensorSpec],
        variables: Sequence[tf.Variable],
        jit_compile: bool,
    ) -> None:
        traced = tf.function(function, jit_compile=jit_compile, autograph=False)
        noted: dict[str, None] = {}
        token = _warnings.set(noted)
        try:
            with in_own_words():
                concrete = traced.get_concrete_function(*specs)
        finally:
            _warnings.reset(token)
        self.warnings = tuple(noted)
        self._call = flat_call(concrete, jit_compile)
        self.structure = tf.nest.map_structure(lambda _: 0, concrete.structured_outputs)
        places = {id(v.handle): i for i, v in enumerate(variables)}
        #: what is captured: the number of a variable, or a tensor
        self._captured = [places.get(id(t), t) for t in concrete.captured_inputs]
        others = (t for t in self._captured if not isinstance(t, int))
        closed = not any(tensor.dtype == tf.resource for tensor in others)
        closed = closed and not any(map(_has_memory, _operations(concrete.graph)))
        size = sum(v.shape.num_elements() * v.dtype.size for v in variables)
        self.shareable = closed and size <= MAX_BYTES
        self.per_call = 1
        self._warm = False

    def __call__(
        self, arguments: Sequence[tf.Tensor], variables: Sequence[tf.Variable]
    ) -> Sequence[tf.Tensor]:
        """Call it with tensors, and with variables in the order of the trace."""
        captured = [
            variables[t].handle if isinstance(t, int) else t for t in self._captured
        ]
        return self._call(*arguments, captured=captured)

    def took(self, seconds: float, units: int) -> None:
        """Adapt `per_call` to the time that a call of so many units of work took."""
        # the first call compiles too, and says nothing about the others
        if self._warm:
            self.per_call = max(1, int(CALL * units / max(seconds, 1e-6)))
        self._warm = True


class Traces:
    """Functions by what they depend on, each made once; see the head of this module.

    Parameters
    ----------
    capacity : int
        How many are kept; the one that was not used for the longest time goes first.
    beneath : Traces, optional
        Where functions go whose keys are known by value, and do not change while they
        are traced, to be found by all simulators. Others are kept here, together with
        the objects that their keys hold.
    """

    def __init__(self, capacity: int = CAPACITY, beneath: Traces | None = None) -> None:
        self._capacity = capacity
        self._beneath = self if beneath is None else beneath
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(
        self,
        key: Hashable | Callable[[], Hashable],
        make: Callable[[], T],
        owner: Any = None,
    ) -> T:
        """Return the function that is kept under an equal key, or make it now.

        Parameters
        ----------
        key : Hashable, None or callable
            All that the function depends on; None if that is not known. Or a function
            that returns this as it is now: what users' code changes while it is traced,
            a counter of its calls for example, is no reason to trace it again.
        make : callable
            Traces the function. Where the key is known by value, it must not keep the
            model, which would stay in memory.
        owner : object, optional
            What the function's other variables belong to, if it has some.
        """
        before = key() if callable(key) else key
        if before is None:
            return make()
        # values tell all, as long as the function writes into nothing
        values = before if self._beneath is self else by_value(before)
        found = self._find((before, Same(owner)))
        if found is None and values is not None:
            found = self._beneath._find(values)
        if found is not None:
            return found
        made = make()
        now = key() if callable(key) else key
        # code that changes what it sees does something in each object's trace
        alike = values is not None and now == before
        if alike and getattr(made, "shareable", True):
            self._beneath._keep(values, made)
        else:
            self._keep((now, Same(owner)), made)
        return made

    def _find(self, key: Hashable) -> Any:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: Hashable, made: Any) -> None:
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)

    def forget(self) -> None:
        """Forget all functions."""
        with self._lock:
            self._kept.clear()


def _operations(graph: tf.Graph) -> Iterator[Any]:
    """Yield the operations of a graph and of the functions that it calls."""
    definition = graph.as_graph_def()
    yield from definition.node
    for function in definition.library.function:
        yield from function.node_def


def _has_memory(operation: Any) -> bool:
    """Return whether an operation of a graph does something else in each call.

    A Python function is one object, and does what it likes. Random numbers go on where
    the last call stopped, and the simulators of one process shall not depend on those
    before them.
    """
    return operation.op in ("PyFunc", "EagerPyFunc") or "seed2" in operation.attr


#: those that all simulators of this process share
shared = Traces()
