"""What a function of a part of a minibatch is given, as a flat list of tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

#: lists, dicts and tensors in a list; None for what is left out
Nested = Sequence[Any]


@dataclass(frozen=True)
class PartArguments:
    """The arguments of a function, by what is cut when a minibatch is divided.

    Attributes
    ----------
    shared : nested sequence of tf.Tensor
        What is the same for all items: parameters.
    items : nested sequence of tf.Tensor, shape (minibatch_size, ...)
        What each item has of its own.
    local : nested sequence of tf.Tensor, shape (n_rows, ...)
        What only the items of this process have: data that it has read for them.
    """

    shared: Nested
    items: Nested
    local: Nested

    def flat(self) -> tuple[list[tf.Tensor], list[tf.Tensor], list[tf.Tensor]]:
        """Return the tensors of each kind, in their order."""
        return _flat(self.shared), _flat(self.items), _flat(self.local)

    def specs(self, part: int) -> list[tf.TensorSpec]:
        """Return shapes and types of all tensors, for a part of so many items."""
        shared, items, local = self.flat()
        return [
            *(tf.TensorSpec(t.shape, t.dtype) for t in shared),
            *(tf.TensorSpec((part, *t.shape[1:]), t.dtype) for t in items + local),
        ]

    def refilled(self, tensors: Iterable[tf.Tensor]) -> PartArguments:
        """Return the same arguments with other tensors, in the order of `flat`."""
        remaining = iter(tensors)
        kinds = (self.shared, self.items, self.local)
        return PartArguments(*[_refilled(given, remaining) for given in kinds])


def _flat(given: Nested) -> list[tf.Tensor]:
    found: list[tf.Tensor] = []
    for own in given:
        if isinstance(own, Mapping):
            found += own.values()
        elif isinstance(own, list):
            found += own
        elif own is not None:
            found.append(own)
    return found


def _refilled(given: Nested, tensors: Iterator[tf.Tensor]) -> list[Any]:
    found: list[Any] = []
    for own in given:
        if isinstance(own, Mapping):
            found.append({key: next(tensors) for key in own})
        elif isinstance(own, list):
            found.append([next(tensors) for _ in own])
        else:
            found.append(None if own is None else next(tensors))
    return found
