"""Optimizers and metrics that are made on another device than the simulator's."""

import json
import subprocess
import sys
from pathlib import Path

import nengo
import numpy as np
import tensorflow as tf

import nengo_dl
from nengo_dl.program import tensor_float


def test_training_on_a_device_that_is_not_the_first():
    script = Path(__file__).with_name("on_second_device.py")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    found = json.loads(line.removeprefix("RESULT"))
    assert len(found) == 6
    for call, (first, second) in found.items():
        for a, b in zip(tf.nest.flatten(first), tf.nest.flatten(second), strict=True):
            assert np.isclose(a, b, rtol=1e-6), call


def test_float32_is_multiplied_as_float32_on_gpus(monkeypatch):
    switch = tf.config.experimental
    assert switch.tensor_float_32_execution_enabled()
    kinds = []
    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda kind: kinds.append(kind) or ["GPU"]
    )
    tensor_float.multiply_in_float32.cache_clear()
    try:
        for wanted in (False, True):  # the user's word after the first simulator stays
            with nengo.Network() as net:
                nengo.Node([1.0])
            nengo_dl.Simulator(net, progress_bar=False, device="/cpu:0").close()
            assert switch.tensor_float_32_execution_enabled() == wanted
            switch.enable_tensor_float_32_execution(True)
    finally:
        switch.enable_tensor_float_32_execution(True)
    assert kinds[0] == "GPU"
