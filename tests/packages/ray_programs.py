"""The sweep with Ray Tune: one worker is killed, then all of it; it goes on."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "ray_tune"
#: seconds for everything, on a machine that is busy
LIMIT = 1200

#: where Ray would give up, or let others go first, on such a machine
PATIENT = {
    "RAY_health_check_timeout_ms": "100000",
    "RAY_worker_niceness": "0",
    "RAY_worker_register_timeout_seconds": "900",
}

#: the example, with a count of what each process has compiled when it begins an epoch
COUNTED = """
import os, sys
from pathlib import Path
import sweep_digits
folder = Path(sys.argv[1])

def counted(setting):
    from nengo_dl.program import traces
    made = traces.Traced.__init__
    if not hasattr(traces, "counted"):
        traces.counted = True
        def init(*arguments, **options):
            with open(folder / f"compiled_{os.getpid()}.txt", "a") as file:
                file.write("x")
            made(*arguments, **options)
        traces.Traced.__init__ = init
    with open(folder / f"runs_{os.getpid()}.txt", "a") as file:
        file.write("x")
    sweep_digits.train(setting)

if __name__ == "__main__":
    sweep_digits.main(folder, counted)
"""


class Driver:
    """The process that the user starts, and all that it starts."""

    def __init__(self, folder):
        self.folder = folder
        self.output = open(folder / "output.txt", "a")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-c", COUNTED, str(folder)],
            env={**os.environ, **PATIENT, "PYTHONPATH": str(EXAMPLE)},
            stdout=self.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.output.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def wait_until(self, condition):
        end = time.monotonic() + LIMIT
        while not condition():
            text = (self.folder / "output.txt").read_text()
            assert self.process.poll() is None, text[-3000:]
            assert time.monotonic() < end, text[-3000:]
            time.sleep(0.2)


def epochs(folder):
    """Return what each run has told Ray, epoch by epoch, as far as it is written."""
    found = {}
    for path in folder.glob("digits/*/result.json"):
        lines = path.read_text().split("\n")[:-1]
        found[path.parent.name] = [json.loads(line) for line in lines]
    return {name: lines for name, lines in found.items() if lines}


def complete(folder):
    return [name for name, lines in epochs(folder).items() if len(lines) >= 3]


def test_a_sweep_goes_on_after_a_worker_and_then_all_of_it_was_killed(tmp_path):
    with Driver(tmp_path) as driver:
        driver.wait_until(lambda: len(complete(tmp_path)) >= 4)
        running = {
            name: lines[-1]["pid"]
            for name, lines in epochs(tmp_path).items()
            if len(lines) < 3
        }
        workers = {lines[-1]["pid"] for lines in epochs(tmp_path).values()}
        assert len(workers) == 2
        killed = next(iter(running.values()), next(iter(workers)))
        os.kill(killed, signal.SIGKILL)
        # by the other worker, until another one has taken its place
        driver.wait_until(lambda: len(complete(tmp_path)) >= 10)
    before = epochs(tmp_path)
    ended = complete(tmp_path)
    with Driver(tmp_path) as driver:
        status = driver.process.wait(LIMIT)
    text = (tmp_path / "output.txt").read_text()
    assert status == 0, text[-3000:]
    assert "learning rate 0.03: " in text

    found = epochs(tmp_path)
    assert len(found) == 20
    for name, lines in found.items():
        # every epoch of each run, and those that were reported last before a kill again
        # at most
        assert {line["epoch"] for line in lines} == {0, 1, 2}, name
        assert len(lines) <= 3 + 2, name
    again = [name for name in ended if found[name][:3] != before[name][:3]]
    assert again == []
    _check_compilations(tmp_path)


def _check_compilations(folder):
    counts = defaultdict(dict)
    for path in folder.glob("*_*.txt"):
        what, pid = path.stem.split("_")
        counts[pid][what] = len(path.read_text())
    print(dict(counts))
    busy = [own for own in counts.values() if own["runs"] > 1]
    assert busy
    # one program for training, one for measuring
    assert {own["compiled"] for own in busy} == {2}
    assert sum(own["runs"] for own in counts.values()) >= 20
