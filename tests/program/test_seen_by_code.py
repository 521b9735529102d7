"""What code sees counts in keys, by whatever way it comes to it."""

import importlib
import os
import sys
import types

import pytest

from nengo_dl.program.value_keys import by_value, known_by_value, value_key

SOURCE = """
import importlib, os, sys
from . import settings as module

def imported_by_from(y, t):
    from .settings import SCALE
    return SCALE * y

def imported_module(y, t):
    from . import settings
    return settings.SCALE * y

def within_another(y, t):
    def inner():
        from .settings import SCALE
        return SCALE
    return inner() * y

def by_getattr(y, t):
    return getattr(module, "SCALE") * y

def by_another_name(y, t, name="SCALE"):
    return getattr(module, name, "other") * y

def by_default(y, t, name="SCALE"):
    return getattr(module, name) * y

def by_vars(y, t):
    return vars(module)["SCALE"] * y

def by_dict(y, t):
    return module.__dict__["SC" + "ALE"] * y

def by_importlib(y, t):
    return importlib.import_module("users_package.settings").SCALE * y

def by_sys(y, t):
    return sys.modules["users_package.settings"].SCALE * y

def scale_of(given):
    return given.SCALE

def by_argument(y, t):
    return scale_of(module) * y

class Holds:
    def __init__(self):
        self.settings = module

    def __call__(self, y, t):
        return self.settings.SCALE * y

holds = Holds()
"""
NAMES = [
    *("imported_by_from", "imported_module", "within_another", "by_getattr"),
    *("by_another_name", "by_default", "by_vars", "by_dict", "by_importlib", "by_sys"),
    *("holds", "by_argument"),
]


@pytest.fixture
def users(tmp_path, monkeypatch):
    """Return a module of a package of the user's, beside its settings."""
    folder = tmp_path / "users_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "settings.py").write_text("SCALE = 1.0\nUNUSED = 1.0\n")
    (folder / "losses.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("users_package.losses")
    for name in [n for n in sys.modules if n.startswith("users_package")]:
        del sys.modules[name]


@pytest.mark.parametrize("name", NAMES)
def test_attributes_of_modules_count_however_they_are_looked_up(users, name):
    loss = getattr(users, name)
    first = value_key(loss)
    assert by_value(first) is not None
    assert value_key(loss) == first
    users.module.SCALE = 5.0
    assert value_key(loss) != first
    assert by_value(value_key(loss)) != by_value(first)


@pytest.mark.parametrize("name", NAMES[:4])
def test_attributes_that_are_not_used_do_not_count(users, name):
    first = value_key(getattr(users, name))
    users.module.UNUSED = 5.0
    assert value_key(getattr(users, name)) == first


def test_where_the_name_of_a_module_is_not_known_keys_are_equal_to_nothing(users):
    name = users.module.__name__
    get = importlib.import_module

    def by_importlib(outputs, targets):
        return importlib.import_module(name).SCALE * outputs

    def by_another_name(outputs, targets):
        return importlib.import_module("users_" + "package").settings.SCALE * outputs

    def relative(outputs, targets):
        return importlib.import_module(".settings", "users_package").SCALE * outputs

    def by_sys(outputs, targets):
        return sys.modules[name].SCALE * outputs

    def by_closure(outputs, targets):
        return get("users_package.settings").SCALE * outputs

    for loss in (by_importlib, relative, by_sys, by_closure):
        assert value_key(loss) != value_key(loss), loss.__name__
        assert by_value(value_key(loss)) is None
    # what Python joins beforehand is one text
    assert value_key(by_another_name) == value_key(by_another_name)


def test_functions_that_modules_give_their_attributes_with_count():
    module = types.ModuleType("users")
    exec("x = 1\ndef __getattr__(name):\n    return x", vars(module))

    def loss(outputs, targets):
        return module.scale * outputs

    first = value_key(loss)
    assert value_key(loss) == first
    module.x = 2
    assert value_key(loss) != first


@pytest.mark.parametrize("way", ["environ", "get", "getenv", "name", "object"])
def test_environment_variables_count(monkeypatch, way):
    environ, getenv = os.environ, os.getenv
    loss = {
        "environ": lambda y, t: float(os.environ["SCALE"]) * y,
        "get": lambda y, t: float(os.environ.get("SCALE")) * y,
        "getenv": lambda y, t: float(os.getenv("SCALE")) * y,
        "name": lambda y, t: float(getenv("SCALE")) * y,
        "object": lambda y, t: float(environ["SCALE"]) * y,
    }[way]
    monkeypatch.setenv("SCALE", "1")
    first = value_key(loss)
    assert value_key(loss) == first
    monkeypatch.setenv("SCALE", "2")
    assert value_key(loss) != first


def test_global_names_that_are_only_written_count(monkeypatch):
    def loss(outputs, targets):
        global WRITTEN
        WRITTEN = outputs
        return outputs

    first = value_key(loss)
    assert known_by_value(first)
    monkeypatch.setitem(globals(), "WRITTEN", object())
    assert value_key(loss) != first


def test_functions_that_look_at_their_callers_are_equal_to_nothing():
    def loss(outputs, targets):
        return sys._getframe(1).f_locals["scale"] * outputs

    assert value_key(loss) != value_key(loss)
