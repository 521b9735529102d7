"""Sweeps in processes: each compiles once, and what was killed goes on."""

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nengo_dl.program import traces

EXAMPLE = Path(__file__).parents[1] / "examples" / "sweep_processes.py"
LIMIT = 900  # seconds, on a machine that is busy


def test_a_process_compiles_for_its_first_run_only(monkeypatch):
    pytest.importorskip("sklearn")
    made = []
    trace = traces.Traced.__init__

    def counted(self, *arguments, **options):
        made.append(self)
        trace(self, *arguments, **options)

    monkeypatch.setattr(traces.Traced, "__init__", counted)
    train = runpy.run_path(str(EXAMPLE))["train"]
    counts = []
    for rate, seed in ((0.03, 0), (0.003, 1), (0.01, 2)):
        result = train({"rate": rate, "seed": seed})
        assert result["accuracy"] > 0.1 and result["process"] == os.getpid()
        counts.append(len(made))
    # one program for training, one for measuring
    assert counts == [2, 2, 2]


def start(folder):
    return subprocess.Popen(
        [sys.executable, str(EXAMPLE), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for_results(folder, count, sweep):
    end = time.monotonic() + LIMIT
    while len(list(folder.glob("*.json"))) < count:
        assert sweep.poll() is None, sweep.communicate()[0][-3000:]
        assert time.monotonic() < end
        time.sleep(0.05)
    return {path: path.stat().st_mtime_ns for path in folder.glob("*.json")}


@pytest.mark.everything
@pytest.mark.parametrize("whole", [False, True], ids=["a process", "all"])
def test_a_sweep_that_was_killed_goes_on(tmp_path, whole):
    sweep = start(tmp_path)
    try:
        done = wait_for_results(tmp_path, 3, sweep)
        worker = json.loads(next(iter(done)).read_text())["process"]
        if whole:
            os.killpg(sweep.pid, signal.SIGKILL)
        else:
            os.kill(worker, signal.SIGKILL)
        output, _ = sweep.communicate(timeout=LIMIT)
    finally:
        sweep.kill()
    assert sweep.returncode != 0
    assert whole or "BrokenProcessPool" in output
    sweep = start(tmp_path)
    try:
        output, _ = sweep.communicate(timeout=LIMIT)
    finally:
        sweep.kill()
    assert sweep.returncode == 0, output[-3000:]
    results = wait_for_results(tmp_path, 20, sweep)
    assert len(results) == 20
    assert {path: results[path] for path in done} == done
