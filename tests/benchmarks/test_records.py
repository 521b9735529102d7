"""Measurements in files, comparisons, tables and pictures."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from nengo_dl.benchmarks import Measurement
from nengo_dl.benchmarks import __main__ as command
from nengo_dl.benchmarks.networks import BY_DEFAULT
from nengo_dl.benchmarks.records import Record, changes, different_machines
from nengo_dl.benchmarks.tables import list_tables
from nengo_dl.benchmarks.training import TASKS, TrainingTime

ROOT = Path(__file__).parents[2]

FOUND = Measurement(
    "net",
    n_steps=1000,
    items=2,
    nengo_build=0.5,
    build=1.0,
    nengo_first=1.5,
    first=2.0,
    nengo_run=1.0,
    run=0.25,
    stages={"nengo build": 0.5, "plan": 0.125, "trace": 0.25, "compile": 1.0},
    memory=800.0,
    floor=0.125,
)
RECORD = Record(
    {
        "net": FOUND,
        "other": replace(FOUND, name="other", stages={}, floor=float("nan")),
    },
    {"rates": TrainingTime(first=2.0, step=0.03, by_hand=0.02)},
    {"processor": "a fast one", "cpu_count": 2},
)


def test_records_in_files(tmp_path):
    path = tmp_path / "record.json"
    RECORD.write(path)
    found = Record.read(path)
    assert repr(found) == repr(RECORD)  # NaN is not equal to itself
    assert found.networks["net"] == FOUND
    content = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert content["networks"]["net"]["ratio"] == 8
    assert content["networks"]["other"]["floor"] is None
    assert content["training"]["rates"]["ratio"] == pytest.approx(1.5)


def test_changes():
    slower = replace(FOUND, run=0.5, build=1.2)
    new = replace(RECORD, networks={"net": slower, "new": FOUND}, training={})
    found = {change.figure: change for change in changes(RECORD, new)}
    assert {change.name for change in found.values()} == {"net"}
    assert (found["run"].old, found["run"].new, found["run"].part) == (0.25, 0.5, 1.0)
    assert found["ratio"].part == -0.5
    assert {f for f, c in found.items() if c.notable} == {"run", "ratio", "above_floor"}
    assert str(found["run"]).endswith("+100%  !")
    assert str(found["build"]).endswith("+20%")
    # what could not be measured is not compared
    assert "above_floor" not in {
        c.figure for c in changes(RECORD, RECORD) if c.name == "other"
    }


def test_differences_of_machines():
    other = replace(RECORD, machine={"processor": "a slow one", "cpu_count": 2})
    assert different_machines(RECORD, RECORD) == []
    assert different_machines(RECORD, other) == ["processor: a fast one -> a slow one"]


def test_tables_for_pages():
    lines = list_tables(RECORD).splitlines()
    assert sum(line.startswith(".. list-table:: ") for line in lines) == 2
    first = lines.index("   * - ``net``")
    assert lines[first + 1 : first + 6] == [
        f"     - {cell}" for cell in ("2000.0", "250.0", "8.0", "125.00", "2.0")
    ]
    second = lines.index("   * - ``other``")
    assert lines[second + 4] == "     - -"
    assert "Measured with: processor a fast one, cpu_count 2." in lines


def test_page_shows_the_record_in_the_repository():
    record = Record.read(ROOT / "benchmarks" / "results.json")
    assert set(record.networks) == set(BY_DEFAULT)
    assert set(record.training) == set(TASKS)
    shown = (ROOT / "docs" / "performance_tables.inc").read_text(encoding="utf-8")
    assert shown == list_tables(record)


def test_what_was_measured_is_shown_again(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    RECORD.write(old)
    networks = {"net": replace(FOUND, run=0.5)}
    replace(RECORD, networks=networks, machine={"processor": "another"}).write(new)
    table, picture = tmp_path / "table.rst", tmp_path / "picture.png"
    command.main(
        [f"--show={new}", f"--compare={old}", f"--rst={table}", f"--plot={picture}"]
    )
    totals = tmp_path / "totals.svg"
    command.main([f"--show={new}", f"--totals={totals}"])
    assert "simulated time" in totals.read_text()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:4]] == [
        "network",
        "net",
        "training",
        "rates",
    ]
    assert "not the same machine: processor: a fast one -> another" in lines
    assert any(line.endswith("!") and line.split()[1] == "run" for line in lines)
    assert "``net``" in table.read_text()
    assert picture.stat().st_size > 10_000


@pytest.mark.parametrize(
    "part", [Record(RECORD.networks, {}, {}), Record({}, RECORD.training, {})]
)
def test_pictures_of_one_part(part, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "record.json"
    part.write(path)
    command.main([f"--show={path}", f"--plot={tmp_path / 'picture.svg'}"])
    assert "</svg>" in (tmp_path / "picture.svg").read_text()
