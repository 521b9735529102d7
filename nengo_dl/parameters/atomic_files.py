"""Files that appear all at once: whoever looks sees the old content or the new one."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: how much of a file's name its temporary files show; systems limit their length
_SHOWN = 50


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write into, which then takes the place of ``path``.

    If writing fails, or the process is killed at any moment, ``path`` is what it was,
    or what was written, complete. Permissions stay what they were. Temporary files of
    processes that were killed while they wrote to the same path are removed.

    Parameters
    ----------
    path : Path
        The file that shall exist in the end, with no symbolic links in it.

    Yields
    ------
    BinaryIO
        A file in the same folder, so that moving it is one operation of the system.

    Raises
    ------
    OSError
        If the system cannot write it, or ``path`` is protected against writing.
    """
    if path.exists() and not os.access(path, os.W_OK):
        # the system would allow it: moving files is a matter of their folder
        raise PermissionError(errno.EACCES, "it is protected against writing", path)
    _remove_leftovers(path)
    file = _temporary(path)
    try:
        _copy_permissions(path, file.name)
        yield file
        file.flush()
        os.fsync(file.fileno())
        if fcntl is None:
            file.close()  # Windows moves no open files
        # elsewhere it stays open, and so locked, until it has its name
        os.replace(file.name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(file.name)
        raise
    finally:
        with contextlib.suppress(OSError):  # what it holds was flushed, or is given up
            file.close()
    _flush_folder(path.parent)


def _temporary(path: Path) -> BinaryIO:
    """Create a file in the same folder, for what is not complete yet, and lock it.

    The lock says that its process is alive: the system gives it back when the process
    ends, however it ends. A number of a process would not do, since these are given
    anew, and containers that share a folder have equal ones; nor would the age, since
    nobody knows how long writing takes.
    """
    while True:
        token = secrets.token_hex(8)
        name = path.with_name(f".{path.name[:_SHOWN]}.{token}.tmp")
        file = open(name, "xb")  # noqa: SIM115, the caller closes it
        try:
            _lock(file)
        except BlockingIOError:
            # a process that removes leftovers has locked it, and is about to remove it,
            # so that it does not matter whether its name is still there
            file.close()
            continue
        except OSError:
            return file  # no locks on this file system: nobody else gets one either
        if name.exists():
            return file
        file.close()  # such a process has already removed it


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files for a path whose processes are no longer alive."""
    if fcntl is None:
        return  # without locks nobody can tell
    start = re.escape(f".{path.name[:_SHOWN]}.")
    pattern = re.compile(rf"{start}[0-9a-f]{{16}}\.tmp")
    # what may not be listed, opened or locked is left alone
    with contextlib.suppress(OSError):
        for name in os.listdir(path.parent):
            if pattern.fullmatch(name):
                _remove_if_dead(path.with_name(name))


def _remove_if_dead(temporary: Path) -> None:
    # once it is locked here, its process has moved it away, or was killed
    with contextlib.suppress(OSError), open(temporary, "r+b") as file:
        _lock(file)
        temporary.unlink()


def _lock(file: BinaryIO) -> None:
    """Lock a file for as long as it is open; raise an error if another process has.

    Raises
    ------
    BlockingIOError
        If it is locked.
    OSError
        If there are no locks.
    """
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _copy_permissions(path: Path, temporary: str) -> None:
    """Give a new file the owner, the mode and the access list of another, if any."""
    try:
        old = path.stat()
    except FileNotFoundError:
        return
    if fcntl is not None:
        # only the superuser gives files away, and others have few groups
        for owner in (old.st_uid, -1):
            with contextlib.suppress(OSError):
                os.chown(temporary, owner, old.st_gid)
                break
    shutil.copystat(path, temporary)


def _flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where systems can do this."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Make a folder to write files into, which then takes the place of ``path``.

    If writing fails, ``path`` is what it was. Folders, unlike files, cannot be replaced
    in one operation of the system: whoever looks at the wrong moment sees none.

    Parameters
    ----------
    path : Path
        The folder that shall exist in the end. If there is one, it goes with all that
        is in it: whether it may go is for the caller to know.

    Yields
    ------
    Path
        An empty folder beside it.

    Raises
    ------
    OSError
        If the system cannot write it.
    """
    token = secrets.token_hex(8)
    shown = path.name[:_SHOWN]
    new = path.with_name(f".{shown}.{token}.tmp")
    old = path.with_name(f".{shown}.{token}.old")
    new.mkdir()
    try:
        yield new
        if path.exists():
            os.replace(path, old)
        try:
            os.replace(new, path)
        except BaseException:
            if old.exists():
                os.replace(old, path)
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
        if path.exists():  # else what was there before is all that there is
            shutil.rmtree(old, ignore_errors=True)
    _flush_folder(path.parent)
