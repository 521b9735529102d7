"""Worker processes that end when they have grown, in a run of pytest of their own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import os, pathlib, pytest

@pytest.mark.parametrize("k", range(8))
def test_something(k):
    pathlib.Path(f"{k}.pid").write_text(str(os.getpid()))
    assert k != 3, "three"
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "test_them.py").write_text(TESTS)

    def run(limit, *arguments):
        (tmp_path / "pytest.ini").write_text(f"[pytest]\nworker_memory = {limit}\n")
        for left in tmp_path.glob("*.pid"):
            left.unlink()
        suites = Path(__file__).with_name("suites")
        # without the plugins of other packages, which take seconds to import
        environment = {
            **os.environ,
            "PYTHONPATH": str(suites),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        plugins = ["-p", "xdist.plugin", "-p", "workers", "-p", "no:cacheprovider"]
        output = subprocess.run(
            [sys.executable, "-m", "pytest", *plugins, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        pids = {path.read_text() for path in tmp_path.glob("*.pid")}
        return re.sub(" in .*", "", output.splitlines()[-1].strip("= ")), output, pids

    return run


@pytest.mark.parametrize("limit", [1, 100_000])
def test_large_workers_are_replaced_and_all_tests_run(run, limit):
    summary, output, pids = run(limit, "-n", "2")
    assert summary == "1 failed, 7 passed"
    assert "AssertionError: three" in output
    # a worker has been given two tests when the first of them ends
    assert len(pids) >= 4 if limit == 1 else len(pids) <= 2


def test_nothing_is_replaced_behind_the_last_failure(run):
    summary, output, pids = run(1, "-n", "2", "-x")
    assert summary.startswith("1 failed, ")
    assert "stopping after 1 failures" in output
    assert len(pids) <= 4


def test_one_process_runs_all(run):
    summary, _, pids = run(1, "-n", "0")
    assert (summary, len(pids)) == ("1 failed, 7 passed", 1)
