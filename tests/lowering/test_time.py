import nengo
import numpy as np
import pytest

from tests.helpers import assert_matches_nengo, configured, simulate


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_inputs", [0, 1])
def test_functions_get_times_in_double_precision(dtype, n_inputs):
    times = []
    with nengo.Network() as net:
        if n_inputs:
            nengo.Node(lambda t, x: times.append(t), size_in=1)
        else:
            nengo.Node(lambda t: times.append(t))
    times.clear()  # Nengo calls the function once, to learn about its output
    simulate(net, 1500, dtype=dtype)
    assert times == [(i + 1) * 0.001 for i in range(1500)]
    assert type(times[0]) is float


def test_time_goes_on_over_chunks_and_runs(monkeypatch):
    monkeypatch.setattr("nengo_dl.program.program.MAX_CAPACITY", 7)
    times = []
    with nengo.Network() as net:
        nengo.Node(lambda t, x: times.append(t), size_in=1)
        p = nengo.Probe(nengo.Node(lambda t: t))
    times.clear()
    sim = simulate(net, 30)
    assert times == [(i + 1) * 0.001 for i in range(30)]
    assert np.array_equal(sim.data[p][:, 0], times)


@pytest.mark.parametrize("dt", [0.001, 0.0003, 0.1])
def test_other_time_steps(dt):
    with nengo.Network(seed=0) as net:
        p = nengo.Probe(nengo.Node(lambda t: t))
        stimulus = nengo.Node(lambda t: np.cos(t))
        ensemble = nengo.Ensemble(10, 1)
        nengo.Connection(stimulus, ensemble, synapse=0.02)
        q = nengo.Probe(ensemble, synapse=0.05)
    with nengo.Simulator(net, dt=dt, progress_bar=False) as sim:
        sim.run_steps(20)
    ours = simulate(net, 20, dt=dt)
    np.testing.assert_allclose(ours.data[p], sim.data[p], rtol=1e-15)
    np.testing.assert_allclose(ours.data[q], sim.data[q], rtol=1e-10, atol=1e-12)
    assert ours.dt == dt
    assert ours.time == 20 * dt


def test_time_reaches_processes_in_the_loop_exactly():
    class Clock(nengo.Process):
        def make_step(self, shape_in, shape_out, dt, rng, state):
            return lambda t, x: t + 0 * x

    with nengo.Network(seed=0) as net:
        clock = nengo.Node(Clock(default_size_in=1, default_size_out=1))
        nengo.Connection(nengo.Node(1), clock, synapse=None)
        p = nengo.Probe(clock)
    assert_matches_nengo(net, rtol=0, rtol32=1e-7)
    with configured(net, jit_compile=False):
        sim = simulate(net, 3)
    assert sim.data[p].ravel().tolist() == [0.001, 0.002, 0.003]
