import nengo
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nengo.builder.operator import Copy, DotInc
from nengo.builder.processes import SimProcess
from nengo.builder.signal import Signal

from nengo_dl.graph.roles import Role, assign
from nengo_dl.graph.signals import size
from nengo_dl.plan.claims import arrange
from nengo_dl.plan.greedy import greedy_planner
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import Run, View, join_runs
from nengo_dl.plan.noop import noop_planner
from tests.plan.strategies import operator_lists, operators_of_a_network, planned


def check(layout, roles, trainable=()):
    """Every element has exactly one place, in a block of its role and type."""
    assert set(layout.places) == set(roles)
    taken = [np.zeros(block.size, dtype=int) for block in layout.blocks]
    for signal, (number, offset) in layout.places.items():
        block = layout.blocks[number]
        assert signal in block.signals
        assert block.role is roles[signal]
        assert block.kind == signal.dtype.kind
        assert block.trainable == (signal in trainable)
        taken[number][offset : offset + size(signal)] += 1
    for count in taken:
        assert np.all(count == 1)
    assert len({block.key for block in layout.blocks}) == len(layout.blocks)
    numbers = [i for role in Role for i in layout.of_role(role)]
    assert sorted(numbers) == list(range(len(layout.blocks)))


@pytest.mark.parametrize("planner", [greedy_planner, noop_planner])
@given(operators=operator_lists())
def test_every_element_has_exactly_one_place(planner, operators):
    _, roles, _, plan = planned(operators, planner)
    arranged, layout = arrange(plan, roles)
    check(layout, roles)
    assert [set(group.ops) for group in arranged] == [set(group.ops) for group in plan]


@given(operators=operator_lists())
def test_views_find_the_elements_of_their_signals(operators):
    _, roles, _, plan = planned(operators, greedy_planner)
    plan, layout = arrange(plan, roles)
    # every element of every base gets a number of its own
    memory = [np.full(block.size, -1) for block in layout.blocks]
    arrays, count = {}, 0
    for signal, (number, offset) in layout.places.items():
        arrays[signal] = np.arange(count, count + signal.size).reshape(signal.shape)
        memory[number][offset : offset + signal.size] = arrays[signal].ravel()
        count += signal.size
    for group in plan:
        for slot in group.slots:
            if len({roles[signal.base] for signal in slot}) > 1:
                continue
            view = layout.view(slot)
            expected = [
                np.ndarray(
                    signal.shape,
                    buffer=arrays[signal.base],
                    dtype=int,
                    offset=signal.elemoffset * 8,
                    strides=[8 * s for s in signal.elemstrides],
                ).ravel()
                for signal in slot
            ]
            found = [memory[run.block][run.start : run.stop] for run in view.runs]
            assert np.array_equal(np.concatenate(found), np.concatenate(expected))
            assert view.size == sum(signal.size for signal in slot)
            assert view.batched == roles[slot[0].base].batched


def test_layout_of_a_network():
    _, roles, _, plan = planned(operators_of_a_network(), greedy_planner)
    trainable = {s for s, role in roles.items() if role is Role.PARAM and s.ndim == 2}
    _, layout = arrange(plan, roles, trainable)
    check(layout, roles, trainable)
    assert any(b.key.startswith("SimNeurons.LIF/voltage#") for b in layout.blocks)
    for block in layout.blocks:
        expected = np.concatenate([s.initial_value.ravel() for s in block.signals])
        assert np.array_equal(block.initial_values(), expected)


def test_members_of_a_group_stand_in_its_order_without_gaps():
    operators = [
        DotInc(Signal(np.ones((3, 2))), Signal(np.ones(2)), Signal(np.ones(3)))
        for _ in range(20)
    ]
    plan, layout = arrange((OpGroup(tuple(operators)),), assign(operators))
    for slot in plan[0].slots:
        assert len(layout.view(slot).runs) == 1


def test_later_groups_follow_the_order_of_earlier_ones():
    targets = [Signal(np.zeros(4), name=f"t{i}") for i in range(6)]
    large = [Copy(Signal(np.zeros(4)), target, inc=True) for target in targets]
    matrices = [
        DotInc(Signal(np.ones((9, 4))), t, Signal(np.zeros(9))) for t in targets
    ]
    shuffled = [large[i] for i in (3, 0, 5, 1, 4, 2)]
    operators = [*shuffled, *matrices]
    plan = (OpGroup(tuple(shuffled)), OpGroup(tuple(matrices)))
    plan, layout = arrange(plan, assign(operators))
    for group in plan:
        for slot in group.slots:
            assert len(layout.view(slot).runs) == 1


def test_what_the_same_group_will_use_next_stands_together():
    # as with ensembles of several sizes: one group sets what others use apart
    targets = [Signal(np.zeros(2 + i % 2), name=f"t{i}") for i in range(6)]
    copies = [Copy(Signal(np.zeros(t.shape)), t) for t in targets]
    matrices = [
        DotInc(Signal(np.ones((1, *t.shape))), t, Signal(np.zeros(1))) for t in targets
    ]
    by_size = OpGroup(tuple(matrices[::2])), OpGroup(tuple(matrices[1::2]))
    roles = assign([*copies, *matrices])
    plan, layout = arrange((OpGroup(tuple(copies)), *by_size), roles)
    check(layout, roles)
    for group in plan:
        for slot in group.slots:
            assert len(layout.view(slot).runs) == 1


def test_among_equals_those_that_write_state_arrange_it():
    def filtered(output):
        state = {"X": Signal(np.zeros((1, 4)))}
        time, source = Signal(np.zeros(())), Signal(np.zeros(4))
        return SimProcess(
            nengo.Lowpass(0.1), source, output, time, mode="update", state=state
        )

    first, *others = [Signal(np.zeros(4), name=f"y{i}") for i in range(4)]
    copies = [Copy(y, Signal(np.zeros(4)), inc=True) for y in (first, *others[:2])]
    alone, together = filtered(first), [filtered(y) for y in others]
    plan = (OpGroup(tuple(copies)), OpGroup((alone,)), OpGroup(tuple(together)))
    roles = assign([*copies, alone, *together])
    _, layout = arrange(plan, roles)
    check(layout, roles)
    assert len(layout.view(others).runs) == 1


# -- views


runs = st.builds(
    lambda block, start, length: Run(block, start, start + length),
    st.integers(0, 2),
    st.integers(0, 10),
    st.integers(1, 6),
)


def places(run_list):
    return [(run.block, i) for run in run_list for i in range(run.start, run.stop)]


@given(st.lists(runs, max_size=8))
def test_joining_runs_keeps_their_elements_in_order(run_list):
    joined = join_runs(run_list)
    assert places(joined) == places(run_list)
    for a, b in zip(joined, joined[1:], strict=False):
        assert not (a.block == b.block and a.stop == b.start)


@given(st.lists(runs, min_size=1, max_size=8), st.data())
def test_taking_elements_of_a_view(run_list, data):
    all_places = places(run_list)
    view = View(tuple(run_list), (len(all_places),), True)
    index = data.draw(
        st.lists(st.integers(0, len(all_places) - 1), min_size=1, max_size=12)
    )
    taken = view.take(np.array(index))
    assert places(taken.runs) == [all_places[i] for i in index]
    assert taken.shape == (len(index),)
    assert taken.blocks == tuple(dict.fromkeys(all_places[i][0] for i in index))


def test_taking_nothing():
    view = View((Run(0, 2, 5),), (3,), True)
    assert view.take(np.zeros(0, dtype=int)).runs == ()


def test_reshaping_keeps_the_places():
    view = View((Run(0, 2, 8),), (6,), False)
    reshaped = view.reshape(2, 3)
    assert reshaped.runs == view.runs
    assert (reshaped.shape, reshaped.size, reshaped.batched) == ((2, 3), 6, False)


def test_shapes_of_views():
    a, b, c = (Signal(np.zeros(s)) for s in ((2, 3), (2, 3), (4,)))
    operators = [Copy(a, c[:1], inc=True), Copy(b, c[1:2], inc=True)]
    roles = assign(operators)
    _, layout = arrange(tuple(OpGroup((op,)) for op in operators), roles)
    assert layout.view([a, b]).shape == (2, 2, 3)
    assert layout.view([a]).shape == (1, 2, 3)
    assert layout.view([a, a[0:1]]).shape == (9,)
    assert layout.view([a], (6,)).shape == (6,)
