"""Objects of users' and of libraries' classes: what is in them counts."""

import abc
import array
import collections
import configparser
import contextvars
import dataclasses
import functools
import random
import types
import typing

import keras
import numpy as np
import pytest

from nengo_dl.program.value_keys import by_value, value_key

FACTOR = 1.0
VARIABLE = contextvars.ContextVar("variable", default=1.0)


class Plain:
    def __init__(self, factor=1.0):
        self.factor = factor

    def __call__(self, outputs, targets):
        return self.factor * outputs


class Slotted:
    __slots__ = ("__factor",)

    def __init__(self, factor=1.0):
        self.__factor = factor

    def __call__(self, outputs, targets):
        return self.__factor * outputs


class Abstract(abc.ABC, typing.Generic[typing.TypeVar("T")]):
    @abc.abstractmethod
    def __call__(self, outputs, targets): ...


class Concrete(Abstract):
    def __init__(self, factor=1.0):
        self.factor = [{"a": (factor,)}]

    def __call__(self, outputs, targets):
        return self.factor[0]["a"][0] * outputs


@dataclasses.dataclass
class Changeable:
    factor: float = 1.0
    __call__ = Plain.__call__


@dataclasses.dataclass(frozen=True)
class Frozen:
    factor: float = 1.0
    __call__ = Plain.__call__


@dataclasses.dataclass(frozen=True)
class FrozenWithList:
    factor: float = 1.0
    values: list = dataclasses.field(default_factory=list)
    __call__ = Plain.__call__


class Named(typing.NamedTuple):
    factor: float = 1.0

    def __call__(self, outputs, targets):
        return self.factor * outputs


class OwnLoss(keras.losses.Loss):
    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * (y_true - y_pred)


class OwnSquares(keras.losses.MeanSquaredError):
    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = factor


class Table(dict):
    def items(self):  # not what it has
        return []


def closure(make):
    """Return a function that makes functions which close over a value."""

    def made(factor=1.0):
        held = make(factor)
        return lambda outputs, targets: held[0] * outputs

    return made


MAKE = {
    "class": Plain,
    "slots": Slotted,
    "abstract": Concrete,
    "method": lambda factor=1.0: Plain(factor).__call__,
    "partial": lambda factor=1.0: functools.partial(Plain(factor), targets=None),
    "dataclass": Changeable,
    "frozen": Frozen,
    "frozen with a list": FrozenWithList,
    "named tuple": Named,
    "loss": OwnLoss,
    "loss of one of Keras'": OwnSquares,
    "list": closure(lambda x: [x, [x]]),
    "dict": closure(lambda x: {0: x}),
    "set": closure(lambda x: {x}),
    "deque": closure(lambda x: collections.deque([x])),
    "length of a deque": closure(lambda x: collections.deque(maxlen=int(x))),
    "ordered": closure(lambda x: collections.OrderedDict({0: x})),
    "default": closure(lambda x: collections.defaultdict(Plain(x))),
    "own dict": closure(lambda x: Table({0: x})),
    "UserDict": closure(lambda x: collections.UserDict({0: x})),
    "UserList": closure(lambda x: collections.UserList([x])),
    "namespace": closure(lambda x: types.SimpleNamespace(factor=x)),
    "array": closure(lambda x: array.array("d", [x])),
    "structured": closure(lambda x: np.array([(x,)], [("factor", float)])),
    "texts": closure(lambda x: np.array([str(x)])),
    "objects": closure(lambda x: np.array([x, None, {}], object)),
    "structured objects": closure(lambda x: np.array([(x,)], [("factor", object)])),
}


@pytest.mark.parametrize("name", MAKE)
def test_objects_of_equal_values_can_share_what_writes_into_nothing(name):
    make = MAKE[name]
    keys = [value_key(make()), value_key(make()), value_key(make(5.0))]
    first, second, third = map(by_value, keys)
    assert first is not None
    assert hash(first) == hash(second)
    assert first == second != third
    assert keys[0] != keys[2]


def test_objects_may_be_told_apart_by_what_refers_to_them():
    def loss(held, table):
        return lambda outputs, targets: table[held] * outputs

    one, other = Plain(), Plain()
    table = {one: 1.0, other: 2.0}
    assert by_value(value_key(loss(one, table))) != by_value(
        value_key(loss(other, table))
    )


class Numbers(random.Random):
    pass


class Decimals(float):
    pass


@pytest.mark.parametrize(
    "make",
    [
        lambda: iter([1.0]),
        lambda: Numbers(0),
        lambda: Decimals(1.0),
        lambda: np.random.RandomState(0),
        lambda: Plain(iter([1.0])),
        lambda: keras.layers.Dense(1),
        lambda: functools.lru_cache(Plain.__call__),
    ],
)
def test_objects_with_more_than_python_shows_are_equal_to_themselves_alone(make):
    one, other = (lambda y, t, held=held: held for held in (make(), make()))
    assert value_key(one) == value_key(one)
    assert value_key(one) != value_key(other)
    assert by_value(value_key(one)) is None


def test_names_that_keras_counts_do_not_count_unless_they_are_used():
    class Other(OwnLoss):
        def call(self, y_true, y_pred):
            return len(self.name) * y_pred

    assert OwnLoss().name != OwnLoss().name
    assert by_value(value_key(Other())) != by_value(value_key(Other()))
    one, other = OwnLoss(), OwnLoss()
    one.name = "mine"
    assert by_value(value_key(one)) != by_value(value_key(other))


class Meta(type):
    factor = 1.0


class WithMeta(metaclass=Meta):
    __factor__ = 1.0

    def __call__(self, outputs, targets):
        return type(self).factor * self.__factor__ * outputs


class WithPartial:
    def scaled(self, outputs, targets, factor):
        return FACTOR * factor * outputs

    __call__ = functools.partialmethod(scaled, factor=1.0)


class WithCached:
    @functools.cached_property
    def factor(self):
        return FACTOR

    def __call__(self, outputs, targets):
        return self.factor * outputs


@pytest.mark.parametrize(
    ("make", "place", "name"),
    [
        (WithMeta, Meta, "factor"),
        (WithMeta, WithMeta, "__factor__"),
        (WithPartial, None, "FACTOR"),
        (WithCached, None, "FACTOR"),
    ],
)
def test_what_classes_are_made_of_counts(monkeypatch, make, place, name):
    loss = make()
    first = value_key(loss)
    assert by_value(first) == by_value(value_key(make()))
    if place is None:
        monkeypatch.setitem(globals(), name, 5.0)
    else:
        monkeypatch.setattr(place, name, 5.0)
    assert value_key(loss) != first


def test_variables_of_contexts_count():
    def loss(outputs, targets):
        return VARIABLE.get() * outputs

    first = value_key(loss)
    assert value_key(loss) == first
    contextvars.copy_context().run(lambda: VARIABLE.set(2.0))
    assert value_key(loss) == first
    token = VARIABLE.set(2.0)
    assert value_key(loss) != first
    VARIABLE.reset(token)


def test_what_is_in_parsers_and_layers_counts():
    parser = configparser.ConfigParser()
    parser.read_string("[a]\nfactor = 1")
    layer = keras.layers.Dense(1)

    def with_parser(outputs, targets):
        return float(parser["a"]["factor"]) * outputs

    def with_layer(outputs, targets):
        return layer(outputs)

    parsed, layered = value_key(with_parser), value_key(with_layer)
    assert (value_key(with_parser), value_key(with_layer)) == (parsed, layered)
    parser["a"]["factor"] = "2"
    layer.activation = keras.activations.tanh
    assert value_key(with_parser) != parsed
    assert value_key(with_layer) != layered


def test_chains_of_hundreds_of_objects_are_equal_to_nothing():
    held = []
    for _ in range(5000):
        held = [held]
    loss = functools.partial(Plain(), held)
    assert value_key(loss) != value_key(loss)
