"""Python code that compiled code calls, wherever XLA has its arguments."""

import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl.lowering.python_call import PythonLowering
from nengo_dl.program import callback


@pytest.mark.parametrize("many", [1, 256])
def test_single_steps_have_their_buffers_anywhere(monkeypatch, many):
    monkeypatch.setattr(callback, "_MANY_PLACES", many)
    with nengo.Network(seed=0) as net:
        source = nengo.Node(lambda t: [np.sin(20 * t), t])
        world = nengo.Node(lambda t, x: [2 * x[0] - t, x[1] + 1, x @ x], size_in=2)
        back = nengo.Node(size_in=2)
        nengo.Connection(source, world)
        nengo.Connection(world[:2], back, synapse=0.01)
        nengo.Connection(back, world, synapse=0.02)
        probe = nengo.Probe(world)

    with nengo.Simulator(net, progress_bar=False) as expected:
        expected.run_steps(60)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        for _ in range(40):
            sim.step()
        sim.run_steps(20)
    assert np.allclose(sim.data[probe], expected.data[probe], rtol=1e-12)


def test_arrays_at_places_are_not_kept_forever(monkeypatch):
    monkeypatch.setattr(callback, "_MANY_PLACES", 3)

    class Group(PythonLowering):
        writes = (None,)

    calls = callback.PythonCalls((Group(),))
    handler = callback._Handler(
        callback._Progress(),
        calls,
        [(2,)],
        [1],
        callback.Packing(((2,),)),
        np.dtype("f4"),
    )
    memory = [np.full(2, i, np.float32) for i in range(10)]
    for array in memory:
        places = handler._arrays((array.ctypes.data, array.ctypes.data))
        ((arguments, results),) = places
        assert arguments[0][0] == array[0]
        results[0][:] = -1
        assert (array == -1).all()
        assert len(handler._views) <= 3
