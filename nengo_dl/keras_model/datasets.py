"""Minibatches that users make: datasets of TensorFlow or Keras, generators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from nengo.exceptions import SimulationError, ValidationError

from nengo_dl.inputs.arrays import Side
from nengo_dl.inputs.names import listing
from nengo_dl.keras_model.named_arrays import Parts, Wanted, without_none


def is_stream(x: Any) -> bool:
    """Return whether something yields minibatches: a dataset, a generator."""
    if isinstance(x, tf.data.Dataset | keras.utils.PyDataset):
        return True
    return isinstance(x, Iterator)


def stream(x: Any, wanted: Wanted, y: Any, n_steps: Any) -> Any:
    """Return what Keras can take minibatches from, each in the form the model takes.

    Parameters
    ----------
    x : tf.data.Dataset, keras.utils.PyDataset or iterator
        Yields inputs, ``(inputs, targets)`` or ``(inputs, targets, weights)``: arrays
        of shape (minibatch_size, n_steps, size) by name.
    wanted : Wanted
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
        return _dataset(x, wanted)
    if isinstance(x, keras.utils.PyDataset):
        return _Adapted(x, wanted)
    return (without_none(_minibatch(element, wanted)) for element in x)


class _Adapted(keras.utils.PyDataset):
    """A dataset of the user's, with minibatches in the form that the model takes."""

    def __init__(self, source: Any, wanted: Wanted) -> None:
        super().__init__(
            workers=source.workers,
            use_multiprocessing=source.use_multiprocessing,
            max_queue_size=source.max_queue_size,
        )
        self._source = source
        self._wanted = wanted

    @property
    def num_batches(self) -> int | None:
        """Number of minibatches in an epoch."""
        return self._source.num_batches

    def __getitem__(self, index: int) -> Any:
        return without_none(_minibatch(self._source[index], self._wanted))

    def on_epoch_begin(self) -> None:
        """Pass on that an epoch begins."""
        self._source.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """Pass on that an epoch is over."""
        self._source.on_epoch_end()


def _dataset(x: tf.data.Dataset, wanted: Wanted) -> tf.data.Dataset:
    """Return a dataset of minibatches that are all like the first one."""
    for element in x.take(1):
        numpy = tf.nest.map_structure(lambda tensor: tensor.numpy(), element)
        like = without_none(_minibatch(numpy, wanted))
        break
    else:
        raise ValidationError("The dataset yields nothing", attr="x")

    def convert(*element: Any) -> Any:
        x, y, weights = _unpacked(element)
        if not isinstance(weights, Mapping):
            # one for all outputs
            weights = dict.fromkeys(wanted.outputs, weights)
        endpoints = wanted.endpoints
        given = (
            _named(x, endpoints.inputs, endpoints.names),
            _named(y, endpoints.outputs, endpoints.names),
            _named(weights, endpoints.outputs, endpoints.names),
        )
        return tuple(
            {name: _like(example, own.get(name)) for name, example in group.items()}
            for group, own in zip(like, given, strict=False)
        )

    made = x.map(convert, num_parallel_calls=tf.data.AUTOTUNE)
    return made.prefetch(tf.data.AUTOTUNE)


def _minibatch(element: Any, wanted: Wanted) -> Parts:
    """Return what a user's minibatch consists of, checked."""
    x, y, weights = _unpacked((element,))
    if not wanted.outputs:
        y = weights = None
    data = wanted.check(x, y, one_minibatch=True)
    missing = [n for n in wanted.endpoints.nodes if n not in data.inputs]
    if missing:
        names = wanted.endpoints.names
        raise ValidationError(
            f"The minibatches have no data for {listing(missing, names)}. Expected "
            "arrays for all input Nodes from a dataset or generator",
            attr="x",
        )
    return wanted.parts(data, weights)


def _unpacked(element: Sequence[Any]) -> tuple[Any, Any, Any]:
    """Return inputs, targets and weights from what a dataset yields."""
    if len(element) == 1:
        element = element[0]
    return keras.utils.unpack_x_y_sample_weight(element)


def _named(given: Any, side: Side, names: Mapping[Any, str]) -> dict[str, Any]:
    """Return arrays by name, without the entry that says how many steps they have."""
    if isinstance(given, Mapping):
        known = names.values()
        given = {k: v for k, v in given.items() if k != "n_steps" or k in known}
    pairs = side.pairs(given, "x", first_of_several=True)
    return {names[obj]: values for obj, values in pairs}


def _like(example: np.ndarray, values: tf.Tensor | None) -> tf.Tensor:
    """Return values that must have the shape of an example, or the example itself."""
    if values is None:
        return tf.constant(example)
    if values.shape.rank == example.ndim - 1:
        values = values[..., None]  # weights of items
    return tf.cast(tf.ensure_shape(values, example.shape), example.dtype)
