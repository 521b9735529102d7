"""Keras has to run on TensorFlow, which is chosen before it is first imported."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from nengo.exceptions import NengoException


class KerasBackendError(NengoException, ImportError):
    """Raised if Keras runs, or is about to run, on something else than TensorFlow."""


def check_keras_backend() -> None:
    """Refuse to go on if Keras' backend is not TensorFlow.

    Raises
    ------
    KerasBackendError
        If it is another; the message says where that was chosen.
    """
    backend, where = _chosen()
    if backend != "tensorflow":
        raise KerasBackendError(
            f"Keras' backend is {backend!r}, as {where} says, and nengo_dl needs "
            "'tensorflow'. Set the environment variable KERAS_BACKEND=tensorflow "
            "before Keras is imported"
        )


def _chosen() -> tuple[str, str]:
    """Return Keras' backend, and what has chosen it."""
    keras: Any = sys.modules.get("keras")
    if keras is not None:
        return keras.config.backend(), "the keras that is already imported"
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"], "the environment variable KERAS_BACKEND"
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    file = Path(home) / "keras.json"
    try:
        return str(json.loads(file.read_text())["backend"]), str(file)
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow", "Keras by default"
