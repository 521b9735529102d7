import nengo
import numpy as np
import pytest
from nengo.builder import Model
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Copy, Reset
from nengo.builder.processes import SimProcess
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError

from nengo_dl.graph.opgraph import dependencies
from nengo_dl.plan.groups import OpGroup, check_plan, payload_of


@pytest.fixture
def chain():
    a, b = Signal(np.zeros(2)), Signal(np.zeros(2))
    first, second = Reset(a, tag="first"), Copy(a, b, tag="second")
    return dependencies([first, second]), first, second


def alike(graph):
    """The merge key of operators that may all run together."""
    return dict.fromkeys(graph.operators, 0)


def test_sound_plans_pass(chain):
    graph, first, second = chain
    check_plan((OpGroup((first,)), OpGroup((second,))), graph, alike(graph))


def test_plan_in_the_wrong_order(chain):
    graph, first, second = chain
    with pytest.raises(BuildError, match=r"Copy 'second' before .* Reset 'first'"):
        check_plan((OpGroup((second,)), OpGroup((first,))), graph, alike(graph))


def test_plan_that_runs_dependent_operators_together(chain):
    graph, first, second = chain
    with pytest.raises(BuildError, match="together with Reset 'first'"):
        check_plan((OpGroup((first, second)),), graph, alike(graph))


def test_plan_that_leaves_something_out_or_repeats_it(chain):
    graph, first, second = chain
    with pytest.raises(BuildError, match="leaves out Copy 'second'"):
        check_plan((OpGroup((first,)),), graph, alike(graph))
    with pytest.raises(BuildError, match="Reset 'first' twice"):
        check_plan(
            (OpGroup((first,)), OpGroup((first,)), OpGroup((second,))),
            graph,
            alike(graph),
        )


def test_plan_that_merges_what_has_different_keys():
    operators = [Reset(Signal(np.zeros(1)), tag=name) for name in "abc"]
    graph = dependencies(operators)
    keys = dict(zip(operators, [0, 0, 1], strict=True))
    check_plan((OpGroup(tuple(operators[:2])), OpGroup((operators[2],))), graph, keys)
    with pytest.raises(BuildError, match="Reset 'a' and Reset 'c' as .* keys differ"):
        check_plan((OpGroup(tuple(operators)),), graph, keys)


def test_plan_with_an_empty_group(chain):
    graph, first, second = chain
    with pytest.raises(BuildError, match="a group without operators"):
        plan = tuple(map(OpGroup, ((first,), (), (second,))))
        check_plan(plan, graph, alike(graph))


def test_plan_with_strangers(chain):
    graph, first, second = chain
    stranger = Reset(Signal(np.zeros(1)))
    with pytest.raises(BuildError, match="not in the graph"):
        check_plan(
            tuple(OpGroup((op,)) for op in (first, second, stranger)),
            graph,
            alike(graph),
        )


def test_slots_are_the_signals_in_the_same_place_of_every_operator():
    operators = [Copy(Signal(np.zeros(2)), Signal(np.zeros(2)), inc=True) for _ in "ab"]
    group = OpGroup(tuple(operators))
    assert group.slots == [
        tuple(op.dst for op in operators),
        tuple(op.src for op in operators),
    ]


def test_names_tell_operator_and_payload():
    with nengo.Network() as net:
        nengo.Probe(nengo.Ensemble(2, 1), synapse=nengo.Alpha(0.1))
    model = Model()
    model.build(net)
    names = {OpGroup((op,)).name for op in model.operators}
    assert {"SimNeurons.LIF", "SimProcess.Alpha", "Reset", "TimeUpdate"} <= names
    for op in model.operators:
        has_payload = isinstance(op, SimNeurons | SimProcess)
        assert (payload_of(op) is not None) == has_payload
