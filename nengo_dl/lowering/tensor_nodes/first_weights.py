"""Weights of Keras layers that begin with what the seed of a simulator decides.

A layer makes its weights when it is first called, with initializers. If these draw
random numbers that nobody gave a seed for, each simulator draws them again, from its
own seed. Initializers with a seed, and weights that were there before, are left alone.
"""

from __future__ import annotations

import hashlib
import pickle
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nengo_dl.lowering.tensor_nodes.unseeded import Draws
from nengo_dl.lowering.tensor_nodes.variables import Variable, is_seed, storage

#: what a variable says of how it began; of a name that Keras will not use itself
_ATTRIBUTE = "_nengo_dl_beginning"

_patching = threading.RLock()


@dataclass
class _Beginning:
    """How a variable got its first value, which a simulator may draw again.

    Attributes
    ----------
    draw : callable
        Returns a value; it draws random numbers that nobody gave a seed for.
    digest : bytes
        What the value was, in short: the user may have changed it since.
    """

    draw: Callable[[], Any]
    digest: bytes


@contextmanager
def watched() -> Iterator[None]:
    """Take note of how Keras' variables begin that are made here.

    Notes
    -----
    Keras initializes the variables of some layers later than it makes them, at the end
    of a `keras.StatelessScope`. So it is their initializers that are watched.
    """
    with _patching:
        original = keras.Variable.__init__
        own = "__init__" in vars(keras.Variable)

        def init(self: Any, initializer: Any, *args: Any, **kwargs: Any) -> None:
            if isinstance(initializer, str):
                initializer = keras.initializers.get(initializer)
            if callable(initializer):
                initializer = _noted(self, initializer)
            original(self, initializer, *args, **kwargs)

        keras.Variable.__init__ = init
        try:
            yield
        finally:
            if own:
                keras.Variable.__init__ = original
            else:
                del keras.Variable.__init__


def draw_again(variables: Sequence[Variable], seed: Sequence[int]) -> None:
    """Give variables the first values that a seed decides, where none was given.

    Parameters
    ----------
    variables : sequence of keras.Variable or tf.Variable
        Some of them, perhaps, made under `watched`.
    seed : sequence of int
        The seed, of as many numbers as are needed to tell apart all that is drawn.
    """
    for number, variable in enumerate(variables):
        beginning = getattr(variable, _ATTRIBUTE, None)
        if beginning is None or is_seed(variable):
            continue
        if _digest(storage(variable).numpy()) != beginning.digest:
            delattr(variable, _ATTRIBUTE)  # it has the user's values from now on
            continue
        try:
            with Draws([*seed, number]):
                value = beginning.draw()
        except Exception:
            # an initializer of the user's that works once, and did: its value stays
            delattr(variable, _ATTRIBUTE)
            continue
        variable.assign(value)
        beginning.digest = _digest(storage(variable).numpy())


def beginnings(variables: Sequence[Variable]) -> dict[int, Any]:
    """Return how variables begin, for copies of them, which Keras makes from values.

    Parameters
    ----------
    variables : sequence of keras.Variable or tf.Variable
        The variables.

    Returns
    -------
    dict of {int: object}
        By the number of the variable, for `begin`; what cannot be pickled is left out.
    """
    found = {i: getattr(v, _ATTRIBUTE, None) for i, v in enumerate(variables)}
    return {i: one for i, one in found.items() if one and _pickles(one)}


def begin(variables: Sequence[Variable], found: Mapping[int, Any]) -> None:
    """Let variables begin as those did that they are copies of.

    Parameters
    ----------
    variables : sequence of keras.Variable or tf.Variable
        The copies.
    found : dict of {int: object}
        What `beginnings` returned for the others.
    """
    for i, one in found.items():
        if i < len(variables):
            setattr(variables[i], _ATTRIBUTE, one)


def _pickles(value: Any) -> bool:
    try:
        pickle.dumps(value)
    except Exception:  # whatever the user's own initializer raises
        return False
    return True


def _noted(variable: keras.Variable, initializer: Callable) -> Callable:
    """Return an initializer that tells a variable if nobody gave it a seed."""

    def first(*args: Any, **kwargs: Any) -> Any:
        # a function that is traced may be what calls a layer first
        with tf.init_scope(), Draws() as draws:
            value = initializer(*args, **kwargs)
        if draws.happened:
            drawn = tf.cast(value, variable.dtype).numpy()
            again = partial(initializer, *args, **kwargs)
            setattr(variable, _ATTRIBUTE, _Beginning(again, _digest(drawn)))
        return value

    return first


def _digest(value: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(value).tobytes()).digest()
