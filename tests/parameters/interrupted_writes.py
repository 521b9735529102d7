"""Write files of parameters in processes that are killed, and look at what is left.

Run as ``python -m tests.parameters.interrupted_writes folder``. It prints one JSON
object: ``{case: what a reader finds then}``.
"""

import fcntl
import json
import os
import random
import resource
import shutil
import signal
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
from nengo.exceptions import SimulationError

from nengo_dl.parameters import file_format
from nengo_dl.parameters.file_format import Content

#: what is called while a file is written; the process ends at each call in turn
CALLS = (
    (os, "listdir"),
    (fcntl, "flock"),
    (os, "chown"),
    (shutil, "copystat"),
    (np.lib.format, "write_array"),
    (zipfile.ZipFile, "close"),
    (os, "fsync"),
    (os, "replace"),
    (os, "unlink"),
)
SIZE = 50_000


def content(value):
    arrays = {f"params/{name}": np.full(SIZE, value) for name in ("a", "b")}
    return Content(arrays, {"value": value})


def found(path):
    """Return the value in a file, None if there is no file; fail if it is mixed."""
    try:
        read = file_format.read(path)
    except Exception as error:
        return "none" if "There is no file" in str(error) else f"broken: {error}"
    values = {float(v) for array in read.arrays.values() for v in np.unique(array)}
    assert {len(array) for array in read.arrays.values()} == {SIZE}
    (value,) = values
    assert value == read.facts["value"]
    return value


def child(work):
    """Do something in a process of its own; return its exit status."""
    pid = os.fork()
    if pid == 0:
        status = 9
        try:
            status = work() or 0
        finally:
            os._exit(status)
    return pid


def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def dying(path, value, at):
    """Write, but end the process without any ado at the given call."""

    def work():
        calls = iter(range(1000))

        def counted(real):
            def call(*args, **options):
                if next(calls) == at:
                    os._exit(7)
                return real(*args, **options)

            return call

        for owner, name in CALLS:
            setattr(owner, name, counted(getattr(owner, name)))
        file_format.write(path, content(value))

    return ended(child(work))


def refused(path, prepare):
    """Write after some preparation; return 0 if that is an error of Nengo's."""

    def work():
        prepare()
        try:
            file_format.write(path, content(2.0))
        except SimulationError:
            return 0
        return 1

    return ended(child(work))


def little_space():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def cases(folder):
    """Yield names and paths."""
    for at in range(100):
        path = folder / f"call{at}" / "file.npz"
        path.parent.mkdir()
        assert ended(child(lambda p=path: file_format.write(p, content(1.0)))) == 0
        status = dying(path, 2.0, at)
        yield f"call {at}: {'killed' if status == 7 else 'done'}", path
        if status != 7:
            assert status == 0
            break
    for at in range(2):
        path = folder / f"first{at}" / "file.npz"
        path.parent.mkdir()
        assert dying(path, 2.0, at) == 7
        yield f"nothing before, call {at}", path
    rng = random.Random(0)
    for i in range(8):
        path = folder / f"signal{i}" / "file.npz"
        path.parent.mkdir()

        def work(path=path):
            for k in range(10_000):
                file_format.write(path, content(1.0 + k % 2))

        pid = child(work)
        while not path.exists():
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.05))
        os.kill(pid, signal.SIGKILL)
        assert ended(pid) == -signal.SIGKILL
        yield f"signal {i}", path
    preparations = {"no space": little_space}
    if os.geteuid() == 0:
        preparations["no permission"] = lambda: os.setuid(65534)
    for name, prepare in preparations.items():
        path = folder / name / "file.npz"
        path.parent.mkdir()
        os.chmod(path.parent, 0o755)
        assert ended(child(lambda p=path: file_format.write(p, content(1.0)))) == 0
        assert refused(path, prepare) == 0, name
        yield name, path
        assert os.listdir(path.parent) == ["file.npz"], name


def main(folder):
    paths = dict(cases(Path(folder)))
    result = {name: found(path) for name, path in paths.items()}
    folders = [path.parent for path in paths.values()]
    result["left behind"] = sum(len(os.listdir(f)) > 1 for f in folders)
    for path in paths.values():
        file_format.write(path, content(3.0))
    result["written again"] = sorted({str(found(path)) for path in paths.values()})
    result["files then"] = sorted({n for f in folders for n in os.listdir(f)})
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1])
