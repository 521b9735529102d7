"""Random functions of TensorFlow that follow a seed.

``tf.random.normal`` and its kin draw from a state that is TensorFlow's own, which no
seed of a simulation reaches. While a function of the user's is traced, functions that
are given their seed take their place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import gen_random_ops, gen_stateful_random_ops
from tensorflow.python.ops.control_flow_v2_func_graphs import CondBranchFuncGraph


def seed_state() -> tf.Variable:
    """Return a variable for `seeded`, of the kind that a generator of Keras has."""
    zeros = np.zeros(2, dtype=np.int64)
    return tf.Variable(zeros, trainable=False, name="seed_generator_state")


@contextmanager
def seeded(state: tf.Variable | None) -> Iterator[None]:
    """Let TensorFlow's random functions take their seeds from a variable.

    Parameters
    ----------
    state : tf.Variable, shape (2,), or None
        The seed. It is changed if anything is drawn. None: nothing changes.

    Notes
    -----
    Within ``tf.while_loop``, which is traced once for all its iterations, and within a
    ``tf.function``, which is kept for other traces, TensorFlow's functions stay.
    """
    if state is None:
        yield
        return
    source = _Source(state, tf.compat.v1.get_default_graph())
    originals = [*operations(), *_of(gen_stateful_random_ops)]
    for module, name, original, make in originals:
        setattr(module, name, source.replacement(original, make))
    try:
        yield
    finally:
        for module, name, original, _ in originals:
            setattr(module, name, original)
    source.finish()


def operations() -> list[tuple[Any, str, Callable, Callable]]:
    """Return what draws from a state of TensorFlow's own, and what can replace it.

    Returns
    -------
    list of (module, str, callable, callable)
        Where each is, its name and itself; and a function that is called with a seed,
        a tensor of shape (2,), before the arguments of the original.
    """
    return _of(gen_random_ops)


def _of(module: Any) -> list[tuple[Any, str, Callable, Callable]]:
    return [
        (module, name, getattr(module, name), make)
        for name, make in _REPLACEMENTS[module].items()
        if hasattr(module, name)
    ]


class _Source:
    """Seeds for the calls within one trace of a function."""

    def __init__(self, state: tf.Variable, graph: tf.Graph) -> None:
        self._state = state
        self._graph = graph
        self._calls = 0

    def replacement(self, original: Callable, make: Callable) -> Callable:
        """Return a function that calls ``make`` with a seed instead of ``original``."""

        def call(*args: Any, **kwargs: Any) -> Any:
            if not self._runs_once():
                return original(*args, **kwargs)
            self._calls += 1
            seed = tf.convert_to_tensor(self._state)
            seed += tf.constant([0, self._calls], seed.dtype)
            return make(seed, *args, **kwargs)

        return call

    def finish(self) -> None:
        """Change the state, if anything was drawn."""
        if self._calls:
            self._state.assign(tf.convert_to_tensor(self._state) + 1)

    def _runs_once(self) -> bool:
        """Whether what is traced now runs once at most whenever the function does."""
        graph = tf.compat.v1.get_default_graph()
        while isinstance(graph, CondBranchFuncGraph):
            graph = graph.outer_graph
        return graph is self._graph


def _normal(key: tf.Tensor, shape: Any, dtype: Any, *_: Any, **__: Any) -> tf.Tensor:
    return tf.random.stateless_normal(shape, key, dtype=dtype)


def _uniform(key: tf.Tensor, shape: Any, dtype: Any, *_: Any, **__: Any) -> tf.Tensor:
    return tf.random.stateless_uniform(shape, key, dtype=dtype)


def _integers(
    key: tf.Tensor, shape: Any, minval: Any, maxval: Any, *_: Any, **__: Any
) -> tf.Tensor:
    minval = tf.convert_to_tensor(minval)
    return tf.random.stateless_uniform(shape, key, minval, maxval, minval.dtype)


def _truncated(key: tf.Tensor, shape: Any, dtype: Any, *_: Any, **__: Any) -> tf.Tensor:
    return tf.random.stateless_truncated_normal(shape, key, dtype=dtype)


def _between(
    key: tf.Tensor,
    shape: Any,
    means: Any,
    stdevs: Any,
    minvals: Any,
    maxvals: Any,
    *_: Any,
    **__: Any,
) -> tf.Tensor:
    return tf.random.stateless_parameterized_truncated_normal(
        shape, key, means, stdevs, minvals, maxvals
    )


def _gamma(key: tf.Tensor, shape: Any, alpha: Any, *_: Any, **__: Any) -> tf.Tensor:
    alpha = tf.convert_to_tensor(alpha)
    shape = tf.concat([shape, tf.shape(alpha)], 0)
    return tf.random.stateless_gamma(shape, key, alpha, dtype=alpha.dtype)


def _poisson(
    key: tf.Tensor,
    shape: Any,
    rate: Any,
    *_: Any,
    dtype: Any = tf.int64,
    **__: Any,
) -> tf.Tensor:
    rate = tf.convert_to_tensor(rate)
    shape = tf.concat([shape, tf.shape(rate)], 0)
    return tf.random.stateless_poisson(shape, key, rate, dtype=dtype)


def _categories(
    key: tf.Tensor,
    logits: Any,
    num_samples: Any,
    *_: Any,
    output_dtype: Any = tf.int64,
    **__: Any,
) -> tf.Tensor:
    # TensorFlow's own function for it is none that XLA compiles: the largest of values
    # with Gumbel noise is drawn in the same way
    logits = tf.convert_to_tensor(logits)
    n_items, n_categories = tf.unstack(tf.shape(logits))
    shape = (n_items, num_samples, n_categories)
    noise = -tf.math.log(-tf.math.log(_uniform(key, shape, logits.dtype)))
    return tf.argmax(logits[:, None] + noise, axis=-1, output_type=output_dtype)


def _shuffled(key: tf.Tensor, value: Any, *_: Any, **__: Any) -> tf.Tensor:
    # for XLA, as above
    value = tf.convert_to_tensor(value)
    order = tf.argsort(_uniform(key, tf.shape(value)[:1], tf.float32))
    return tf.gather(value, order)


def _generator_state(key: tf.Tensor, *_: Any, **__: Any) -> tf.Tensor:
    """Return a state for a `tf.random.Generator`: a counter of two words, and a key."""
    return tf.concat([[0, 0], tf.cast(key[:1] * 2**31 + key[1:], tf.int64)], 0)


#: what takes the place of which function
_REPLACEMENTS: dict[Any, dict[str, Callable]] = {
    gen_random_ops: {
        "random_standard_normal": _normal,
        "random_uniform": _uniform,
        "random_uniform_int": _integers,
        "truncated_normal": _truncated,
        "parameterized_truncated_normal": _between,
        "random_gamma": _gamma,
        "random_poisson_v2": _poisson,
        "multinomial": _categories,
        "random_shuffle": _shuffled,
    },
    gen_stateful_random_ops: {"rng_read_and_skip": _generator_state},
}
