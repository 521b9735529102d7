import numpy as np
import pytest
from nengo.builder.operator import Copy, Reset
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError

from nengo_dl.graph.verify import verify


def test_sound_operators_pass():
    a, b = Signal(np.zeros(2)), Signal(np.zeros(2))
    verify([Reset(a), Copy(b, a, inc=True), Copy(b, a, inc=True)], [b])


def test_operator_that_stands_twice():
    op = Reset(Signal(np.zeros(2)))
    with pytest.raises(BuildError, match=r"Reset .* 2 times .* after my rewrite"):
        verify([op, op], after="my rewrite")


def test_signal_that_two_operators_set():
    a = Signal(np.zeros(2), name="target")
    with pytest.raises(BuildError, match=r"target.*sets.*Reset 'x' and Reset 'y'"):
        verify([Reset(a, tag="x"), Reset(a, tag="y")])


def test_operator_that_sets_an_input():
    a = Signal(np.zeros(2), name="stimulus")
    with pytest.raises(BuildError, match=r"Reset 'x' changes an input, .*stimulus"):
        verify([Reset(a, tag="x")], [a])
    with pytest.raises(BuildError, match="an input"):
        verify([Reset(a[:1])], [a])
