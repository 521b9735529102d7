import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nengo_dl.graph.adjacency import Adjacency

#: lists of numbers of the lists themselves
LISTS = st.integers(1, 6).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, n - 1)), min_size=n, max_size=n)
)


def adjacency(lists):
    owners = [i for i, members in enumerate(lists) for _ in members]
    members = [member for found in lists for member in found]
    return Adjacency.of_pairs(
        len(lists), np.array(owners, np.intp), np.array(members, np.intp)
    )


@given(LISTS)
def test_lists_are_those_that_were_given(lists):
    found = adjacency(lists)
    assert found.lists() == lists
    for i, (start, count) in enumerate(zip(found.starts, found.counts, strict=True)):
        assert found.members[start : start + count].tolist() == lists[i]
    assert [lists[i] for i in found.owners()] == [
        members for members in lists for _ in members
    ]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9))))
def test_members_of_each_list_keep_their_order_among_pairs(pairs):
    owners, members = np.array(pairs, np.intp).reshape(-1, 2).T
    assert Adjacency.of_pairs(5, owners, members).lists() == [
        [member for owner, member in pairs if owner == i] for i in range(5)
    ]


@given(LISTS, st.data())
def test_lists_of_some_follow_each_other(lists, data):
    some = data.draw(st.lists(st.integers(0, len(lists) - 1)))
    found = adjacency(lists).of(np.array(some, np.intp))
    assert found.tolist() == [member for i in some for member in lists[i]]


@given(LISTS)
def test_distinct_lists_have_each_member_where_it_was_first(lists):
    expected = [list(dict.fromkeys(members)) for members in lists]
    assert adjacency(lists).distinct().lists() == expected


@given(LISTS, st.randoms())
def test_edges_are_the_same_under_other_numbers(lists, random):
    order = list(range(len(lists)))
    random.shuffle(order)
    found = adjacency(lists).ordered(np.array(order)).lists()
    for new, old in enumerate(order):
        assert [order[member] for member in found[new]] == lists[old]
