"""Filters that leave the loop, and those that stay."""

import nengo
import numpy as np
import pytest
from nengo.builder import Model
from nengo.builder.operator import Copy, TimeUpdate
from nengo.builder.processes import SimProcess
from nengo.builder.signal import Signal

from nengo_dl.graph.opgraph import dependencies
from nengo_dl.graph.phases import partition
from nengo_dl.graph.roles import assign
from nengo_dl.graph.series import FilterSeries, rewrite, view_of
from nengo_dl.lowering import registry


def partitioned(net, runs_python=registry.runs_python):
    """Divide a network; all of its Nodes without inputs are fed."""
    model = Model()
    model.build(net)
    operators = dependencies(model.operators).operators
    fed = {model.sig[node]["out"] for node in net.all_nodes if node.size_in == 0}
    roles = assign(operators, fed, (), registry.carries, registry.redundant)

    def needs_loop(op):
        return registry.runs_python(op) or bool(registry.carries(op))

    return partition(operators, roles, needs_loop, registry.across_time, runs_python)


def filters(operators):
    """Return the time constants of filters for all steps, and of those step by step."""
    return tuple(
        sorted(op.process.tau for op in operators if type(op) is kind)
        for kind in (FilterSeries, SimProcess)
    )


def network(neuron_type, recurrent=False):
    with nengo.Network(seed=0) as net:
        net.config[nengo.Ensemble].neuron_type = neuron_type
        node = nengo.Node([0])
        a, b = (nengo.Ensemble(5, 1, label=label) for label in "ab")
        nengo.Connection(node, a, synapse=0.01)
        nengo.Connection(a, b, synapse=0.02)
        if recurrent:
            nengo.Connection(b, b, synapse=0.03)
        nengo.Probe(b, synapse=0.04)
    return net


def test_without_memory_all_filters_leave_the_loop():
    phases = partitioned(network(nengo.LIFRate()))
    assert filters(phases.before) == ([0.01, 0.02, 0.04], [])
    assert phases.loop == phases.after == ()
    assert len(phases.ends) == 3


def test_filters_between_neurons_that_remember_stay():
    phases = partitioned(network(nengo.LIF()))
    assert filters(phases.before) == ([0.01], [])
    assert filters(phases.loop) == ([], [0.02])
    assert filters(phases.after) == ([0.04], [])


def test_filters_in_a_circle_stay():
    phases = partitioned(network(nengo.LIFRate(), recurrent=True))
    assert filters(phases.before) == ([0.01, 0.02], [])
    assert filters(phases.loop) == ([], [0.03])
    assert filters(phases.after) == ([0.04], [])


def test_two_filters_in_a_circle_stay():
    with nengo.Network() as net:
        a, b = nengo.Node(size_in=1), nengo.Node(size_in=1)
        nengo.Connection(nengo.Node([0]), a, synapse=0.01)
        nengo.Connection(a, b, synapse=0.02)
        nengo.Connection(b, a, synapse=0.03)
    phases = partitioned(net)
    assert filters(phases.before) == ([0.01], [])
    assert filters(phases.loop) == ([], [0.02, 0.03])


def test_filters_around_python_leave_the_loop():
    with nengo.Network() as net:
        node = nengo.Node(lambda t, x: x, size_in=1)
        nengo.Connection(nengo.Node([0]), node, synapse=0.01)
        nengo.Probe(node, synapse=0.02)
    phases = partitioned(net)
    assert filters(phases.before) == ([0.01], [])
    assert filters(phases.after) == ([0.02], [])
    # where everything that Nengo's own processes read has to be there in the loop
    phases = partitioned(net, runs_python=lambda op: True)
    assert filters(phases.loop) == ([], [0.01, 0.02])


def test_nobody_counts_steps_alone():
    phases = partitioned(network(nengo.LIFRate()))
    assert not any(isinstance(op, TimeUpdate) for op in phases.loop)
    phases = partitioned(network(nengo.LIF()))
    assert any(isinstance(op, TimeUpdate) for op in phases.loop)


def test_who_reads_a_filter_reads_its_output_of_the_step_before():
    state = {"X": Signal(np.zeros((1, 4)))}
    x, y, z = Signal(np.zeros(4)), Signal(np.zeros(4), name="y"), Signal(np.zeros(2))
    op = SimProcess(nengo.Lowpass(0.1), x, y, Signal(0.0), mode="update", state=state)
    reader, other = Copy(y[1::2], z), Copy(x, Signal(np.zeros(4)))
    new = rewrite([reader, op, other], {op})
    copied, series, same = new.operators
    assert same is other
    assert type(series) is FilterSeries and new.series == {y: series}
    assert series.updates == [y, state["X"]] and series.input is x
    assert reader.reads[0].base is y
    (source,) = copied.reads
    assert source.base is series.begin
    assert (source.offset, source.shape) == (8, (2,))


@pytest.mark.parametrize(
    "part",
    [np.s_[:], np.s_[1], np.s_[:, 1], np.s_[::-1, ::2], np.s_[1:2, 1:]],
    ids=str,
)
def test_views_of_another_base(part):
    base = Signal(np.arange(6.0).reshape(2, 3))
    other = Signal(10 * np.arange(6.0).reshape(2, 3))
    view = view_of(base[part], other)
    assert view.base is other
    np.testing.assert_array_equal(view.initial_value, 10 * base[part].initial_value)
    assert view_of(base, other) is other


def test_filters_of_filters():
    with nengo.Network() as net:
        node = nengo.Node(size_in=1)
        nengo.Connection(nengo.Node([0]), node, synapse=0.01)
        nengo.Probe(nengo.Connection(node, nengo.Node(size_in=1), synapse=0.02))
    phases = partitioned(net)
    assert filters(phases.before) == ([0.01, 0.02], [])
    first, second = (op for op in phases.before if isinstance(op, FilterSeries))
    names = [signal.name for op in (first, second) for signal in op.updates]
    assert not any(signal.name in names for signal in second.reads)
