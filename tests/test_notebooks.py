"""Notebooks as they are committed; the documentation's build executes them."""

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))
INDEX = (ROOT / "docs" / "examples.rst").read_text(encoding="utf-8")


def read(path):
    """Return the texts of a notebook's Markdown cells, its code cells, and the rest."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    prose = ["".join(c["source"]) for c in notebook["cells"] if is_prose(c)]
    code = [cell for cell in notebook["cells"] if not is_prose(cell)]
    return prose, code, notebook


def is_prose(cell):
    assert cell["cell_type"] in ("markdown", "code")
    return cell["cell_type"] == "markdown"


def test_there_is_a_page_for_each_notebook_and_a_line_for_each_script():
    pages = re.findall(r"^   examples/(\w+)$", INDEX, re.M)
    assert sorted(pages) == [path.stem for path in NOTEBOOKS]
    assert len(pages) == 15
    scripts = re.findall(r"^``(\w+\.py)``", INDEX, re.M)
    assert sorted(scripts) == [path.name for path in SCRIPTS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_committed_without_outputs(path):
    _, code, notebook = read(path)
    for cell in code:
        assert cell["outputs"] == [], "see docs/developer/testing.rst"
        assert cell["execution_count"] is None
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_tell_a_story_and_check_its_end(path):
    prose, code, _ = read(path)
    assert re.match(r"# \w", prose[0])
    assert prose[-1].count("## Next steps") == 1
    texts = ["".join(cell["source"]) for cell in code]
    asserted = [node for t in texts for node in ast.walk(ast.parse(t))]
    assert any(isinstance(node, ast.Assert) for node in asserted)
    assert any("nengo_dl.plots." in text for text in texts)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_of_notebooks_lead_somewhere(path):
    prose, _, _ = read(path)
    links = re.findall(r"\]\(([^)]+)\)", "\n".join(prose))
    assert links
    for link in links:
        if link.startswith("../"):  # from docs/examples, where the page is built
            assert (ROOT / "docs" / "examples" / link).resolve().exists(), link
        elif link.endswith(".ipynb") or link.startswith("data/"):
            assert (ROOT / "examples" / link).exists(), link
        else:
            assert link.startswith("https://"), link
