"""Passes over data: all minibatches of arrays, or of a dataset or generator, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import nengo
import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.inputs.endpoints import Endpoints, TrainingData
from nengo_dl.inputs.shapes import TargetSize
from nengo_dl.inputs.streams import ByEpoch, Stream, unpacked, wrong_structure
from nengo_dl.training.epoch import Epoch


class Passes(Protocol):
    """Run all minibatches of some data, again and again."""

    @property
    def n_minibatches(self) -> int | None:
        """How many there are in a pass, if that is known."""

    def run(self, at_most: int | None = None) -> Iterator[np.ndarray]:
        """Run the next pass; see `Epoch.run`."""


class OfArrays:
    """Passes over arrays, in compiled epochs.

    Parameters
    ----------
    epoch : Epoch
        The arrays, and what is done with them.
    order : callable
        Returns the items in the order of the next pass.
    """

    def __init__(self, epoch: Epoch, order: Callable[[], np.ndarray]) -> None:
        self._epoch, self._order = epoch, order

    @property
    def n_minibatches(self) -> int:
        """How many there are in a pass."""
        return self._epoch.n_minibatches

    def run(self, at_most: int | None = None) -> Iterator[np.ndarray]:
        """Run the next pass; see `Epoch.run`."""
        return self._epoch.run(self._order(), at_most)


class OfStream:
    """Passes over minibatches that come one after the other, of any shapes.

    Parameters
    ----------
    source : ByEpoch
        The minibatches.
    make : callable
        ``make(data)`` returns what is done with data of such shapes.
    """

    def __init__(
        self, source: ByEpoch[TrainingData], make: Callable[[TrainingData], Epoch]
    ) -> None:
        self._source, self._make = source, make
        self._epochs: dict[Any, Epoch] = {}

    @property
    def n_minibatches(self) -> int | None:
        """How many there are in a pass, if that is known."""
        return self._source.n_minibatches

    def run(self, at_most: int | None = None) -> Iterator[np.ndarray]:
        """Run the next pass, one minibatch in each call."""
        for data in self._source.epoch():
            # steps of inputs, and shapes of targets, may differ between minibatches
            shapes = (
                tuple(data.inputs),
                data.n_steps,
                tuple((probe, array.shape) for probe, array in data.targets.items()),
            )
            if shapes in self._epochs:
                epoch = self._epochs[shapes]
                epoch.present(data.inputs, list(data.targets.values()))
            else:
                epoch = self._epochs[shapes] = self._make(data)
            yield from epoch.run(np.arange(data.n_items), 1, again=True)


def minibatch_of(
    element: Any, endpoints: Endpoints
) -> tuple[Any, dict[nengo.Probe, Any]]:
    """Return inputs and targets of what a dataset yields.

    Parameters
    ----------
    element : dict, tuple or array
        ``{name of Node or Probe: array}``, or as Keras has it ``(inputs, targets)``.
    endpoints : Endpoints
        The inputs and outputs of the simulator.

    Raises
    ------
    ValidationError
        If it is neither, or has names that are not known.
    """
    x, y, weights = unpacked(element, "data")
    if weights is not None:
        raise ValidationError(
            "The dataset yields weights of samples, which objectives do not know. "
            "Expected (inputs, targets); `sim.fit` takes weights",
            attr="data",
        )
    wanted = dict(endpoints.outputs.pairs(y, "data", first_of_several=True))
    if not isinstance(x, Mapping):
        as_keras = isinstance(element, tuple | list)
        return dict(endpoints.inputs.pairs(x, "data", as_keras)), wanted
    steps = x.get("n_steps") if "n_steps" not in endpoints.names.values() else None
    rest = {k: v for k, v in x.items() if k != "n_steps" or steps is None}
    inputs, targets, _ = endpoints.split(rest)
    if targets and wanted:
        raise wrong_structure("targets in both parts", "data")
    if steps is not None:
        inputs = {**(inputs or {}), "n_steps": steps}
    return inputs, {**(targets or {}), **wanted}


def checked(
    element: Any,
    endpoints: Endpoints,
    probes: tuple[nengo.Probe, ...],
    sizes: Mapping[nengo.Probe, TargetSize],
) -> TrainingData:
    """Return one minibatch of a dataset as `Endpoints.check` does.

    Parameters
    ----------
    element : object
        What the dataset yields.
    endpoints : Endpoints
        The inputs and outputs of the simulator.
    probes : tuple of nengo.Probe
        Those that the first minibatch has targets for.
    sizes : mapping of nengo.Probe to {"equal", "class", "any"}
        As for `Endpoints.check`.

    Raises
    ------
    ValidationError
        If it does not fit.
    """
    inputs, targets = minibatch_of(element, endpoints)
    if set(targets) != set(probes):
        raise ValidationError(
            f"The first minibatch has targets for {[str(p) for p in probes]}, a later "
            f"one for {[str(p) for p in targets]}. Expected the same in all",
            attr="data",
        )
    return endpoints.check(
        inputs, targets, sizes=sizes, one_minibatch=True, of_dataset=True
    )


def check_supply(stream: Stream, steps: int | None, n_epochs: int) -> None:
    """Refuse data that are known to end before all epochs are over.

    Parameters
    ----------
    stream : Stream
        The data.
    steps : int or None
        How many minibatches are an epoch; None: all.
    n_epochs : int
        How many epochs are wanted.

    Raises
    ------
    ValidationError
        If there will not be enough.
    """
    known = stream.n_minibatches
    if steps is None and isinstance(stream.source, Iterator) and n_epochs > 1:
        raise ValidationError(
            f"Got a generator, which yields everything once, and n_epochs={n_epochs}. "
            "Expected steps_per_epoch=<number of minibatches>, or a tf.data.Dataset or "
            "keras.utils.PyDataset, which begin anew with each epoch",
            attr="data",
        )
    if steps is not None and known is not None and known < steps * n_epochs:
        raise ValidationError(
            f"The dataset has {known} minibatches; {n_epochs} epoch(s) of {steps} take "
            f"{steps * n_epochs}. Expected more data (`dataset.repeat()`), or fewer "
            "steps",
            attr="data",
        )


def refuse_to_end(count: int, steps: int | None) -> None:
    """Refuse to go on with fewer minibatches than were asked for.

    Raises
    ------
    ValidationError
        Always; what was done with those that came has been done.
    """
    expected = f" of {steps}" if steps else ""
    raise ValidationError(
        f"The data ran out after {count}{expected} minibatches of an epoch; parameters "
        "are what those before have made of them. Expected as many in each epoch: "
        "generators yield everything once, so one is good for one epoch, or for "
        "several of steps_per_epoch=<number of minibatches>; `dataset.repeat()` has no "
        "end",
        attr="data",
    )
