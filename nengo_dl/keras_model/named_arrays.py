"""Arrays as minibatches for the Keras model of a simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.inputs.endpoints import Endpoints, TrainingData
from nengo_dl.keras_model.held_inputs import STEPS

#: ``(inputs, targets, weights of samples)`` by name, as Keras unpacks minibatches
Parts = tuple[dict[str, Any], dict[str, Any], dict[str, Any] | None]


@dataclass(frozen=True)
class Wanted:
    """What data have to have.

    Attributes
    ----------
    endpoints : Endpoints
        The inputs and outputs of the simulator.
    outputs : sequence of Probe
        Those that losses or metrics are about; empty if only inputs are wanted.
    with_targets : collection of Probe
        Those of them that cannot do without targets.
    any_size : collection of Probe
        Those whose targets may have one element for each step.
    """

    endpoints: Endpoints
    outputs: Sequence[nengo.Probe] = ()
    with_targets: Sequence[nengo.Probe] = ()
    any_size: Sequence[nengo.Probe] = ()

    def check(
        self, x: Any, y: Any, n_steps: int | None = None, one_minibatch: bool = False
    ) -> TrainingData:
        """Return inputs and targets, checked; see `Endpoints.check`."""
        data = self.endpoints.check(
            x,
            y,
            n_steps,
            attrs=("x", "y"),
            first_of_several=True,
            own_steps=True,
            any_size=self.any_size,
            one_minibatch=one_minibatch,
        )
        for probe in data.targets:
            if self.outputs and probe not in self.outputs:
                raise ValidationError(
                    f"There are targets for {probe}, which has neither loss nor metric",
                    attr="y",
                )
        for probe in self.with_targets:
            if probe not in data.targets:
                raise ValidationError(
                    f"There are no targets for {probe}, which has a loss or a metric. "
                    "Expected {..., probe: array}, or no loss and no metric for it",
                    attr="y",
                )
        return data

    def parts(self, data: TrainingData, weights: Any = None) -> Parts:
        """Return arrays by name, as the model takes them."""
        names = self.endpoints.names
        inputs = {names[node]: array for node, array in data.inputs.items()}
        inputs[STEPS] = np.zeros((data.n_items, data.n_steps, 0), self._dtype)
        nothing = np.zeros((data.n_items, 1, 1), self._dtype)
        targets = {names[p]: data.targets.get(p, nothing) for p in self.outputs}
        if weights is not None:
            weights = self._weights(weights, data.n_items)
        return inputs, targets, weights

    @property
    def _dtype(self) -> np.dtype:
        return np.dtype(self.endpoints.dtype)

    def _weights(self, given: Any, n_items: int) -> dict[str, np.ndarray]:
        """Return weights of samples for each output, shape (n_items, 1 or n_steps)."""
        names = self.endpoints.names
        if isinstance(given, Mapping):
            side = self.endpoints.outputs
            given = {side.find(key, "sample_weight"): v for key, v in given.items()}
        else:
            given = dict.fromkeys(self.outputs, given)
        weights = {names[p]: np.ones((n_items, 1), self._dtype) for p in self.outputs}
        for probe, values in given.items():
            array = np.asarray(values, self._dtype)
            if array.ndim not in (1, 2) or len(array) < n_items:
                raise ValidationError(
                    f"Weights for {probe} have shape {array.shape}; expected "
                    f"({n_items},), one for each item, or ({n_items}, n_steps)",
                    attr="sample_weight",
                )
            weights[names[probe]] = array[:n_items].reshape(n_items, -1)
        return weights


def dataset(
    parts: Parts, minibatch_size: int, shuffle: Any = False, seed: int = 0
) -> tf.data.Dataset:
    """Return arrays as minibatches.

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
        table[number] = weight
    if classes.min() < 0 or classes.max() >= n_classes:
        raise ValidationError(
            f"Targets for {name!r} are no numbers of classes, 0 to {n_classes - 1}",
            attr="class_weight",
        )
    return {name: table[classes]}


def without_none(parts: Parts) -> tuple:
    """Return inputs alone, or with targets, or with both of the others."""
    inputs, targets, weights = parts
    if weights is not None:
        return inputs, targets, weights
    return (inputs, targets) if targets else (inputs,)
