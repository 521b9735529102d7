"""Models made of single operators, for shapes that no network builds."""

import nengo
import numpy as np
import pytest
from nengo.builder import Model
from nengo.builder.operator import Operator
from nengo.builder.probe import SimProbe
from nengo.builder.signal import Signal

import nengo_dl
from tests.helpers import MORE_RUNS, RUNS, assert_close


def model_of(operators, probed):
    """Return a Nengo model of the given operators, and a probe for each signal."""
    model = Model()
    for op in operators:
        model.add_op(op)
    with nengo.Network(add_to_container=False):
        probes = [nengo.Probe(nengo.Node(size_in=1)) for _ in probed]
    for probe, signal in zip(probes, probed, strict=True):
        model.sig[probe]["in"] = signal
        model.probes.append(probe)
        model.add_op(SimProbe(signal))
    return model, probes


def assert_operators_match(operators, probed, steps=4, minibatch=(None, 3)):
    """Compare the values of some signals with those in Nengo's simulator.

    By default only the last minibatch runs, the others with ``--everything``.
    """
    model, probes = model_of(operators, probed)
    with nengo.Simulator(None, model=model, progress_bar=False, optimize=False) as sim:
        sim.run_steps(steps)
        expected = [np.array(sim.data[probe]) for probe in probes]
    for items in minibatch if RUNS == MORE_RUNS else minibatch[-1:]:
        options = {"dtype": "float64", "minibatch_size": items, "progress_bar": False}
        with pytest.warns(match="No top-level network"):
            sim = nengo_dl.Simulator(None, model=model, **options)
        with sim:
            sim.run_steps(steps)
            for signal, probe, values in zip(probed, probes, expected, strict=True):
                assert np.any(values), f"{signal} is always zero"
                for data in sim.data[probe] if items else [sim.data[probe]]:
                    assert_close(data, values, 1e-12, f"{signal}, minibatch {items}")


class Count(Operator):
    """Not known to anyone: adds one to a signal."""

    def __init__(self, signal):
        super().__init__()
        self.sets, self.incs, self.reads, self.updates = [], [], [], [signal]

    def make_step(self, signals, dt, rng):
        target = signals[self.updates[0]]

        def step():
            target[...] += 1

        return step


def random_signal(rng, *shape, name=None):
    return Signal(rng.uniform(-1, 1, shape), name=name)
