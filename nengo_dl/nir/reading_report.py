"""What became of each node of a NIR graph."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from nengo_dl.display.tables import html_table, text_table


@dataclass(frozen=True)
class NodeReport:
    """What became of one node.

    Attributes
    ----------
    name, kind : str
        Name and type.
    became : str
        Nengo's objects in words.
    shape_in, shape_out : tuple of int
        Shapes of its input and output.
    """

    name: str
    kind: str
    became: str
    shape_in: tuple[int, ...]
    shape_out: tuple[int, ...]


@dataclass(frozen=True)
class ReadingReport:
    """The report of `nengo_dl.from_nir`; prints as a table.

    Attributes
    ----------
    nodes : tuple of NodeReport
        In the order of the graph.
    late_edges : tuple of (str, str)
        Edges that pass on the output of the time step before: one in each cycle.
    spike_dt : float
        Area of a spike (s).
    discretization : str
        ``"exact"`` or ``"euler"``.
    """

    nodes: tuple[NodeReport, ...]
    late_edges: tuple[tuple[str, str], ...]
    spike_dt: float
    discretization: str

    def __str__(self) -> str:
        header, rows = self._table()
        return "\n".join([text_table(self._title(), [header, *rows]), *self._late()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        header, rows = self._table()
        late = "".join(f"<p>{escape(line)}</p>" for line in self._late())
        return html_table(self._title(), header, rows) + late

    def _title(self) -> str:
        return f"NIR graph: {self.discretization} steps, spikes of {self.spike_dt:g} s"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        header = ["node", "type", "became", "input", "output"]
        return header, [
            [
                row.name,
                row.kind,
                row.became,
                _shape(row.shape_in),
                _shape(row.shape_out),
            ]
            for row in self.nodes
        ]

    def _late(self) -> list[str]:
        return [f"one step late: {pre} -> {post}" for pre, post in self.late_edges]


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
