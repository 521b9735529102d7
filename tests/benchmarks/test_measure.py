"""What is measured is complete and consistent; how long it takes decides nothing."""

import math

import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl.benchmarks import (
    Measurement,
    apart,
    integrator,
    measure,
    pes,
    run_profile,
)
from nengo_dl.benchmarks.images import mlp
from nengo_dl.benchmarks.machine import machine, peak_memory
from nengo_dl.benchmarks.measure import _presented, _solves


def test_measuring_a_network():
    found = measure("small", integrator(2, 5), n_steps=20, repetitions=2)
    assert (found.name, found.n_steps, found.items) == ("small", 20, 1)
    times = (found.nengo_build, found.build, found.nengo_first, found.first)
    assert min(*times, found.nengo_run, found.run, found.floor) > 0
    assert found.ratio == found.nengo_run / found.run
    assert found.start == found.build + found.first
    assert found.above_floor == found.run / found.floor
    assert set(found.stages) == {"nengo build", "plan", "trace", "compile"}
    assert sum(found.stages.values()) <= found.start
    assert 10 < found.memory <= peak_memory()


def test_ratios():
    found = Measurement("net", 1000, 100, 1, 3, 2, 3, nengo_run=0.5, run=2)
    assert found.ratio == 25
    assert (found.nengo_start, found.start) == (1 + 100 * 2, 3 + 3)
    assert found.start_ratio == 6 / 201
    assert math.isnan(found.above_floor) and math.isnan(found.memory)


def test_minibatches(monkeypatch):
    settings = {"minibatch_size": 3, "n_steps": 4, "nengo_merges": False}
    monkeypatch.setitem(apart.NETWORKS, "small", lambda: integrator(2, 5))
    monkeypatch.setitem(apart.SETTINGS, "small", settings)
    found = apart.measure_named("small", n_steps=1000, repetitions=1)
    assert (found.items, found.n_steps) == (3, 4)
    assert found.ratio == 3 * found.nengo_run / found.run


def test_items_are_presented_other_values():
    net = mlp()
    (data,) = _presented(net, 3, n_steps=5, changing=False).values()
    assert data.shape == (3, 5, 784)
    assert np.all(data[:, :1] == data)
    assert len(np.unique(data[:, 0, 0])) == 3
    (data,) = _presented(net, 3, n_steps=5, changing=True).values()
    assert data.shape == (3, 5, 784)
    assert len(np.unique(data[..., 0])) == 15
    assert _presented(net, None, 5, changing=False) is None


def test_whether_decoders_are_solved_for():
    given = nengo.solvers.NoSolver(np.ones((5, 1)))
    with nengo.Network() as net:
        node = nengo.Node([0])
        ensemble = nengo.Ensemble(5, 1)
        nengo.Connection(node, ensemble)
        nengo.Connection(ensemble, ensemble, solver=given)
    assert not _solves(net)
    with net:
        nengo.Connection(ensemble, ensemble)
    assert _solves(net)


def test_machine_is_described():
    found = machine()
    assert found["cpu_count"] >= 1
    assert {"processor", "python", "nengo", "numpy"} <= set(found)


def test_peak_of_memory_only_grows():
    before = peak_memory()
    block = np.ones(40_000_000 // 8)  # 40 MB
    assert peak_memory() >= before
    assert block.nbytes / 1e6 < peak_memory()


@pytest.mark.parametrize("train", [False, True])
def test_profile(train, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net = integrator(2, 5) if train else pes(2, 5, nengo.RectifiedLinear())
    with net:
        nengo_dl.configure_settings(jit_compile=False)
    options = {"train": train, "n_steps": 3, "minibatch_size": 2}
    assert run_profile(net, do_profile=False, reps=2, dtype="float64", **options) > 0
    assert not list(tmp_path.iterdir())
    assert run_profile(net, do_profile=True, **options) > 0
    assert list(tmp_path.glob("nengo_dl_profile/**/*.pb"))
