"""Warnings that point at the user's code, however deep in the package they arise."""

from __future__ import annotations

import inspect
import os
import warnings
from pathlib import Path

from nengo.exceptions import NengoWarning

_PACKAGE = str(Path(__file__).parents[1]) + os.sep


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
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
