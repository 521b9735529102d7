"""Profiles: a trace that Chrome opens, beside what TensorBoard shows."""

from __future__ import annotations

import errno
import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module

import tensorflow as tf
from nengo.exceptions import ValidationError

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

    Raises
    ------
    ValidationError
        If they cannot be written; nothing has run then.
    """
    if path is None:
        yield
        return
    directory = _directory(path)
    _check_writable(path, directory)
    try:
        with tf.profiler.experimental.Profile(directory):
            yield
    finally:
        write_chrome_trace(directory, directory + CHROME)


def _directory(path: str) -> str:
    """Return the directory of a profile: its name without ``.json`` or a last slash."""
    directory = os.path.normpath(path).removesuffix(CHROME)
    # "." and the like have no name that ".json" could be added to
    nameless = os.path.basename(directory) in ("", os.curdir, os.pardir)
    return os.path.abspath(directory) if nameless else directory


def _check_writable(given: str, directory: str) -> None:
    """Refuse what TensorFlow would fail to write after everything has run.

    Raises
    ------
    ValidationError
        If the directory cannot be made, or it or the file beside it not be written.
    """
    file = directory + CHROME
    try:
        # as TensorFlow does; looking at rights does not tell what a file system can do
        os.makedirs(os.path.join(directory, "plugins", "profile"), exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
        if os.path.isdir(file):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), file)
        with suppress(FileNotFoundError):
            os.stat(file)  # which a name that is too long does not survive
        written = file if os.path.exists(file) else os.path.dirname(file) or os.curdir
        if not os.access(written, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), written)
    except OSError as error:
        raise ValidationError(
            f"Nothing can be written there, {given!r:.200}: {error}. Expected a "
            "directory, which is made if there is none, or the name of a file that "
            "ends in '.json', where files can be written",
            attr="profile",
        ) from error


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
