"""``docs/troubleshooting.rst`` quotes messages as they stand in the package."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import nengo_dl

PAGE = Path(__file__).parents[1] / "docs" / "troubleshooting.rst"

TEXT = PAGE.read_text(encoding="utf-8")
QUOTES = re.findall(r"^   \* - ``(.+?)``\n", TEXT, re.MULTILINE)


@cache
def messages():
    """Return all strings of the package, with … for what is filled in."""
    found = []
    for path in sorted(Path(nengo_dl.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (getattr(part, "value", None) for part in node.values)
                found.append("".join(p if isinstance(p, str) else "…" for p in parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def test_every_row_is_found():
    rows = TEXT.count("   * - ") - TEXT.count("   * - Message")
    assert len(QUOTES) == rows > 30


def is_said(quote):
    pattern = ".*".join(map(re.escape, quote.split("…")))
    # docstrings are nobody's messages
    return any(re.search(pattern, m) for m in messages() if "\n    " not in m)


@pytest.mark.parametrize("quote", QUOTES)
def test_messages_are_those_of_the_package(quote):
    assert is_said(quote)


def test_other_words_are_noticed():
    assert is_said("No device … on this machine")
    assert not is_said("No device … on that machine")
