"""TensorFlow's messages when it is imported, which users can do nothing about."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

#: TensorFlow's own setting: 0 shows everything, 1 warnings and errors, 3 neither
_LEVEL = "TF_CPP_MIN_LOG_LEVEL"

#: what drivers of GPUs create: NVIDIA's, Windows' for Linux within it, AMD's
_DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")

#: what TensorFlow writes before it reads its setting: that it has no CUDA, that
#: libraries for GPUs which several of its parts bring were registered before, and, on
#: some processors, that oneDNN adds numbers up in another order
_NOISE = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\)"
    rb"|[IWE]\d{4} .* (cudart_stub|cuda_(fft|dnn|blas)|computation_placer)\.cc:\d+\]"
    rb"|I\d{4} .* port\.cc:\d+\] oneDNN custom operations are on"
)


def silence() -> None:
    """Keep from the user what TensorFlow says about GPUs and instructions it lacks.

    Without a GPU that is all that it logs: what goes wrong in a simulation is raised as
    an error in Python, and logged as a warning besides. With one, its warnings and
    errors stay, since they say which library was not found. The environment variable
    ``TF_CPP_MIN_LOG_LEVEL`` decides otherwise: 0 brings everything back.
    """
    driver = any(map(os.path.exists, _DRIVERS))
    level = os.environ.setdefault(_LEVEL, "1" if driver else "3")
    if level != "0" and "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _BeforeTensorFlow)


class _BeforeTensorFlow:
    """What Python asks about each module that is imported, until it is TensorFlow."""

    @classmethod
    def find_spec(cls, name: str, *others: Any) -> ModuleSpec | None:
        """Return how to import TensorFlow quietly; None for other modules."""
        if name != "tensorflow":
            return None
        sys.meta_path.remove(cls)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            _quieten(spec.loader)
        return spec


def _quieten(loader: Any) -> None:
    """Let a loader import its module without noise."""
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        del loader.exec_module  # others who look at it find what they expect
        with without_noise():
            execute(module)

    loader.exec_module = exec_module


@contextmanager
def without_noise() -> Iterator[None]:
    """Drop known messages about GPUs from the standard error output of the process.

    They are written by C++ code, so that replacing ``sys.stderr`` would not help. What
    is not known appears at the end of the block.
    """
    try:
        stderr = os.dup(2)
    except OSError:  # the process has none
        yield
        return
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            written.seek(0)
            rest = b"".join(line for line in written if not _NOISE.match(line))
            while rest:
                rest = rest[os.write(2, rest) :]
