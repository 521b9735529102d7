"""Profiles: a trace that Chrome opens, beside what TensorBoard shows."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import tensorflow as tf

from nengo_dl.user_code import warn_user

CHROME = ".json"

#: what TensorBoard's own plugin uses; TensorFlow has no public name for it
_CONVERTER = "tensorflow.python.profiler.internal._pywrap_profiler_plugin"


@contextmanager
def profiling(path: str | None) -> Iterator[None]:
    """Profile what runs in this context.

    Parameters
    ----------
    path : str or None
        A directory, for ``tensorboard --logdir directory``; beside it, with ``.json``
        added, comes a file that ``chrome://tracing`` and https://ui.perfetto.dev open.
        Or the name of that file. None: no profile.
    """
    if path is None:
        yield
        return
    directory = path.removesuffix(CHROME)
    try:
        with tf.profiler.experimental.Profile(directory):
            yield
    finally:
        write_chrome_trace(directory, directory + CHROME)


def write_chrome_trace(directory: str, file: str) -> None:
    """Write the newest profile in a directory as a trace in Chrome's format.

    Parameters
    ----------
    directory : str
        Where TensorFlow has written profiles.
    file : str
        What to write; a file that is there is replaced.

    Warns
    -----
    NengoWarning
        If this version of TensorFlow has no converter; the directory is complete then.
    """
    pattern = os.path.join(glob.escape(directory), "plugins", "profile", "*")
    recorded = max(glob.glob(pattern), key=os.path.getmtime, default=None)
    if recorded is None:  # somebody else's profile was running, which TensorFlow says
        return
    planes = glob.glob(os.path.join(glob.escape(recorded), "*.xplane.pb"))
    try:
        # with the "@", JSON instead of a protocol buffer
        convert = import_module(_CONVERTER).xspace_to_tools_data
        trace, done = convert(planes, "trace_viewer@", {})
    except (ImportError, AttributeError, TypeError):
        done = False
    if not done:
        warn_user(
            f"{file!r} was not written, since TensorFlow {tf.__version__} does not "
            f"convert profiles; `tensorboard --logdir {directory}` shows this one"
        )
        return
    with open(file, "wb") as written:
        written.write(trace)
