"""``docs/images/architecture.svg`` shows the packages and imports of today."""

import runpy
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.test_architecture import LAYERS

SCRIPT = Path(__file__).parents[1] / "docs" / "draw_architecture.py"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(SCRIPT))


def test_picture_is_what_the_script_draws(script):
    found = script["PICTURE"].read_text(encoding="utf-8")
    assert found == script["draw"](), "run python docs/draw_architecture.py"


def test_picture_has_all_parts(script):
    root = ET.fromstring(script["draw"]())
    names = {
        "".join(text.itertext()).removesuffix(".py").rstrip("/")
        for text in root.iter("{http://www.w3.org/2000/svg}text")
        if text.get("class") == "name"
    }
    assert names == set(LAYERS) - script["LEFT_OUT"]


def test_picture_shows_imports_that_there_are(script):
    edges = script["imports"]()
    assert {"plan", "graph"} <= edges["lowering"]
    assert {"lowering", "config"} <= edges["program"]
    assert "tensorflow" not in edges["plan"]
    reduced = script["reduced"](edges)
    for name, targets in reduced.items():
        assert targets <= edges[name]
    # "lowering" needs "graph", through "plan"
    assert "graph" not in reduced["lowering"]


def test_every_arrow_points_down(script):
    edges = script["reduced"](script["imports"]())
    rows = script["rows"](edges)
    level = {place: i for i, row in enumerate(rows) for place in row}
    for name, targets in edges.items():
        assert all(level[target] < level[name] for target in targets)
