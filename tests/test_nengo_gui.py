"""The calls that Nengo GUI makes of a simulator, without Nengo GUI.

It wraps the class of the simulator while it runs scripts, hands its own progress bar to
it, adds Nodes that send what they receive to the browser, and steps in a thread of its
own, until the simulator is replaced by another.
"""

import importlib
import inspect
import threading

import nengo
import numpy as np
import pytest
from nengo.utils.progress import ProgressBar

import nengo_dl


class Progress(ProgressBar):
    """Looks at what the browser is told."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def update(self, progress):
        text = f"{progress.name_during} {progress.name_after}"
        state = (progress.progress, progress.max_steps, progress.finished)
        self.seen.append((text, *state, progress.elapsed_seconds(), progress.eta()))

    def close(self):
        pass


@pytest.fixture
def net():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        net.stimulus = nengo.Node(lambda t: np.sin(20 * t), label="stimulus")
        net.ensemble = nengo.Ensemble(20, 1)
        nengo.Connection(net.stimulus, net.ensemble)
    return net


def test_backends_are_modules_with_a_simulator():
    backend = importlib.import_module("nengo_dl")
    assert "progress_bar" in inspect.signature(backend.Simulator.__init__).parameters


def test_the_class_can_be_replaced_while_scripts_run(net, monkeypatch):
    original = nengo_dl.Simulator

    class Refusing(original):
        def __init__(self, *args, **kwargs):
            raise RuntimeError("not here")

    with monkeypatch.context() as executing:
        executing.setattr(nengo_dl, "Simulator", Refusing)
        with pytest.raises(RuntimeError, match="not here"):
            nengo_dl.Simulator(net)
    assert nengo_dl.Simulator is original


def test_progress_of_building_is_told(net):
    bar = Progress()
    nengo_dl.Simulator(net, progress_bar=bar).close()
    assert bar.seen
    assert bar.seen[0][0].startswith("Building")
    assert bar.seen[-1][3] is True


def test_stepping_in_a_thread_calls_the_nodes_of_plots(net):
    sent, shown, errors = [], [], []
    with net:
        # a plot of values, a slider and a raster
        value = nengo.Node(lambda t, x: sent.append((t, *x)), size_in=1)
        nengo.Connection(net.ensemble, value, synapse=0.01)
        raster = nengo.Node(lambda t, x: shown.append(x.copy()), size_in=20)
        nengo.Connection(net.ensemble.neurons, raster, synapse=None)
    overridden = net.stimulus.output
    net.stimulus.output = lambda t: 0.5 if t > 0.01 else overridden(t)
    sent.clear()  # Nengo has called the functions once, to see what they return
    shown.clear()
    sim = nengo_dl.Simulator(net, dtype="float64", progress_bar=Progress())

    def runner():
        try:
            for _ in range(30):
                sim.step()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=runner)
    thread.start()
    thread.join()
    sim.close()
    assert not errors
    assert [round(t / 0.001) for t, _ in sent] == list(range(1, 31))
    assert len(shown) == 30
    assert np.any(shown)
    ours = sent[:]
    sent.clear()
    with nengo.Simulator(net, progress_bar=False) as reference:
        reference.run_steps(30)
    np.testing.assert_allclose(ours, sent, atol=1e-12)


def test_samples_are_read_and_removed_while_it_runs(net):
    with net:
        probe = nengo.Probe(net.ensemble.neurons[:5], "voltage")
        other = nengo.Probe(net.ensemble)
    with (
        nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim,
        nengo.Simulator(net, progress_bar=False) as reference,
    ):
        for n_steps in (3, 4):
            sim.run_steps(n_steps)
            reference.run_steps(n_steps)
            ours, theirs = sim.data.raw[probe], reference.data.raw[probe]
            assert len(ours) == len(theirs) == n_steps
            np.testing.assert_allclose(ours[:], theirs[:])
            np.testing.assert_allclose(ours[-1], theirs[-1])
            times = sim.trange()[-len(ours) :]
            assert times[-1] == pytest.approx(sim.time)
            del ours[:]
            del theirs[:]
            assert len(sim.data.raw[probe]) == 0
        assert len(sim.data[other]) == 7
        with pytest.raises(IndexError, match="all samples"):
            del sim.data.raw[other][0]
        assert sim.data.raw[net.ensemble].bias.shape == (20,)
        assert len(sim.data.raw) == len(list(sim.data.raw)) == len(sim.data)


def test_samples_step_by_step_with_a_minibatch(net):
    with net:
        probe = nengo.Probe(net.ensemble)
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        assert len(sim.data.raw[probe]) == 0
        sim.run_steps(3)
        assert len(sim.data.raw[probe]) == 3
        assert sim.data.raw[probe][0].shape == (2, 1)
