"""The line of the user's own code that an error came from, or to warn at."""

from __future__ import annotations

import contextlib
import inspect
import os
import sysconfig
import traceback
import warnings
from pathlib import Path

import numpy as np
from nengo.exceptions import NengoWarning

_PACKAGE = os.path.join(str(Path(__file__).parent), "")

#: where code is that users have not written: this package, others, Python's own
_FOREIGN = tuple(
    os.path.join(folder, "")
    for folder in {
        _PACKAGE,
        # packages may be elsewhere: in the user's home, in another environment's folder
        str(Path(np.__file__).parents[1]),
        *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
    }
)

#: our own code, and Python's around functions of ours that context managers decorate
_OURS = (_PACKAGE, contextlib.__file__)


def is_users(file: str) -> bool:
    """Return whether users have written a file, rather than those of a package.

    Parameters
    ----------
    file : str
        Its path, as Python knows it.
    """
    return not file.startswith((*_FOREIGN, "<"))


def user_line(error: BaseException) -> str:
    """Return the last line of the user's own code on the way to an error.

    Parameters
    ----------
    error : BaseException
        An error that was raised.

    Returns
    -------
    str
        ``" (script.py, line 12, in output)"``; empty if there is no such line.
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if is_users(frame.filename):
            name = os.path.basename(frame.filename)
            if "ipykernel_" in frame.filename:  # the name of a file that is not there
                name = "a cell of the notebook"
            return f" ({name}, line {frame.lineno}, in {frame.name})"
    return ""


def end_in_user_code(error: BaseException) -> None:
    """Take libraries' frames from the end of an error's traceback, in place.

    What the user sees last is then the line of theirs that a library refused. Errors
    that this package raises, and those without a line of the user's, stay as they are.

    Parameters
    ----------
    error : BaseException
        An error that was raised.
    """
    frames = []
    entry = error.__traceback__
    while entry is not None:
        frames.append(entry)
        entry = entry.tb_next
    for i in reversed(range(len(frames))):
        file = frames[i].tb_frame.f_code.co_filename
        if file.startswith(_PACKAGE):
            return
        if is_users(file):
            frames[i].tb_next = None
            return


def warn_user(message: str, category: type[Warning] = NengoWarning) -> None:
    """Warn where the package was called from: Python shows some warnings only there.

    Parameters
    ----------
    message : str
        The warning.
    category : type
        Its class.
    """
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
