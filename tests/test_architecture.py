"""The floors of the house: imports go down only."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import nengo_dl

ROOT = Path(nengo_dl.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

#: from the ground up; a module may import its own floor and those below
FLOORS = (
    "version",
    "dists",
    "neurons",
    "surrogates",
    "user_code",
    "graph",
    "plan",
    "config",
    "lowering",
    "tensor_node",
    "layers",
    "losses",
    "objectives",
    "program",
    "display",
    "inputs",
    "compat",
    "simulation",
    "training",
    "keras_model",
    "parameters",
    "callbacks",
    "plots",
    "interface",
    "simulator",
    "__init__",  # ``import nengo_dl``
    "benchmarks",
    "__main__",
)

#: docstrings apart, which are long where users look
MAX_LINES = 300


def name_of(path):
    parts = ("nengo_dl", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in FILES}


def floor_of(module):
    name = module.split(".")[1] if "." in module else "__init__"
    return FLOORS.index(name)


@cache
def imports_of(module, for_types=True):
    """Every module that a file imports, wherever in the file.

    ``from package import name`` is an import of ``package.name`` if that is a module.
    """
    path = MODULES[module]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = set()
    if not for_types:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                skipped.update(
                    inner for child in node.body for inner in ast.walk(child)
                )
    found = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else node.module)
    return frozenset(found)


def own(modules):
    return {m for m in modules if m.split(".")[0] == "nengo_dl"}


def test_every_module_stands_on_a_floor():
    names = {module.split(".")[1] for module in MODULES if "." in module}
    assert names <= set(FLOORS), "add it to FLOORS, where it belongs"
    assert len(MODULES) > 40


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module):
    upwards = [m for m in own(imports_of(module)) if floor_of(m) > floor_of(module)]
    assert not upwards, f"{module} imports {', '.join(sorted(upwards))}"


def test_imports_have_no_cycles():
    waiting = {m: own(imports_of(m, for_types=False)) & set(MODULES) for m in MODULES}
    while waiting:
        done = [m for m, needed in waiting.items() if not needed & set(waiting)]
        assert done, f"import cycle among {', '.join(sorted(waiting))}"
        for module in done:
            del waiting[module]


@pytest.mark.parametrize("floor", FLOORS[: FLOORS.index("lowering")])
def test_what_comes_before_lowering_knows_nothing_of_tensorflow(floor):
    modules = [m for m in MODULES if m.split(".")[1:2] == [floor]]
    assert modules
    for module in modules:
        foreign = {m.split(".")[0] for m in imports_of(module)}
        assert not foreign & {"tensorflow", "keras"}, module


def test_planning_a_network_loads_no_tensorflow():
    modules = [m for m in MODULES if m.split(".")[1:2] in (["graph"], ["plan"])]
    program = f"import sys, {', '.join(modules)}; print('tensorflow' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "False"


def test_no_module_knows_the_tests():
    for module in MODULES:
        assert "tests" not in {m.split(".")[0] for m in imports_of(module)}


def test_no_file_is_a_drawer_for_everything():
    for path in FILES:
        assert path.stem not in ("utils", "util", "helpers", "helper", "misc", "common")


@pytest.mark.parametrize("module", MODULES)
def test_files_are_short(module):
    text = MODULES[module].read_text(encoding="utf-8")
    lines = len(text.splitlines()) - sum(
        len(ast.get_docstring(node, clean=False).splitlines())
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and ast.get_docstring(node)
    )
    assert lines <= MAX_LINES, f"{module} has {lines} lines"


@pytest.mark.parametrize("module", MODULES)
def test_modules_say_what_they_are_for(module):
    docstring = ast.get_docstring(
        ast.parse(MODULES[module].read_text(encoding="utf-8"))
    )
    assert docstring
