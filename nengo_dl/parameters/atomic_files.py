"""Files that appear all at once: whoever looks sees the old content or the new one."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


def beside(path: Path) -> Path:
    """Return an unused name in the same folder, for what is not complete yet."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")


def flush(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    with open(path, "r+b") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where systems can do this."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the name of a file to write, which then takes the place of ``path``.

    If writing fails, or the process is killed at any moment, ``path`` is what it was,
    or what was written, complete.

    Parameters
    ----------
    path : Path
        The file that shall exist in the end.

    Yields
    ------
    Path
        A name in the same folder, so that moving it is one operation of the system.
    """
    temporary = beside(path)
    try:
        yield temporary
        flush(temporary)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)
