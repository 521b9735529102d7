"""Interrupts by the user stop a simulation, whenever they come."""

import ctypes
import os
import signal
import sys
import threading

import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl.program.interrupts import Dropped, kept


class Owner:
    def method(self):
        signal.raise_signal(signal.SIGINT)
        return "went on"


@pytest.fixture(autouse=True)
def interruptible():
    """Begin with Python's own handler, which processes in the background lack."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def found():
    return []


@pytest.fixture
def keep(found):
    return lambda error, owner: found.append((type(error), owner))


def test_methods_go_on_and_other_code_is_interrupted(found, keep):
    owner, before = Owner(), signal.getsignal(signal.SIGINT)
    with kept([Owner.method.__code__], keep):
        assert owner.method() == "went on"
        assert found == [(KeyboardInterrupt, owner)]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        owner.method()


def test_handlers_of_the_user_are_called_and_stay(found, keep):
    called = []
    before = signal.signal(signal.SIGINT, lambda *_: called.append(1))
    try:
        with kept([Owner.method.__code__], keep):
            Owner().method()
            with kept([Owner.method.__code__], keep):  # a simulator within a function
                Owner().method()
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert called == [1, 1] and not found


def test_other_threads_are_left_alone(keep):
    before = signal.getsignal(signal.SIGINT), sys.unraisablehook
    seen = []

    def run():
        with kept([], keep), Dropped(keep, Owner):
            seen.append((signal.getsignal(signal.SIGINT), sys.unraisablehook))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [before]


def test_what_ctypes_drops_is_kept(found, keep, monkeypatch):
    others = []
    monkeypatch.setattr(sys, "unraisablehook", others.append)
    owner = Owner()
    function = ctypes.CFUNCTYPE(None)
    with Dropped(keep, Owner):
        function(owner.method)()
        assert found == [(KeyboardInterrupt, owner)] and not others
        function(lambda: 1 / 0)()
    assert len(others) == 1
    function(owner.method)()
    assert len(found) == 1 and len(others) == 2


@pytest.mark.parametrize("single", [False, True])
def test_a_simulation_that_calls_python_is_interrupted(single):
    with nengo.Network() as net:
        source = nengo.Node(lambda t: t)
        world = nengo.Node(lambda t, x: x + 1, size_in=1)
        nengo.Connection(source, world, synapse=None)
        probe = nengo.Probe(world)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(1)
        sim.step()
        for _ in range(3):
            sim.reset()
            timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
            with pytest.raises(KeyboardInterrupt):
                timer.start()
                if not single:
                    sim.run_steps(2_000_000)
                for _ in range(200_000):
                    sim.step()
            timer.join()
            # whatever was done is right, and it goes on from there
            sim.run_steps(5)
            times = sim.trange()
            assert len(times) == sim.n_steps == len(sim.data[probe])
            assert np.allclose(sim.data[probe][:, 0], times + 1)
