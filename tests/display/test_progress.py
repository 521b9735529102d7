"""Progress in terminals, notebooks and log files, and silence."""

import io
import os
import pty
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import nengo
import numpy as np
import pytest
from nengo.utils.progress import ProgressBar

import nengo_dl
from nengo_dl.display import progress, progress_screens
from nengo_dl.display.progress import duration, keras_verbosity, stage
from nengo_dl.display.progress_screens import (
    Log,
    Notebook,
    Screen,
    Terminal,
    find_screen,
)

ROOT = Path(__file__).parents[2]


class Tty(io.StringIO):
    def isatty(self):
        return True


class Clock:
    """Time that goes on when it is told to."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)


def test_time_goes_on_while_nothing_is_reported(monkeypatch):
    seen = []
    screen = SimpleNamespace(
        show=lambda *shown: seen.append(shown), end=lambda *shown: seen.append("end")
    )
    monkeypatch.setattr(progress, "find_screen", lambda: screen)
    monkeypatch.setattr(progress, "BEAT", 0.01)
    with stage("Building", None, True):
        for _ in range(500):
            if len(seen) > 3:
                break
            time.sleep(0.01)
    times = [shown[-1] for shown in seen[:-1]]
    assert len(times) > 3 and times == sorted(set(times))
    assert seen[-1] == "end"
    time.sleep(0.05)
    assert seen[-1] == "end"


class Bar(ProgressBar):
    """Writes down what it is told."""

    def __init__(self):
        self.seen = []

    def update(self, progress):
        self.seen.append((progress.name_during, progress.n_steps, progress.max_steps))

    def close(self):
        self.seen.append("closed")


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def put_in_place(monkeypatch, stream):
    # pytest puts a stream of its own in the place of sys.stderr
    system = SimpleNamespace(stderr=stream, modules=sys.modules)
    monkeypatch.setattr(progress_screens, "sys", system)
    return stream


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    return put_in_place(monkeypatch, Tty())


@pytest.fixture
def log(monkeypatch):
    return put_in_place(monkeypatch, io.StringIO())


@pytest.fixture
def cell(monkeypatch):
    """A notebook: what is shown beneath each of its cells."""
    shown = []
    shell = SimpleNamespace(kernel=object(), execution_count=1)

    def display(data, raw, display_id):
        assert raw and display_id
        shown.append([data["text/plain"]])
        line = shown[-1]
        return SimpleNamespace(update=lambda data, raw: line.append(data["text/plain"]))

    modules = {
        "IPython": SimpleNamespace(get_ipython=lambda: shell),
        "IPython.display": SimpleNamespace(display=display),
    }
    monkeypatch.setitem(sys.modules, "IPython", modules["IPython"])
    monkeypatch.setattr(progress_screens, "import_module", modules.__getitem__)
    monkeypatch.setattr(Notebook, "_line", None)
    return SimpleNamespace(shown=shown, shell=shell)


def lines_of(stream):
    """Return what a terminal has shown in turn, and what is left at the end."""
    text = stream.getvalue()
    assert "\n" not in text.rstrip("\n") or "\r" in text
    return [part.rstrip() for part in text.split("\r") if part.strip()]


def left_on(stream):
    """Return what can be read in a terminal when all is over."""
    found = []
    for line in stream.getvalue().split("\n"):
        cells = []
        for part in line.split("\r"):
            cells[: len(part)] = part
        found.append("".join(cells).rstrip())
    return found


@pytest.fixture
def net():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        net.node = nengo.Node([1])
        ensemble = nengo.Ensemble(5, 1, neuron_type=nengo.RectifiedLinear())
        nengo.Connection(net.node, ensemble, synapse=None)
        net.probe = nengo.Probe(ensemble)
    return net


# -- terminals


def test_terminals_show_one_line_that_changes(terminal, clock):
    with stage("Working", 10, True) as tracker:
        clock.now = 1.0
        tracker.update(1)
        clock.now = 2.0
        tracker.update(2)
        clock.now = 2.05
        tracker.update(3)  # too soon
        clock.now = 10
        tracker.update(10)
    lines = lines_of(terminal)
    shown = [re.sub(r"\[#* *\]", "[]", line) for line in lines]
    assert list(dict.fromkeys(shown)) == [
        "Working   0% [] starting",
        "Working  10% [] 1.0 s",
        "Working  20% [] 8.0 s left",
        "Working 100% [] 10 s",
        "Working done in 10 s",
    ]
    lengths = [line.count("#") for line in lines if "]" in line]
    assert lengths == sorted(lengths) and lengths[0] == 0 < lengths[-1]
    assert left_on(terminal) == ["Working done in 10 s", ""]


def test_what_is_compiled_first_does_not_count_for_the_time_that_is_left(
    terminal, clock
):
    with stage("Training", 100, True, "compiling") as tracker:
        clock.now = 30
        tracker.update(1, loss=0.5)
        clock.now = 31
        tracker.update(11, loss=0.25)
        assert "compiling" in lines_of(terminal)[0]
        assert lines_of(terminal)[-1].endswith("] 8.9 s left, loss 0.2500")
    assert left_on(terminal)[0] == "Training done in 31 s, loss 0.2500"


def test_brief_stages_leave_nothing_in_a_terminal(terminal, clock):
    with stage("Building", None, True):
        clock.now = 0.4
    assert set(lines_of(terminal)) == {"Building ... 0.0 s"}
    assert left_on(terminal) == [""]


def test_lines_fit_into_the_terminal(terminal, clock, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    with stage("Simulating", 10, True):
        clock.now = 3
    assert all(len(line) < 30 for line in lines_of(terminal))


def test_errors_pass_through_and_begin_on_a_line_of_their_own(terminal, clock):
    with (
        pytest.raises(KeyboardInterrupt),
        stage("Working", 5, True) as tracker,
    ):
        clock.now = 3
        tracker.update(2)
        raise KeyboardInterrupt
    assert left_on(terminal) == ["Working stopped after 3.0 s, at 40%", ""]


def test_a_terminal_in_earnest():
    """In a terminal of the system, in a process of its own."""
    program = """
        import time
        from nengo_dl.display.progress import stage
        with stage("Working", 4, True) as tracker:
            for i in range(4):
                time.sleep(0.2)
                tracker.update(i + 1)
    """
    outer, inner = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=ROOT,
        stderr=inner,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
    )
    os.close(inner)
    text = b""
    while True:
        try:
            part = os.read(outer, 1000)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        text += part
    os.close(outer)
    assert process.wait() == 0
    stream = io.StringIO(text.decode().replace("\r\n", "\n"))
    assert any("Working  25% [###" in line for line in lines_of(stream))
    assert left_on(stream)[-2].startswith("Working done in ")
    assert len(left_on(stream)) == 2


# -- log files


def test_nothing_is_written_about_short_work(log, clock):
    with stage("Working", 100, True) as tracker:
        for i in range(100):
            clock.now = i * 0.09
            tracker.update(i + 1)
    assert log.getvalue() == ""


def test_log_files_have_few_whole_lines(log, clock):
    with stage("Working", 1000, True) as tracker:
        for i in range(1000):
            clock.now = (i + 1) * 0.2
            tracker.update(i + 1, loss=1 / (i + 1))
    lines = log.getvalue().splitlines()
    assert "\r" not in log.getvalue()
    assert lines[0] == "Working: 10%, 3 min 00 s left, loss 0.01000"
    assert len(lines) <= 11
    assert lines[-1] == "Working done in 3 min 20 s, loss 0.001000"


def test_log_files_show_that_slow_work_goes_on(log, clock):
    with stage("Working", 1000, True) as tracker:
        for i in range(3):
            clock.now = (i + 1) * 100
            tracker.update(i + 1)
    assert len(log.getvalue().splitlines()) == 4


def test_dumb_terminals_are_log_files(terminal, monkeypatch):
    assert isinstance(find_screen(), Terminal)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(find_screen(), Log)


@pytest.mark.parametrize("stream", ["none", "closed", "replaced"])
def test_there_need_not_be_an_output(monkeypatch, stream):
    closed = io.StringIO()
    closed.close()
    streams = {"none": None, "closed": closed, "replaced": object()}
    put_in_place(monkeypatch, streams[stream])
    with stage("Working", 3, True) as tracker:
        tracker.update(3)
    assert type(find_screen()) is Screen


# -- notebooks


def test_notebooks_show_all_stages_of_a_cell_in_one_line(cell, clock):
    for name in ("Building", "Training", "Training"):
        with stage(name, 2, True) as tracker:
            clock.now += 1
            tracker.update(1)
            clock.now += 1
            tracker.update(2, loss=0.1)
    assert len(cell.shown) == 1
    line = cell.shown[0]
    assert line[0].startswith("Building   0% [")
    assert "Building  50% [############             ] 1.0 s" in line
    # training again takes the place of the training before
    assert line[-1] == "Building done in 2.0 s, loss 0.1000; " + (
        "Training done in 2.0 s, loss 0.1000"
    )
    cell.shell.execution_count = 2
    with stage("Simulating", 2, True):
        clock.now += 1
    assert len(cell.shown) == 2
    assert cell.shown[1][-1] == "Simulating done in 1.0 s"


def test_a_notebook_in_earnest():
    """In a kernel of Jupyter's, as notebooks of a documentation are run."""
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook = nbformat.v4.new_notebook()
    code = f"""
        import sys, time
        sys.path.insert(0, {str(ROOT)!r})
        from nengo_dl.display.progress import stage
        for name in ("Building", "Simulating"):
            with stage(name, 3, True) as tracker:
                for i in range(3):
                    time.sleep(0.11)
                    tracker.update(i + 1)
        print("done")
    """
    notebook.cells.append(nbformat.v4.new_code_cell(textwrap.dedent(code)))
    nbclient.NotebookClient(notebook, timeout=120).execute()
    line, output = notebook.cells[0].outputs
    assert output.text == "done\n"
    shown = line.data["text/plain"]
    assert shown.startswith("Building done in 0.")
    assert "; Simulating done in 0." in shown


# -- in simulators


def test_all_stages_of_a_simulator_are_shown(net, terminal):
    x = np.ones((4, 2, 1))
    with nengo_dl.Simulator(net, minibatch_size=2) as sim:
        sim.run_steps(3)
        sim.train({net.node: x, net.probe: x}, "sgd")
        sim.loss({net.node: x, net.probe: x})
    shown = lines_of(terminal)
    for name in ("Building", "Compiling", "Simulating", "Training", "Measuring"):
        assert any(line.startswith(name) for line in shown), name
    last = [line for line in shown if line.startswith("Training 100%")][-1]
    assert ", loss 0." in last


def test_silence(net, terminal, capfd):
    x = np.ones((4, 2, 1))
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.run_steps(3)
        sim.train({net.node: x, net.probe: x}, "sgd")
        sim.loss({net.node: x, net.probe: x})
        sim.compile("sgd", loss="mse")
        sim.fit(x, x)
        sim.evaluate(x, x)
        sim.predict(x)
    assert terminal.getvalue() == ""
    assert capfd.readouterr().out == ""


def test_bars_of_single_calls_can_be_turned_off(net, terminal):
    with nengo_dl.Simulator(net) as sim:
        terminal.truncate(0)
        sim.run_steps(3, progress_bar=False)
    assert terminal.getvalue() == ""


def test_steps_show_no_bar(net, terminal):
    with nengo_dl.Simulator(net) as sim:
        sim.step()
        terminal.truncate(0)
        sim.step()
    assert terminal.getvalue() == ""


def test_bars_of_nengo_are_told(net, monkeypatch):
    monkeypatch.setattr("nengo_dl.program.program.MAX_CAPACITY", 4)
    bar = Bar()
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(10, progress_bar=bar)
    assert "closed" in bar.seen
    assert any("Simulating" in str(entry) and 10 in entry for entry in bar.seen[:-1])


def test_keras_writes_lines_into_log_files(net, log, capsys):
    x = np.ones((4, 2, 1))
    with nengo_dl.Simulator(net, minibatch_size=2) as sim:
        sim.compile("sgd", loss="mse")
        sim.fit(x, x, epochs=2)
        shown = capsys.readouterr().out
        assert "Epoch 2/2" in shown
        assert not {"\r", "\b", "\x1b"} & set(shown)
        sim.fit(x, x, verbose=0)
        assert capsys.readouterr().out == ""


def test_how_much_keras_is_told_to_print(terminal):
    assert keras_verbosity(False) == 0
    assert keras_verbosity(True) == "auto"
    assert keras_verbosity(Bar()) == "auto"


@pytest.mark.parametrize(
    "seconds, words",
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 00 min"),
        (5430, "1 h 30 min"),
    ],
)
def test_lengths_of_time_in_words(seconds, words):
    assert duration(seconds) == words
