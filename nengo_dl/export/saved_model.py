"""TensorFlow's own format: for TensorFlow in Python, C++ and Java, and its servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from nengo_dl.export.portable import Named, Portable
from nengo_dl.validation import NotPossibleError


def write(
    portable: Portable, folder: Path, description: str, jit_compile: bool
) -> None:
    """Write a SavedModel.

    Signatures are ``run``, ``step`` and ``initial_state``; ``serving_default`` is
    ``run``. Weights are variables, which a loaded model has in ``weights``, by name.

    Parameters
    ----------
    portable : Portable
        The network.
    folder : Path
        Where to.
    description : str
        What the function ``description`` of a loaded model returns.
    jit_compile : bool
        Whether XLA compiles it where it is loaded.

    Raises
    ------
    NotPossibleError
        If code of a TensorNode uses what TensorFlow cannot save.
    OSError
        If the system cannot write it.
    """
    module = tf.Module()
    module.weights = {
        name: tf.Variable(value, trainable=False, name=name)
        for name, value in zip(portable.param_names, portable.params, strict=True)
    }
    params = list(module.weights.values())

    def traced(
        compute: Callable[[Mapping[str, tf.Tensor]], Named],
        specs: Mapping[str, tf.TensorSpec],
    ) -> Any:
        # XLA has to know the shape of what comes out
        compiled = jit_compile and "n_steps" not in specs

        # all arguments have names: a list of them has no order that loading keeps
        def named(**tensors: tf.Tensor) -> Named:
            return compute(tensors)

        function = tf.function(named, jit_compile=compiled, autograph=False)
        return function.get_concrete_function(**specs)

    signatures = {
        "run": traced(lambda t: portable.run(params, t), portable.run_specs()),
        "step": traced(lambda t: portable.step(params, t), portable.step_specs()),
    }
    state, number = portable.initial_state(), portable.minibatch_size
    if state:
        batch = tf.TensorSpec((), tf.int32, name="minibatch_size")
        signatures["initial_state"] = tf.function(
            lambda minibatch_size: {
                name: tf.tile(value, (minibatch_size, 1))
                if number is None
                else tf.constant(value)
                for name, value in state.items()
            },
            autograph=False,
        ).get_concrete_function(minibatch_size=batch)
    module.description = tf.function(lambda: tf.constant(description), autograph=False)
    module.description.get_concrete_function()
    signatures["serving_default"] = signatures["run"]
    try:
        tf.saved_model.save(module, str(folder), signatures=signatures)
    except (AssertionError, ValueError) as error:
        raise NotPossibleError(
            "TensorFlow cannot save what a TensorNode of the network uses, a table for "
            f"example: {error!s:.500}"
        ) from error
    except tf.errors.OpError as error:
        raise OSError(error.message) from error
