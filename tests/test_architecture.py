"""The layers of the package: imports go down only."""

import ast
from functools import cache
from pathlib import Path

import pytest

import nengo_dl
from tests.helpers import printed_by

ROOT = Path(nengo_dl.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

#: from the lowest up; a module may import its own layer and those below
LAYERS = (
    "version",
    "backend",
    "tf_log",
    "validation",
    "dists",
    "neurons",
    "synapses",
    "surrogates",
    "user_code",
    "disk_cache",
    "graph",
    "plan",
    "config",
    "lowering",
    "distribution",
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
    "export",
    "activity",
    "callbacks",
    "plots",
    "simulator",
    "converter",
    "nir",
    "__init__",  # ``import nengo_dl``
    "benchmarks",
    "__main__",
)

#: lines of code, docstrings and signatures apart, which are long where users look
MAX_FUNCTION, MAX_CLASS, MAX_FILE = 60, 300, 500
#: the class that users call has all of its methods on one page; each only forwards
FACADE, MAX_FORWARDING = "nengo_dl.simulator.Simulator", 20

#: file names with one meaning in several folders: ``calls`` is what lies between calls
#: of users and a part; ``ahead`` what can be computed ahead of the loop, and how it is
SAME_MEANING = {"__init__", "__main__", "calls", "ahead"}
#: folders whose files have the names of what they draw, measure or convert
ABOUT_OTHERS = {"plots", "benchmarks", "compat"}

#: private names that belong to others: to named tuples, to variables of Keras
FOREIGN_NAMES = {"_asdict", "_make", "_replace", "_dtype"}


def name_of(path):
    parts = ("nengo_dl", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in FILES}


def layer_of(module):
    name = module.split(".")[1] if "." in module else "__init__"
    return LAYERS.index(name)


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
            if isinstance(node, ast.If) and any(
                getattr(inner, "id", None) == "TYPE_CHECKING"
                for inner in ast.walk(node.test)
            ):
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


def test_every_module_belongs_to_a_layer():
    names = {module.split(".")[1] for module in MODULES if "." in module}
    assert names <= set(LAYERS), "add it to LAYERS, where it belongs"
    assert len(MODULES) > 40


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module):
    upwards = [m for m in own(imports_of(module)) if layer_of(m) > layer_of(module)]
    assert not upwards, f"{module} imports {', '.join(sorted(upwards))}"


def test_imports_have_no_cycles():
    waiting = {m: own(imports_of(m, for_types=False)) & set(MODULES) for m in MODULES}
    while waiting:
        done = [m for m, needed in waiting.items() if not needed & set(waiting)]
        assert done, f"import cycle among {', '.join(sorted(waiting))}"
        for module in done:
            del waiting[module]


@pytest.mark.parametrize("layer", LAYERS[: LAYERS.index("lowering")])
def test_what_comes_before_lowering_knows_nothing_of_tensorflow(layer):
    modules = [m for m in MODULES if m.split(".")[1:2] == [layer]]
    assert modules
    for module in modules:
        foreign = {m.split(".")[0] for m in imports_of(module)}
        assert not foreign & {"tensorflow", "keras"}, module


def test_planning_a_network_loads_no_tensorflow():
    modules = [m for m in MODULES if m.split(".")[1:2] in (["graph"], ["plan"])]
    program = f"import sys, {', '.join(modules)}; print('tensorflow' in sys.modules)"
    assert printed_by(program).strip() == "False"


def test_simulating_loads_nothing_that_extras_bring():
    """NIR, the converters for devices, and what reads and writes with them."""
    program = (
        "import sys, nengo, nengo_dl\n"
        "with nengo.Network() as net: nengo.Probe(nengo.Ensemble(2, 1))\n"
        "with nengo_dl.Simulator(net, progress_bar=False) as sim: sim.run_steps(1)\n"
        "names = ['nir', 'tf2onnx', 'onnx', 'ai_edge_litert', 'nengo_dl.nir']\n"
        "print([name for name in names if name in sys.modules])\n"
    )
    assert printed_by(program).strip() == "[]"


def test_no_module_knows_the_tests():
    for module in MODULES:
        assert "tests" not in {m.split(".")[0] for m in imports_of(module)}


def test_no_file_is_a_drawer_for_everything():
    for path in FILES:
        assert path.stem not in ("utils", "util", "helpers", "helper", "misc", "common")


def tree_of(module):
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def signature_and_docstring(node):
    """Return the numbers of the lines in front of the code of a function or class."""
    first = node.body[0]
    last = first.end_lineno if ast.get_docstring(node) else first.lineno - 1
    return range(node.lineno, last + 1)


def length(node):
    """Return how many lines of code a function or class has."""
    lines = set(range(node.lineno, node.end_lineno + 1))
    for inner in ast.walk(node):
        if isinstance(inner, ast.ClassDef | ast.FunctionDef):
            lines.difference_update(signature_and_docstring(inner))
    return len(lines)


def definitions(module):
    """Return functions and classes, those in others too, by name."""
    found = {}
    for node in ast.walk(tree_of(module)):
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, ast.ClassDef | ast.FunctionDef):
                within = f".{node.name}" if isinstance(node, ast.ClassDef) else ""
                found[f"{module}{within}.{inner.name}"] = inner
    return found


@pytest.mark.parametrize("module", MODULES)
def test_functions_and_classes_are_short(module):
    for name, node in definitions(module).items():
        limit = MAX_CLASS if isinstance(node, ast.ClassDef) else MAX_FUNCTION
        if name != FACADE:
            assert length(node) <= limit, f"{name} has {length(node)} lines"


@pytest.mark.parametrize("module", MODULES)
def test_files_are_short(module):
    text = MODULES[module].read_text(encoding="utf-8")
    lines = set(range(len(text.splitlines())))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            lines.difference_update(signature_and_docstring(node))
    assert len(lines) <= MAX_FILE, f"{module} has {len(lines)} lines"


# -- parts stand beside each other: nothing of one is changed or looked into by another


def test_the_facade_is_one_class_whose_methods_only_forward():
    assert nengo_dl.Simulator.__mro__ == (nengo_dl.Simulator, object)
    methods = {
        name: node
        for name, node in definitions(FACADE.rpartition(".")[0]).items()
        if name.startswith(FACADE) and isinstance(node, ast.FunctionDef)
    }
    assert len(methods) > 40
    for name, node in methods.items():
        if not name.endswith(".__init__"):
            assert length(node) <= MAX_FORWARDING, f"{name} has {length(node)} lines"


@cache
def private_names(module):
    """Return private names that a file defines, and those that it reads elsewhere."""
    own, foreign = set(), set()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
        elif isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            by = node.value.id if isinstance(node.value, ast.Name) else ""
            (own if by in ("self", "cls") else foreign).add(node.attr)
    return own, {name for name in foreign if not name.startswith("__")}


@pytest.mark.parametrize("module", MODULES)
def test_no_part_reads_private_attributes_of_another(module):
    own, foreign = private_names(module)
    others = set().union(*(private_names(m)[0] for m in MODULES if m != module))
    found = (foreign & others) - own - FOREIGN_NAMES
    assert not found, f"{module} reads {', '.join(sorted(found))}"


def test_no_file_name_stands_twice_with_another_meaning():
    seen = {}
    for path in FILES:
        within = path.relative_to(ROOT)
        if within.stem not in SAME_MEANING and within.parts[0] not in ABOUT_OTHERS:
            seen.setdefault(within.stem, []).append(str(within))
    twice = {name: paths for name, paths in seen.items() if len(paths) > 1}
    assert not twice


@pytest.mark.parametrize("module", MODULES)
def test_modules_say_what_they_are_for(module):
    docstring = ast.get_docstring(
        ast.parse(MODULES[module].read_text(encoding="utf-8"))
    )
    assert docstring
