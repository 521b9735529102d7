import nengo
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nengo.builder import Model
from nengo.builder.operator import Copy, ElementwiseInc, Reset
from nengo.builder.signal import Signal

from nengo_dl.graph.opgraph import dependencies
from nengo_dl.plan.chains import chain_lengths
from nengo_dl.plan.greedy import greedy_planner
from nengo_dl.plan.groups import check_plan
from nengo_dl.plan.noop import noop_planner
from tests.plan.strategies import kind, operator_lists, operators_of_a_network, planned

PLANNERS = [greedy_planner, noop_planner]


def check(graph, keys, plan):
    """Each operator once, after its predecessors, with its like only."""
    position = {}
    for i, group in enumerate(plan):
        assert len({keys[op] for op in group.ops}) == 1
        for op in group.ops:
            assert op not in position
            position[op] = i
    assert set(position) == set(graph.operators)
    for op, following in graph.successors.items():
        for later in following:
            assert position[op] < position[later]


def lengths_of(graph, keys):
    """Return the length of each operator's chain."""
    lengths = chain_lengths(graph.edges, [keys[op] for op in graph.operators])
    return dict(zip(graph.operators, lengths, strict=True))


@pytest.mark.parametrize("planner", PLANNERS)
@given(operators=operator_lists())
def test_each_operator_runs_once_after_its_predecessors(planner, operators):
    graph, _, keys, plan = planned(operators, planner)
    check(graph, keys, plan)
    check_plan(plan, graph, keys)


@given(operators=operator_lists(), numbers=st.sets(st.integers(0, 24)))
def test_groups_with_python_are_no_exception(operators, numbers):
    python = {op for i, op in enumerate(operators) if i in numbers}
    graph = dependencies(operators)
    keys = {op: (kind(op), type(op), op in python) for op in operators}
    plan = greedy_planner(graph, keys, python.__contains__)
    check(graph, keys, plan)


@pytest.mark.parametrize("planner", PLANNERS)
def test_plans_of_a_network(planner):
    graph, _, keys, plan = planned(operators_of_a_network(), planner)
    check(graph, keys, plan)


def chains(n, length):
    """Chains of copies that have nothing to do with each other."""
    operators = []
    for _ in range(n):
        signals = [Signal(np.zeros(2)) for _ in range(length + 1)]
        operators += [Copy(a, b) for a, b in zip(signals, signals[1:], strict=False)]
    return operators


def test_greedy_planner_merges_what_is_alike_and_independent():
    # a copy of the fixed first signals, then copies of what changes
    *_, plan = planned(chains(10, 3), greedy_planner)
    assert [len(group.ops) for group in plan] == [10, 10, 10]


def test_greedy_planner_waits_for_groups_that_are_not_complete():
    # two gains: one at once, one that has to wait for a copy
    a, b, c, d, e = (Signal(np.zeros(2)) for _ in range(5))
    early, late = ElementwiseInc(Signal(2.0), a, b), ElementwiseInc(Signal(2.0), d, e)
    operators = [Copy(c, d), early, late]
    graph = dependencies(operators)
    keys = {op: type(op) for op in operators}
    plan = greedy_planner(graph, keys, lambda op: False)
    assert [set(group.ops) for group in plan] == [{operators[0]}, {early, late}]


def test_greedy_planner_does_not_wait_for_what_comes_later_anyway():
    # a chain of two gains, and a gain that has to wait for a copy: the second gain of
    # the chain can wait for it, the first needs not
    a, b, c, d, e, f = (Signal(np.zeros(2)) for _ in range(6))
    first, second = (ElementwiseInc(Signal(2.0), x, y) for x, y in ((a, b), (b, c)))
    copied, late = Copy(d, e), ElementwiseInc(Signal(2.0), e, f)
    graph = dependencies([first, second, late, copied])
    keys = {op: type(op) for op in graph.operators}
    assert lengths_of(graph, keys) == {first: 2, second: 1, late: 1, copied: 1}
    plan = greedy_planner(graph, keys, lambda op: False)
    assert len(plan) == 3
    assert [g.ops for g in plan if late in g.ops] in (
        [(late, second)],
        [(second, late)],
    )


def test_fewest_groups_of_a_network():
    with nengo.Network(seed=0) as net:
        nengo.networks.BasalGanglia(4)
    model = Model()
    model.build(net)
    graph, _, keys, plan = planned(model.operators, greedy_planner)
    for key in {keys[op] for op in graph.operators if type(op) is not Copy}:
        groups = sum(keys[group.ops[0]] == key for group in plan)
        lengths = lengths_of(graph, keys)
        assert groups == max(n for op, n in lengths.items() if keys[op] == key)


@given(operators=operator_lists())
def test_no_plan_has_fewer_groups_than_the_longest_chain(operators):
    graph, _, keys, plan = planned(operators, greedy_planner)
    lengths = lengths_of(graph, keys)
    by_hand = dict.fromkeys(graph.operators, 0)
    for op in reversed(graph.operators):
        # all paths, one after the other
        stack = [(op, 0)]
        while stack:
            at, count = stack.pop()
            count += keys[at] == keys[op]
            by_hand[op] = max(by_hand[op], count)
            stack += [(later, count) for later in graph.successors[at]]
    assert lengths == by_hand
    for key in set(keys.values()):
        groups = sum(keys[group.ops[0]] == key for group in plan)
        assert groups >= max(n for op, n in lengths.items() if keys[op] == key)


def test_greedy_planner_changes_between_python_and_compiled_code_rarely():
    # Python and compiled operators in turn, in chains: they can run side by side
    operators = chains(6, 5)
    python = {op for i, op in enumerate(operators) if i % 5 in (1, 3)}
    graph = dependencies(operators)
    keys = {op: id(op) for op in operators}
    plan = greedy_planner(graph, keys, python.__contains__)
    kinds = [group.ops[0] in python for group in plan]
    assert sum(a != b for a, b in zip(kinds, kinds[1:], strict=False)) == 4


def test_noop_planner_keeps_nengos_order():
    graph, _, _, plan = planned(
        [Reset(Signal(np.zeros(2))) for _ in range(4)], noop_planner
    )
    assert [group.ops for group in plan] == [(op,) for op in graph.operators]
