"""Accuracy of Keras models with spikes: data, figures, command line, pages."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nengo_dl.benchmarks import __main__ as command
from nengo_dl.benchmarks import conversions, signals
from nengo_dl.benchmarks.conversions import CONVERSIONS, measure_conversion
from nengo_dl.benchmarks.converted_accuracy import ConvertedAccuracy, OfSeeds
from nengo_dl.benchmarks.labelled import Labelled
from nengo_dl.benchmarks.records import Record
from nengo_dl.benchmarks.tables import list_tables

ROOT = Path(__file__).parents[2]
RUNS = [
    ConvertedAccuracy(seed, rate, 0.9 + seed / 50, {1: 0.1, 50: 0.8 + rate / 1e4}, 9.0)
    for seed in (0, 1)
    for rate in (200.0, 100.0)
]


def tiny(seed):
    rng = np.random.RandomState(seed)
    items = rng.uniform(size=(12, 6, 1)).astype("float32")
    return Labelled(items, rng.randint(10, size=12), items, rng.randint(10, size=12))


TINY = replace(
    CONVERSIONS["mnist1d_cnn"],
    load=tiny,
    channels=(2,),
    kernels=(3,),
    strides=(2,),
    n_epochs=1,
)


def test_a_small_model_from_training_to_tables(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(conversions, "N_STEPS", 2)
    monkeypatch.setattr(command, "CONVERSIONS", {"tiny": TINY})
    monkeypatch.setattr(
        command,
        "measure_conversion",
        lambda task, seed: measure_conversion(task, seed, [100.0], n_steps=20),
    )
    path = tmp_path / "record.json"
    command.main(["conversions", "--seeds", "1", "--json", str(path)])
    header, row = capsys.readouterr().out.splitlines()
    assert header.split()[0] == "conversion" and row.startswith("tiny, 100 Hz")
    record = Record.read(path)
    (found,) = record.conversions["tiny"]
    assert list(found.spikes) == [1, 2, 5, 10, 20]
    assert 0 <= found.spikes[20] <= 1
    command.main(["--show", str(path)])
    assert capsys.readouterr().out.splitlines() == [header, row]


def test_figures_of_seeds():
    by_rate = OfSeeds.by_rate(RUNS)
    assert list(by_rate) == [100, 200]
    assert by_rate[100].keras == pytest.approx((0.91, 0.01))
    assert by_rate[200].spikes(50) == pytest.approx((0.82, 0))
    assert by_rate[200].most_lost(50) == pytest.approx(0.1)
    assert by_rate[100].mean_rate == 9


def test_figures_on_pages_and_in_pictures(tmp_path):
    record = Record(conversions={"digits_cnn": RUNS})
    lines = list_tables(record).splitlines()
    row = lines.index("   * - ``digits_cnn, 100 Hz``")
    assert lines[row + 1 : row + 3] == ["     - 9", "     - 91.0% ± 1.0"]
    command.picture.draw(record, tmp_path / "picture.svg")
    assert "digits_cnn" in (tmp_path / "picture.svg").read_text()


@pytest.mark.parametrize(
    "name, module, package",
    [("mnist1d_cnn", "mnist1d", "mnist1d"), ("digits_cnn", "sklearn", "scikit-learn")],
)
def test_packages_that_are_missing(name, module, package, monkeypatch):
    signals.mnist1d.cache_clear()
    for part in (module, f"{module}.data", f"{module}.datasets"):
        monkeypatch.setitem(sys.modules, part, None)
    with pytest.raises(SystemExit, match=f"`pip install {package}`"):
        command.main([name])


def test_data_of_mnist1d():
    pytest.importorskip("mnist1d")
    before = np.random.get_state()[1].tolist()
    data = signals.mnist1d()
    assert np.random.get_state()[1].tolist() == before
    assert data.train.shape == (4000, 40, 1) and data.test.shape == (1000, 40, 1)
    assert set(data.test_labels) == set(range(10))


def test_page_shows_what_was_measured():
    record = Record.read(ROOT / "benchmarks" / "conversions.json")
    page = (ROOT / "docs" / "conversion_tables.inc").read_text(encoding="utf-8")
    assert page == list_tables(record)
    digits = OfSeeds.by_rate(record.conversions["digits_cnn"])[200]
    assert digits.most_lost(50) < 0.0101 and digits.mean_rate < 60
    signals = OfSeeds.by_rate(record.conversions["mnist1d_cnn"])[400]
    assert signals.keras[0] >= 0.9
    assert signals.most_lost(50) < 0.03 and signals.mean_rate < 60


@pytest.mark.everything
@pytest.mark.parametrize("seed", [0, 1])
def test_digits_that_were_trained_in_keras(seed):
    (found,) = measure_conversion(CONVERSIONS["digits_cnn"], seed, [200.0], 50)
    assert found.keras > 0.94
    assert found.lost(50) < 0.0101
    assert found.mean_rate < 60
