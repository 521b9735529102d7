"""`run` and `step` as graphs in which the weights are constants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from nengo_dl.export.portable import Named, Portable


def graphs(portable: Portable, jit_compile: bool = False) -> dict[str, Any]:
    """Return the functions of a network that have no arguments but inputs and state.

    Parameters
    ----------
    portable : Portable
        The network.
    jit_compile : bool
        Whether XLA compiles them.

    Returns
    -------
    dict of {str: tf.function}
        ``run`` and ``step``; they take tensors by name.
    """

    def run(**tensors: tf.Tensor) -> Named:
        # in LiteRT an array of tensors needs a minibatch of fixed size, and takes twice
        # as long (100 steps of 202 neurons: 1.5 ms against 0.8 ms)
        return portable.run(None, tensors, scatter=True)

    def step(**tensors: tf.Tensor) -> Named:
        return portable.step(None, tensors)

    return {
        function.__name__: tf.function(
            function, jit_compile=jit_compile, autograph=False
        )
        for function in (run, step)
    }


def specs(portable: Portable) -> dict[str, Mapping[str, tf.TensorSpec]]:
    """Return shape and type of what ``run`` and ``step`` take."""
    return {"run": portable.run_specs(), "step": portable.step_specs()}
