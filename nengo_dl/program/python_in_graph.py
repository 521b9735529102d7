"""Python that is called from within a graph of TensorFlow, outside of XLA."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from nengo_dl.lowering.values import SignalValues
from nengo_dl.program.python_errors import remembered
from nengo_dl.program.stages import PythonCalls


def call_python(
    calls: PythonCalls, values: SignalValues, number: tf.Tensor
) -> Sequence[tf.Tensor]:
    """Return what a round of calls of Python gives; there is no gradient through it.

    Parameters
    ----------
    calls : PythonCalls
        What is called.
    values : SignalValues
        The step.
    number : tf.Tensor, shape ()
        Number of the step, 1 for the first.

    Returns
    -------
    list of tf.Tensor
        The results, of the shapes of ``calls.shapes``.
    """
    arguments = calls.arguments(values)
    counts = [len(own) for own in arguments]
    flat = [tensor for own in arguments for tensor in own]
    dtype = values.dtype.as_numpy_dtype

    @remembered
    def host(step: np.ndarray, *arrays: np.ndarray) -> list[np.ndarray]:
        results = [np.zeros(shape, dtype) for shape in calls.shapes]
        calls.host(int(step), [np.array(a) for a in arrays], counts, results)
        return results

    results = tf.numpy_function(
        host, [number, *flat], [values.dtype] * len(calls.shapes)
    )
    for result, shape in zip(results, calls.shapes, strict=True):
        result.set_shape(shape)
    return results
