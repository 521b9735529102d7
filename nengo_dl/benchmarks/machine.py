"""The machine that figures come from, and the memory that a process takes."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from pathlib import Path

#: distributions whose versions change figures
PACKAGES = ("nengo", "tensorflow", "tensorflow-cpu", "keras", "numpy", "scipy")


def machine() -> dict[str, str | int]:
    """Return what has to be equal for two sets of figures to be comparable."""
    found: dict[str, str | int] = {
        "processor": _processor(),
        "cpu_count": _usable_cpus(),
        "system": platform.system(),
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def peak_memory() -> float:
    """Return the most memory that this process has had resident so far (MB)."""
    try:
        # a new process inherits the peak of its parent in `resource`, but not here
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (1e6 if platform.system() == "Darwin" else 1e3)
    peak_in_kib = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return int(peak_in_kib[1]) * 1024 / 1e6 if peak_in_kib else float("nan")


def _usable_cpus() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    name = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    return name[1] if name else platform.processor()
