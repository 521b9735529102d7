"""Several devices of one process give the results of one device."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMIT = 600  # seconds, on a machine that is busy

rare = pytest.mark.everything


def run(*arguments):
    """Run ``on_devices.py``, because logical devices are chosen before all else."""
    command = [sys.executable, "-m", "tests.distribution.on_devices"]
    done = subprocess.run(
        [*command, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "retracing" not in done.stderr, done.stderr[-3000:]
    return json.loads(done.stdout.split("RESULT", 1)[1])


@pytest.mark.parametrize(
    "jit, calls",
    [
        (False, ["in_scope", "refused", "python_loss", "copied"]),
        (True, ["briefly", "differentiated"]),
        pytest.param(False, ["in_scope", "another"], marks=rare),
    ],
)
def test_what_is_made_in_a_scope_is_divided_or_refused(jit, calls):
    found = run(2, "recurrent", "float64", jit, *calls)
    assert len(found) >= 5
    assert {name: value for name, value in found.items() if not value < 1e-10} == {}


@pytest.mark.parametrize(
    "n_devices, kinds, dtype, jit",
    [
        pytest.param(2, "recurrent", "float64", False, marks=rare),
        pytest.param(2, "recurrent", "float32", True, marks=rare),
        pytest.param(4, "forward", "float64", True, marks=rare),
        pytest.param(4, "recurrent", "float64", True, marks=rare),
        pytest.param(2, "forward,spiking", "float32", False, marks=rare),
        pytest.param(2, "online,python", "float64", False, marks=rare),
        pytest.param(2, "convolutional,spiking", "float64", False, marks=rare),
        pytest.param(4, "convolutional,spiking", "float64", True, marks=rare),
    ],
)
def test_results_are_those_of_one_device(n_devices, kinds, dtype, jit):
    found = run(n_devices, kinds, dtype, jit, "trained", "measured")
    assert len(found) > 10
    limit = 1e-10 if dtype == "float64" else 1e-5
    assert {name: value for name, value in found.items() if not value < limit} == {}
