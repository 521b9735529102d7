"""Nodes' functions may ask their simulator for the time, and must not run it."""

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulationError

import nengo_dl

ONES = np.ones((1, 3, 1))

#: what a function may not call, and what calls that function
INNER = {
    "run_steps": lambda sim: sim.run_steps(2),
    "step": lambda sim: sim.step(),
    "run": lambda sim: sim.run(0.002),
    "predict": lambda sim: sim.predict(ONES, verbose=0),
    "fit": lambda sim: sim.fit(ONES, {"seen": ONES}, verbose=0),
    "train": lambda sim: sim.train({"fed": ONES, "seen": ONES}, "sgd"),
    "loss": lambda sim: sim.loss({"fed": ONES, "seen": ONES}),
    "reset": lambda sim: sim.reset(),
    "clear_probes": lambda sim: sim.clear_probes(),
    "load_params": lambda sim: sim.load_params("nowhere"),
    "close": lambda sim: sim.close(),
}
OUTER = {name: INNER[name] for name in ("run_steps", "predict", "fit", "train", "loss")}


class Within(nengo.Process):
    """Calls a function in each step."""

    def __init__(self, function, size_in):
        super().__init__(default_size_in=size_in, default_size_out=1)
        self.function = function

    def make_step(self, shape_in, shape_out, dt, rng, state):
        return lambda t, *x: np.atleast_1d(self.function(t, *x))


class Caller:
    """A network with a Node that calls ``self.call(t)`` once there is a simulator."""

    def __init__(self, kind, size_in):
        self.sim, self.call = None, lambda t: None
        output = self.function if kind == "function" else Within(self.function, size_in)
        with nengo.Network(seed=0) as self.net:
            nengo_dl.configure_settings(jit_compile=False)
            fed = nengo.Node([0.5], label="fed")
            node = nengo.Node(output, size_in=size_in, size_out=1, label="caller")
            out = nengo.Node(size_in=1)
            weights = nengo_dl.dists.Glorot()
            nengo.Connection(fed, out, transform=weights, synapse=None)
            nengo.Connection(node, out, synapse=None)
            if size_in:
                nengo.Connection(fed, node, synapse=None)
            self.probe = nengo.Probe(out, label="seen")

    def function(self, t, *x):
        if self.sim is not None:
            self.call(t)
        return 0.0

    def simulator(self, kind=nengo_dl.Simulator):
        self.sim = kind(self.net, progress_bar=False)
        return self.sim


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("size_in", [0, 1])
def test_a_node_that_runs_its_simulator(size_in, inner):
    caller = Caller("function", size_in)
    with caller.simulator() as sim:
        caller.call = lambda t: round(t * 1000) == 2 and INNER[inner](sim)
        with pytest.raises(SimulationError, match="'caller'.*Cannot.*time step"):
            sim.run_steps(3)
        assert sim.n_steps == 1 and not sim.closed
        caller.call = lambda t: None
        sim.run_steps(2)
    assert len(sim.data[caller.probe]) == 3


@pytest.mark.parametrize("outer", OUTER)
@pytest.mark.parametrize("size_in", [0, 1])
@pytest.mark.parametrize("kind", ["function", "process"])
def test_whatever_calls_the_node(kind, size_in, outer):
    caller = Caller(kind, size_in)
    with caller.simulator() as sim:
        sim.compile(keras.optimizers.SGD(0.1), loss="mse")
        caller.call = lambda t: sim.run_steps(1)
        with pytest.raises(SimulationError, match="Cannot run.* time step"):
            OUTER[outer](sim)
        assert sim.n_steps == 0


@pytest.mark.parametrize("size_in", [0, 1])
@pytest.mark.parametrize("kind", ["function", "process"])
def test_time_is_that_of_nengo(kind, size_in):
    seen = []
    for simulator in (nengo.Simulator, nengo_dl.Simulator):
        caller = Caller(kind, size_in)
        with caller.simulator(simulator) as sim:
            caller.call = lambda t, sim=sim: seen.append((t, sim.n_steps, sim.time))
            sim.run_steps(3)
            sim.run_steps(2)
        assert sim.n_steps == 5
    assert len(seen) == 10 and np.allclose(seen[:5], seen[5:])


def test_another_simulator_may_run():
    caller, other = Caller("function", 1), Caller("function", 0)
    with other.simulator() as inner, caller.simulator() as sim:
        caller.call = lambda t: inner.run_steps(2)
        sim.run_steps(3)
        assert inner.n_steps == 6 and sim.n_steps == 3
