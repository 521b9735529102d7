"""Calling compiled functions from Python with as little ado as possible.

A `tf.function` looks at the type of every argument again in each call, which takes 100
to 400 us for 17 tensors. The functions here go to where that ends. They use names that
are not part of TensorFlow's public interface, and fall back to it where these are
missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import chain
from typing import Any

import numpy as np
import tensorflow as tf

#: takes tensors, returns tensors
Call = Callable[..., Sequence[tf.Tensor]]


def flat_call(concrete: Any, jit_compile: bool) -> Call:
    """Return the quickest way to call a traced function with flat tensors.

    Parameters
    ----------
    concrete : ConcreteFunction
        From flat tensors to a list of tensors.
    jit_compile : bool
        Whether XLA compiles it.

    Returns
    -------
    callable
        Takes the tensors one by one and returns a list: about 25 us. ``captured``, if
        it is given, stands for the tensors and handles of variables that the trace has
        captured, in the order of ``concrete.captured_inputs``.
    """
    # tensors and variables of the user's TensorFlow code
    call = named_call(
        concrete.inference_fn.name.decode("utf-8"),
        len(concrete.outputs),
        jit_compile,
        list(concrete.captured_inputs),
    )
    if call is None:
        return partial(_call_with, concrete)
    # TensorFlow forgets a function together with its owner
    call.owner = concrete  # type: ignore[attr-defined]
    return call


def named_call(
    name: str,
    outputs: int,
    jit_compile: bool,
    captured: Sequence[tf.Tensor] = (),
) -> Call | None:
    """Return what calls a function that TensorFlow knows; None if it cannot be done.

    Parameters
    ----------
    name : str
        The name of the function.
    outputs : int
        Number of its outputs.
    jit_compile : bool
        Whether XLA compiles it.
    captured : sequence of tf.Tensor
        What comes behind the arguments, if a call says nothing else.
    """
    try:
        from tensorflow.python.eager import context, execute

        eager = context.context()
        # how TensorFlow runs operations, which XLA does not ask; looking at it takes
        # a quarter of a short call
        options = {} if jit_compile else eager.function_call_options.as_attrs()
        attributes = tuple(chain(*options.items()))
        run = execute.execute
    except (ImportError, AttributeError):
        return None
    always = captured

    def call(
        *tensors: tf.Tensor, captured: Sequence[tf.Tensor] = always
    ) -> Sequence[tf.Tensor]:
        return run(name, outputs, [*tensors, *captured], attributes, eager)

    return call


def _call_with(
    concrete: Any, *tensors: tf.Tensor, captured: Sequence[tf.Tensor] | None = None
) -> Sequence[tf.Tensor]:
    if captured is None:
        return concrete(*tensors)
    return concrete.inference_fn.call_flat(*tensors, *captured)


@cache
def free_order() -> dict[str, bool] | None:
    """Return the attributes of a `tf.function` without variables and other effects.

    TensorFlow then looks at no operation for what has to come before it, which takes a
    sixth of the time of a trace. What changes something, prints or checks might come in
    another order, or be left out. None where this cannot be said.
    """
    try:
        from tensorflow.python.eager.polymorphic_function import attributes

        name, known = attributes.DISABLE_ACD, attributes.POLYMORPHIC_FUNCTION_ALLOWLIST
    except (ImportError, AttributeError):
        return None
    return {name: True} if name in known else None


def array_of(tensor: tf.Tensor) -> np.ndarray:
    """Return a tensor as a read-only array, without a copy where it is in this memory.

    A buffer for 1000 steps is long, and often only its first row is looked at.
    """
    try:
        return np.asarray(memoryview(tensor))
    except (TypeError, BufferError, ValueError):
        return np.asarray(tensor)


def to_tensor(array: np.ndarray, dtype: tf.DType) -> tf.Tensor:
    """Return an array that nobody will change any more as a tensor, in about 3 us."""
    make, context = _eager_tensors()
    if make is None:
        return tf.constant(array, dtype)
    try:
        return make(array, device=context.device_name, dtype=dtype.as_datatype_enum)
    except (AttributeError, TypeError):
        return tf.constant(array, dtype)


@cache
def _eager_tensors() -> tuple[Any, Any]:
    """Return what makes tensors, and what knows where to; None if these are missing.

    Looked up once: in each call it would take half as long as making a tensor does.
    """
    try:
        from tensorflow.python.eager import context
        from tensorflow.python.framework import ops

        return ops.EagerTensor, context.context()
    except (ImportError, AttributeError):
        return None, None
