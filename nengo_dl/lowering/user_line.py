"""The line of the user's own code that an error came from."""

from __future__ import annotations

import os
import sysconfig
import traceback
from pathlib import Path

#: where code is that users have not written: this package, others, Python's own
_FOREIGN = tuple(
    os.path.join(folder, "")
    for folder in {
        str(Path(__file__).parents[1]),
        *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
    }
)


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
        if not frame.filename.startswith((*_FOREIGN, "<")):
            name = os.path.basename(frame.filename)
            if "ipykernel_" in frame.filename:  # the name of a file that is not there
                name = "a cell of the notebook"
            return f" ({name}, line {frame.lineno}, in {frame.name})"
    return ""
