import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_dl.lowering.indexing import (
    accumulate,
    expand,
    reshaped,
    select,
    sort_targets,
    stretch,
)

stretches = st.lists(
    st.builds(lambda a, n: (a, a + n), st.integers(0, 20), st.integers(1, 8)),
    min_size=1,
    max_size=14,
)
rows = st.lists(
    st.integers(0, 6).map(lambda i: (4 * i, 4 * i + 4)), min_size=1, max_size=20
)


def numbers(parts):
    return [i for start, stop in parts for i in range(start, stop)]


@settings(deadline=None)
@given(parts=st.one_of(stretches, rows))
def test_select_returns_the_stretches_one_after_the_other(parts):
    source = np.random.RandomState(0).rand(2, 28)
    result = select(tf.constant(source), parts).numpy()
    assert np.array_equal(result, source[:, numbers(parts)])


def test_select_of_everything_is_no_operation():
    source = tf.ones((2, 5))
    assert select(source, [(0, 5)]) is source


@pytest.mark.parametrize("shape", [(7,), (1, 7), (2, 3, 7)])
def test_stretch_of_the_last_axis(shape):
    source = np.random.RandomState(0).rand(*shape)
    assert np.array_equal(stretch(tf.constant(source), 2, 5), source[..., 2:5])


def test_reshaping_to_the_same_shape_is_no_operation():
    source = tf.ones((2, 5))
    assert reshaped(source, (2, 5)) is source
    assert reshaped(source, (2, 5, 1)).shape == (2, 5, 1)


@settings(deadline=None)
@given(parts=st.one_of(stretches, rows), lead=st.sampled_from([(), (1,), (3,)]))
def test_accumulate_sums_what_has_the_same_target(parts, lead):
    targets = numbers(parts)
    value = np.random.RandomState(0).randint(-9, 9, (*lead, len(targets))).astype(float)
    sums, merged = accumulate(tf.constant(value), parts)
    expected, result = np.zeros((*lead, 28)), np.zeros((*lead, 28))
    np.add.at(expected, (..., targets), value)
    where = numbers(merged)
    assert len(set(where)) == len(where)
    assert set(where) == set(targets)
    result[..., where] = sums.numpy()
    assert np.array_equal(result, expected)


@settings(deadline=None)
@given(order=st.permutations(range(9)), width=st.integers(1, 3))
def test_sorted_targets_are_ascending_and_joined(order, width):
    parts = [(4 * i, 4 * i + width) for i in order]
    value = np.random.RandomState(0).rand(2, 9 * width)
    result, where = sort_targets(tf.constant(value), parts)
    assert where == sorted(where)
    assert len(where) == 9
    expected, found = np.zeros((2, 40)), np.zeros((2, 40))
    expected[:, numbers(parts)] = value
    found[:, numbers(where)] = result.numpy()
    assert np.array_equal(found, expected)


def test_neighbours_are_joined():
    _, where = sort_targets(tf.ones((1, 6)), [(4, 6), (0, 2), (2, 4)])
    assert where == [(0, 6)]


def test_expand_counts_rows():
    assert expand([(0, 4), (8, 10)], 2).tolist() == [0, 1, 4]
    assert expand([]).tolist() == []
