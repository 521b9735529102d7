"""Run, and soon train, Nengo models with TensorFlow."""

import os as _os

# TensorFlow's information about its CPU build is not for the users of a simulator;
# warnings and errors still come through
_os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")

from nengo_dl.config import configure_settings
from nengo_dl.simulator import Simulator
from nengo_dl.version import version as __version__

__all__ = ["Simulator", "__version__", "configure_settings"]
