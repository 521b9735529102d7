"""What a function sees may change, or be another object of equal value."""

import collections
import dataclasses
import functools
import sys
import types

import keras
import numpy as np
import pytest

from nengo_dl.program.value_keys import known_by_value, value_key

FACTOR = 2.0


class Settings:
    factor = 2.0
    nested = types.SimpleNamespace(value=[1.0])


class Loss:
    def __init__(self, factor=1.0):
        self.factor = factor

    def __call__(self, outputs, targets):
        return FACTOR * self.factor * outputs

    def method(self, outputs, targets):
        return self.factor * outputs


class Slotted:
    __slots__ = ("factor",)


class KerasLoss(keras.losses.Loss):
    factor = 1.0

    def call(self, y_true, y_pred):
        return self.factor * (y_true - y_pred)


class Options(dict):
    pass


@dataclasses.dataclass(frozen=True)
class Frozen:
    values: object
    unseen: object = dataclasses.field(default=0, compare=False)

    def __call__(self, outputs, targets):
        return self.unseen * outputs


def _attribute(make, name="factor"):
    """Return a value that sees an object, and what changes the object."""
    obj = make()

    def change():
        setattr(obj, name, 5.0)

    return obj, change


def _of_object():
    return _attribute(Loss)


def _of_method():
    obj, change = _attribute(Loss)
    return obj.method, change


def _of_closure():
    obj, change = _attribute(Loss)
    return lambda y, t: obj.factor * y, change


def _of_namespace():
    obj, change = _attribute(types.SimpleNamespace)
    return lambda y, t: obj.factor * y, change


def _of_slots():
    obj, change = _attribute(Slotted)
    return lambda y, t: obj.factor * y, change


def _of_keras():
    return _attribute(KerasLoss)


def _of_function():
    def loss(y, t):
        return loss.factor * y

    loss.factor = 1.0

    def change():
        loss.factor = 2.0

    return loss, change


def _of_partial():
    record = [1]
    return functools.partial(lambda y, t, r: r[0] * y, r=record), (
        lambda: record.append(2)
    )


def _of_array():
    values = np.ones(2**18)
    return lambda y, t: values[0] * y, lambda: values.__setitem__(0, 2)


def _of_nonlocal():
    factor = 1.0

    def change():
        nonlocal factor
        factor = 2.0

    return lambda y, t: factor * y, change


def _of_default():
    def loss(y, t, factor=1.0):
        return factor * y

    return loss, lambda: setattr(loss, "__defaults__", (2.0,))


def _of_deque():
    values = collections.deque([1.0])
    return lambda y, t: values[0] * y, lambda: values.appendleft(2.0)


def _of_subclassed_dict():
    options = Options(factor=1.0)
    return (lambda y, t: options["factor"] * y), (lambda: options.update(factor=2.0))


def _of_nested_list():
    values = ([1.0],)
    return lambda y, t: values[0][0] * y, lambda: values[0].append(2.0)


def _of_wrapped():
    obj, change = _attribute(Loss)
    return functools.lru_cache(lambda y, t: obj.factor * y), change


def _of_epsilon():
    return keras.losses.CategoricalCrossentropy(), (
        lambda: keras.config.set_epsilon(1e-3)
    )


@pytest.mark.parametrize(
    "make",
    [value for name, value in list(globals().items()) if name.startswith("_of_")],
)
def test_values_that_changed_have_other_keys(make):
    function, change = make()
    before = keras.config.epsilon()
    try:
        first = value_key(function)
        assert value_key(function) == first
        change()
        assert value_key(function) != first
    finally:
        keras.config.set_epsilon(before)


def test_globals_that_only_methods_see_count(monkeypatch):
    loss = Loss()
    first = value_key(loss)
    monkeypatch.setitem(globals(), "FACTOR", 3.0)
    assert value_key(loss) != first


def test_methods_and_attributes_of_classes_count(monkeypatch):
    def loss(outputs, targets):
        return Settings.factor * outputs

    class Own(Loss):
        pass

    own = Own()
    first, of_own = value_key(loss), value_key(own)
    monkeypatch.setattr(Settings, "factor", 3.0)
    assert value_key(loss) != first
    monkeypatch.setattr(Loss, "__call__", lambda self, outputs, targets: outputs)
    assert value_key(own) != of_own
    second = value_key(loss)
    Settings.nested.value[0] += 1
    assert value_key(loss) != second


def test_attributes_of_modules_count_where_they_are_used(monkeypatch):
    module, inner = types.ModuleType("users"), types.ModuleType("users.inner")
    module.inner, module.unused, inner.factor = inner, 0, 1.0
    inner.outer = module  # modules know each other
    monkeypatch.setitem(sys.modules, "users", module)

    def by_closure(outputs, targets):
        return module.inner.factor * outputs

    def by_import(outputs, targets):
        import users

        return users.inner.factor * outputs

    for loss in (by_closure, by_import):
        first = value_key(loss)
        assert known_by_value(first)
        module.unused += 1
        assert value_key(loss) == first
        inner.factor += 1.0
        assert value_key(loss) != first


@pytest.mark.parametrize(
    "make",
    [
        lambda: functools.partial(Loss.method, record=[]),
        lambda: functools.partial(Loss.method, []),
        lambda: Frozen([]),
        lambda: lambda y, record=([],): y,
        lambda: np.frompyfunc(lambda x: x, 1, 1),
        lambda: keras.metrics.MeanMetricWrapper(Loss.method, record=[]),
    ],
)
def test_what_code_on_the_host_may_write_into_is_equal_to_itself_alone(make):
    one, other = make(), make()
    assert value_key(one) == value_key(one)
    assert value_key(one) != value_key(other)


def test_no_field_of_a_dataclass_is_left_out():
    assert value_key(Frozen(1)) == value_key(Frozen(1))
    assert value_key(Frozen(1)) != value_key(Frozen(1, 2))


def test_masks_of_arrays_count():
    arrays = [np.ma.MaskedArray([1, 2], mask) for mask in ([0, 1], [0, 1], [0, 0])]
    first, second, third = (value_key(lambda x, a=a: a * x) for a in arrays)
    assert first == second != third


def test_functions_that_see_all_names_are_equal_to_nothing():
    def loss(outputs, targets):
        return eval("FACTOR") * outputs

    assert value_key(loss) != value_key(loss)


def test_functions_that_call_each_other_are_told_apart():
    def make(other):
        def even(x):
            return odd(x)

        def odd(x):
            return (even if other else odd)(x)

        def closed(x):
            return inner(x)

        inner = closed if other else even
        return closed

    assert value_key(make(True)) == value_key(make(True))
    assert value_key(make(True)) != value_key(make(False))
