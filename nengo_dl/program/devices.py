"""What kind of device a program runs on."""

from __future__ import annotations

import tensorflow as tf


def on_gpu(device: str | None) -> bool:
    """Return whether TensorFlow computes on a GPU.

    Parameters
    ----------
    device : str or None
        TensorFlow's name of a device; None: the first GPU, if there is one.
    """
    if device is None:
        return bool(tf.config.list_physical_devices("GPU"))
    return "gpu" in device.lower()
