"""Work on large data stays within the memory that it may take."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: what is done, and the largest memory of the process (MB)
WORK = {
    "train-shuffled": 2000,
    "train-in-order": 2000,
    "loss": 2000,
    "fit-shuffled": 2000,
    "fit-in-order": 2000,
    "evaluate": 2000,
    "predict": 2000,
    "train-uint8": 2000,
}


def measured(work):
    command = [sys.executable, "-m", "tests.memory_figures.figures", work]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return {k: float(v) for k, v in map(str.split, done.stdout.splitlines())}


@pytest.mark.everything
@pytest.mark.parametrize("work", WORK)
def test_files_of_ten_gigabytes(work):
    assert measured(work)["after"] < WORK[work]


@pytest.mark.everything
def test_many_items_of_predict():
    found = measured("many-items")
    assert found["after"] - found["before"] < 1000
