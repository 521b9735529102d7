"""Minibatches for the Keras model: of arrays, or as users make them.

Users have datasets of TensorFlow or Keras, and generators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from nengo.exceptions import SimulationError, ValidationError

from nengo_dl.inputs.arrays import Side
from nengo_dl.inputs.endpoints import STEPS
from nengo_dl.inputs.names import listing
from nengo_dl.inputs.requirements import Parts, Requirements


def dataset(
    parts: Parts, minibatch_size: int, shuffle: Any = False, seed: int = 0
) -> tf.data.Dataset:
    """Return a dataset of minibatches, made of arrays.

    Parameters
    ----------
    parts : tuple
        Arrays of shape (n_items, ...) by name.
    minibatch_size : int
        Number of items in a minibatch.
    shuffle : bool or "batch"
        Whether items come in another order in each epoch; ``"batch"``: whether whole
        minibatches do.
    seed : int
        Decides on the orders.
    """
    n_items = len(parts[0][STEPS])
    with tf.device("/cpu:0"):
        tensors = tf.nest.map_structure(tf.constant, without_none(parts))
    numbers = tf.data.Dataset.range(n_items)
    if shuffle and shuffle != "batch":
        numbers = numbers.shuffle(n_items, seed=seed)
    numbers = numbers.batch(minibatch_size, drop_remainder=True)
    if shuffle == "batch":
        numbers = numbers.shuffle(max(1, n_items // minibatch_size), seed=seed)

    def minibatch(chosen: tf.Tensor) -> Any:
        return tf.nest.map_structure(lambda t: tf.gather(t, chosen), tensors)

    made = numbers.map(minibatch, num_parallel_calls=tf.data.AUTOTUNE)
    return made.prefetch(tf.data.AUTOTUNE)


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
    if array.shape[-1] == 1:
        classes = array[..., 0].astype(int)
        n_classes = max(n_classes, 2)
    else:
        classes = array.argmax(axis=-1)
    table = np.ones(n_classes, array.dtype)
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


def without_none(parts: Parts) -> tuple:
    """Return inputs, targets and weights of samples without those that are None."""
    inputs, targets, weights = parts
    if weights is not None:
        return inputs, targets, weights
    return (inputs, targets) if targets else (inputs,)


def is_stream(x: Any) -> bool:
    """Return whether something yields minibatches: a dataset, a generator."""
    if isinstance(x, tf.data.Dataset | keras.utils.PyDataset):
        return True
    return isinstance(x, Iterator)


def stream(x: Any, needs: Requirements, y: Any, n_steps: Any) -> Any:
    """Return a dataset of the user's with minibatches as the Keras model takes them.

    Parameters
    ----------
    x : tf.data.Dataset, keras.utils.PyDataset or iterator
        Yields inputs, ``(inputs, targets)`` or ``(inputs, targets, weights)``: arrays
        of shape (minibatch_size, n_steps, size) by name.
    needs : Requirements
        What minibatches have to have.
    y, n_steps : object
        What else the user gave, which has to be None.

    Raises
    ------
    SimulationError
        If it is not None.
    ValidationError
        If the first minibatch does not fit.
    """
    for name, given in (("y", y), ("n_steps", n_steps)):
        if given is not None:
            raise SimulationError(
                f"Got {name!r} besides a dataset or generator, which has to yield "
                "everything: ({name of Node: array, 'n_steps': array}, {name of Probe: "
                "array})"
            )
    if isinstance(x, tf.data.Dataset):
        return _dataset(x, needs)
    if isinstance(x, keras.utils.PyDataset):
        return _Adapted(x, needs)
    return (without_none(_minibatch(element, needs)) for element in x)


class _Adapted(keras.utils.PyDataset):
    """A dataset of the user's, with minibatches in the form that the model takes."""

    def __init__(self, source: Any, needs: Requirements) -> None:
        super().__init__(
            workers=source.workers,
            use_multiprocessing=source.use_multiprocessing,
            max_queue_size=source.max_queue_size,
        )
        self._source = source
        self._needs = needs

    @property
    def num_batches(self) -> int | None:
        """Number of minibatches in an epoch."""
        return self._source.num_batches

    def __getitem__(self, index: int) -> Any:
        return without_none(_minibatch(self._source[index], self._needs))

    def on_epoch_begin(self) -> None:
        """Pass on that an epoch begins."""
        self._source.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """Pass on that an epoch is over."""
        self._source.on_epoch_end()


def _dataset(x: tf.data.Dataset, needs: Requirements) -> tf.data.Dataset:
    """Return a dataset of minibatches that are all like the first one."""
    for element in x.take(1):
        first = tf.nest.map_structure(lambda tensor: tensor.numpy(), element)
        like = without_none(_minibatch(first, needs))
        shapes = [
            {name: np.shape(values) for name, values in group.items()}
            for group in _by_name((first,), needs)
        ]
        break
    else:
        raise ValidationError("The dataset yields nothing", attr="x")

    def convert(*element: Any) -> Any:
        return tuple(
            {
                name: _like(example, own.get(name), expected.get(name))
                for name, example in group.items()
            }
            for group, own, expected in zip(
                like, _by_name(element, needs), shapes, strict=False
            )
        )

    made = x.map(convert, num_parallel_calls=tf.data.AUTOTUNE)
    return made.prefetch(tf.data.AUTOTUNE)


def _by_name(element: Sequence[Any], needs: Requirements) -> list[dict[str, Any]]:
    """Return inputs, targets and weights of what a dataset yields, by name."""
    x, y, weights = _unpacked(element, needs)
    endpoints = needs.endpoints
    names = endpoints.names
    return [
        _named(x, endpoints.inputs, names),
        _named(y, endpoints.outputs, names),
        {names[probe]: own for probe, own in needs.by_output(weights).items()},
    ]


def _minibatch(element: Any, needs: Requirements) -> Parts:
    """Check a minibatch of the user's; return inputs, targets and weights by name."""
    x, y, weights = _unpacked((element,), needs)
    data = needs.check(x, y, one_minibatch=True)
    missing = [n for n in needs.endpoints.nodes if n not in data.inputs]
    if missing:
        names = needs.endpoints.names
        raise ValidationError(
            f"The minibatches have no data for {listing(missing, names)}. Expected "
            "arrays for all input Nodes from a dataset or generator",
            attr="x",
        )
    return needs.parts(data, weights)


def _unpacked(element: Sequence[Any], needs: Requirements) -> tuple[Any, Any, Any]:
    """Return inputs, targets and weights from what a dataset yields."""
    if len(element) == 1:
        element = element[0]
    x, y, weights = keras.utils.unpack_x_y_sample_weight(element)
    return (x, y, weights) if needs.outputs else (x, None, None)


def _named(given: Any, side: Side, names: Mapping[Any, str]) -> dict[str, Any]:
    """Return arrays by name, without the entry that says how many steps they have."""
    if isinstance(given, Mapping):
        known = names.values()
        given = {k: v for k, v in given.items() if k != "n_steps" or k in known}
    pairs = side.pairs(given, "x", first_of_several=True)
    return {names[obj]: values for obj, values in pairs}


def _like(
    example: np.ndarray, values: tf.Tensor | None, shape: tuple[int, ...] | None
) -> tf.Tensor:
    """Return values of some shape in that of an example, or the example itself."""
    if values is None:
        return tf.constant(example)
    values = tf.reshape(tf.ensure_shape(values, shape), example.shape)
    return tf.cast(values, example.dtype)
