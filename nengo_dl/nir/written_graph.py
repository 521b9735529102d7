"""A graph that is being written: nodes as names and parameters, edges, biases."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nengo_dl.nir.node_records import n_elements

#: types whose parameters are arrays of their own shape
ELEMENTWISE = (
    "LIF",
    "CubaLIF",
    "IF",
    "LI",
    "CubaLI",
    "I",
    "Threshold",
    "Scale",
    "Delay",
)

Shape = tuple[int, ...]


@dataclass
class WrittenNode:
    """A node of a graph that is being written.

    Attributes
    ----------
    kind : str
        The type, as NIR calls it.
    parameters : dict of {str: object}
        Arguments of its class in the package ``nir``.
    size_out : int
        How many elements its output has.
    notes : dict of {str: object}
        What only our own reader knows of.
    bias : np.ndarray or None, shape (size_out,)
        Constant numbers that it receives besides.
    """

    kind: str
    parameters: dict[str, Any]
    size_out: int
    notes: dict[str, Any] = field(default_factory=dict)
    bias: np.ndarray | None = None

    @property
    def elementwise(self) -> bool:
        """Whether its parameters are arrays of its own shape."""
        return self.kind in ELEMENTWISE

    @property
    def plain(self) -> bool:
        """Whether it is a product with weights of this time step."""
        return self.kind in ("Linear", "Affine") and "role" not in self.notes

    def shape(self) -> Shape:
        """Return the shape of its output."""
        if "shape" in self.parameters:
            return tuple(self.parameters["shape"])
        if self.elementwise:
            return np.shape(next(iter(self.parameters.values())))
        return self.parameters.get("shape_out", (self.size_out,))

    def shape_in(self) -> Shape:
        """Return the shape of its input."""
        if self.kind in ("Linear", "Affine"):
            return (self.parameters["weight"].shape[1],)
        return self.parameters.get("shape_in", self.shape())

    def reshape(self, shape: Shape) -> None:
        """Give an elementwise node, an Input or an Output another shape."""
        if self.elementwise:
            for name, values in self.parameters.items():
                self.parameters[name] = values.reshape(shape)
        else:
            self.parameters["shape"] = shape


class WrittenGraph:
    """Nodes and edges of a graph that is being written.

    Attributes
    ----------
    nodes : dict of {str: WrittenNode}
        By name.
    edges : dict of {(str, str): None}
        In their order.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, WrittenNode] = {}
        self.edges: dict[tuple[str, str], None] = {}

    def add(self, label: str, node: WrittenNode) -> str:
        """Add a node; return its name, which is unique and without dots and slashes."""
        stem = re.sub(r"[^\w -]+", "_", label).strip() or node.kind
        name, i = stem, 1
        while name in self.nodes:
            i += 1
            name = f"{stem}_{i}"
        self.nodes[name] = node
        return name

    def connect(self, pre: Iterable[str], post: str) -> None:
        """Add edges; where there is one already, NIR needs a node in between."""
        for name in pre:
            if (name, post) in self.edges:
                size = self.nodes[name].size_out
                again = WrittenNode("Linear", {"weight": np.eye(size)}, size)
                between = self.add(f"{name}_again", again)
                self.edges[name, between] = None
                self.edges[between, post] = None
            else:
                self.edges[name, post] = None

    def predecessors(self, name: str) -> list[str]:
        """Return the names of the nodes that a node receives from."""
        return [pre for pre, post in self.edges if post == name]

    def successors(self, name: str) -> list[str]:
        """Return the names of the nodes that a node sends to."""
        return [post for pre, post in self.edges if pre == name]

    def remove(self, name: str) -> None:
        """Remove a node; what it received goes to where it was sent."""
        before, after = self.predecessors(name), self.successors(name)
        del self.nodes[name]
        self.edges = {edge: None for edge in self.edges if name not in edge}
        for post in after:
            self.connect(before, post)

    def add_bias(self, name: str, bias: np.ndarray) -> None:
        """Let a node receive constant numbers besides."""
        node = self.nodes[name]
        node.bias = bias if node.bias is None else node.bias + bias


def place_biases(graph: WrittenGraph) -> list[str]:
    """Turn constant numbers that nodes receive into parameters.

    They become the bias of a product with weights before, if it goes nowhere else,
    since not all readers know of ``v_leak``; else ``v_leak``, or a product of their
    own.

    Returns
    -------
    list of str
        Nodes for which none of this can be: they receive nothing else.
    """
    failed = []
    for name, node in list(graph.nodes.items()):
        bias, node.bias = node.bias, None
        if bias is None or not np.any(bias):
            continue
        if node.plain:
            _absorbs(node, node.parameters["weight"] @ bias)
            continue
        before = graph.predecessors(name)
        if node.kind != "Threshold" and any(
            graph.successors(pre) == [name] and _absorbs(graph.nodes[pre], bias)
            for pre in before
        ):
            continue
        if "v_leak" in node.parameters:
            _add_leak(node, bias)
        elif "threshold" in node.parameters:
            theta = node.parameters["threshold"]
            node.parameters["threshold"] = theta - bias.reshape(theta.shape)
        elif before:
            size = graph.nodes[before[0]].size_out
            affine = WrittenNode("Affine", {"weight": np.eye(size), "bias": bias}, size)
            between = graph.add(f"{name}_bias", affine)
            del graph.edges[before[0], name]
            graph.connect([before[0]], between)
            graph.connect([between], name)
        else:
            failed.append(name)
    return failed


def merge_factors(graph: WrittenGraph) -> None:
    """Let products with weights have the factors that come after them."""
    for name, node in list(graph.nodes.items()):
        weight = node.parameters.get("weight")
        before = graph.predecessors(name)
        if (
            not node.plain
            or weight is None
            or not before
            or weight.shape[0] != weight.shape[1]
            or np.count_nonzero(weight - np.diag(np.diag(weight)))
            or not all(
                graph.nodes[pre].plain and graph.successors(pre) == [name]
                for pre in before
            )
        ):
            continue
        factors = np.diag(weight)
        for pre in before:
            parameters = graph.nodes[pre].parameters
            parameters["weight"] = factors[:, None] * parameters["weight"]
            if "bias" in parameters:
                parameters["bias"] = factors * parameters["bias"]
        _absorbs(graph.nodes[before[0]], node.parameters.get("bias", 0.0))
        if node.bias is not None:
            _absorbs(graph.nodes[before[0]], factors * node.bias)
        graph.remove(name)


def _absorbs(node: WrittenNode, bias: Any) -> bool:
    """Add constant numbers to the output of a node; return whether that can be."""
    if node.plain:
        if not np.any(bias):
            return True
        node.kind = "Affine"
        node.parameters["bias"] = node.parameters.get("bias", 0.0) + bias
        return True
    if not node.kind.startswith("Conv"):
        return False
    by_channel = bias.reshape(node.parameters["shape_out"][0], -1)
    if np.any(by_channel != by_channel[:, :1]):
        return False
    node.parameters["bias"] = node.parameters["bias"] + by_channel[:, 0]
    return True


def _add_leak(node: WrittenNode, bias: np.ndarray) -> None:
    r = node.parameters["r"]
    node.parameters["v_leak"] = node.parameters["v_leak"] + r * bias.reshape(r.shape)


def fit_shapes(graph: WrittenGraph) -> None:
    """Give nodes the shapes of the convolutions around them, and flatten elsewhere.

    NIR has no node that makes channels and axes of a vector, so whatever stands between
    two convolutions must have their shape.
    """
    for name, node in graph.nodes.items():
        wanted = [graph.nodes[post].shape_in() for post in graph.successors(name)]
        wanted = [shape for shape in wanted if len(shape) > 1]
        if wanted and (node.elementwise or node.kind == "Input"):
            node.reshape(wanted[0])
    changed = True
    while changed:
        changed = False
        for pre, post in graph.edges:
            sent, node = graph.nodes[pre].shape(), graph.nodes[post]
            free = node.elementwise or node.kind == "Output"
            if free and len(sent) > 1 and len(node.shape()) == 1:
                node.reshape(sent)
                changed = True
    flattened: dict[str, str] = {}
    for pre, post in list(graph.edges):
        sent, expected = graph.nodes[pre].shape(), graph.nodes[post].shape_in()
        if len(sent) > 1 and len(expected) == 1:
            if pre not in flattened:
                size = n_elements(sent)
                node = WrittenNode("Flatten", {"shape_in": sent}, size)
                flattened[pre] = graph.add(f"{pre}_flat", node)
                graph.edges[pre, flattened[pre]] = None
            del graph.edges[pre, post]
            graph.connect([flattened[pre]], post)
