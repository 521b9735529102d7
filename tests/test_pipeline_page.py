"""``docs/developer/pipeline.rst`` prints what the stages make of a network today."""

import doctest
import inspect
from pathlib import Path

from nengo_dl.program import compile

PAGE = Path(__file__).parents[1] / "docs" / "developer" / "pipeline.rst"
TEXT = PAGE.read_text(encoding="utf-8")


def test_what_is_printed_is_what_the_code_does():
    test = doctest.DocTestParser().get_doctest(TEXT, {}, PAGE.name, str(PAGE), 0)
    assert len(test.examples) > 40
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    report = []
    runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)


def test_the_page_goes_through_the_stages_of_the_compiler():
    """In the order in which ``compile_program`` calls them."""
    source = inspect.getsource(compile)
    calls = (" = lift(", " = simplify(", " = assign(", " = compile_segment(")
    assert sorted(calls, key=source.index) == list(calls)
    assert sorted(calls, key=TEXT.index) == list(calls)
