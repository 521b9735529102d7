"""How many groups of a kind a plan needs at least."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from nengo_dl.graph.adjacency import Adjacency


def chain_lengths(edges: Adjacency, keys: Sequence[Hashable]) -> list[int]:
    """Return for each operator how many of its kind have to run one after another.

    That is the largest number of operators of its own key on any path through the
    graph that begins with it. No plan can have fewer groups of the key from there on.

    Parameters
    ----------
    edges : Adjacency
        Whoever has to run after each operator: one with a larger number.
    keys : sequence of hashable
        The key of each operator. Those of different keys may not share a group.

    Returns
    -------
    list of int
        1 for the last of each chain.

    Notes
    -----
    The number for each key on the paths from an operator on is a vector. Operators have
    few different ones, so each is computed once: the time is linear in edges.
    """
    members = Counter(keys)
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

    def largest_of(later: frozenset[int]) -> int:
        if later not in largest:
            columns = zip(*(vectors[i] for i in later), strict=True)
            largest[later] = identified(tuple(map(max, columns)))
        return largest[later]

    of, lengths = [0] * len(keys), [1] * len(keys)
    followers = edges.lists()
    for i in range(len(keys) - 1, -1, -1):
        after = followers[i]
        own = largest_of(frozenset([of[follower] for follower in after]))
        key = number.get(keys[i])
        if key is not None:
            if (own, key) not in counted:
                vector = list(vectors[own])
                vector[key] += 1
                counted[own, key] = identified(tuple(vector))
            own = counted[own, key]
            lengths[i] = vectors[own][key]
        of[i] = own
    return lengths
