import numpy as np
import pytest
from nengo.builder.operator import Copy, DotInc, ElementwiseInc, Reset
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError

from nengo_dl.graph.simplify import (
    Facts,
    default_simplifications,
    remove_identity_muls,
    remove_unmodified_resets,
    remove_zero_incs,
    simplify,
)


def signal(value, **kwargs):
    return Signal(np.asarray(value, dtype=float), **kwargs)


ZEROS, ONES = np.zeros(3), np.ones(3)


# -- resets


def test_reset_of_what_nobody_increments_goes():
    kept, gone = signal(ZEROS), signal(ZEROS)
    operators = [Reset(gone), Reset(kept), Copy(gone, kept, inc=True)]
    assert remove_unmodified_resets(Facts(operators)) == operators[1:]


def test_reset_to_another_than_the_initial_value_stays():
    operators = [Reset(signal(ZEROS), value=1), Reset(signal([0, 0, 1]))]
    assert remove_unmodified_resets(Facts(operators)) == operators


def test_reset_of_a_part_stays_if_the_rest_is_incremented():
    # an increment of any part may overlap
    base = signal(np.zeros(4))
    operators = [Reset(base[:2]), Copy(signal(np.ones(2)), base[2:], inc=True)]
    assert remove_unmodified_resets(Facts(operators)) == operators


# -- zeros


@pytest.mark.parametrize("which", ["A", "X"])
@pytest.mark.parametrize("kind", [DotInc, ElementwiseInc])
def test_products_with_zero_go(kind, which):
    a = signal(np.eye(3) if kind is DotInc else ONES)
    x = signal(ONES)
    if which == "A":
        a = signal(np.zeros(a.shape))
    else:
        x = signal(ZEROS)
    assert remove_zero_incs(Facts([kind(a, x, signal(ZEROS))])) == []


def test_increments_by_zero_go_but_copies_of_zero_stay():
    zero, y, z = signal(ZEROS), signal(ZEROS), signal(ONES)
    increment, copy = Copy(zero, y, inc=True), Copy(zero, z)
    assert remove_zero_incs(Facts([increment, copy])) == [copy]


def test_zeros_that_change_or_are_fed_or_trained_stay():
    zero, source = signal(ZEROS), signal(ONES)
    product = ElementwiseInc(signal(2), zero, signal(ZEROS))
    assert remove_zero_incs(Facts([product], frozenset([zero]))) == [product]
    operators = [Copy(source, zero), product]
    assert remove_zero_incs(Facts(operators)) == operators


def test_zero_part_of_a_larger_signal_counts():
    base = signal([0, 0, 1])
    gone = Copy(base[:2], signal(np.zeros(2)), inc=True)
    kept = Copy(base[1:], signal(np.zeros(2)), inc=True)
    assert remove_zero_incs(Facts([gone, kept])) == [kept]


# -- ones


@pytest.mark.parametrize(
    "kind, factor",
    [
        (ElementwiseInc, 1.0),
        (ElementwiseInc, ONES),
        (DotInc, 1.0),
        (DotInc, np.eye(3)),
    ],
)
def test_products_with_one_become_copies(kind, factor):
    x, y = signal([1, 2, 3]), signal(ZEROS)
    (op,) = remove_identity_muls(Facts([kind(signal(factor), x, y, tag="mine")]))
    assert type(op) is Copy
    assert (op.src, op.dst, op.inc, op.tag) == (x, y, True, "mine")


@pytest.mark.parametrize(
    "kind, factor",
    [(ElementwiseInc, [1, 1, 2]), (DotInc, 2.0), (DotInc, np.ones((3, 3)))],
)
def test_other_products_stay(kind, factor):
    op = kind(signal(factor), signal([1, 2, 3]), signal(ZEROS))
    assert remove_identity_muls(Facts([op])) == [op]


def test_broadcast_ones_stay():
    # y += 1 * x with one x for three y is no copy of the whole
    op = ElementwiseInc(signal(ONES), signal(2.0), signal(ZEROS))
    assert remove_identity_muls(Facts([op])) == [op]


def test_trained_ones_stay():
    factor = signal(1.0)
    op = ElementwiseInc(factor, signal([1, 2, 3]), signal(ZEROS))
    assert remove_identity_muls(Facts([op], frozenset([factor]))) == [op]


# -- together


def test_rewrites_are_repeated_until_nothing_changes():
    # without its reset y is a constant zero, so z is never incremented, and so on
    y, z, out, one = signal(ZEROS), signal(ZEROS), signal(ZEROS), signal(1.0)
    operators = [
        Reset(y),
        Reset(z),
        ElementwiseInc(one, y, z),
        Reset(out),
        ElementwiseInc(one, z, out),
    ]
    assert simplify(operators, default_simplifications) == []
    assert simplify(operators, []) == operators


def test_what_is_fed_is_no_constant():
    y, z = signal(ZEROS), signal(ZEROS)
    operators = [Reset(z), ElementwiseInc(signal(2.0), y, z)]
    assert simplify(operators, default_simplifications, frozenset([y])) == operators
    assert simplify(operators, default_simplifications) == []


def test_rewrite_that_breaks_the_graph_is_named():
    def twice(facts):
        return [*facts.operators, facts.operators[0]]

    with pytest.raises(BuildError, match="after twice"):
        simplify([Reset(signal(ZEROS))], [twice])


def test_rewrite_that_adds_a_second_writer_is_named():
    y = signal(ZEROS)

    def another(facts):
        return [*facts.operators, Reset(y)]

    with pytest.raises(BuildError, match="Two operators .* after another"):
        simplify([Reset(y)], [another])


def test_facts_of_changed_operators_are_those_of_new_ones():
    x, y, z = signal(ONES), signal(ZEROS), signal(ZEROS)
    reset, twice = Reset(y), [Copy(x, y, inc=True), Copy(x, y, inc=True)]
    other = Copy(x, z, inc=True)
    for before, after in (
        ([reset, *twice], [reset, twice[0]]),
        ([reset, *twice], [other, *twice]),
        ([reset, *twice], []),
        ([], [reset, other]),
        ([other], [other]),
    ):
        facts = Facts(before, frozenset([x])).changed(after)
        expected = Facts(after, frozenset([x]))
        assert facts == expected
        for s in (x, y, z):
            assert facts.unchanging(s) == expected.unchanging(s)
            assert (s in facts.incremented) == (s in expected.incremented)
