"""Minibatches as users make them: datasets of TensorFlow or Keras, and generators.

They come one after the other, and each is checked as it comes. No more than a few are
in memory, so there may be more of them than fit into it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Generic, Protocol, TypeVar

import keras
import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.distribution.shares import Share
from nengo_dl.inputs.blocks import ahead

T = TypeVar("T", covariant=True)


def is_stream(x: Any) -> bool:
    """Return whether something yields minibatches: a dataset, a generator.

    Raises
    ------
    ValidationError
        If it is a dataset that a strategy has divided.
    """
    if isinstance(
        x, tf.distribute.DistributedDataset | tf.distribute.DistributedIterator
    ):
        raise ValidationError(
            f"Got a {type(x).__name__}, which a strategy has divided. Expected the "
            "tf.data.Dataset that it was made of, with whole minibatches: a simulator "
            "divides them itself",
            attr="data",
        )
    if isinstance(x, tf.data.Dataset | keras.utils.PyDataset):
        return True
    return isinstance(x, Iterator)


class Minibatches(Protocol[T]):
    """Minibatches for one epoch after the other, whatever they are made of."""

    #: the argument that they were given as, for errors
    attr: str

    @property
    def n_minibatches(self) -> int | None:
        """Number of minibatches in an epoch, if it is known."""

    @property
    def is_endless(self) -> bool:
        """Whether there is no last minibatch, as far as that is known."""

    @property
    def worth_threads(self) -> bool:
        """Whether another thread is to make an element while one is computed with."""

    def elements(self) -> Iterator[Any]:
        """Begin another epoch: yield what minibatches are made of."""

    def minibatch(self, element: Any) -> T:
        """Return the minibatch that is made of an element."""


@dataclass(eq=False)
class Stream(Generic[T]):
    """Minibatches of a dataset or generator of the user's.

    Attributes
    ----------
    source : tf.data.Dataset, keras.utils.PyDataset or iterator
        Yields minibatches in a form that users like.
    minibatch : callable
        Checks one, and returns it in the form that is wanted here.
    attr : str
        The argument that it was given as, for errors.
    shuffle : np.random.RandomState or None
        Decides on the order of a PyDataset in each epoch.
    share : Share or None
        What divides the reading of a dataset between processes.
    """

    source: Any
    minibatch: Callable[[Any], T]
    attr: str
    shuffle: np.random.RandomState | None = None
    share: Share | None = None
    _begun: Iterator[Any] | None = field(default=None, init=False)
    _divided: Any = field(default=None, init=False)

    @property
    def n_minibatches(self) -> int | None:
        """Number of minibatches in an epoch, if it is known."""
        if isinstance(self.source, keras.utils.PyDataset):
            return self.source.num_batches
        if isinstance(self.source, tf.data.Dataset):
            if self._is_divided(self.source):
                return None
            known = int(self.source.cardinality().numpy())
            return known if known >= 0 else None
        return None

    @property
    def is_endless(self) -> bool:
        """Whether there is no last minibatch, as far as that is known."""
        if isinstance(self.source, keras.utils.PyDataset):
            return self.source.num_batches is None
        return isinstance(self.source, tf.data.Dataset) and bool(
            self.source.cardinality() == tf.data.INFINITE_CARDINALITY
        )

    @property
    def worth_threads(self) -> bool:
        """Whether it is a generator: datasets have threads of their own."""
        return isinstance(self.source, Iterator)

    def first(self) -> Any:
        """Return what the first minibatch is made of; it comes again in the epoch.

        Raises
        ------
        ValidationError
            If there is none.
        """
        elements = self.elements()
        for element in elements:
            self._begun = chain([element], elements)
            return element
        raise nothing(self.attr)

    def elements(self) -> Iterator[Any]:
        """Begin another epoch; yield minibatches as users make them."""
        if self._begun is not None:
            begun, self._begun = self._begun, None
            return begun
        if isinstance(self.source, tf.data.Dataset):
            if self.share is not None and self._is_divided(self.source):
                if self._divided is None:
                    # once, or each epoch would be shuffled alike
                    self._divided = self.share.of(self.source)
                return self.share.minibatches(self._divided)
            return iter(self.source.prefetch(tf.data.AUTOTUNE).as_numpy_iterator())
        if isinstance(self.source, keras.utils.PyDataset):
            return self._numbered(self.source)
        return iter(self.source)

    def _is_divided(self, dataset: tf.data.Dataset) -> bool:
        """Return whether each process reads a dataset of its own."""
        return self.share is not None and self.share.divides(dataset)

    def _numbered(self, source: keras.utils.PyDataset) -> Iterator[Any]:
        """Yield the minibatches of a PyDataset, made by several threads if it says so.

        Keras' own way supposes that all have one shape.
        """
        source.on_epoch_begin()
        count, i = source.num_batches, 0
        order: Any = range(count) if count is not None else None
        if order is not None and self.shuffle is not None:
            order = self.shuffle.permutation(count)
        waiting: deque[Future] = deque()
        # one is made while another one is computed with
        room = max(source.max_queue_size, 1) if source.workers > 1 else 2
        with ThreadPoolExecutor(max(1, source.workers)) as pool:
            while waiting or count is None or i < count:
                while len(waiting) < room and (count is None or i < count):
                    number = i if order is None else int(order[i])
                    waiting.append(pool.submit(source.__getitem__, number))
                    i += 1
                yield waiting.popleft().result()
        source.on_epoch_end()


@dataclass(eq=False)
class ByEpoch(Generic[T]):
    """Minibatches that come one after the other, for one epoch after the other.

    Attributes
    ----------
    minibatches : Minibatches
        A dataset or generator, or parts of arrays.
    steps : int or None
        How many of them are an epoch; None: all.
    option : str
        The argument that says so, for errors.
    ran_out : callable
        ``ran_out(count, steps)`` is called if an epoch has fewer of them than it should
        have, or a later one has none.

    Raises
    ------
    ValidationError
        If they are endless, and nobody says how many are an epoch.
    """

    minibatches: Minibatches[T]
    steps: int | None
    option: str
    ran_out: Callable[[int, int | None], None]
    _going_on: Iterator[Any] | None = field(default=None, init=False)
    _n_epochs: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.steps is None and self.minibatches.is_endless:
            raise ValidationError(
                f"The dataset never ends. Expected {self.option}=<number of "
                "minibatches>, or a dataset that ends: `dataset.take(number)`, or a "
                "PyDataset with `__len__`",
                attr=self.minibatches.attr,
            )

    @property
    def n_minibatches(self) -> int | None:
        """How many there are in an epoch, if that is known."""
        return self.steps or self.minibatches.n_minibatches

    def epoch(self) -> Iterator[T]:
        """Yield those of the next epoch."""
        source = self.minibatches
        if self._going_on is None or self.steps is None:
            self._going_on = source.elements()
        count = 0
        elements: Iterable[Any] = islice(self._going_on, self.steps)
        if source.worth_threads:
            elements = ahead(iter(elements))
        for element in elements:
            yield source.minibatch(element)
            count += 1
        missing = self.steps is not None and count < self.steps
        if missing:
            self._going_on = None
        if count == 0 and not self._n_epochs:
            raise nothing(source.attr)
        if missing or count == 0:
            self.ran_out(count, self.steps)
        self._n_epochs += 1


def unpacked(element: Any, attr: str) -> tuple[Any, Any, Any]:
    """Return inputs, targets and weights of samples of what a dataset yields.

    Parameters
    ----------
    element : tuple or object
        ``(inputs,)``, ``(inputs, targets)``, ``(inputs, targets, weights)``, or inputs.
    attr : str
        The argument that the dataset was given as.

    Raises
    ------
    ValidationError
        If it is something else, or the inputs are neither arrays nor a dict.
    """
    parts = element if isinstance(element, tuple | list) else (element,)
    if not 1 <= len(parts) <= 3:
        raise wrong_structure(f"{len(parts)} parts", attr)
    x, y, weights = (*parts, None, None)[:3]
    if not isinstance(x, Mapping | list | tuple) and np.ndim(x) < 2:
        raise wrong_structure(f"{x!r:.100}", attr)
    return x, y, weights


def wrong_structure(problem: str, attr: str) -> ValidationError:
    """Return the error that a dataset yields something else than minibatches."""
    return ValidationError(
        f"Minibatches of the dataset have a wrong structure ({problem}). Expected "
        "dicts {name: array}, or (inputs, targets) with such dicts or arrays, of shape "
        "(minibatch_size, n_steps, size)",
        attr=attr,
    )


def nothing(attr: str) -> ValidationError:
    """Return the error that a dataset or generator is empty."""
    return ValidationError("The dataset yields nothing", attr=attr)
