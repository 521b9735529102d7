"""Calling Python from inside the loop: in order, and repeatable after a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from nengo_dl.lowering.values import SignalValues

HostFunction = Callable[..., Sequence[np.ndarray]]


class PythonCalls:
    """The Python side of one program: what was called, and what went wrong.

    The results of a chunk's calls are kept. If a call fails in step k, the steps before
    it can be run again from these results, without calling the user's functions a
    second time: no completed step is lost.

    Attributes
    ----------
    error : BaseException or None
        What the user's code raised.
    presented : dict of {Operator: np.ndarray}
        Values that stand in for the calls of a Node's function, shape
        (minibatch_size, n_steps, size_out).
    first_step : int
        Number of steps before the first of ``presented``.
    completed : int
        Calls of the running chunk that returned.
    """

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.presented: Mapping[Any, np.ndarray] = {}
        self.first_step = 0
        self._log: list[Sequence[np.ndarray]] = []
        self._replay: Iterator[Sequence[np.ndarray]] | None = None

    @property
    def completed(self) -> int:
        """Number of calls of the running chunk that returned."""
        return len(self._log)

    def begin(self) -> None:
        """Forget the chunk before."""
        self.error = None
        self._log.clear()

    @contextmanager
    def replay(self) -> Iterator[None]:
        """Answer calls from the log instead of calling."""
        self._replay = iter(list(self._log))
        try:
            yield
        finally:
            self._replay = None

    def __call__(self, function: HostFunction, *args: np.ndarray) -> Sequence[np.ndarray]:
        """Call ``function``, or repeat what it returned."""
        if self._replay is not None:
            return next(self._replay)
        try:
            result = function(*args)
        except BaseException as error:
            self.error = error
            raise
        self._log.append(result)
        return result


def call_python(
    values: SignalValues,
    calls: PythonCalls,
    function: HostFunction,
    arguments: Sequence[tf.Tensor],
    shapes: Sequence[tuple[int, ...]],
    dtypes: Sequence[tf.DType],
) -> list[tf.Tensor]:
    """Call a NumPy function in the step that is being traced.

    TensorFlow may run operations in any order that their data allow, so a token goes
    through all calls one after the other and round the loop.

    Parameters
    ----------
    values : SignalValues
        The step.
    calls : PythonCalls
        Keeps results and errors.
    function : callable
        From arrays to a list of arrays.
    arguments : sequence of tf.Tensor
        Handed to the function.
    shapes, dtypes : sequence
        What the function returns.

    Returns
    -------
    list of tf.Tensor
        The results.
    """

    def host(token: np.ndarray, *args: np.ndarray) -> list[np.ndarray]:
        return [token, *calls(function, *args)]

    token, *results = tf.numpy_function(
        host, [values.token, *arguments], [tf.int32, *dtypes], stateful=True
    )
    token.set_shape(())
    values.token = token
    for result, shape in zip(results, shapes, strict=True):
        result.set_shape(shape)
    return list(results)
