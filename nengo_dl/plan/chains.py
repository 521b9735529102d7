"""How many groups of a kind a plan needs at least."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping

from nengo.builder.operator import Operator

from nengo_dl.graph.opgraph import OpGraph


def chain_lengths(
    graph: OpGraph, merge_key: Mapping[Operator, Hashable]
) -> dict[Operator, int]:
    """Return for each operator how many of its kind have to run one after another.

    That is the largest number of operators of its own key on any path through the
    graph that begins with it. No plan can have fewer groups of the key from there on.

    Parameters
    ----------
    graph : OpGraph
        The operators and their edges.
    merge_key : mapping of {Operator: hashable}
        Operators of different keys may not share a group.

    Returns
    -------
    dict of {Operator: int}
        1 for the last of each chain.

    Notes
    -----
    The number for each key on the paths from an operator on is a vector. Operators have
    few different ones, so each is computed once: the time is linear in edges.
    """
    members = Counter(merge_key[op] for op in graph.operators)
    number = {key: i for i, key in enumerate(k for k, n in members.items() if n > 1)}
    vectors: list[tuple[int, ...]] = [(0,) * len(number)]
    known: dict[tuple[int, ...], int] = {vectors[0]: 0}
    largest: dict[frozenset[int], int] = {frozenset(): 0}
    counted: dict[tuple[int, int], int] = {}

    def identified(vector: tuple[int, ...]) -> int:
        if vector not in known:
            known[vector] = len(vectors)
            vectors.append(vector)
        return known[vector]

    of: dict[Operator, int] = {}
    lengths: dict[Operator, int] = {}
    for op in reversed(graph.operators):
        later = frozenset(of[follower] for follower in graph.successors[op])
        if later not in largest:
            columns = zip(*(vectors[i] for i in later), strict=True)
            largest[later] = identified(tuple(map(max, columns)))
        of[op] = largest[later]
        key = number.get(merge_key[op])
        if key is None:
            lengths[op] = 1
            continue
        step = of[op], key
        if step not in counted:
            vector = list(vectors[of[op]])
            vector[key] += 1
            counted[step] = identified(tuple(vector))
        of[op] = counted[step]
        lengths[op] = vectors[of[op]][key]
    return lengths
