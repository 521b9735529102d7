"""Random numbers that code draws without a seed: noticed, or from a given seed."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework import random_seed

from nengo_dl.lowering.tensor_nodes.random_functions import operations

#: Keras' initializers that draw random numbers; those of users derive from them
_INITIALIZERS = (
    keras.initializers.RandomNormal,
    keras.initializers.RandomUniform,
    keras.initializers.TruncatedNormal,
    keras.initializers.VarianceScaling,
    keras.initializers.Orthogonal,
)
_MISSING = object()

#: what is replaced meanwhile is the same for all threads
_patching = threading.RLock()


class Draws:
    """A context in which nothing random comes from the state of this process.

    Nothing that is drawn in it changes what is drawn after it, and whatever has a seed
    that its user gave draws what it always draws.

    Parameters
    ----------
    seed : sequence of int or None
        Where the random numbers come from. None: from where they always do, and the
        context only takes note of whether there are any.

    Attributes
    ----------
    happened : bool
        Whether random numbers were drawn without a seed of the user's.

    Notes
    -----
    Keras has four sources of such numbers: the default seeds of initializers, which are
    read as ``initializer.seed``; `keras.random.SeedGenerator`, one of which is behind
    functions of `keras.random` without a seed; Python's `random`, where default seeds
    come from; and whatever NumPy and TensorFlow code of users draws.
    `keras.utils.set_random_seed` would reach all of them but the first, and there is no
    public way to undo it.
    """

    def __init__(self, seed: Sequence[int] | None = None) -> None:
        self.happened = False
        self._rng = None
        if seed is not None:
            state = np.random.SeedSequence(list(seed)).generate_state(4)
            self._rng = np.random.RandomState(state)
        self._of_initializers: dict[int, int] = {}
        self._given = False  # whether the operation that comes next has a seed
        self._stack = ExitStack()

    def __enter__(self) -> Draws:
        self._stack.enter_context(_patching)
        self._states = random.getstate(), np.random.get_state()
        if self._rng is not None:
            random.seed(self._number())
            np.random.seed(self._number())
        for owner in _INITIALIZERS:
            self._replace(owner, "seed", self._seed_property())
        next_seed = keras.random.SeedGenerator.next
        self._replace(keras.random.SeedGenerator, "next", self._next(next_seed))
        get_seed = self._of_operations(random_seed.get_seed)
        self._replace(random_seed, "get_seed", get_seed)
        for module, name, original, make in operations():
            self._replace(module, name, self._operation(original, make))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        python, numpy = self._states
        if self._rng is not None:
            random.setstate(python)
            np.random.set_state(numpy)
        elif random.getstate() != python or _moved(numpy):
            self.happened = True
        self._stack.close()

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        before = vars(owner).get(name, _MISSING)
        if before is _MISSING:
            self._stack.callback(delattr, owner, name)
        else:
            self._stack.callback(setattr, owner, name, before)
        setattr(owner, name, value)

    def _number(self) -> int:
        assert self._rng is not None
        return int(self._rng.randint(1, 2**31 - 1))

    def _seed_property(self) -> property:
        """Return what ``initializer.seed`` is here."""

        def read(initializer: Any) -> Any:
            if "seed" not in vars(initializer):
                raise AttributeError("seed")
            own = vars(initializer)["seed"]
            if not isinstance(own, int) or _given(initializer):
                return own
            self.happened = True
            if self._rng is None:
                return own
            key = id(initializer)
            if key not in self._of_initializers:
                self._of_initializers[key] = self._number()
            return self._of_initializers[key]

        def write(initializer: Any, seed: Any) -> None:
            vars(initializer)["seed"] = seed

        return property(read, write)

    def _next(self, original: Callable) -> Callable:
        """Return what ``SeedGenerator.next`` is here."""

        def next_seed(generator: Any, *args: Any, **kwargs: Any) -> Any:
            if generator.get_config()["seed"] is not None:
                return original(generator, *args, **kwargs)
            self.happened = True
            if self._rng is None:
                return original(generator, *args, **kwargs)
            return tf.constant([self._number(), 0], generator.state.dtype)

        return next_seed

    def _of_operations(self, original: Callable) -> Callable:
        """Return what each function of TensorFlow asks for seeds of its operation.

        With those of `tf.random.set_seed` the operation cannot tell who gave it one.
        """

        def get_seed(seed: Any) -> Any:
            self._given = seed is not None
            if self._given or self._rng is None:
                return original(seed)
            return 0, 0

        return get_seed

    def _operation(self, original: Callable, make: Callable) -> Callable:
        """Return what an operation of TensorFlow that draws numbers is here."""

        def call(*args: Any, **kwargs: Any) -> Any:
            if self._given:
                return original(*args, **kwargs)
            self.happened = True
            if self._rng is None:
                return original(*args, **kwargs)
            key = tf.constant([self._number(), self._number()], tf.int32)
            return make(key, *args, **kwargs)

        return call


def _given(initializer: Any) -> bool:
    """Return whether the user gave an initializer its seed, as its configuration says.

    A user's own initializer may have none, or one that leaves its seed out.
    """
    try:
        config = initializer.get_config()
    except Exception:
        config = {}
    # where Keras keeps what the configuration has
    given = config.get("seed", getattr(initializer, "_init_seed", None))
    return given is not None


def _moved(state: Any) -> bool:
    """Return whether NumPy's global random state is another one than a given one."""
    now: Any = np.random.get_state()
    same = all(np.array_equal(a, b) for a, b in zip(now, state, strict=True))
    return not same
