"""A NIR graph of others as flat records: nested graphs unfolded, limits kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nengo.exceptions import ValidationError

from nengo_dl.nir.node_records import NodeRecord, as_text

#: deeper nests of graphs, and more nodes or edges than these, are refused
MAX_DEPTH, MAX_NODES, MAX_EDGES = 32, 20_000, 200_000

#: what is no parameter of a node
_NOT_FIELDS = ("type", "metadata")


@dataclass
class FlatGraph:
    """Nodes of a graph and all graphs within it, by name, and the edges between them.

    Attributes
    ----------
    nodes : dict of {str: NodeRecord}
        Without nested graphs; their nodes are named ``"graph/node"``.
    edges : list of (str, str)
        Without those that begin or end at a nested graph.
    metadata : mapping of {str: object}
        Notes of the outermost graph.
    """

    nodes: dict[str, NodeRecord] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def inputs(self) -> list[str]:
        """Names of the Inputs of the outermost graph."""
        return self._outermost("Input")

    @property
    def outputs(self) -> list[str]:
        """Names of the Outputs of the outermost graph."""
        return self._outermost("Output")

    def predecessors(self) -> dict[str, list[str]]:
        """Return the names of the nodes that each node receives from."""
        found: dict[str, list[str]] = {name: [] for name in self.nodes}
        for pre, post in self.edges:
            found[post].append(pre)
        return found

    def successors(self) -> dict[str, list[str]]:
        """Return the names of the nodes that each node sends to."""
        found: dict[str, list[str]] = {name: [] for name in self.nodes}
        for pre, post in self.edges:
            found[pre].append(post)
        return found

    def _outermost(self, kind: str) -> list[str]:
        return [
            name
            for name, node in self.nodes.items()
            if node.kind == kind and "/" not in name
        ]


def flat_graph(graph: Any) -> FlatGraph:
    """Return the records of a graph.

    Parameters
    ----------
    graph : nir.NIRGraph or dict
        The graph, or what `read_nir_file` has made of a file.

    Raises
    ------
    ValidationError
        If it is no graph, or too deep or too large.
    """
    flat = FlatGraph()
    kind, fields, metadata = _parts(graph, "graph")
    if kind != "NIRGraph":
        raise ValidationError(
            f"Expected a NIRGraph, got {kind or type(graph).__name__}", "graph"
        )
    flat.metadata = metadata
    _unfold(fields, "", 0, flat)
    return flat


def _parts(node: Any, name: str) -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
    """Return type, fields and metadata of an object of NIR's or a dict of a file."""
    if isinstance(node, Mapping):
        fields = dict(node)
        kind = as_text(fields.get("type")) or ""
    else:
        fields = dict(getattr(node, "__dict__", {}))
        kind = type(node).__name__
    metadata = fields.get("metadata")
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, Mapping):
        raise ValidationError(
            f"Expected metadata in a dict, got {type(metadata).__name__}", name
        )
    return kind, {k: v for k, v in fields.items() if k not in _NOT_FIELDS}, metadata


def _unfold(
    fields: Mapping[str, Any], prefix: str, depth: int, flat: FlatGraph
) -> None:
    """Add the nodes and edges of a graph, and of those within it."""
    where = f"NIRGraph {prefix[:-1]!r}" if prefix else "graph"
    if depth > MAX_DEPTH:
        raise ValidationError(f"Graphs are nested deeper than {MAX_DEPTH}", where)
    nodes = fields.get("nodes")
    if not isinstance(nodes, Mapping):
        raise ValidationError(
            f"Expected a dict of nodes, got {type(nodes).__name__}", f"{where}.nodes"
        )
    if len(flat.nodes) + len(nodes) > MAX_NODES:
        raise ValidationError(f"More than {MAX_NODES} nodes", f"{where}.nodes")
    inner: dict[str, tuple[str, str]] = {}
    for name, node in nodes.items():
        if not isinstance(name, str) or not name:
            raise ValidationError(f"Expected names, got {name!r:.50}", f"{where}.nodes")
        full = prefix + name.replace("/", "|")
        kind, own, metadata = _parts(node, full)
        if kind == "NIRGraph":
            _unfold(own, f"{full}/", depth + 1, flat)
            inner[name] = _ports(own, full)
        elif full in flat.nodes:
            raise ValidationError("Two nodes have this name", full)
        else:
            flat.nodes[full] = NodeRecord(full, kind, own, metadata)
    flat.edges += _edges(fields.get("edges"), nodes, inner, prefix, where)
    if len(flat.edges) > MAX_EDGES:
        raise ValidationError(f"More than {MAX_EDGES} edges", f"{where}.edges")


def _ports(fields: Mapping[str, Any], name: str) -> tuple[str, str]:
    """Return the names of the only Input and the only Output of a nested graph."""
    found = []
    for kind in ("Input", "Output"):
        ports = [
            port
            for port, node in fields["nodes"].items()
            if _parts(node, name)[0] == kind
        ]
        if len(ports) != 1:
            raise ValidationError(
                f"Expected one {kind} in a graph within a graph, got {len(ports)}",
                f"NIRGraph {name!r}",
            )
        found.append(f"{name}/{ports[0].replace('/', '|')}")
    return found[0], found[1]


def _edges(
    edges: Any,
    nodes: Mapping[str, Any],
    inner: Mapping[str, tuple[str, str]],
    prefix: str,
    where: str,
) -> Iterable[tuple[str, str]]:
    """Return edges between flat names; those of nested graphs at their ports."""
    where = f"{where}.edges"
    if edges is None or isinstance(edges, str | bytes) or not hasattr(edges, "__len__"):
        raise ValidationError(
            f"Expected pairs of names, got {type(edges).__name__}", where
        )
    if len(edges) > MAX_EDGES:
        raise ValidationError(f"More than {MAX_EDGES} edges", where)
    found: dict[tuple[str, str], None] = {}
    for edge in edges:
        pair = [] if isinstance(edge, str | bytes) else list(_iterable(edge))
        names = [as_text(end) or "" for end in pair]
        if len(names) != 2 or "" in names:
            raise ValidationError(f"Expected pairs of names, got {edge!r:.80}", where)
        for end in names:
            if end not in nodes:
                raise ValidationError(f"No node is named {end!r:.50}", where)
        pre, post = (
            inner[end][side] if end in inner else prefix + end.replace("/", "|")
            for end, side in zip(names, (1, 0), strict=True)
        )
        if (pre, post) in found:
            raise ValidationError(
                f"The edge from {names[0]!r} to {names[1]!r} stands there twice", where
            )
        found[pre, post] = None
    return found


def _iterable(value: Any) -> Iterable[Any]:
    try:
        return iter(value)
    except TypeError:
        return ()
