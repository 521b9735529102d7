"""Compiled programs on disk, for the next process: one environment variable of ours.

TensorFlow has such a cache, and reads where it is when it runs its first operation.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

from nengo.exceptions import NengoException

from nengo_dl.user_code import warn_user

#: names the folder; unset or empty: there is no cache
VARIABLE = "NENGO_DL_COMPILATION_CACHE"

#: where this process keeps what it compiles; None: nowhere
_folder: Path | None = None

_FLAGS = "TF_XLA_FLAGS"
_DIRECTORY = "--tf_xla_persistent_cache_directory"


class CompilationCacheError(NengoException, OSError):
    """Raised if compiled programs cannot be kept where the user wants them."""


def use_compilation_cache() -> None:
    """Tell TensorFlow to keep compiled programs where the environment variable says.

    A flag that the user has given to TensorFlow comes first.

    Raises
    ------
    CompilationCacheError
        If the folder cannot be made, or cannot be written to.

    Warns
    -----
    NengoWarning
        If TensorFlow has begun to run, which then has no effect.
    """
    folder = os.environ.get(VARIABLE, "").strip()
    flags = os.environ.get(_FLAGS, "")
    if not folder or _DIRECTORY in flags:
        return
    path = Path(folder).expanduser().absolute() / _platform_key()
    problem = _problem(path)
    if problem:
        raise CompilationCacheError(
            f"The folder {folder!r}, which the environment variable {VARIABLE} names "
            f"for compiled programs, {problem}. Expected the path of a folder that you "
            f"may write to; without {VARIABLE} nothing is kept"
        )
    if _tensorflow_runs():
        warn_user(
            f"{VARIABLE} has no effect: TensorFlow has already run an operation. "
            "Import nengo_dl before that"
        )
    os.environ[_FLAGS] = f'{flags} {_DIRECTORY}="{path}"'.strip()
    global _folder
    _folder = path


def folder() -> Path | None:
    """Return the folder of this process, for this processor and these versions.

    None if nothing is to be kept.
    """
    return _folder


def _problem(path: Path) -> str:
    """Make a folder, and return what keeps TensorFlow from using it; "" if nothing."""
    if '"' in str(path):
        return "has a quotation mark in its name, which TensorFlow cannot read"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError, ValueError) as error:
        return f"cannot be made: {error}"
    return "" if os.access(path, os.W_OK) else "cannot be written to"


def _platform_key() -> str:
    """Return a folder name that differs where compiled programs may not run.

    They use the instructions of the processor that they were compiled on, and
    TensorFlow loads them on any other, where they may end the process.
    """
    versions = [
        f"{found.metadata['Name']} {found.version}"
        for name in ("tensorflow", "tensorflow-cpu")
        for found in metadata.distributions(name=name)
    ]
    facts = [platform.machine(), platform.processor(), *sorted(versions)]
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        kinds = ("model name", "flags", "Features")
        facts += sorted({line for line in lines if line.startswith(kinds)})
    except OSError:
        pass  # elsewhere than on Linux
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]


def _tensorflow_runs() -> bool:
    """Return whether TensorFlow has read its flags, as far as can be seen."""
    module = sys.modules.get("tensorflow.python.eager.context")
    context = getattr(module, "_context", None)
    return bool(getattr(context, "_initialized", False))
