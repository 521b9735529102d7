"""Shapes along the edges of a graph, and the edges that need a step of delay."""

from __future__ import annotations

from collections.abc import Mapping

from nengo.exceptions import ValidationError

from nengo_dl.nir.graph_records import FlatGraph
from nengo_dl.nir.node_reader import NodeReader
from nengo_dl.nir.node_records import n_elements

Shape = tuple[int, ...]


def input_shapes(
    graph: FlatGraph, readers: Mapping[str, NodeReader]
) -> dict[str, Shape]:
    """Return the shape of the input of each node.

    Shapes follow from the nodes' own parameters, or from what they receive.

    Parameters
    ----------
    graph : FlatGraph
        The graph.
    readers : mapping of {str: NodeReader}
        Its nodes.

    Raises
    ------
    ValidationError
        If shapes contradict each other, are too large, or follow from nothing.
    """
    successors = graph.successors()
    shapes_in: dict[str, Shape] = {}
    shapes_out: dict[str, Shape] = {}
    waiting: list[tuple[str, Shape]] = []
    own = {name: reader.shape_in() for name, reader in readers.items()}
    for name, shape in own.items():
        if shape is not None:
            waiting.append((name, shape))
    while waiting:
        name, sent = waiting.pop()
        shape = own[name] or sent
        if name in shapes_in:
            continue
        reader = readers[name]
        reader.check_size(shape)
        shapes_in[name], shapes_out[name] = shape, reader.shape_out(shape)
        reader.check_size(shapes_out[name])
        waiting += [
            (post, shapes_out[name])
            for post in successors[name]
            if post not in shapes_in
        ]
    _check(graph, readers, shapes_in, shapes_out)
    return shapes_in


def _check(
    graph: FlatGraph,
    readers: Mapping[str, NodeReader],
    shapes_in: Mapping[str, Shape],
    shapes_out: Mapping[str, Shape],
) -> None:
    unknown = [name for name in graph.nodes if name not in shapes_in]
    if unknown:
        raise ValidationError(
            "Its shape follows neither from its parameters nor from what it receives",
            f"{readers[unknown[0]].record.kind} {unknown[0]!r}",
        )
    for pre, post in graph.edges:
        sent, expected = shapes_out[pre], shapes_in[post]
        if not _fits(sent, expected):
            raise ValidationError(
                f"{pre!r} sends shape {sent}, while {post!r} expects {expected}",
                f"edge {pre!r} to {post!r}",
            )


def _fits(sent: Shape, expected: Shape) -> bool:
    """Return whether the elements of a shape can be those of another one.

    Some writers leave out a Flatten, or axes of one element.
    """
    if n_elements(sent) != n_elements(expected):
        return False
    sent, expected = (tuple(n for n in s if n != 1) for s in (sent, expected))
    return sent == expected or 1 in (len(sent), len(expected))


def late_edges(
    graph: FlatGraph, readers: Mapping[str, NodeReader]
) -> set[tuple[str, str]]:
    """Return the edges that pass on what was sent in the time step before.

    A cycle needs one, unless one of its nodes delays by itself. It is the edge that
    leads back to a node on the way, starting from the Inputs in the order of edges; or
    the edge in front of the weights on it, so that their biases come from the first
    step on.

    Parameters
    ----------
    graph : FlatGraph
        The graph.
    readers : mapping of {str: NodeReader}
        Its nodes.
    """
    successors, before = graph.successors(), graph.predecessors()
    state: dict[str, int] = {}  # 1: on the way, 2: left behind
    late = set()
    for start in (*graph.inputs, *graph.nodes):
        if start in state:
            continue
        state[start] = 1
        way = [(start, iter(successors[start]))]
        while way:
            pre, following = way[-1]
            for post in following:
                if readers[post].delays:
                    continue
                if state.get(post) == 1:
                    late.add(_before_weights(pre, post, successors, before, readers))
                elif post not in state:
                    state[post] = 1
                    way.append((post, iter(successors[post])))
                    break
            else:
                state[pre] = 2
                way.pop()
    return late


def _before_weights(
    pre: str,
    post: str,
    successors: Mapping[str, list[str]],
    before: Mapping[str, list[str]],
    readers: Mapping[str, NodeReader],
) -> tuple[str, str]:
    """Return the edge where a way that ends with an edge last has a state."""
    passed = {post}
    while (
        readers[pre].stateless
        and pre not in passed
        and len(successors[pre]) == len(before[pre]) == 1
    ):
        passed.add(pre)
        pre, post = before[pre][0], pre
    return pre, post
