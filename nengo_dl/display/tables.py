"""Small tables, as text and for notebooks: what `repr` and ``_repr_html_`` show."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import islice
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

# no colours of our own but a grey that is half of black and white, so that tables can
# be read in light and in dark notebooks
_LINE = "border-bottom: 1px solid rgba(128, 128, 128, 0.4)"
_CELL = f"text-align: left; padding: 0.15em 1em 0.15em 0.2em; {_LINE}"
# a table that is wider than the page is moved by itself, on a phone for example
_SCROLLS = "overflow-x: auto; max-width: 100%"
# a text of more characters than this may break
_SENTENCE = 40
_TABLE = "border-collapse: collapse; margin: 0.5em 0"
_CAPTION = (
    "caption-side: top; text-align: left; font-weight: bold; color: inherit; "
    "padding: 0.2em"
)

Rows = Sequence[Sequence[str]]


def text_table(title: str, rows: Rows) -> str:
    """Return a title and rows beneath it, with columns that stand one below another.

    Parameters
    ----------
    title : str
        The first line.
    rows : sequence of sequence of str
        Cells, equally many in each row.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [title]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append(f"  {'  '.join(cells)}".rstrip())
    return "\n".join(lines)


def html_table(title: str, header: Sequence[str], rows: Rows) -> str:
    """Return a table for notebooks.

    Parameters
    ----------
    title : str
        What stands above it.
    header : sequence of str
        Names of the columns; none for a table of facts.
    rows : sequence of sequence of str
        Cells. All text is escaped: labels may have any characters.
    """
    parts = [f'<div style="{_SCROLLS}"><table style="{_TABLE}">']
    parts.append(f'<caption style="{_CAPTION}">{escape(title)}</caption>')
    if header:
        parts += ["<thead>", _row("th", header), "</thead>"]
    parts += [
        "<tbody>",
        *(_row("td", row) for row in rows),
        "</tbody>",
        "</table></div>",
    ]
    return "\n".join(parts)


def _row(tag: str, cells: Sequence[str]) -> str:
    # the first column has names, which may be long; figures do not break
    styles = [
        _CELL if i == 0 or len(cell) > _SENTENCE else f"{_CELL}; white-space: nowrap"
        for i, cell in enumerate(cells)
    ]
    inner = "".join(
        f'<{tag} style="{style}">{escape(cell)}</{tag}>'
        for style, cell in zip(styles, cells, strict=True)
    )
    return f"<tr>{inner}</tr>"


def first(items: Sequence[T], n_shown: int) -> tuple[list[T], str]:
    """Return the first items, and words for all others.

    Parameters
    ----------
    items : sequence
        All of them.
    n_shown : int
        How many there is room for.
    """
    left_out = len(items) - n_shown
    words = f"and {left_out} more" if left_out > 0 else ""
    return list(islice(items, n_shown)), words


def counted(number: int, one: str) -> str:
    """Return a number with its noun: ``1 group``, ``2,000 groups``."""
    return f"{number:,} {one if number == 1 else one + 's'}"


def in_short(value: Any) -> str:
    """Return the shape of an array; of anything else its type, or itself if short."""
    if isinstance(value, dict):
        return f"dict of {', '.join(map(str, value)) or 'nothing'}"
    shape = getattr(value, "shape", None)
    if shape is None:
        return "None" if value is None else type(value).__name__
    return str(tuple(map(int, shape)))


def span(value: Any) -> str:
    """Return the least and the largest element of an array in words."""
    if not isinstance(value, np.ndarray) or not value.size or value.dtype.kind != "f":
        return ""
    if not np.isfinite(value).all():
        return "not all finite"
    low, high = float(value.min()), float(value.max())
    return f"{low:.3g}" if low == high else f"{low:.3g} … {high:.3g}"
