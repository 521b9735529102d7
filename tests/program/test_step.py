"""One time step, traced without any loop around it."""

import nengo
import pytest
import tensorflow as tf

import nengo_dl
from nengo_dl.graph.roles import Role
from nengo_dl.program.step import InGraph
from tests.helpers import assert_close, rest_with_everything


def network():
    """Return neurons that two functions of Python stand between."""
    with nengo.Network(seed=0) as net:
        a = nengo.Ensemble(10, 1, neuron_type=nengo.LIFRate())
        b = nengo.Ensemble(10, 1)
        twice = nengo.Node(lambda t, x: 2 * x + t, size_in=1)
        more = nengo.Node(lambda t, x: x + 1, size_in=1)
        nengo.Connection(a, twice, synapse=None)
        nengo.Connection(twice, more, synapse=None)
        nengo.Connection(more, b, synapse=0.01)
        nengo.Connection(b, a, synapse=0.01)
        nengo.Probe(b, synapse=0.01)
        nengo.Probe(more)
    return net


@pytest.mark.parametrize("minibatch_size", rest_with_everything([2, None]))
def test_steps_by_hand_are_those_of_the_simulation(minibatch_size):
    net = network()
    with nengo_dl.Simulator(
        net, minibatch_size=minibatch_size, dtype="float64", progress_bar=False
    ) as sim:
        step, store = sim._program.step, sim._runner.store
        params = step.layout.of_role(Role.PARAM)

        @tf.function(autograph=False)
        def take(number, state):
            values = step.open(dict(zip(params, store.params, strict=True)))
            now = step.begin(values, state, {})
            step.run(now, InGraph(number))
            return list(step.state(now)), [step.sample(now, r) for r in step.recordings]

        state, samples = list(store.initial_state), []
        for number in range(1, 6):
            state, seen = take(tf.constant(number), state)
            samples.append(seen)
        sim.run_steps(5)
        for probe, rows in zip(net.probes, zip(*samples, strict=True), strict=True):
            rows = tf.stack(rows, axis=1)
            assert_close(sim.data[probe], rows if minibatch_size else rows[0])


def test_a_step_is_cut_where_python_is_called():
    with nengo_dl.Simulator(network(), progress_bar=False) as sim:
        step = sim._program.step
        *between, last = step.stages
        assert step.calls_python
        assert last.calls is None
        assert len(between) == 2  # one function needs what the other returns
        assert all(stage.calls is not None for stage in between)
        calls = [*(stage.calls.lowerings for stage in between), ()]
        parts = zip((stage.lowerings for stage in step.stages), calls, strict=True)
        whole = [low for compiled, called in parts for low in (*compiled, *called)]
        assert list(map(id, whole)) == list(map(id, step.lowerings))
        for j in range(len(between)):
            assert step.needed_after(j + 1) <= step.needed_after(j)
            assert step.needed_after(j) >= set(step.carried)


def test_decoders_of_probes_run_with_those_of_connections():
    """Optimizers change the ones and not the others, which is nothing to a run."""
    with nengo.Network(seed=0) as net:
        a, b = nengo.Ensemble(5, 1), nengo.Ensemble(5, 1)
        nengo.Connection(a, b, synapse=0.01)
        nengo.Probe(b, synapse=0.01)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        program = sim._program
        decoders = [b for b in program.layout.blocks if b.key.startswith("DotInc/A")]
        (products,) = [group for group in program.plan if group.name == "DotInc"][-1:]
        assert {block.trainable for block in decoders} == {True, False}
        assert len(products.ops) == 2


def test_what_counts_the_steps_is_known_to_the_loop():
    with nengo.Network() as net:
        nengo.Probe(nengo.Node([0]))
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        step = sim._program.step
        (counter,) = (step.layout.blocks[i] for i in step.counted)
        assert counter.signals == (sim.model.step,)
        for n_steps in (1, 2, 5):
            sim.run_steps(n_steps)
        assert sim.n_steps == sim.data[net.all_probes[0]].shape[0] == 8
        assert int(sim._runner.store.state[0][0, 0]) == 8
