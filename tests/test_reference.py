"""Every public name is documented: in the pages, and in full in its docstring."""

import ast
import importlib
import inspect
import re
import textwrap
import typing
from pathlib import Path

import pytest
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.lowering import Lowering

ROOT = Path(nengo_dl.__file__).parent
DOCS = Path(__file__).parents[1] / "docs"

#: modules whose ``__all__`` is what users may rely on
PUBLIC_MODULES = (
    "nengo_dl",
    "nengo_dl.activity",
    "nengo_dl.benchmarks",
    "nengo_dl.callbacks",
    "nengo_dl.converter",
    "nengo_dl.dists",
    "nengo_dl.graph.simplify",
    "nengo_dl.losses",
    "nengo_dl.lowering",
    "nengo_dl.neurons",
    "nengo_dl.objectives",
    "nengo_dl.plan",
    "nengo_dl.plots",
    "nengo_dl.surrogates",
)

#: what takes the arguments of older releases; :doc:`migrating` says which
OLDER = {"legacy", "older"}

#: classes that are told about by their methods, and given to users rather than made
MEMBERS = {
    "nengo_dl.Converter": (
        "verify",
        "report",
        "to_keras",
        "register",
        "get_converter",
    ),
    "nengo_dl.converter.LayerConverter": (
        "convert",
        "convertible",
        "add_nengo_obj",
        "add_connection",
        "get_input_obj",
        "input_shape",
        "output_shape",
        "set_trainable",
    ),
    "nengo_dl.Simulator": None,
    "nengo_dl.simulation.sim_data.SimulationData": ("get_params", "get_param"),
    "nengo_dl.training.simulator_function.SimulatorFunction": (
        "__call__",
        "params",
        "state",
        "initial_state",
        "generate",
        "rewind",
        "assign",
    ),
}


def public():
    """Return classes and functions by the names under which users know them."""
    found = {}
    for name in PUBLIC_MODULES:
        module = importlib.import_module(name)
        for member in module.__all__:
            value = getattr(module, member)
            if inspect.isclass(value) or inspect.isfunction(value):
                found[f"{name}.{member}"] = value
    return found


PUBLIC = public()
#: type aliases and tables, which have no docstrings
DATA = {
    "nengo_dl.__version__",
    "nengo_dl.activity.DEVICES",
    "nengo_dl.benchmarks.NETWORKS",
    "nengo_dl.graph.simplify.Rewrite",
    "nengo_dl.graph.simplify.default_simplifications",
    "nengo_dl.plan.Plan",
    "nengo_dl.plan.Planner",
}
EVERYTHING = dict(PUBLIC)
for owner, names in MEMBERS.items():
    module, _, cls = owner.rpartition(".")
    cls = getattr(importlib.import_module(module), cls)
    EVERYTHING.setdefault(owner, cls)
    for name in names or [n for n in dir(cls) if not n.startswith("_")]:
        EVERYTHING[f"{owner}.{name}"] = inspect.getattr_static(cls, name)


def documented():
    """Return the names that some page has an autodoc directive or an entry for."""
    found = set()
    for page in DOCS.rglob("*.rst"):
        module = ""
        directives = re.findall(
            r"^\.\. (currentmodule|auto\w+|data|py:data):: (\S+)$"
            r"((?:\n   :.*(?:\n    .*)*)*)",
            page.read_text(encoding="utf-8"),
            re.MULTILINE,
        )
        for kind, name, options in directives:
            if kind == "currentmodule":
                module = name
                continue
            name = name if name.startswith("nengo_dl") else f"{module}.{name}"
            found.add(name)
            if ":members:" in options:
                listed = re.search(r":members:(.*(?:\n    .*)*)", options)[1]
                members = listed.replace(",", " ").split()
                found.update(f"{name}.{member}" for member in members)
    return found


DOCUMENTED = documented()
#: the same object under its other names
ALIASES = {}
for name, value in PUBLIC.items():
    ALIASES.setdefault(value, set()).add(name)


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_all_names_exist_and_are_sorted(module):
    module = importlib.import_module(module)
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        assert hasattr(module, name)


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_public_name_is_on_a_page(name):
    owner = name.rpartition(".")[0]
    if owner in MEMBERS:
        assert name in DOCUMENTED
    else:
        others = ALIASES.get(EVERYTHING[name], set())
        assert {name, *others} & DOCUMENTED


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_what_is_neither_class_nor_function_is_on_a_page(module):
    found = importlib.import_module(module)
    for member in found.__all__:
        name = f"{module}.{member}"
        if name not in PUBLIC and not inspect.ismodule(getattr(found, member)):
            assert name in DATA
            assert name in DOCUMENTED


def test_pages_name_nothing_that_is_not_there():
    for name in DOCUMENTED:
        parts = name.split(".")
        value = importlib.import_module(parts[0])
        for i, part in enumerate(parts[1:], start=2):
            if not hasattr(value, part):
                value = importlib.import_module(".".join(parts[:i]))
            else:
                value = getattr(value, part)


def sections(docstring):
    """Return the sections of a numpydoc docstring by title."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}$", inspect.cleandoc(docstring), flags=re.M)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def parameters(function):
    """Return the names of what a function is called with."""
    return [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name not in ("self", "cls", *OLDER)
        and parameter.kind is not parameter.VAR_KEYWORD
    ]


def named(section):
    """Return the names in the head lines of a section."""
    heads = re.findall(r"^(\S.*?)(?: : .*)?$", section, re.MULTILINE)
    return {name.strip(" *") for head in heads for name in head.split(",")}


#: errors as users know them, by what raises them
KNOWN_AS = {
    "refused": "ValidationError",
    "WrongTypeError": "TypeError",
    "UnknownKeyError": "KeyError",
}


def raised(function):
    """Return the errors that a function raises in its own body."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    inner = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node is not tree.body[0]
        for child in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if node in inner:
            continue
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            error = ast.unparse(node.exc.func)
            found.add(KNOWN_AS.get(error, error))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            "._check_open"
        ):
            found.add("SimulatorClosed")
    return found - {"NotImplementedError"}


def problems_of(name, value):
    """Yield what a docstring lacks."""
    if typing.get_origin(value) is not None:
        return  # a type such as Callable[...], which has no docstring of its own
    if isinstance(value, property) or not callable(value):
        doc = inspect.getdoc(value)
        if not doc:
            yield "no docstring"
        return
    found = sections(inspect.getdoc(value) or "")
    if not found[""].strip():
        yield "no summary"
    # Nengo's metaclass hides the signature of its classes
    own = inspect.isclass(value) and "__init__" in dir(value)
    function = value.__init__ if own else inspect.unwrap(value)
    made_by_users = not (inspect.isclass(value) and issubclass(value, Lowering))
    if made_by_users:
        given = named(found.get("Parameters", "") + found.get("Attributes", ""))
        missing = [p for p in parameters(function) if p not in given]
        if missing:
            yield f"no parameters {', '.join(missing)}"
    if inspect.isfunction(function) and not inspect.isclass(value):
        returns = inspect.signature(function).return_annotation
        nothing = returns in (None, "None", inspect.Signature.empty)
        if not nothing and not {"Returns", "Yields"} & set(found):
            yield "no returns"
        for error in raised(function):
            if error not in found.get("Raises", ""):
                yield f"no raises of {error}"
    if "Examples" not in found:
        yield "no examples"
    elif ">>>" not in found["Examples"]:
        yield "examples that do not run"


@pytest.mark.parametrize("name", EVERYTHING)
def test_docstrings_say_all_that_users_need(name):
    assert not list(problems_of(name, EVERYTHING[name]))


def incomplete(number, text):
    """Do something.

    Parameters
    ----------
    number : int
        A number.

    Examples
    --------
    None yet.
    """
    if not number:
        raise ValidationError(text)


def returning() -> int:
    """Do something."""
    return 1


def test_what_is_missing_is_noticed():
    assert list(problems_of("incomplete", incomplete)) == [
        "no parameters text",
        "no raises of ValidationError",
        "examples that do not run",
    ]
    assert list(problems_of("returning", returning)) == ["no returns", "no examples"]
