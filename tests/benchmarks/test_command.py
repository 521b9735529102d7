"""The command line, the current one and the older one."""

from dataclasses import replace

import pytest

from nengo_dl.benchmarks import __main__ as command
from nengo_dl.benchmarks.records import Record
from nengo_dl.benchmarks.training import TASKS
from tests.helpers import profile_files


def test_networks_in_processes_of_their_own(tmp_path, capsys):
    path = tmp_path / "record.json"
    options = ["--n-steps", "10", "--repetitions", "1", "--json", str(path)]
    command.main(["two_ensembles", *options])
    header, row = capsys.readouterr().out.splitlines()
    assert header.split()[0] == "network" and row.split()[0] == "two_ensembles"
    assert set(Record.read(path).networks) == {"two_ensembles"}


def test_table_of_tasks(monkeypatch, capsys):
    task = replace(TASKS["one_step"], n_minibatches=1)
    monkeypatch.setattr(command, "TASKS", {"one_step": task})
    command.main(["training", "--repetitions", "1"])
    header, row = capsys.readouterr().out.splitlines()
    assert header.split()[0] == "training" and row.split()[0] == "one_step"


def test_names_that_are_not_known(capsys):
    with pytest.raises(SystemExit) as error:
        command.main(["sort"])
    assert error.value.code == 2
    assert "unknown sort; choose from two_ensembles" in capsys.readouterr().err


def test_older_command_line(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build = "build --benchmark cconv --dimensions 2 --neurons_per_d 5 --kwarg seed=3 "
    profile = "profile --n_steps 4 --batch_size 2 --device /cpu:0 --unroll 2 "
    train = "profile --train --n_steps 2 --unroll 1 --time-only"
    command.main(
        f"{build} --neuron_type RectifiedLinear {profile} --no-train {train}".split()
    )
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("Execution time: ") for line in lines)
    written = {path.name for path in tmp_path.iterdir()}  # without --time-only
    assert written == profile_files("nengo_dl_profile")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("build --benchmark cconv", "nothing to do with the network; add: profile"),
        ("build --benchmark sort profile", "invalid choice: 'sort'"),
        ("build --benchmark mnist --dimensions 3 profile", "mnist takes no dimensions"),
        ("build --benchmark pes --kwarg x=1 profile", "pes takes no x; it takes dim"),
        ("build --benchmark pes --kwarg x profile", "expected KEY=VALUE, got x"),
        ("build --benchmark pes --neuron_type Node profile", "no type of neurons"),
    ],
)
def test_mistakes_in_the_older_command_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as error:
        command.main(arguments.split())
    assert error.value.code == 2
    assert message in capsys.readouterr().err
