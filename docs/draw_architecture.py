"""Draw the packages of NengoDL and their imports, from the code.

``python docs/draw_architecture.py`` writes ``docs/images/architecture.svg``. The tests
compare the file with the code, so it has to be drawn again when imports change.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from html import escape
from itertools import pairwise
from pathlib import Path
from textwrap import wrap

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "nengo_dl"
PICTURE = ROOT / "docs" / "images" / "architecture.svg"

#: what everything or nothing imports, and who would only add lines
LEFT_OUT = {"__init__", "__main__", "version"}

#: sizes in pixels: of a part, of a line that passes a row, and of the space between
WIDTH, THIN, HEIGHT, GAP, RISE = 196, 8, 82, 20, 40


def part_of(module: str) -> str:
    """Return the folder or file right beneath the package."""
    return module.split(".")[1] if "." in module else "__init__"


@cache
def parts() -> dict[str, list[Path]]:
    """Return the files of each part of the package."""
    found: dict[str, list[Path]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE)
        found.setdefault(relative.with_suffix("").parts[0], []).append(path)
    return {name: files for name, files in found.items() if name not in LEFT_OUT}


def imports() -> dict[str, set[str]]:
    """Return what each part imports when it is loaded or used; not for types alone."""
    found: dict[str, set[str]] = {}
    for name, files in parts().items():
        found[name] = set()
        for path in files:
            for module in _modules(path):
                if module.split(".")[0] == "nengo_dl":
                    found[name].add(part_of(module))
        found[name] &= set(parts()) - {name}
    return found


@cache
def _modules(path: Path) -> set[str]:
    """Return the modules that a file imports, wherever in the file."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    for_types = {
        inner
        for node in nodes
        if isinstance(node, ast.If) and _about_types(node.test)
        for child in node.body
        for inner in ast.walk(child)
    }
    found = set()
    for node in nodes:
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "nengo_dl":
                found.update(f"nengo_dl.{alias.name}" for alias in node.names)
            else:
                found.add(node.module)
    return found


def _about_types(test: ast.expr) -> bool:
    """Return whether a condition holds for type checkers only."""
    return any(
        getattr(node, "id", getattr(node, "attr", "")) == "TYPE_CHECKING"
        for node in ast.walk(test)
    )


def reduced(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """Leave out imports that longer ways lead to, too."""

    @cache
    def below(name: str) -> frozenset[str]:
        return frozenset(edges[name]).union(*map(below, edges[name]))

    return {
        name: {t for t in targets if not any(t in below(o) for o in targets - {t})}
        for name, targets in edges.items()
    }


#: a part, or the place where a line from one part to another passes a row
Place = str | tuple[str, str, int]


def rows(edges: dict[str, set[str]]) -> list[list[Place]]:
    """Return the parts from the bottom to the top; each row imports lower ones only.

    Between its ends a line has a place of its own in each row that it passes.
    """

    @cache
    def level(name: str) -> int:
        return 1 + max(map(level, edges[name]), default=-1)

    found: list[list[Place]] = [[] for _ in range(1 + max(map(level, edges)))]
    near: dict[Place, set[Place]] = {}
    for name in sorted(edges):
        found[level(name)].append(name)
    for name in sorted(edges):
        for target in sorted(edges[name]):
            way = line(name, target, level(name), level(target))
            for place in way[1:-1]:
                found[place[2]].append(place)  # type: ignore[arg-type, index]
            for one, other in pairwise(way):
                near.setdefault(one, set()).add(other)
                near.setdefault(other, set()).add(one)
    # what is connected stands close together
    at = {place: i - len(row) / 2 for row in found for i, place in enumerate(row)}
    for _ in range(30):
        for row in found:
            wanted = {
                place: sum(map(at.__getitem__, near[place])) / len(near[place])
                if place in near
                else at[place]
                for place in row
            }
            row.sort(key=lambda place: (wanted[place], str(place)))
            for i, place in enumerate(row):
                at[place] = i - (len(row) - 1) / 2
    return found


def line(name: str, target: str, top: int, bottom: int) -> list[Place]:
    """Return the places that a line from one part down to another goes through."""
    passed = [(name, target, row) for row in range(top - 1, bottom, -1)]
    return [name, *passed, target]


def about() -> dict[str, str]:
    """Return what the table of the page about the architecture says of each part."""
    text = (ROOT / "docs" / "developer" / "architecture.rst").read_text(
        encoding="utf-8"
    )
    # sentences of the page begin with names of parts, too
    _, table, _ = re.split(r"^={18} =+\n", text, maxsplit=2, flags=re.MULTILINE)
    return {
        name.removesuffix(".py").rstrip("/"): re.sub("``", "", words).strip()
        for name, words in re.findall(r"^``([\w./]+)`` +(.*)$", table, re.MULTILINE)
    }


def uses_tensorflow(name: str) -> bool:
    """Return whether some file of a part imports TensorFlow or Keras."""
    return any(
        module.split(".")[0] in ("tensorflow", "keras")
        for path in parts()[name]
        for module in _modules(path)
    )


def draw() -> str:
    """Return the picture as SVG."""
    edges = reduced(imports())
    layers = rows(edges)
    widths = [[WIDTH if isinstance(p, str) else THIN for p in row] for row in layers]
    wide = max(sum(row) + GAP * (len(row) + 1) for row in widths)
    high = len(layers) * (HEIGHT + RISE) + RISE
    middle, top = {}, {}
    for i, (row, sizes) in enumerate(zip(layers, widths, strict=True)):
        x = (wide - sum(sizes) - GAP * (len(row) - 1)) / 2
        for place, size in zip(row, sizes, strict=True):
            middle[place] = x + size / 2
            top[place] = high - (i + 1) * (HEIGHT + RISE)
            x += size + GAP
    level = {place: i for i, row in enumerate(layers) for place in row}
    shapes = []
    for name, targets in sorted(edges.items()):
        for target in sorted(targets):
            way = line(name, target, level[name], level[target])
            path = f"M{middle[name]:g},{top[name] + HEIGHT:g}"
            for one, other in pairwise(way):
                start, end = top[one] + HEIGHT, top[other] - 6 * (other == target)
                half = (end - start) / 2
                path += (
                    f" C{middle[one]:g},{start + half:g} "
                    f"{middle[other]:g},{end - half:g} {middle[other]:g},{end:g}"
                )
                if other != target:
                    path += f" V{top[other] + HEIGHT:g}"
            shapes.append(f'<path class="line" d="{path}"/>')
    described = about()
    for name in sorted(edges):
        x, y = middle[name], top[name]
        kind = "tensorflow" if uses_tensorflow(name) else "numpy"
        file = f"{name}.py" if (PACKAGE / f"{name}.py").exists() else f"{name}/"
        shapes.append(
            f'<rect class="{kind}" x="{x - WIDTH / 2:g}" y="{y:g}" width="{WIDTH}" '
            f'height="{HEIGHT}" rx="8"/>\n'
            f'<text x="{x:g}" y="{y + 22:g}" class="name">{escape(file)}</text>'
        )
        for i, words in enumerate(wrap(described[name], 30)):
            shapes.append(
                f'<text x="{x:g}" y="{y + 42 + 15 * i:g}">{escape(words)}</text>'
            )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}">
<style>
text {{ font: 12px sans-serif; text-anchor: middle; fill: #222 }}
.name {{ font-weight: bold; font-size: 15px }}
.line {{ fill: none; stroke: #777; stroke-width: 1.3; marker-end: url(#arrow) }}
.tensorflow {{ fill: #ffe3c2; stroke: #c77b1f }}
.numpy {{ fill: #d6e8f7; stroke: #3d7dae }}
</style>
<marker id="arrow" viewBox="0 0 8 8" refX="2" refY="4" markerWidth="7" \
markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#777"/></marker>
<rect width="{wide}" height="{high}" fill="#fff" rx="8"/>
{chr(10).join(shapes)}
</svg>
"""


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
