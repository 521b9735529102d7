"""Products of float32 on GPUs, in float32."""

from __future__ import annotations

from functools import cache

import tensorflow as tf


@cache
def multiply_in_float32() -> None:
    """Switch TensorFloat-32 off, once in a process, if TensorFlow sees a GPU.

    NVIDIA's GPUs since Ampere round the factors of float32 products and convolutions to
    10 bits of mantissa, unless TensorFlow tells them not to. A simulation differs from
    Nengo's by 1e-3 then: on an H100, 28 of 538 tests of Nengo's suite failed. Whoever
    wants the speed says ``tf.config.experimental.enable_tensor_float_32_execution(
    True)`` after the first simulator has been made; it stays.
    """
    if tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_tensor_float_32_execution(False)
