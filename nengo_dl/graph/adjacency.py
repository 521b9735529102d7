"""Lists of numbers, one for each of some things, in two arrays."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Adjacency:
    """A list of numbers for each of some things, which are numbered from 0 on.

    Such as the edges of a graph: for each node, those that it leads to.

    Attributes
    ----------
    counts : np.ndarray of int, shape (n,)
        The length of each list.
    members : np.ndarray of int, shape (n_members,)
        The lists, one after the other.

    Examples
    --------
    >>> import numpy as np
    >>> from nengo_dl.graph.adjacency import Adjacency
    >>> edges = Adjacency.of_pairs(3, np.array([2, 0, 2]), np.array([0, 1, 1]))
    >>> edges.lists()
    [[1], [], [0, 1]]
    >>> edges.of(np.array([2, 1, 2])).tolist()
    [0, 1, 0, 1]
    """

    counts: np.ndarray
    members: np.ndarray

    @classmethod
    def of_pairs(cls, n: int, owners: np.ndarray, members: np.ndarray) -> Adjacency:
        """Return the lists of ``n`` things; each list has its members as they come.

        Parameters
        ----------
        n : int
            Number of lists.
        owners : np.ndarray of int, shape (n_members,)
            Whose list each member is in.
        members : np.ndarray of int, shape (n_members,)
            The members.
        """
        order = np.argsort(owners, kind="stable")
        return cls(np.bincount(owners, minlength=n), members[order])

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each list begins, shape (n,)."""
        return np.cumsum(self.counts) - self.counts

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """Return the lists of some things, one after the other."""
        counts = self.counts[numbers]
        before = np.cumsum(counts) - counts
        places = np.repeat(self.starts[numbers] - before, counts)
        places += np.arange(len(places))
        return self.members[places]

    def owners(self) -> np.ndarray:
        """Return whose list each member is in, shape (n_members,)."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def ordered(self, order: np.ndarray) -> Adjacency:
        """Return edges between the same things once ``order[i]`` has the number i."""
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return Adjacency(self.counts[order], place[self.of(order)])

    def distinct(self) -> Adjacency:
        """Return lists that have each member once, where it comes first."""
        owners = self.owners()
        pairs = owners * (self.members.max(initial=0) + 1) + self.members
        _, first = np.unique(pairs, return_index=True)
        if len(first) == len(pairs):
            return self
        first.sort()
        counts = np.bincount(owners[first], minlength=len(self.counts))
        return Adjacency(counts, self.members[first])

    def lists(self) -> list[list[int]]:
        """Return the lists as Python has them."""
        members, stops = self.members.tolist(), np.cumsum(self.counts).tolist()
        return [members[a:b] for a, b in itertools.pairwise([0, *stops])]
