"""The benchmarks of growth and of cores; their figures say nothing about speed here."""

import json
import re

import nengo
import numpy as np
import pytest

from nengo_dl.benchmarks import cores, growth
from nengo_dl.benchmarks.__main__ import main
from nengo_dl.benchmarks.growth import SERIES, Size, exponents


def sizes(power, largest=1000):
    numbers = [n for n in (1, 10, 100, 1000) if n <= largest]
    return [Size(n, 0.0, 5.0 + n**power, n**power, 2.0, 1e-9) for n in numbers]


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_exponents_are_slopes_of_logarithms(power):
    assert np.allclose(exponents(sizes(power), "compile"), power)
    assert np.allclose(exponents(sizes(power), "run"), 0)
    # what does not depend on the size hides the growth of small models only
    overall, steepest = exponents(sizes(power), "plan")
    assert overall < steepest <= power and steepest > 0.7 * power


def test_networks_have_the_sizes_that_they_are_measured_for():
    assert len(SERIES["ensembles"].network(20).ensembles) == 20
    assert len(SERIES["ensembles"].network(20).connections) == 90
    few, many = (SERIES["probes"].network(n) for n in (1, 250))
    assert len(many.probes) - len(few.probes) == 249
    for name, largest in (
        ("ensembles", 20_000),
        ("minibatch", 1_000),
        ("steps", 1_000_000),
        ("probes", 10_000),
    ):
        assert SERIES[name].sizes[-1] == largest


def test_a_series_is_measured_written_read_and_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(
        growth.SERIES,
        "steps",
        growth.Series("time steps of a run", (3, 30, 300), lambda _: net(), None),
    )
    # in this process: others have another table of series
    monkeypatch.setattr(
        growth,
        "_measured",
        lambda name, largest: [
            growth.measure_size(name, n) for n in (3, 30, 300) if n <= largest
        ],
    )
    file, picture = tmp_path / "growth.json", tmp_path / "growth.svg"
    main(["growth", "steps", "--largest", "30", "--json", str(file)])
    measured = capsys.readouterr().out
    assert re.search(r"^ +time steps of a run .*run \(s\)", measured, re.MULTILINE)
    assert re.search(r"^ +30 ", measured, re.MULTILINE) and " 300 " not in measured
    written = json.loads(file.read_text())
    assert [one["size"] for one in written["growth"]["steps"]] == [3, 30]
    assert all(one["run"] > 0 for one in written["growth"]["steps"])
    main(["growth", "--show", str(file), "--plot", str(picture)])
    assert capsys.readouterr().out == measured
    assert "exponent" in picture.read_text()


def net():
    with nengo.Network(seed=0) as network:
        nengo.Probe(nengo.Node([1.0]))
    return network


def test_growth_is_measured_in_processes_of_their_own(capsys):
    main(["growth", "probes", "--largest", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[0] == "1"
    assert all(float(value) >= 0 for value in lines[1].split()[1:])


def test_cores(capsys):
    main(["cores", "--sizes", "200"])
    line = capsys.readouterr().out.splitlines()[-1].split()
    assert line[0] == "200" and all(float(value) > 0 for value in line[1:])


def test_a_process_that_fails_says_why(monkeypatch):
    with pytest.raises(RuntimeError, match="has ended.*expected one argument|invalid"):
        cores._of_process(1, "many", 1)
