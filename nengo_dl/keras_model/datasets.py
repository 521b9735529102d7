"""Minibatches for Keras' interface: parts of arrays, or as users make them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from nengo.exceptions import SimulationError, ValidationError

from nengo_dl.inputs.blocks import rows_of
from nengo_dl.inputs.endpoints import STEPS
from nengo_dl.inputs.names import listing
from nengo_dl.inputs.pieces import is_large
from nengo_dl.inputs.requirements import Parts, Requirements
from nengo_dl.inputs.streams import Stream, unpacked


@dataclass(frozen=True, eq=False)
class Slices:
    """Minibatches of arrays.

    Attributes
    ----------
    parts : tuple
        Arrays of shape (n_items, ...) by name.
    minibatch_size : int
        Number of items in a minibatch.
    orders : callable, optional
        ``orders(n_minibatches)`` returns the items in the order of the next epoch.
    own_items : slice, optional
        The items of each minibatch that are read: not those of other processes; None:
        all.
    """

    parts: Parts
    minibatch_size: int
    orders: Callable[[int], np.ndarray] | None = None
    own_items: slice | None = None

    attr = "x"
    is_endless = False

    @property
    def n_minibatches(self) -> int:
        """Number of minibatches in an epoch."""
        return len(self.parts[0][STEPS]) // self.minibatch_size

    def order(self) -> np.ndarray:
        """Return the items in the order of the next epoch."""
        n_items = self.n_minibatches * self.minibatch_size
        if self.orders is None:
            return np.arange(n_items)
        return self.orders(self.n_minibatches)

    @property
    def worth_threads(self) -> bool:
        """Whether reading takes long: arrays are large, and may be in files."""
        groups = (group.values() for group in self.parts if group)
        return is_large([array for group in groups for array in group])

    def elements(self) -> Iterator[Parts]:
        """Begin another epoch: yield the items of each minibatch."""
        for chosen in self.order().reshape(-1, self.minibatch_size):
            yield cut(self.parts, chosen[self.own_items or slice(None)])

    def minibatch(self, element: Parts) -> Parts:
        """Return a minibatch: what `elements` yields."""
        return element


def cut(parts: Parts, chosen: Any) -> Parts:
    """Return some of the items of all arrays, by slice or by number."""
    inputs, targets, weights = (
        None
        if group is None
        else {name: rows_of(array, chosen) for name, array in group.items()}
        for group in parts
    )
    return inputs or {}, targets or {}, weights


def held_for(parts: Parts, n_steps: int | None) -> Parts:
    """Return arrays of which inputs of one step are held for several.

    Parameters
    ----------
    parts : tuple
        Arrays of shape (n_items, ...) by name.
    n_steps : int or None
        How many steps are run; None: as many as the data have.

    Raises
    ------
    ValidationError
        If the data have another number of steps than this or one.
    """
    inputs, targets, weights = parts
    steps = inputs[STEPS]
    if n_steps is None:
        return parts
    if steps.shape[1] not in (1, n_steps):
        raise ValidationError(
            f"Got {n_steps}, and data of {steps.shape[1]} time steps; expected data of "
            f"{n_steps} steps, or of one, which is held",
            attr="validation_n_steps",
        )
    longer = np.zeros((len(steps), n_steps, 0), steps.dtype)
    return {**inputs, STEPS: longer}, targets, weights


def item_orders(
    minibatch_size: int, shuffle: Any, seed: int
) -> Callable[[int], np.ndarray]:
    """Return a function that gives the order of items of the next epoch.

    Parameters
    ----------
    minibatch_size : int
        Number of items in a minibatch.
    shuffle : bool or "batch"
        Whether items come in another order in each epoch; ``"batch"``: whether whole
        minibatches do.
    seed : int
        Decides on the orders.

    Returns
    -------
    callable
        ``orders(n_minibatches)`` returns an array of shape (n_items,).
    """
    rng = np.random.RandomState(seed)

    def next_order(n_minibatches: int) -> np.ndarray:
        order = np.arange(n_minibatches * minibatch_size)
        if shuffle == "batch":
            rows = order.reshape(n_minibatches, minibatch_size)
            return rng.permutation(rows).ravel()
        return rng.permutation(order) if shuffle else order

    return next_order


def class_weights(
    parts: Parts, weights: Mapping[int, float], n_classes: int
) -> dict[str, np.ndarray]:
    """Return weights of samples that depend on the class in each time step.

    Parameters
    ----------
    parts : tuple
        Arrays by name; the targets are those of one output.
    weights : mapping of int to float
        Weights of classes; 1 for those that are not in it.
    n_classes : int
        Size of the output.

    Returns
    -------
    dict of {str: np.ndarray}, shape (n_items, n_steps)
        Targets of size 1 are numbers of classes; otherwise the class is that of the
        largest element.

    Raises
    ------
    ValidationError
        If there are several outputs, or a class is none.
    """
    _, targets, given = parts
    if not isinstance(weights, Mapping):
        raise ValidationError(
            f"Expected a dict {{number of the class: weight}}, got {weights!r:.100}",
            attr="class_weight",
        )
    if len(targets) != 1 or given is not None:
        problem = "weights of samples too" if given is not None else "several outputs"
        raise ValidationError(
            f"Weights of classes cannot be used with {problem}. Expected weights of "
            "samples alone: sample_weight={probe: array}, shape (n_items, n_steps)",
            attr="class_weight",
        )
    ((name, array),) = targets.items()
    if not array.shape[-1]:
        raise ValidationError(
            f"Targets for {name!r} have size 0, and so no classes. Expected numbers of "
            "classes, size 1; one-hot targets; or sample_weight instead",
            attr="class_weight",
        )
    if array.shape[-1] == 1:
        classes = array[..., 0].astype(int)
        n_classes = max(n_classes, 2)
    else:
        classes = array.argmax(axis=-1)
    # large targets are whole numbers if they were given so
    table = np.ones(n_classes, np.result_type(array.dtype, np.float32))
    for number, weight in weights.items():
        if number not in range(n_classes):
            raise ValidationError(
                f"Got a weight for class {number!r}; the classes of {name!r} are 0 to "
                f"{n_classes - 1}",
                attr="class_weight",
            )
        try:
            table[number] = weight
        except (TypeError, ValueError):
            raise ValidationError(
                f"Expected a number as the weight of class {number}; got {weight!r}",
                attr="class_weight",
            ) from None
    if classes.min() < 0 or classes.max() >= n_classes:
        raise ValidationError(
            f"Targets for {name!r} are no numbers of classes, 0 to {n_classes - 1}",
            attr="class_weight",
        )
    return {name: table[classes]}


def stream(
    x: Any, needs: Requirements, y: Any, n_steps: Any, seed: int | None = None
) -> Stream[Parts]:
    """Return the minibatches of a dataset or generator of the user's.

    Parameters
    ----------
    x : tf.data.Dataset, keras.utils.PyDataset or iterator
        Yields inputs, ``(inputs, targets)`` or ``(inputs, targets, weights)``: arrays
        of shape (minibatch_size, n_steps, size) by name.
    needs : Requirements
        What minibatches have to have.
    y, n_steps : object
        What else the user gave, which has to be None.
    seed : int, optional
        Decides on the order of a PyDataset.

    Raises
    ------
    SimulationError
        If it is not None.
    """
    for name, given in (("y", y), ("n_steps", n_steps)):
        if given is not None:
            raise SimulationError(
                f"Got {name!r} besides a dataset or generator, which has to yield "
                "everything: ({name of Node: array, 'n_steps': array}, {name of Probe: "
                "array})"
            )
    rng = None if seed is None else np.random.RandomState(seed)
    share = needs.endpoints.share
    return Stream(x, partial(_minibatch, needs), "x", rng, share)


def _minibatch(needs: Requirements, element: Any) -> Parts:
    """Check a minibatch of the user's; return inputs, targets and weights by name."""
    x, y, weights = unpacked(element, "x")
    if not needs.outputs:
        y = weights = None
    data = needs.check(x, y, one_minibatch=True, of_dataset=True)
    missing = [n for n in needs.endpoints.nodes if n not in data.inputs]
    if missing:
        names = needs.endpoints.names
        raise ValidationError(
            f"The minibatches have no data for {listing(missing, names)}. Expected "
            "arrays for all input Nodes from a dataset or generator",
            attr="x",
        )
    return needs.parts(data, weights)
