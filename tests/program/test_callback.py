"""Python code that compiled code calls, wherever XLA has its arguments."""

import gc
import weakref

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
        called = ()

        def bind(self, arguments, results):
            def call(step):
                results[0][:] = step * arguments[0]

            return call

    progress = callback._Progress(first_step=5)
    results = callback.Packing(((2,),))
    calls = callback.PythonCalls((Group(),))
    handler = callback._AtPlaces(progress, calls, [(2,)], [1], results, np.dtype("f4"))
    i, ok, done = (np.array(value, np.int32) for value in (1, 1, 0))
    for value in [*range(10), 9]:
        given, result = (np.full(2, x, np.float32) for x in (value, -1))
        out = np.array([result.ctypes.data, done.ctypes.data])
        inputs = np.array([i.ctypes.data, ok.ctypes.data, given.ctypes.data])
        handler.call(out.ctypes.data, inputs.ctypes.data)
        assert done == 1 and (result == 7 * value).all()
        assert len(handler._bound) <= 3

    handler._bound.clear()
    with monkeypatch.context() as patch:
        patch.setattr(Group, "bind", lambda *_: 1 / 0)
        done[()] = 1
        handler.call(out.ctypes.data, inputs.ctypes.data)
    assert done == 0 and isinstance(progress.error, ZeroDivisionError)
    progress.error = None

    ok[()] = 0  # a call before this one has failed
    result[:] = -1
    handler.call(out.ctypes.data, inputs.ctypes.data)
    assert done == 0 and (result == -1).all()


def test_what_is_called_ends_with_its_program():
    # the C function lives as long as the process, what it calls does not
    calls = callback.PythonCalls(())
    alive = weakref.ref(calls)
    callbacks = callback.Callbacks()
    handler = callback._Copying(
        callbacks.progress, calls, [], [], callback.Packing(()), np.dtype("f4")
    )
    callbacks.add(handler)
    del calls, handler
    gc.collect()
    assert alive() is not None
    del callbacks
    gc.collect()
    assert alive() is None
