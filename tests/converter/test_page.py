"""The code of ``docs/converter.rst``, from top to bottom."""

from tests.test_pages import TEXTS, run


def test_code_of_the_page_runs(tmp_path):
    found = run("docs/converter.rst", tmp_path)
    assert found["outputs"].shape == (5, 1, 10)
    assert "fit(images" in TEXTS["docs/converter.rst"]
