"""Trained networks in files and in Nengo, tested in processes that end.

TensorFlow keeps about 100 MB of each of these networks for the life of a process.
"""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("networks", ["flat", "nested"])
def test_round_trips(networks):
    tests = Path(__file__).with_name("round_trips.py")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", str(tests), "-k", networks, "-q", "-n", "0"],
        cwd=tests.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    assert "14 passed" in ended.stdout, ended.stdout
