"""Profiles that TensorBoard shows."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import tensorflow as tf


def profiling(directory: str | None) -> AbstractContextManager:
    """Return a context that is profiled.

    Parameters
    ----------
    directory : str or None
        Where the profile is written, for ``tensorboard --logdir directory``; None: no
        profile.
    """
    if directory is None:
        return nullcontext()
    return tf.profiler.experimental.Profile(directory)
