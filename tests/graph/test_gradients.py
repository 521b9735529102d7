import numpy as np
from nengo.builder.operator import Copy, DotInc, Reset
from nengo.builder.signal import Signal

from nengo_dl.graph.gradients import reach


def chain():
    """Two products, one after the other, with an operator in between."""
    x, y, z, out = (Signal(np.zeros(2)) for _ in range(4))
    first, second = (Signal(np.ones((2, 2))) for _ in range(2))
    middle = Copy(y, z)
    operators = [
        Reset(y),
        DotInc(first, x, y),
        middle,
        Reset(out),
        DotInc(second, z, out),
    ]
    return operators, middle, first, second, out


def test_everything_is_reached_if_nothing_is_in_the_way():
    operators, _, first, second, out = chain()
    found = reach(operators, [out], [first, second], lambda op: False)
    assert found.trained == {first, second}
    assert found.blocked == ()


def test_what_is_behind_a_wall_is_not_reached_and_the_wall_is_named():
    operators, middle, first, second, out = chain()
    found = reach(operators, [out], [first, second], lambda op: op is middle)
    assert found.trained == {second}
    assert found.blocked == (middle,)


def test_walls_with_nothing_to_train_behind_them_do_not_matter():
    operators, middle, _, second, out = chain()
    found = reach(operators, [out], [second], lambda op: op is middle)
    assert found.trained == {second}
    assert found.blocked == ()


def test_walls_behind_walls_do_not_matter():
    operators, middle, first, _, out = chain()
    last = operators[-1]
    walls = (middle, last)
    found = reach(operators, [out], [first], lambda op: op in walls)
    assert found.trained == frozenset()
    assert found.blocked == (last,)
