"""Whether a layer treats items of a minibatch, and time steps, each by itself."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import KerasTensor

from nengo_dl.validation import WrongTypeError

#: lengths of axes that may have any length, which other axes rarely have
N_ITEMS, N_STEPS = 5, 11

#: layers of Keras that may work along any axis, or have a function of the user's
_ANY_AXIS = (
    keras.layers.Lambda,
    keras.layers.LayerNormalization,
    keras.layers.Softmax,
    keras.layers.UnitNormalization,
)

#: layers that treat each time step by itself, but are random in training
_RANDOM = (
    keras.layers.AlphaDropout,
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
)

_SAME_IN_ALL_STEPS = (
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
)

#: why time steps have to be apart
BY_STEP = "with temporal_model=True axis 1 is time, and each step is computed by itself"


def check_items(call: Any) -> None:
    """Check that a layer treats each item of the minibatch by itself.

    Parameters
    ----------
    call : Call
        A call of the layer.

    Raises
    ------
    TypeError
        If not.
    """
    if not call.inputs:
        return
    problem = ""
    known = tuple(call.inputs[0].shape)
    for tensor in call.outputs:
        shape = tuple(tensor.shape)
        if not shape or shape[0] != known[0]:
            problem = f"its output has the shape {shape}, without the axis of the batch"
    if not problem and _may_mix_items(call.operation):
        problem = _mixture(call, 0)
    if problem:
        raise WrongTypeError(
            f"{_name(call)} cannot be converted: {problem}. Expected a layer that "
            "treats each item by itself, as a network does: let it work along other "
            "axes than the first, and compute what all items have in common, such as "
            "a mean, from the data before, as a constant",
            "model",
        )


def check_outputs(call: Any, leading: int) -> None:
    """Check that a layer returns numbers, and how many.

    Parameters
    ----------
    call : Call
        A call of the layer.
    leading : int
        How many axes may have any length: 1 for the batch, 2 with time.

    Raises
    ------
    TypeError
        If an output has no real numbers, or an axis of unknown length.
    """
    name = _name(call)
    known = call.inputs[0].shape[leading:] if call.inputs else ()
    for tensor in call.outputs:
        shape = tuple(tensor.shape)
        if tensor.dtype == "string" or "complex" in tensor.dtype:
            raise WrongTypeError(
                f"{name} cannot be converted: its output has the dtype "
                f"{tensor.dtype!r}, and a network has real numbers only",
                "model",
            )
        if None in shape[leading:] and None not in known:
            raise WrongTypeError(
                f"{name} cannot be converted: its output has the shape {shape}, and "
                f"all axes but that of the batch{' and of time' * (leading - 1)} must "
                "be known. Give the layer the "
                "lengths of these axes, or put `keras.layers.Reshape` behind it",
                "model",
            )


def _name(call: Any) -> str:
    return f"Layer {call.operation.name!r} ({type(call.operation).__name__})"


def why_not_by_steps(call: Any) -> str:
    """Return why a layer cannot be given one time step after the other.

    Parameters
    ----------
    call : Call
        A call of the layer, of tensors whose axis 1 is time.

    Returns
    -------
    str
        Empty if it can.
    """
    layer = call.operation
    if type(layer) in _RANDOM and getattr(layer, "noise_shape", None) is None:
        return ""
    if isinstance(layer, keras.Layer):
        inner = list(layer._flatten_layers())
        for one in inner:
            if isinstance(one, _SAME_IN_ALL_STEPS) or getattr(one, "noise_shape", None):
                return f"it leaves out the same elements in all time steps; {BY_STEP}"
        if any("float" in v.dtype for one in inner for v in _state(one)):
            return f"it has a state that all time steps change together; {BY_STEP}"
    problem = _mixture(call, 1)
    return problem and f"{problem}; {BY_STEP}"


def _state(layer: keras.Layer) -> list[Any]:
    """Return the variables that no optimizer changes, but the layer itself."""
    return list(layer._non_trainable_variables)


def _may_mix_items(operation: Any) -> bool:
    """Return whether it takes a look to know that items are treated alone."""
    if not isinstance(operation, keras.Layer) or isinstance(operation, _ANY_AXIS):
        return True
    return not type(operation).__module__.startswith("keras.")


def _mixture(call: Any, axis: int) -> str:
    """Return how elements of an axis depend on one another; empty if they do not.

    The operation is given random numbers, and some elements of the axis alone.

    Parameters
    ----------
    call : Call
        The call.
    axis : int
        0 for items, 1 for time steps.
    """
    rng = np.random.RandomState(0)
    values = {id(tensor): _random(tensor, rng) for tensor in call.inputs}
    try:
        whole, again = _result(call, values), _result(call, values)
    except Exception as error:
        # not every function takes random numbers; items are as a rule treated alone
        problem = f"it could not be tried out ({type(error).__name__})"
        return problem if axis else ""
    if not all(map(_close, whole, again)):
        return ""  # of random functions nothing is known
    n = {value.shape[axis] for value in values.values()}.pop()
    for i in sorted({0, n // 2, n - 1}):
        part = {key: _at(value, i, axis) for key, value in values.items()}
        try:
            found = _result(call, part)
        except Exception:
            if axis == 0 and call.inputs[0].shape[0] is not None:
                return ""  # a model for minibatches of one size
            return f"it cannot be given one {_WORDS[axis]} alone"
        for x, y in zip(whole, found, strict=True):
            if x.ndim <= axis or x.shape[axis] != n:
                return _shapes(call)
            if not _close(_at(x, i, axis), y):
                return f"its output for one {_WORDS[axis]} depends on the others"
    return ""


_WORDS = ("item", "time step")


def _shapes(call: Any) -> str:
    """Return a problem with an axis that the output does not have as the input has."""
    shape_in, shape_out = (tuple(end[0].shape) for end in (call.inputs, call.outputs))
    return f"its output has the shape {shape_out}, and its input {shape_in}"


def _result(call: Any, values: dict[int, np.ndarray]) -> list[np.ndarray]:
    """Return all outputs of a call, which changes no variable."""

    def fill(value: Any) -> Any:
        if not isinstance(value, KerasTensor):
            return value
        return tf.convert_to_tensor(values[id(value)], value.dtype)

    args, kwargs = keras.tree.map_structure(fill, (call.args, call.kwargs))
    operation = call.operation
    if isinstance(operation, keras.Layer):
        kwargs = {**kwargs, "training": False}
    with keras.StatelessScope(), warnings.catch_warnings():
        # Keras warns of a softmax along an axis of one time step
        warnings.simplefilter("ignore")
        result = operation(*args, **kwargs)
    return [
        np.asarray(keras.ops.convert_to_numpy(tensor))
        for tensor in keras.tree.flatten(result)
    ]


def _random(tensor: KerasTensor, rng: np.random.RandomState) -> np.ndarray:
    """Return random numbers for some items, and steps where any number will do."""
    shape = list(tensor.shape)
    shape[:2] = [
        n or default for n, default in zip(shape, (N_ITEMS, N_STEPS), strict=False)
    ]
    if "float" in tensor.dtype:
        return rng.uniform(-1, 1, size=shape)
    return rng.randint(0, 2, size=shape)


def _at(values: np.ndarray, i: int, axis: int) -> np.ndarray:
    """Return one element along an axis, which is kept."""
    return values[(slice(None),) * axis + (slice(i, i + 1),)]


def _close(x: np.ndarray, y: np.ndarray) -> bool:
    """Return whether numbers are equal but for rounding."""
    if x.shape != y.shape:
        return False
    if x.dtype.kind in "biu":
        return bool(np.array_equal(x, y))
    wide = np.complex128 if np.iscomplexobj(x) else np.float64
    x, y = x.astype(wide), y.astype(wide)
    largest = float(np.max(np.abs(x), initial=0.0, where=np.isfinite(x)))
    return np.allclose(x, y, rtol=1e-2, atol=1e-3 * max(largest, 1e-30), equal_nan=True)
