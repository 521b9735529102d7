"""Run, and soon train, Nengo models with TensorFlow."""

import os as _os
from typing import TYPE_CHECKING, Any

from nengo_dl.config import configure_settings
from nengo_dl.version import version as __version__

if TYPE_CHECKING:
    from nengo_dl.simulator import Simulator

# TensorFlow's information about its CPU build is not for the users of a simulator;
# warnings and errors still come through
_os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")

__all__ = ["Simulator", "__version__", "configure_settings"]


def __getattr__(name: str) -> Any:
    """Import TensorFlow, which takes seconds, when a simulator is first asked for."""
    if name == "Simulator":
        from nengo_dl.simulator import Simulator

        globals()[name] = Simulator
        return Simulator
    raise AttributeError(f"module 'nengo_dl' has no attribute {name!r}")
