"""The examples of all docstrings, run as they stand."""

import doctest
import importlib
import pkgutil
from contextlib import nullcontext

import pytest

import nengo_dl
from tests.helpers import warnings_are_errors, without_xla

MODULES = [
    "nengo_dl",
    *(
        module.name
        for module in pkgutil.walk_packages(nengo_dl.__path__, "nengo_dl.")
        if not module.name.endswith("__main__")
    ),
]


def examples():
    """Return the examples of the package, one entry for each docstring."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = {}
    for name in MODULES:
        module = importlib.import_module(name)
        for test in finder.find(module, name):
            if test.examples:
                found[test.name] = test
    return found


EXAMPLES = examples()

#: Examples that show what XLA does. All others run without it, in half the time
WITH_XLA = {"nengo_dl.simulator.Simulator.report"}


def test_there_are_examples():
    assert len(EXAMPLES) > 70
    assert "nengo_dl.simulator.Simulator" in EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_do_what_they_show(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    test = EXAMPLES[name]
    # nothing but what the example itself imports
    test.globs = {"__name__": "__main__"}
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_ONLY_FIRST_FAILURE)
    report = []
    context = nullcontext if name in WITH_XLA else without_xla
    with warnings_are_errors(), context():
        runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)
