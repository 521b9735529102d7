import numpy as np
from nengo.builder.operator import Copy, ElementwiseInc, Reset
from nengo.builder.signal import Signal

from tests.operators import assert_operators_match, random_signal

rng = np.random.RandomState(0)


def test_resets_to_any_value_undo_the_increments_of_the_step_before():
    operators, targets = [], []
    for value in (0, 1.5, -2):
        for shape in ((), (1,), (4,), (2, 3)):
            a, y = random_signal(rng, *shape), random_signal(rng, *shape)
            operators += [Reset(y, value=value), Copy(a, y, inc=True)]
            targets.append(y)
    assert_operators_match(operators, targets)


def test_reset_of_a_part_leaves_the_rest_alone():
    y, a = random_signal(rng, 6), random_signal(rng, 6)
    operators = [Reset(y[1:3], value=2), Reset(y[5:], value=3), Copy(a, y, inc=True)]
    assert_operators_match(operators, [y])


def test_reset_of_every_second_element():
    y, a = random_signal(rng, 40), random_signal(rng, 40)
    operators = [Reset(y[::2], value=1), Copy(a, y, inc=True)]
    assert_operators_match(operators, [y])


def test_resets_of_all_parts_make_a_whole():
    y, a = random_signal(rng, 6), random_signal(rng, 6)
    parts = [Reset(y[i : i + 2], value=i) for i in (0, 2, 4)]
    assert_operators_match([*parts, Copy(a, y, inc=True)], [y])


def test_reset_that_nobody_follows_still_sets_its_value():
    # the initial value is another, so it is no constant
    y, z = Signal(np.ones(3)), Signal(np.zeros(3))
    operators = [Reset(y, value=4), ElementwiseInc(Signal(2.0), y, z)]
    assert_operators_match(operators, [y, z])
