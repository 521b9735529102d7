from dataclasses import dataclass, make_dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nengo_dl.lowering.reset import LowerReset
from nengo_dl.plan.layout import Run, View
from nengo_dl.program.fingerprint import fingerprint, only_own


@dataclass(frozen=True)
class Pair:
    first: object
    second: object


arrays = st.builds(
    lambda values, dtype, shape: np.array(values, dtype).reshape(shape),
    st.lists(st.integers(0, 2), min_size=4, max_size=4),
    st.sampled_from(["i4", "f4", "f8"]),
    st.sampled_from([(4,), (2, 2), (1, 4)]),
)
plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 2),
    st.floats(allow_nan=False),
    st.text(max_size=3),
    arrays,
)
values = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=2), inner, max_size=2),
        st.builds(Pair, inner, inner),
    ),
    max_leaves=6,
)


def same(a, b):
    """Whether two values are equal in all that could change a computation."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and (a == b).all()
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(tuple(a.items()), tuple(b.items()))
    if isinstance(a, Pair):
        return same((a.first, a.second), (b.first, b.second))
    return repr(a) == repr(b)  # tells 0.0 from -0.0


@given(values, values)
def test_equal_for_equal_values_only(a, b):
    assert (fingerprint(a) == fingerprint(b)) == same(a, b)


@given(values)
def test_a_copy_is_equal(a):
    def copy(value):
        if isinstance(value, np.ndarray):
            return value.copy()
        if isinstance(value, tuple):
            return tuple(map(copy, value))
        if isinstance(value, Pair):
            return Pair(copy(value.first), copy(value.second))
        return dict(value) if isinstance(value, dict) else value

    assert fingerprint(a) is not None
    assert fingerprint(a) == fingerprint(copy(a))


def test_views_are_compared_by_place():
    view = View((Run(0, 1, 3),), (2,), True)
    assert fingerprint(view) == fingerprint(View((Run(0, 1, 3),), (2,), True))
    for other in (
        View((Run(1, 1, 3),), (2,), True),
        View((Run(0, 0, 2),), (2,), True),
        View((Run(0, 1, 2), Run(0, 2, 3)), (2,), True),
        View((Run(0, 1, 3),), (1, 2), True),
        View((Run(0, 1, 3),), (2,), False),
    ):
        assert fingerprint(view) != fingerprint(other)


def test_a_class_defined_anew_is_another_class():
    one, two = (make_dataclass("Same", ["x"]) for _ in range(2))
    assert fingerprint(one(1)) == fingerprint(one(1))
    assert fingerprint(one(1)) != fingerprint(two(1))


def test_it_is_known_whether_classes_are_of_this_package():
    view = View((Run(0, 1, 3),), (2,), True)
    own = LowerReset(view, 0.0)
    assert only_own(fingerprint([own, view, 1.5]))
    assert not only_own(fingerprint([own, Pair(1, 2)]))
    assert not only_own(fingerprint(lambda x: x))  # None


@pytest.mark.parametrize(
    "value", [lambda x: x, object(), {1, 2}, np.array([None]), [(1, object())]]
)
def test_unknown_values_are_equal_to_nothing(value):
    assert fingerprint(value) is None
