import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from nengo.builder import Model
from nengo.builder.operator import Copy, DotInc, Reset
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError
from nengo.utils.graphs import toposort
from nengo.utils.simulator import operator_dependency_graph

from nengo_dl.graph.opgraph import dependencies, in_sequence, nengo_order
from nengo_dl.graph.simplify.factor_pes import Keep
from tests.plan.strategies import operator_lists


def signals(n):
    return [Signal(np.zeros(2), name=f"s{i}") for i in range(n)]


def test_sets_come_before_incs_before_reads_before_updates():
    a, b, c = signals(3)
    read = Copy(b, c)
    increment, reset = Copy(a, b, inc=True), Reset(b)
    graph = dependencies([read, increment, reset])
    assert graph.operators == (reset, increment, read)
    assert list(graph.successors[reset]) == [increment] or set(
        graph.successors[reset]
    ) == {increment, read}
    assert list(graph.successors[increment]) == [read]
    assert not list(graph.successors[read])


def test_order_is_that_of_nengo():
    with nengo.Network(seed=0) as net:
        for _ in range(4):
            a = nengo.Ensemble(5, 1)
            nengo.Connection(nengo.Node(np.sin), a)
            nengo.Connection(a, a)
            nengo.Probe(a)
    model = Model()
    model.build(net)
    expected = toposort(operator_dependency_graph(model.operators))
    assert list(dependencies(model.operators).operators) == expected
    assert list(nengo_order(model.operators)) == expected


@given(operator_lists())
@settings(max_examples=60)
def test_order_of_any_operators_is_that_of_nengo(operators):
    expected = operator_dependency_graph(operators)
    graph = dependencies(operators)
    assert graph.operators == tuple(toposort(expected))
    for op, following in expected.items():
        assert list(graph.successors[op]) == list(following)


def test_views_of_one_base_depend_on_each_other_only_if_they_overlap():
    base = Signal(np.zeros(4))
    source = Signal(np.zeros(2))
    first, second = Copy(source, base[:2]), Copy(source, base[2:])
    reads_first = Copy(base[:2], Signal(np.zeros(2)))
    graph = dependencies([reads_first, second, first])
    assert reads_first in graph.successors[first]
    assert reads_first not in graph.successors[second]


@pytest.mark.parametrize("shape", [(6,), (4, 5)])
def test_views_that_share_memory_are_those_that_numpy_names(shape):
    base = Signal(np.zeros(shape))
    rows = (slice(None),) * (len(shape) - 1)
    columns = [base[(*rows, slice(i, i + 2))] for i in range(0, shape[-1], 2)]
    views = [base[1:3], base[2:], base[3:], base[::2], base[::-1], base[1:1], *columns]
    follower = {view: Copy(view, Signal(np.zeros(view.shape))) for view in views}
    for written in (base, *views):
        setter = Copy(Signal(np.zeros(written.shape)), written)
        graph = dependencies([*follower.values(), setter])
        expected = [op for v, op in follower.items() if written.may_share_memory(v)]
        assert list(graph.successors[setter]) == expected


def test_signals_that_two_operators_change_are_refused_as_by_nengo():
    base = Signal(np.zeros(4), name="base")
    matrix, x = Signal(np.zeros((4, 4))), Signal(np.zeros(4))
    for operators in (
        [Reset(base), Reset(base)],
        [Reset(base), Reset(base[:2])],
        [Reset(base[1:3]), DotInc(matrix, x, base), Reset(base[:2])],
        [Keep([x[:3]], [base[:3]]), Keep([x[1:]], [base[1:]])],
        [Keep([x], [base]), Keep([x[1:]], [base[1:]])],
    ):
        for order in (operator_dependency_graph, dependencies, nengo_order):
            with pytest.raises(AssertionError, match="base"):
                order(operators)
    apart = [Reset(base[2:]), Reset(base[:2])]
    assert list(nengo_order(apart)) == apart


def test_cycles_are_reported_with_all_their_members_and_nobody_else():
    a, b, c, d = signals(4)
    operators = [
        Copy(a, b, inc=True, tag="one"),
        Copy(b, c, inc=True, tag="two"),
        Copy(c, a, inc=True, tag="three"),
        Copy(d, a, inc=True, tag="leads there"),
        Copy(c, Signal(np.zeros(2)), tag="leads away"),
    ]
    with pytest.raises(BuildError, match="cycle within one time step") as error:
        dependencies(operators)
    message = str(error.value)
    for name in ("one", "two", "three"):
        assert f"Copy '{name}'" in message
    assert "leads" not in message
    assert "synapse" in message


def test_operator_that_waits_for_itself_is_a_cycle():
    a = Signal(np.zeros(2))
    matrix = Signal(np.eye(2))
    with pytest.raises(BuildError, match="DotInc 'self'"):
        dependencies([DotInc(matrix, a, a, tag="self")])


def test_operators_can_be_bound_to_a_sequence():
    operators = [Copy(Signal(np.zeros(2)), Signal(np.zeros(2))) for _ in range(4)]
    graph = dependencies(operators)
    chosen = [graph.operators[i] for i in (0, 2, 3)]
    bound = in_sequence(graph, chosen)
    assert bound.operators == graph.operators
    assert chosen[1] in bound.successors[chosen[0]]
    assert chosen[2] in bound.successors[chosen[1]]
    assert not list(bound.successors[graph.operators[1]])
    # the graph that was given is as it was
    assert not list(graph.successors[chosen[0]])


def test_operators_bound_to_a_sequence_run_in_that_order_everywhere():
    # two that do not need each other may come either way round, until they are bound
    first, second, third = [
        Copy(Signal(np.zeros(2)), Signal(np.zeros(2))) for _ in range(3)
    ]
    follower = Copy(third.dst, Signal(np.zeros(2)))
    graph = dependencies([first, second, third, follower])
    others = [op for op in graph.operators if op not in (third, follower)]
    for sequence in ([third, *others], [*others, third]):
        bound = in_sequence(graph, sequence)
        places = [bound.operators.index(op) for op in sequence]
        assert places == sorted(places)
        assert places[sequence.index(third)] < bound.operators.index(follower)
        assert set(bound.operators) == set(graph.operators)
