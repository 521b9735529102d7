"""What TensorFlow logs about GPUs and instructions that it lacks."""

import os
import re
import subprocess
import sys

import pytest
import tensorflow as tf

from nengo_dl.tf_log import without_noise
from tests.helpers import older

NOISE = b"""\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795676450.792160   30493 cudart_stub.cc:31] Could not find cuda drivers
I0000 00:00:1795822154.166771   13121 port.cc:153] oneDNN custom operations are on. You
E0000 00:00:1741000000.000000    1234 cuda_fft.cc:477] Unable to register cuFFT factory
"""
SCRIPT = """\
import nengo, nengo_dl, tensorflow
assert type(tensorflow.__spec__.loader).__name__ == "SourceFileLoader"
assert "exec_module" not in vars(tensorflow.__spec__.loader)
with nengo.Network() as net:
    node = nengo.Node(lambda t: 1 / (t < 0.003))
with nengo_dl.Simulator(net, progress_bar=False) as sim:
    try:
        sim.run_steps(5)
    except ZeroDivisionError:
        print("raised")
"""


def errors_of(script, **environment):
    """Return the standard error output of a script that prints "raised"."""
    inherited = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout == "raised\n", done.stderr
    return done.stderr


@pytest.mark.skipif(
    any(map(os.path.exists, ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd"))),
    reason="with a GPU's driver, TensorFlow's warnings stay",
)
def test_a_script_without_a_gpu_sees_nothing():
    lines = errors_of(SCRIPT).splitlines()
    if older(tf, (2, 19)):  # which tells of XLA whatever the level of logging
        told = re.compile("WARNING: All log|.*(service|device_compiler|port)[.](cc|h)")
        lines = [line for line in lines if not told.match(line)]
    assert lines == []


@pytest.mark.everything
def test_everything_can_be_brought_back():
    assert "cpu_feature_guard" in errors_of(SCRIPT, TF_CPP_MIN_LOG_LEVEL="0")


def test_what_is_not_known_is_shown(capfd):
    with without_noise():
        os.write(2, b"before\n" + NOISE + b"E0000 00:00:1 1 other.cc:1] an error\n")
    with pytest.raises(ImportError), without_noise():
        os.write(2, NOISE + b"no library of this name")
        raise ImportError
    os.write(2, b", and afterwards " + NOISE[:7])
    assert capfd.readouterr().err == (
        "before\nE0000 00:00:1 1 other.cc:1] an error\n"
        "no library of this name, and afterwards WARNING"
    )


@pytest.mark.everything
def test_a_process_without_standard_error_output():
    script = "import os; os.close(2); import nengo_dl.simulator; print('raised')"
    errors_of(script)
