"""Start processes that train together on this machine, and end them in any case."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from nengo_dl.benchmarks.scaling import free_addresses

ROOT = Path(__file__).parents[2]
#: seconds for all processes together, on a machine that is busy
LIMIT = 300


class Workers:
    """Processes with a ``TF_CONFIG`` each; the first is the chief.

    Parameters
    ----------
    folder : Path
        Where they write files.
    arguments : sequence of object
        Arguments of ``as_worker.py``.
    count : int
        How many processes.
    """

    def __init__(self, folder, *arguments, count=2):
        self.folder = folder
        addresses = free_addresses(count)
        self.processes = []
        self.outputs = [folder / f"output_{i}.txt" for i in range(count)]
        for i, output in enumerate(self.outputs):
            task = {"type": "worker", "index": i}
            config = {"cluster": {"worker": addresses}, "task": task}
            command = [sys.executable, "-m", "tests.distribution.as_worker"]
            with open(output, "w", encoding="utf-8") as file:
                self.processes.append(
                    subprocess.Popen(
                        [*command, str(folder), *map(str, arguments)],
                        cwd=ROOT,
                        env={**os.environ, "TF_CONFIG": json.dumps(config)},
                        stdout=file,
                        stderr=subprocess.STDOUT,
                    )
                )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()

    def wait(self, limit=LIMIT):
        """Return the exit codes of all processes."""
        end = time.monotonic() + limit
        return [p.wait(max(0.1, end - time.monotonic())) for p in self.processes]

    def wait_for(self, word, number, limit=LIMIT):
        """Wait until a process has printed a word."""
        end = time.monotonic() + limit
        while word not in self.text(number):
            assert self.processes[number].poll() is None, self.text(number)[-3000:]
            assert time.monotonic() < end, f"no {word!r} in {limit} s"
            time.sleep(0.05)

    def text(self, number):
        """Return all that a process has printed."""
        return self.outputs[number].read_text(encoding="utf-8", errors="replace")

    def results(self):
        """Return what the processes have printed behind ``RESULT``, as JSON."""
        assert set(self.wait()) == {0}, "\n".join(
            self.text(i)[-3000:] for i in range(len(self.processes))
        )
        return [
            json.loads(self.text(i).split("RESULT", 1)[1].split("\n")[0])
            for i in range(len(self.processes))
        ]
