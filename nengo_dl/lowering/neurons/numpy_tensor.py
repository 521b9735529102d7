"""Tensors that take code written for NumPy's arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from numpy.lib.mixins import NDArrayOperatorsMixin


class NumPyTensor(NDArrayOperatorsMixin):
    """A tensor that behaves as an array of NumPy does in elementwise computations.

    Comparisons count as 1 and 0 in sums and products, types are promoted, and NumPy's
    functions compute with tensors, by those of the same name in `keras.ops`.

    Parameters
    ----------
    tensor : tf.Tensor
        The values.

    Examples
    --------
    >>> import numpy as np, tensorflow as tf
    >>> from nengo_dl.lowering.neurons.numpy_tensor import NumPyTensor
    >>> u = NumPyTensor(tf.constant([0.0, 1.0]))
    >>> (np.exp(u) * (u < 0.5)).tensor.numpy()
    array([1., 0.], dtype=float32)
    """

    def __init__(self, tensor: tf.Tensor) -> None:
        self.tensor = tensor

    @property
    def shape(self) -> tuple:
        """Sizes of the axes."""
        return tuple(self.tensor.shape)

    @property
    def dtype(self) -> Any:
        """The type as NumPy has it."""
        return self.tensor.dtype.as_numpy_dtype

    def __bool__(self) -> bool:
        return bool(self.tensor)

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, **options: Any
    ) -> Any:
        if method != "__call__" or options:
            return NotImplemented
        return _in_keras(ufunc.__name__, inputs, {})

    def __array_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: Sequence[Any],
        options: Mapping[str, Any],
    ) -> Any:
        return _in_keras(function.__name__, args, options)


def _in_keras(name: str, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
    function = getattr(keras.ops, name, None)
    if function is None:
        return NotImplemented
    plain = (a.tensor if isinstance(a, NumPyTensor) else a for a in args)
    result = function(*plain, **options)
    return NumPyTensor(result) if isinstance(result, tf.Tensor) else result
