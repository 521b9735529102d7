"""LinearFilter and so Lowpass and Alpha: linear systems in discrete time.

References
----------
G. F. Franklin, J. D. Powell and M. L. Workman, *Digital Control of Dynamic Systems*,
Addison-Wesley, 3rd edition, 1998, chapter 4. The order of updates and outputs is that
of ``nengo.LinearFilter``.
"""

from __future__ import annotations

import weakref
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import tensorflow as tf
from nengo.builder.operator import Operator
from nengo.builder.processes import SimProcess
from nengo.builder.signal import Signal
from nengo.synapses import Alpha, LinearFilter, Lowpass
from nengo.utils.filter_design import cont2discrete, tf2ss

from nengo_dl.graph.trained_attributes import time_constant
from nengo_dl.lowering.constants import merged
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View

StateSpace = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
#: coefficients, kind of time, method of discretization
System = tuple[tuple[float, ...], tuple[float, ...], bool, str]

#: of filters that were asked for, by identity, since these cannot change; as long as
#: there are the filters
_systems: dict[int, tuple[weakref.ref[LinearFilter], System]] = {}


def state_space(synapse: LinearFilter, dt: float) -> StateSpace:
    """Return the matrices A, B, C, D of the filter in steps of ``dt`` (s)."""
    return _state_space(*_system(synapse), dt)


def _system(synapse: LinearFilter) -> System:
    """Return all that defines a filter."""
    identity = id(synapse)
    known = _systems.get(identity)
    if known is None or known[0]() is not synapse:
        system = (
            tuple(synapse.num),
            tuple(synapse.den),
            synapse.analog,
            synapse.method,
        )
        reference = weakref.ref(synapse, partial(_systems.pop, identity))
        known = _systems[identity] = reference, system
    return known[1]


@lru_cache(maxsize=1024)
def _state_space(
    num: tuple[float, ...],
    den: tuple[float, ...],
    analog: bool,
    method: str,
    dt: float | None,
) -> StateSpace:
    """Return the matrices in steps of ``dt`` (s), or in continuous time.

    Large models have thousands of equal synapses; each takes Nengo 0.2 ms.
    """
    matrices: Sequence[np.ndarray] = tf2ss(num, den)
    if dt is not None and analog and len(matrices[0]) > 0:
        *matrices, _ = cont2discrete(matrices, dt, method=method)
    for matrix in matrices:
        matrix.setflags(write=False)
    a, b, c, d = matrices
    return a, b, c, d


def _emit(values: SignalValues, op_mode: str, view: View, value: tf.Tensor) -> None:
    (values.inc if op_mode == "inc" else values.set)(view, value)


@dataclass(frozen=True)
class _Gain(Lowering):
    r"""A filter without memory: :math:`y = D u`."""

    u: View
    y: View
    d: np.ndarray
    mode: str

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        _emit(values, self.mode, self.y, values.read(self.u) * self.d)


@dataclass(frozen=True)
class _FirstOrder(Lowering):
    r"""A filter with one state and no passthrough: :math:`y \leftarrow A y + C B u`.

    Its output is its state, so only one of them goes round the loop.
    """

    u: View
    y: View
    x: View | None
    a: np.ndarray
    b: np.ndarray
    mode: str

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        state = self.y if self.x is None else self.x
        new = values.read(state) * self.a + values.read(self.u) * self.b
        if self.x is not None:
            values.set(self.x, new)
        _emit(values, self.mode, self.y, new)


@dataclass(frozen=True)
class _StateSpace(Lowering):
    r"""Any other linear system.

    .. math:: x_{n+1} = A x_n + B u_n, \quad
              y_n = C x_{n+1} \text{ if } D = 0, \text{ else } y_n = C x_n + D u_n

    Without passthrough the output looks one step ahead, which takes away a delay that
    the discretization would otherwise add.
    """

    u: View
    y: View
    x: View
    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    d: np.ndarray
    passthrough: bool
    mode: str

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step.

        Shapes: u, y (batch, count, size); x (batch, count, order, size); the matrices
        have an axis of filters in front unless all are equal.
        """
        u, x = values.read(self.u), values.read(self.x)
        # a handful of states: sums of products fuse, matrix products would not
        new = tf.reduce_sum(self.a[..., None] * x[..., None, :, :], axis=-2)
        new = new + self.b[..., None] * u[..., None, :]
        source = x if self.passthrough else new
        y = tf.reduce_sum(self.c[..., None] * source, axis=-2)
        if self.passthrough:
            y = y + self.d * u
        values.set(self.x, new)
        _emit(values, self.mode, self.y, y)


@register(SimProcess, LinearFilter)
@register(SimProcess, Lowpass)
@register(SimProcess, Alpha)
class LowerLinearFilter(Lowering):
    r"""Choose the cheapest of the forms above, as `nengo.LinearFilter` does.

    They compute :math:`x \leftarrow A x + B u` and :math:`y = C x + D u` in steps of
    :math:`\Delta t`; see `state_space`.
    """

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return the form; for a general filter, its order and its size, too."""
        state, system = op.state["X"], _system(op.process)
        order = state.shape[0]
        if _is_first_order(state, system):
            return op.mode, "first order", _same_numbers(op, state)
        if order == 0:
            return op.mode, "gain"
        form: Hashable = system
        if not op.process.analog or op.process.method in ("zoh", "euler"):
            # no other method leaves it to the filter whether input passes through
            form = order, _keeps_input_out(*system)
        return op.mode, form, op.input.shape

    @classmethod
    def attributes(cls, op: Operator, dt: float) -> Mapping[str, float | str]:
        """Return the geometric mean of the time constants (s), which train as one."""
        synapse = op.process
        if not synapse.analog:
            return {}
        if _order(op) == 0:
            return {"tau": "it has no time constant"}
        if synapse.den[-1] == 0:
            return {"tau": "it integrates, which has no time constant"}
        if synapse.method != "zoh":
            return {
                "tau": f"it is for filters with method='zoh', not {synapse.method!r}"
            }
        return {"tau": time_constant(synapse)}

    @classmethod
    def across_time(cls, op: Operator) -> bool:
        """Return whether the filter's output is that of the step before."""
        return op.mode == "update" and _order(op) > 0

    @classmethod
    def redundant(cls, op: Operator) -> Collection[Signal]:
        """Return the state where the output holds the same numbers."""
        state = op.state["X"]
        return (state,) if _is_output(op, state) else ()

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        ops, dtype = group.ops, context.dtype
        first, mode = ops[0], ops[0].mode
        sizes = [op.input.size for op in ops]
        systems = [state_space(op.process, context.dt) for op in ops]

        def view(signals: list[Signal], *shape: int) -> View:
            return context.view(signals, shape or (sum(sizes),))

        u, y = [op.input for op in ops], [op.output for op in ops]
        if _order(first) == 0:
            d = merged([s[3].item() for s in systems], sizes, dtype)
            return _Gain(view(u), view(y), d, mode)
        x = [op.state["X"] for op in ops]
        if _is_first_order(x[0], _system(first.process)):
            return _FirstOrder(
                view(u),
                view(y),
                None if output_is_state(first) else view(x),
                merged([a.item() for a, *_ in systems], sizes, dtype),
                merged([b.item() * c.item() for _, b, c, _ in systems], sizes, dtype),
                mode,
            )
        order = _order(first)
        shapes = (order, order), (order,), (order,), (1,)
        a, b, c, d = (
            _stacked([matrix.reshape(shape).astype(dtype) for matrix in matrices])
            for shape, *matrices in zip(shapes, *systems, strict=True)
        )
        count = len(ops)
        return _StateSpace(
            view(u, count, sizes[0]),
            view(y, count, sizes[0]),
            view(x, count, order, sizes[0]),
            a,
            b,
            c,
            d,
            bool(np.any(d)),
            mode,
        )


def _stacked(matrices: Sequence[np.ndarray]) -> np.ndarray:
    """Return matrices with an axis in front, or one of them if all are equal."""
    first, *others = matrices
    if all(np.array_equal(first, other) for other in others):
        return first
    return np.stack(matrices)


def _order(op: SimProcess) -> int:
    return op.state["X"].shape[0]


def _is_first_order(state: Signal, system: System) -> bool:
    """Whether one state and no passthrough remain in discrete time.

    To ask an operator for its state takes longer than all that is looked at here.
    """
    return state.shape[0] == 1 and _keeps_input_out(*system)


@lru_cache(maxsize=1024)
def _keeps_input_out(
    num: tuple[float, ...], den: tuple[float, ...], analog: bool, method: str
) -> bool:
    """Whether the output does not depend on the input of the same moment."""
    *_, d = _state_space(num, den, analog, method, None)
    # the other methods of discretization mix the input into the output
    return not np.any(d) and (not analog or method in ("zoh", "euler"))


def output_is_state(op: SimProcess) -> bool:
    """Whether output and state of a first-order filter are the same numbers."""
    return _is_output(op, op.state["X"])


def _is_output(op: SimProcess, state: Signal) -> bool:
    return _is_first_order(state, _system(op.process)) and _same_numbers(op, state)


def _same_numbers(op: SimProcess, state: Signal) -> bool:
    if op.mode != "update":
        return False
    x, y = state.initial_value, op.output.initial_value
    # for single numbers NumPy takes ten times as long as Python
    if x.size == y.size == 1:
        return bool(x.item() == y.item())
    return np.array_equal(x.ravel(), y.ravel())
