"""The generic fallback: run an operator's own NumPy code in the loop."""

from __future__ import annotations

import copy
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from nengo.base import Process
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Operator
from nengo.builder.processes import SimProcess
from nengo.builder.signal import Signal, SignalDict
from nengo.exceptions import SimulationError

from nengo_dl.graph.number_range import beyond, cast_into
from nengo_dl.graph.signals import describe_with_signals, payload_of, written
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.python_call import PythonLowering, StepCall
from nengo_dl.lowering.registry import Lowering
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View


class SteppedOperator:
    """A Nengo operator with memory of its own, run as ``nengo.Simulator`` would.

    Parameters
    ----------
    op : Operator
        What to run; the original is not changed.
    dt : float
        Length of a time step (s).
    item : int
        Number of the batch item; items other than the first draw other random numbers.
    """

    def __init__(self, op: Operator, dt: float, item: int = 0) -> None:
        self.original = op
        self.dt = dt
        self.item = item
        self.signals = SignalDict()
        #: the random states that it draws from, as far as they can be reached
        self._random: tuple[np.random.RandomState, ...] = ()
        self._kept: list[dict[str, Any]] = []

    def reset(self, rng: np.random.RandomState) -> None:
        """Return to the initial state; ``rng`` is the simulator's stream."""
        op = copy.copy(self.original)
        drawn: list[Any] = []
        if getattr(op, "state_extra", None):
            # random states among a neuron type's state: rewound, apart for each item
            op.state_extra = {
                name: self._own_stream(copy.deepcopy(state))
                for name, state in op.state_extra.items()
            }
            drawn += op.state_extra.values()
        if isinstance(op, SimProcess):
            own = op.process.get_rng(rng)
            op.process = _drawing_from(op.process, own)
            drawn.append(own)
        self._random = tuple(
            state for state in drawn if isinstance(state, np.random.RandomState)
        )
        self.signals = SignalDict()
        op.init_signals(self.signals)
        for signal, array in list(self.signals.items()):
            if not signal.sparse and not array.flags.writeable:
                # Nengo shares the initial value of read-only signals, but trained or
                # loaded values have to reach the operator
                dict.__setitem__(self.signals, signal, array.copy())
        self.step = op.make_step(self.signals, self.dt, rng)

    def take_over(self, other: SteppedOperator) -> None:
        """Go on where another one of the same operator is, in its place."""
        vars(self).update(vars(other))

    @property
    def position(self) -> list[dict[str, Any]]:
        """How far its random numbers have gone, in types that files can keep."""
        found: list[dict[str, Any]] = []
        for state in self._random:
            numbers = state.get_state(legacy=False)
            key = numbers["state"]["key"].tolist()
            found.append({**numbers, "state": {**numbers["state"], "key": key}})
        return found

    def advance(self, position: Sequence[Mapping[str, Any]]) -> None:
        """Draw from where another one of the same operator was."""
        for state, numbers in zip(self._random, position, strict=False):
            key = np.asarray(numbers["state"]["key"], np.uint32)
            state.set_state({**numbers, "state": {**numbers["state"], "key": key}})

    def keep(self) -> None:
        """Remember where random numbers are."""
        self._kept = [state.get_state(legacy=False) for state in self._random]

    def return_kept(self) -> None:
        """Draw again what has been drawn since `keep`."""
        for state, numbers in zip(self._random, self._kept, strict=True):
            state.set_state(numbers)
        self._kept = []

    def _own_stream(self, state: np.random.RandomState) -> np.random.RandomState:
        if self.item == 0:
            return state
        return np.random.RandomState(
            (state.randint(2**31 - 1) + self.item) % (2**31 - 1)
        )

    def __call__(
        self,
        targets: Sequence[Signal],
        given: Sequence[tuple[Signal, Any]],
    ) -> list[np.ndarray]:
        """Store ``given`` values, run one step, return copies of ``targets``.

        What the operator increments starts at zero, so the increment is returned.
        """
        for signal in self.original.incs:
            self.signals[signal][...] = 0
        for signal, value in given:
            array = self.signals[signal]
            array[...] = np.reshape(value, array.shape)
        with np.errstate(invalid="raise", divide="ignore"):
            self.step()
        return [np.array(self.signals[signal]) for signal in targets]


@dataclass(frozen=True)
class NumPyOperator(PythonLowering):
    r"""Run ``op.make_step`` itself, once for each operator and batch item.

    .. math:: (y, s) \leftarrow f(t, x, s)

    for what the operator reads, :math:`x`, what it sets or increments, :math:`y`, and
    what it keeps, :math:`s`: for operators, neuron types and processes without a
    TensorFlow implementation. The values of all signals go through TensorFlow, so state
    is carried, reset and saved like any other; what the step function keeps to itself
    stays in Python. The code runs at Nengo's precision. There is no derivative.

    References
    ----------
    The definition is the operator's own ``make_step``; see
    ``nengo.builder.operator.Operator``.

    Examples
    --------
    >>> from nengo.builder import Operator
    >>> from nengo_dl.lowering import NumPyOperator, register
    >>> class MyOperator(Operator):
    ...     pass
    >>> _ = register(MyOperator)(NumPyOperator)
    """

    ops: tuple[Operator, ...]
    stepped: tuple[tuple[SteppedOperator, ...], ...]
    dt: float
    time: Signal
    sources: tuple[View, ...]
    targets: tuple[View, ...]
    increments: range
    batch: int
    integers: frozenset[int]

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return the shapes of built-in types; None for classes of the user's."""
        return None if cls.user_code(op) else super().merge_key(op)

    @classmethod
    def carries(cls, op: Operator) -> Collection[Signal]:
        """Return the set signals that the step may read first: neurons' state."""
        if isinstance(op, SimProcess):
            return ()
        return tuple(op.sets[1:] if isinstance(op, SimNeurons) else op.sets)

    @classmethod
    def user_code(cls, op: Operator) -> bool:
        """Return whether the class was defined outside of Nengo."""
        payload = payload_of(op)
        origin = type(op if payload is None else payload).__module__
        return origin.split(".")[0] not in ("nengo", "nengo_dl")

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        first = group.ops[0]
        columns = zip(*(_given(op, context.time) for op in group.ops), strict=True)
        targets = list(zip(*(written(op) for op in group.ops), strict=True))
        return cls(
            group.ops,
            tuple(
                tuple(
                    SteppedOperator(op, context.dt, item)
                    for item in range(context.minibatch_size)
                )
                for op in group.ops
            ),
            context.dt,
            context.time,
            tuple(context.view(slot) for slot in columns),
            tuple(context.view(slot) for slot in targets),
            range(len(first.sets), len(first.sets) + len(first.incs)),
            context.minibatch_size,
            frozenset(i for i, s in enumerate(targets) if s[0].dtype.kind != "f"),
        )

    @property
    def called(self) -> Sequence[Operator]:
        """Return the operators."""
        return self.ops

    def arguments(self, values: SignalValues) -> list[tf.Tensor]:
        """Return the signals that the operators need."""
        return [tf.cast(values.read(view), values.dtype) for view in self.sources]

    @property
    def writes(self) -> Sequence[View]:
        """Return all signals that the operators change."""
        return self.targets

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shape of each changed signal."""
        return [(self.batch, *view.shape) for view in self.targets]

    def store(self, values: SignalValues, results: Sequence[tf.Tensor]) -> None:
        """Write the results; increments are added."""
        for i, (view, result) in enumerate(zip(self.targets, results, strict=True)):
            if i in self.integers:
                result = tf.cast(result, tf.int64)
            (values.inc if i in self.increments else values.set)(view, result)

    def bind(
        self, arguments: Sequence[np.ndarray], results: Sequence[np.ndarray]
    ) -> StepCall:
        """Return what runs the operators; arrays come and go with a batch axis."""
        return partial(self._run, arguments, results)

    def _run(
        self,
        arguments: Sequence[np.ndarray],
        results: Sequence[np.ndarray],
        step: int,
    ) -> None:
        for k, op in enumerate(self.ops):
            signals = _given(op, self.time)
            changed = []
            for item in range(self.batch):
                given: list[tuple[Signal, Any]] = [
                    (signal, (array[item % len(array)] if view.batched else array)[k])
                    for signal, view, array in zip(
                        signals, self.sources, arguments, strict=True
                    )
                ]
                if self.time in op.reads:
                    given.append((self.time, step * self.dt))
                changed.append(self.stepped[k][item](written(op), given))
            for result, *values in zip(results, *changed, strict=True):
                if not cast_into(result[:, k], np.array(values)):
                    raise SimulationError(
                        f"{describe_with_signals(op)} gave {values!r:.100} at "
                        f"t={step * self.dt:g} s: {beyond(result.dtype)}"
                    )


def _drawing_from(process: Process, rng: Any) -> Process:
    """Return a Process that draws from ``rng``, in place of what it would make."""
    process = copy.copy(process)
    # Processes are frozen, and may have a class of the user's
    object.__setattr__(process, "get_rng", lambda _: rng)
    return process


def _given(op: Operator, time: Signal) -> list[Signal]:
    """Return the signals whose values the operator is handed, each once.

    Not the time, which the host computes in double precision; not what is incremented,
    which starts at zero; not sparse matrices, which no step changes.
    """
    signals = dict.fromkeys((*op.reads, *op.sets, *op.updates))
    return [s for s in signals if s is not time and not s.sparse]
