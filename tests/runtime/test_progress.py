import io
import sys

import nengo
import pytest
from nengo.utils.progress import ProgressBar

import nengo_dl
from nengo_dl.runtime.progress import interactive, stage


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Bar(ProgressBar):
    """Writes down what it is told."""

    def __init__(self):
        self.seen = []

    def update(self, progress):
        self.seen.append((progress.name_during, progress.n_steps, progress.max_steps))

    def close(self):
        self.seen.append("closed")


@pytest.fixture
def net():
    with nengo.Network(seed=0) as net:
        nengo.Probe(nengo.Node(1))
    return net


def test_nothing_is_shown_where_nobody_watches(net, capsys):
    with nengo_dl.Simulator(net) as sim:
        sim.run_steps(3)
    assert not interactive()
    out, err = capsys.readouterr()
    assert "Simulating" not in out + err


def test_bars_in_a_terminal(net, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with nengo_dl.Simulator(net, progress_bar=True) as sim:
        sim.run_steps(3)
    text = sys.stderr.getvalue()
    assert "Building" in text
    assert "Simulating" in text
    assert "100%" in text


@pytest.mark.parametrize("option", ["constructor", "run"])
def test_bars_can_be_turned_off(net, monkeypatch, option):
    with nengo_dl.Simulator(net, progress_bar=option == "constructor") as sim:
        monkeypatch.setattr(sys, "stderr", Terminal())
        sim.run_steps(3, progress_bar=False)
        assert "Simulating" not in sys.stderr.getvalue()


def test_steps_show_no_bar(net, monkeypatch):
    with nengo_dl.Simulator(net) as sim:
        sim.step()
        monkeypatch.setattr(sys, "stderr", Terminal())
        sim.step()
        assert sys.stderr.getvalue() == ""


def test_bars_of_nengo_are_told(net, monkeypatch):
    monkeypatch.setattr("nengo_dl.program.program.MAX_CAPACITY", 4)
    bar = Bar()
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(10, progress_bar=bar)
    assert "closed" in bar.seen
    assert any("Simulating" in str(entry) and 10 in entry for entry in bar.seen[:-1])


@pytest.mark.parametrize("total", [5, None])
def test_errors_pass_through_a_stage(monkeypatch, total):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with pytest.raises(KeyError), stage("Working", total, True) as tracker:
        tracker.update(2)
        raise KeyError
