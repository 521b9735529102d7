"""Nengo GUI with this package as its backend."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from nengo_gui.components.sim_control import SimControl
from nengo_gui.gui import BaseGUI
from nengo_gui.guibackend import GuiServerSettings, ModelContext
from nengo_gui.page import PageSettings

import nengo_dl

MODEL = """
import nengo
import numpy as np

seen = []
with nengo.Network(seed=0) as model:
    stimulus = nengo.Node(lambda t: np.sin(10 * t))
    ensemble = nengo.Ensemble(20, 1)
    nengo.Connection(stimulus, ensemble)
    shown = nengo.Node(lambda t, x: seen.append((t, *x)), size_in=1)
    nengo.Connection(ensemble, shown, synapse=0.01)


def on_step(sim):
    seen.append(sim)
"""

#: stands where a browser would: keeps the address that it is given
BROWSER = """
import sys
open(sys.argv[1] + ".part", "w").write(sys.argv[2])
__import__("os").replace(sys.argv[1] + ".part", sys.argv[1])
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "model.py"
    path.write_text(MODEL)
    return path


def wait_for(condition, seconds=120):
    """Wait until ``condition()`` is true, and return what it returned."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError(f"not within {seconds} s")


def test_page_and_steps(script):
    gui = BaseGUI(
        ModelContext(filename=str(script)),
        GuiServerSettings(("localhost", 0), auto_shutdown=0),
        PageSettings(backend="nengo_dl"),
    )
    server = threading.Thread(target=gui.start, daemon=True)
    server.start()
    address = f"http://localhost:{gui.server.server_port}/?token="
    with urllib.request.urlopen(address + gui.server.gen_one_time_token()) as answer:
        assert answer.status == 200
        assert "Nengo.NetGraph" in answer.read().decode()

    page = gui.server.pages[0]
    assert page.error is None
    control = page.get_component(SimControl)
    control.message("continue")
    seen = page.locals["seen"]
    wait_for(lambda: page.error or len(seen) > 20)
    assert page.error is None
    sims = [entry for entry in seen if isinstance(entry, nengo_dl.Simulator)]
    steps = [entry for entry in seen if isinstance(entry, tuple) and entry[0] > 0]
    assert sims
    assert steps[-1][0] > 0.005
    assert any(value for _, value in steps)
    control.message("reset")
    wait_for(lambda: page.sim is None)
    gui.server.shutdown()
    server.join(timeout=30)


def test_command_line(script, tmp_path):
    browser, address = tmp_path / "browser.py", tmp_path / "address"
    browser.write_text(BROWSER)
    command = "from nengo_gui.main import main; main()"
    options = ["--backend", "nengo_dl", "--port", "18080", str(script)]
    process = subprocess.Popen(
        [sys.executable, "-c", command, *options],
        env={**os.environ, "BROWSER": f"{sys.executable} {browser} {address} %s"},
        stdin=subprocess.PIPE,
    )
    try:
        wait_for(address.exists)
        with urllib.request.urlopen(address.read_text()) as answer:
            assert "Nengo.NetGraph" in answer.read().decode()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
