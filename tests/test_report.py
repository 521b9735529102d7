"""What ``python -m nengo_dl`` prints for reports of problems."""

import runpy
import sys

import numpy as np
import pytest
import tensorflow as tf

import nengo_dl
from nengo_dl import __main__ as command
from nengo_dl.program import callback


@pytest.fixture(scope="module")
def lines():
    return dict(command.report())


def test_versions(lines):
    assert lines["nengo_dl"] == nengo_dl.__version__
    assert lines["numpy"] == np.__version__
    assert lines["tensorflow"] == tf.__version__
    assert lines["python"] == ".".join(map(str, sys.version_info[:3]))


def test_devices(lines):
    assert "CPU:0" in lines["devices"]
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    assert ("no GPU" in lines["devices"]) != has_gpu


def test_xla_and_python_code(lines):
    assert "CPU:0: compiles" in lines["XLA"]
    inside = "inside" in lines["Python code"]
    assert inside == callback.available("/cpu:0")


def test_what_fails_is_told(monkeypatch):
    def broken():
        raise OSError("no such driver\nand more")

    monkeypatch.setattr(tf.config, "list_physical_devices", broken)
    monkeypatch.setattr(callback, "available", lambda device: False)
    lines = dict(command.report())
    assert lines["devices"] == "failed: OSError: no such driver"
    assert "between compiled steps" in lines["Python code"]
    assert lines["nengo_dl"] == nengo_dl.__version__


def test_packages_that_are_not_there(monkeypatch):
    monkeypatch.setattr(command, "_PACKAGES", ("no_such_package",))
    assert "not installed" in dict(command.report())["no_such_package"]


def test_from_the_command_line(capsys):
    # as `python -m nengo_dl` does; a process of its own would import TensorFlow again
    runpy.run_module("nengo_dl", run_name="__main__")
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names[:3] == ["nengo_dl", "nengo", "tensorflow"]
    assert len(names) == len(list(command.report()))
