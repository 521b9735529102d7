import nengo
import numpy as np
import tensorflow as tf

import nengo_dl
from nengo_dl.lowering.values import SignalValues
from nengo_dl.program.python_round import PythonCalls
from tests.helpers import assert_matches_nengo


class Decay(nengo.Process):
    """A process of the user's, whose group keeps its own arguments and results."""

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        return {"x": np.zeros(shape_out)}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        def step(t, u, x=state["x"]):
            x[...] = 0.9 * x + u
            return x

        return step


def loops(called=None):
    """Return loops through Nodes of many shapes, which say when they are called."""
    with nengo.Network(seed=0) as net:
        source = nengo.Node(lambda t: [np.sin(100 * t), np.cos(100 * t), t])

        def function(i, size_out):
            def compute(t, x):
                if called is not None:
                    called.append((i, round(t / 0.001)))
                result = (
                    np.arange(1, size_out + 1) * (x.sum() + t) if size_out else None
                )
                x[:] = np.nan  # what it is given is its own
                return result

            return compute

        for i in range(12):
            size_in, size_out = 1 + i % 3, (2, 1, 0, 3)[i % 4]
            node = nengo.Node(function(i, size_out), size_in, size_out)
            nengo.Connection(source[:size_in], node, synapse=None if i % 2 else 0.01)
            if size_out and size_in == 1:
                nengo.Connection(node, node, function=lambda x: 0.1 * x[:1], synapse=0)
            if size_out:
                nengo.Probe(node, label=f"node {i}")
        filtered = nengo.Node(Decay(), size_in=2, size_out=2)
        nengo.Connection(source[:2], filtered, synapse=None)
        nengo.Probe(filtered)
    return net


def test_many_nodes_compute_what_they_do_in_nengo():
    assert_matches_nengo(loops, steps=12)


def test_many_nodes_are_called_in_the_order_of_nengo():
    ours, theirs = [], []
    with nengo.Simulator(loops(theirs), progress_bar=False) as sim:
        theirs.clear()
        sim.run_steps(5)
    with nengo_dl.Simulator(loops(ours), progress_bar=False) as sim:
        ours.clear()
        sim.run_steps(5)
    assert len(ours) == 60
    assert {step for _, step in ours} == {1, 2, 3, 4, 5}
    # between independent Nodes, Nengo's own order varies from build to build
    assert sorted(ours) == sorted(theirs)
    orders = [[i for i, step in ours if step == number] for number in range(1, 6)]
    assert all(order == orders[0] for order in orders)


def test_what_many_functions_are_given_is_one_array():
    with nengo_dl.Simulator(loops(), minibatch_size=2, progress_bar=False) as sim:
        rounds = [
            stage.calls for stage in sim._program.step.stages if stage.calls is not None
        ]
        shared = [one.shared for one in rounds if one.shared is not None]
        # with the source and functions of Connections
        assert sum(len(one.members) for one in shared) == 16
        for one in shared:
            sizes = [v.size for low in one.members.values() for v in low.writes]
            assert one.shapes == [(2, sum(sizes))]
            reads = [v for low in one.members.values() for v in low.reads]
            with tf.Graph().as_default():
                n_arrays = len(one.arguments(values_of(sim)))
            assert n_arrays == (1 if reads else 0)
        # and the user's process has its own, beside those of functions
        (mixed,) = [one for one in rounds if len(one.lowerings) > 1 and one.others]
        assert len(mixed.others) == 1 and len(mixed.shared.members) == 7


def values_of(sim):
    """Return the values that a step begins with, all zero."""
    step = sim._program.step
    blocks = step.layout.blocks
    zeros = {
        i: tf.zeros((2, block.size) if block.role.batched else (block.size,))
        for i, block in enumerate(blocks)
    }
    return SignalValues(step.layout, zeros, 2, tf.float32)


def test_one_function_is_called_as_it_is():
    with nengo.Network() as net:
        node = nengo.Node(lambda t, x: x + 1, size_in=2, size_out=2)
        nengo.Connection(nengo.Node([1, 2]), node, synapse=None)
        nengo.Probe(node)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        calls = [s.calls for s in sim._program.step.stages if s.calls is not None]
        assert calls and all(isinstance(one, PythonCalls) for one in calls)
        assert all(one.shared is None for one in calls)
        sim.run_steps(2)
        assert sim.data[net.probes[0]][-1].tolist() == [2, 3]
