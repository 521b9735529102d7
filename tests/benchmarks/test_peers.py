"""The comparison with other libraries, without these libraries."""

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nengo_dl.benchmarks.training import TASKS
from tests.helpers import rest_with_everything

PEERS = Path(__file__).parents[2] / "benchmarks" / "peers"


def script(name):
    spec = importlib.util.spec_from_file_location(name, PEERS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_scripts_run_in_turn(tmp_path, monkeypatch, capsys):
    compare = script("compare")
    for name, forms in (
        ("snntorch_step", {"a": 40.0, "b": 60.0}),
        ("nengo_dl_step", {"rates": 20.0, "spikes": 25.0}),
    ):
        line = json.dumps({"milliseconds": forms, "versions": {name: "1"}})
        (tmp_path / f"{name}.py").write_text(f"print('noise')\nprint({line!r})\n")
    monkeypatch.setattr(compare, "HERE", tmp_path)
    monkeypatch.setattr(sys, "argv", ["compare.py", sys.executable, "--rounds", "2"])
    compare.main()
    found = json.loads(capsys.readouterr().out)
    # the faster one of both forms counts
    assert found["snnTorch takes times as long"] == {"rates": 2.0, "spikes": 1.6}
    assert found["versions"] == {"snntorch_step": "1", "nengo_dl_step": "1"}


@pytest.mark.parametrize("form", rest_with_everything(["spikes", "rates"]))
def test_our_side(form):
    step = script("nengo_dl_step")
    task = replace(TASKS[step.FORMS[form]], n_steps=2, n_minibatches=1)
    assert (task.minibatch_size, task.hidden) == (50, (128,))
    assert step.milliseconds(task, repetitions=1) > 0
