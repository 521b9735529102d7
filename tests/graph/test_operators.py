from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from nengo.builder.operator import Copy, DotInc, Operator, Reset
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError

from nengo_dl.graph.operators import KINDS, Operators
from tests.plan.strategies import operator_lists


def by_hand(operators, kind):
    return [(i, s) for i, op in enumerate(operators) for s in getattr(op, kind)]


def check(operators):
    signals = operators.numbers.signals
    for kind in KINDS:
        ops, numbers = operators.uses(kind)
        found = [(i, signals[n]) for i, n in zip(ops, numbers, strict=True)]
        assert found == by_hand(operators, kind)
        bases = [signals[n] for n in operators.bases(kind)]
        assert bases == [signal.base for _, signal in found]
    together = [len(operators.uses(kind).ops) for kind in KINDS]
    assert len(operators.uses(*KINDS).signals) == sum(together)
    # each Signal has one number, and each base is there
    assert len(set(signals)) == len(signals) == len(operators.numbers.bases)
    for number, signal in enumerate(signals):
        assert signals[operators.numbers.bases[number]] is signal.base
        assert operators.numbers.of([signal]).tolist() == [number]


@given(operator_lists())
def test_uses_are_those_of_the_operators(operators):
    found = Operators(operators)
    assert list(found) == operators
    assert len(found) == len(operators)
    assert Operators.of(found) is found
    check(found)


@given(operator_lists(), operator_lists())
def test_numbers_go_on_with_other_operators(first, second):
    known = Operators(first)
    before = {s: n for n, s in enumerate(known.numbers.signals)}
    later = known.like([*reversed(second), *first[::2]])
    check(later)
    check(known)
    after = {s: n for n, s in enumerate(later.numbers.signals)}
    assert {s: after[s] for s in before} == before


def test_operators_that_do_not_say_what_they_use_are_named():
    class Mine(Operator):
        def __init__(self):
            super().__init__(tag="mine")
            self.sets, self.incs, self.reads = [], [], []

    with pytest.raises(BuildError, match=r"Mine.* which Signals it updates: give it a"):
        Operators([Reset(Signal(np.zeros(1))), Mine()])


def test_what_is_planned_apart_adds_nothing():
    x, y = Signal(np.ones(3)), Signal(np.zeros(3))
    known = Operators([Reset(y), Copy(x, y, inc=True)])
    apart = known.apart()
    further = apart.like([*known, DotInc(Signal(np.eye(3)), x, Signal(np.zeros(3)))])
    check(further)
    check(known)
    assert known.numbers.signals == [y, x]
    assert len(further.numbers.signals) == 4


def test_views_without_their_base_have_its_number():
    base = Signal(np.zeros(4))
    operators = Operators([Reset(base[:2]), Reset(base[2:])])
    check(operators)
    assert len(set(operators.bases("sets").tolist())) == 1
    assert operators.numbers.of([base, Signal(np.zeros(1))]).size == 1


def test_threads_that_plan_at_once_do_not_meet():
    operators = [Reset(Signal(np.zeros(1))) for _ in range(200)]
    known = Operators(operators[:100])

    def plan():
        apart = known.apart()
        for i in range(100, 200):
            check(apart.like(operators[: i + 1 : 20]))

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(plan) for _ in range(4)]:
            future.result()
    check(known)
    assert len(known.numbers.signals) == 100
