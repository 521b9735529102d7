import numpy as np
from nengo.builder.operator import Copy, Reset
from nengo.builder.signal import Signal

from nengo_dl.graph.needed import needed


def test_only_what_leads_to_the_signals():
    a, b, c, d = (Signal(np.zeros(2)) for _ in range(4))
    first, second, other = Copy(a, b), Copy(b, c), Copy(b, d)
    operators = [first, second, other]
    assert needed(operators, [c]) == [first, second]
    assert needed(operators, [c, d]) == operators
    assert needed(operators, [b]) == [first]
    assert needed(operators, [a]) == []


def test_every_writer_counts_and_views_stand_for_their_base():
    whole, x = Signal(np.zeros(4)), Signal(np.zeros(2))
    operators = [Reset(whole), Copy(x, whole[:2], inc=True), Copy(whole[2:], x)]
    assert needed(operators, [whole[1:2]]) == operators


def test_steps_before_count():
    state, x = Signal(np.zeros(2)), Signal(np.zeros(2))
    operators = [Copy(state, x), Copy(x, state)]
    assert needed(operators, [x]) == operators
