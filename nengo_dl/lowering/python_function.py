"""SimPyFunc: ``output = fn(t, x)``, a Python function in the loop."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import tensorflow as tf
from nengo.builder.operator import Operator, SimPyFunc
from nengo.exceptions import SimulationError
from nengo.utils.functions import function_name

from nengo_dl.graph.number_range import beyond, is_beyond
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.presented import Presented
from nengo_dl.lowering.python_call import PythonLowering, StepCall
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View
from nengo_dl.user_code import user_line

#: results that are single numbers and that nobody can change later. Asking for them
#: first takes a fifth of the time that other questions take
NUMBERS = frozenset({float, int, bool, np.float64, np.float32})


def evaluator(
    op: SimPyFunc, output: np.ndarray | None, arguments: Callable[[int], tuple]
) -> StepCall:
    """Return what calls the function of ``op`` in a step and stores what it returns.

    It raises a SimulationError if that fails; see `failure` and `store`.

    In each step of a loop it costs as much as a simple function of the user's. So what
    is the same in all steps is done here, and results are looked at in full by `store`
    only if they are anything but plain numbers.

    Parameters
    ----------
    op : SimPyFunc
        The operator whose function is called.
    output : np.ndarray, shape (size_out,), or None
        Where to; None ignores the result.
    arguments : callable
        Returns the time (s) and the input, shape (size_in,), as far as the function
        takes them, in a step of which it is given the number.
    """
    function = op.fn
    number = output.item if output is not None and output.size == 1 else None

    def call(step: int) -> None:
        args = arguments(step)
        try:
            result = function(*args)
        except Exception as error:
            raise failure(op, args, error) from error
        if output is None:
            return
        if not _is_plain(result):
            store(op, args, result, output)
            return
        try:
            output[...] = result
            # looking at a single number as at an array takes ten times as long
            if isfinite(number()) if number is not None else np.isfinite(output).all():
                return
        except (ArithmeticError, TypeError, ValueError, RuntimeWarning):
            pass
        with np.errstate(over="ignore"):  # the warning has been shown
            store(op, args, result, output)  # says what is wrong

    return call


def _is_plain(result: Any) -> bool:
    """Return whether a result is a number, or an array of plain numbers."""
    kind = type(result)
    return kind in NUMBERS or (kind is np.ndarray and result.dtype.kind in "biuf")


def _check_numeric(result: Any) -> None:
    """Refuse what a function returned if it does not consist of numbers in plain sight.

    Nengo asks whether all are finite, which NumPy answers for numbers only. Storing
    them would turn text and objects into numbers, and show what is masked.

    Raises
    ------
    TypeError
        If these are text, objects, or partly masked.
    """
    array = np.asanyarray(result)
    if array.dtype.kind not in "biuf":
        np.isfinite(array)  # raises a TypeError; some types of floats are no "f"
    if type(array) is not np.ndarray and np.ma.is_masked(array):
        raise TypeError("partly masked")


def store(op: SimPyFunc, args: Sequence[Any], result: Any, output: np.ndarray) -> None:
    """Write what a function returned to ``output``, shape (size_out,).

    Raises
    ------
    SimulationError
        If it is None, not finite, not numeric, does not fit, or is beyond the
        precision of the simulation.
    """
    try:
        if result is not None and not _is_plain(result):
            _check_numeric(result)
        # None becomes NaN here. An array made of a list would lose its imaginary parts
        output[...] = result
        if np.isfinite(output).all():
            return
        problem = "None or non-finite values"
    except (OverflowError, FloatingPointError, RuntimeWarning):
        problem = "a value that NumPy does not convert"
    except (TypeError, ValueError):
        problem = "a value of invalid type or shape"
    if is_beyond(result, output.dtype):
        raise SimulationError(
            f"{_where(op, args)} returned {result!r:.100}: {beyond(output.dtype)}"
        )
    raise SimulationError(
        f"{_where(op, args)} returned {problem}: {result!r:.100}; expected "
        f"{output.size} finite number(s) in every time step"
    )


def failure(op: SimPyFunc, args: Sequence[Any], error: Exception) -> SimulationError:
    """Return what to raise when the function of ``op`` raised ``error``.

    A SimulationError that is of the error's own class too, so that ``except
    ValueError`` works as it does in Nengo.
    """
    message = (
        f"{_where(op, args)} raised {type(error).__name__}: {error}{user_line(error)}"
    )
    own = type(error)
    if isinstance(error, SimulationError):
        return SimulationError(message)
    try:
        mixed = type(own.__name__, (SimulationError, own), {"__init__": _plain})
        return mixed(message)
    except TypeError:
        # some exception classes cannot be subclassed together with RuntimeError
        return SimulationError(message)


def _plain(self: Exception, message: str) -> None:
    Exception.__init__(self, message)


def _where(op: SimPyFunc, args: Sequence[Any]) -> str:
    at = f" at t={args[0]:g} s" if op.t is not None else ""
    name = op.output.name if op.output is not None else "a Node without output"
    return f"Function '{function_name(op.fn)}' of {name}{at}"


@register(SimPyFunc)
@dataclass(frozen=True)
class LowerSimPyFunc(PythonLowering):
    r"""Call a function of the user's: :math:`y \leftarrow f(t, x)`.

    Once for each item of the batch if it has an input, else once for all. The time is
    computed in double precision, as in Nengo, whatever the simulation's precision.
    There is no derivative.

    References
    ----------
    The definition is that of ``nengo.builder.operator.SimPyFunc``.
    """

    op: SimPyFunc
    presented: Presented
    dt: float
    t: View | None
    x: View | None
    output: View | None
    batch: int

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return None: functions keep Nengo's order, one by one."""
        return None

    @classmethod
    def user_code(cls, op: Operator) -> bool:
        """Return True: a function of the user's."""
        return True

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        (op,) = group.ops
        own_time = op.t is not None and op.t is not context.time
        return cls(
            op,
            context.presented,
            context.dt,
            context.view([op.t], (1,)) if own_time else None,
            None if op.x is None else context.view([op.x], op.x.shape),
            None if op.output is None else context.view([op.output], op.output.shape),
            context.minibatch_size,
        )

    @property
    def called(self) -> Sequence[Operator]:
        """Return the operator."""
        return (self.op,)

    @property
    def reads(self) -> Sequence[View]:
        """Return a time of the operator's own, and the input."""
        return [view for view in (self.t, self.x) if view is not None]

    def arguments(self, values: SignalValues) -> list[tf.Tensor]:
        """Return what they are."""
        return [values.read(view) for view in self.reads]

    @property
    def writes(self) -> Sequence[View]:
        """Return the output, if there is one."""
        return () if self.output is None else (self.output,)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shape of the output, if there is one."""
        return [(self.batch, *view.shape) for view in self.writes]

    def store(self, values: SignalValues, results: Sequence[tf.Tensor]) -> None:
        """Write the output."""
        for view, result in zip(self.writes, results, strict=True):
            values.set(view, result)

    def bind(
        self, arguments: Sequence[np.ndarray], results: Sequence[np.ndarray]
    ) -> StepCall:
        """Return what calls the function; arrays come and go with a batch axis."""
        op, presented = self.op, self.presented
        first, *others = self._bind_items(arguments, results)

        def call(step: int) -> None:
            if presented.values:
                row = presented.row(op, step)
                if row is not None:
                    results[0][...] = row
                    return
            first(step)
            for other in others:
                other(step)

        return call

    def _bind_items(
        self, arguments: Sequence[np.ndarray], results: Sequence[np.ndarray]
    ) -> list[StepCall]:
        """Return what calls the function for each item, or once for all of them."""
        op, out = self.op, results[0] if results else [None] * self.batch
        if self.x is None:
            once = evaluator(op, out[0], self._bind_arguments(arguments))

            def repeat(step: int) -> None:
                for result in results:
                    result[1:] = result[0]

            return [once, repeat] if self.batch > 1 else [once]
        # unbatched constants, and batches of equal items, come with one item only
        x = arguments[-1].reshape(-1, *self.x.shape)
        return [
            evaluator(op, out[i], self._bind_arguments(arguments, x[i % len(x)]))
            for i in range(self.batch)
        ]

    def _bind_arguments(
        self, arguments: Sequence[np.ndarray], x: np.ndarray | None = None
    ) -> Callable[[int], tuple]:
        """Return what gives the time (s) and the input, if the function takes them."""
        dt, timed = self.dt, self.op.t is not None
        # a copy, because the function may keep or change what it is given
        copy = None if x is None else x.copy
        if self.t is not None:
            own = arguments[0].flat
            if copy is None:
                return lambda step: (float(own[0]),)
            return lambda step: (float(own[0]), copy())
        if copy is None:
            return (lambda step: (step * dt,)) if timed else lambda step: ()
        return (lambda step: (step * dt, copy())) if timed else lambda step: (copy(),)
