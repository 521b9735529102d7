import numpy as np
from nengo.builder.operator import Copy
from nengo.builder.signal import Signal

from nengo_dl.graph.roles import assign
from nengo_dl.plan.merging import merge_keys


def copies(*sources):
    return [Copy(source, Signal(np.zeros(2))) for source in sources]


def keys_of(operators, inputs=(), apart=(), kind=lambda op: "copy"):
    return list(merge_keys(operators, assign(operators, inputs), apart, kind).values())


def signal(dtype=float):
    return Signal(np.zeros(2, dtype=dtype))


def test_operators_on_signals_of_equal_roles_share_a_key():
    first, second = keys_of(copies(signal(), signal()))
    assert first == second


def test_roles_types_and_training_separate_operators():
    fed, fixed, trained, counted = signal(), signal(), signal(), signal(np.int64)
    keys = keys_of(copies(fed, fixed, trained, counted), [fed], [trained])
    assert len(set(keys)) == 4


def test_own_keys_separate_operators():
    operators = copies(signal(), signal())
    assert len(set(keys_of(operators, kind=id))) == 2


def test_none_means_never():
    operators = copies(signal(), signal())
    assert len(set(keys_of(operators, kind=lambda op: None))) == 2


def test_numbers_of_signals_separate_operators_of_one_kind():
    set_, increment = (Copy(signal(), signal(), inc=inc) for inc in (False, True))
    assert len(set(keys_of([set_, increment]))) == 2
