"""What losses and metrics require of data: targets, and weights of samples."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import nengo
import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.inputs.arrays import are_arrays, numbers
from nengo_dl.inputs.endpoints import (
    STEPS,
    Endpoints,
    TrainingData,
    warn_about_missing,
)
from nengo_dl.inputs.names import listing
from nengo_dl.inputs.shapes import TargetSize

#: ``(inputs, targets, weights of samples)`` by name, as Keras unpacks minibatches
Parts = tuple[dict[str, Any], dict[str, Any], dict[str, Any] | None]


@dataclass(frozen=True)
class Requirements:
    """The targets and weights that data need for some losses and metrics.

    Attributes
    ----------
    endpoints : Endpoints
        The inputs and outputs of the simulator.
    outputs : sequence of Probe
        Those that losses or metrics are about; empty if only inputs are wanted.
    with_targets : collection of Probe
        Those of them that cannot do without targets.
    sizes : mapping of Probe to {"equal", "class", "any"}
        Which sizes the last axis of their targets may have.
    need_all : collection of Probe
        Those with a loss that becomes NaN if a target is.
    n_steps : int or None
        Steps that inputs of one step are held for.
    """

    endpoints: Endpoints
    outputs: Sequence[nengo.Probe] = ()
    with_targets: Collection[nengo.Probe] = ()
    sizes: Mapping[nengo.Probe, TargetSize] = field(default_factory=dict)
    need_all: Collection[nengo.Probe] = ()
    n_steps: int | None = None

    def check(
        self,
        x: Any,
        y: Any,
        n_steps: int | None = None,
        one_minibatch: bool = False,
        of_dataset: bool = False,
    ) -> TrainingData:
        """Return inputs and targets, checked; see `Endpoints.check`.

        Raises
        ------
        ValidationError
            If they do not fit, if targets are missing, or nothing uses them.
        """
        data = self.endpoints.check(
            x,
            y,
            n_steps if self.n_steps is None else self.n_steps,
            attrs=("x", "y"),
            first_of_several=True,
            own_steps=True,
            sizes=self.sizes,
            one_minibatch=one_minibatch,
            of_dataset=of_dataset,
            held=self.n_steps is not None,
        )
        if self.outputs:
            self._check_outputs(data.targets, "targets", "y")
        for probe in self.with_targets:
            if probe not in data.targets:
                raise ValidationError(
                    f"There are no targets for {probe}, which has a loss or a metric. "
                    "Expected {..., probe: array}, or no loss and no metric for it",
                    attr="y",
                )
        for probe, targets in data.targets.items():
            self._check_steps(probe, targets.shape[1], data.n_steps)
        warn_about_missing(data.targets, self.need_all)
        return data

    def _check_steps(self, probe: nengo.Probe, given: int, n_steps: int) -> None:
        """Refuse targets with which a loss of Keras would fail.

        Those for validation would be met when the first epoch of training is over.
        """
        decides = self.sizes.get(probe, "any") == "any"
        if decides or probe in self.endpoints.last_only or given in (1, n_steps):
            return
        raise ValidationError(
            f"Targets for {probe} have a length of {given} time steps; expected "
            f"{n_steps}, as the data for input Nodes have, or 1 for all of them",
            attr="y",
        )

    def parts(self, data: TrainingData, weights: Any = None) -> Parts:
        """Return arrays by name, as the Keras model takes them."""
        names, dtype = self.endpoints.names, np.dtype(self.endpoints.dtype)
        inputs = {names[node]: array for node, array in data.inputs.items()}
        inputs[STEPS] = np.zeros((data.n_items, data.n_steps, 0), dtype)
        nothing = np.zeros((data.n_items, 1, 1), dtype)
        targets = {names[p]: data.targets.get(p, nothing) for p in self.outputs}
        if weights is None:
            return inputs, targets, None
        own = self.weights(weights, data)
        return inputs, targets, {names[p]: array for p, array in own.items()}

    def weights(self, given: Any, data: TrainingData) -> dict[nengo.Probe, np.ndarray]:
        """Return the weights of samples for each output.

        Parameters
        ----------
        given : dict, sequence of arrays, or array
            By Probe, label or name; a list with an array, or None, for each output; or
            one array for all. Arrays have shape (n_items,), (n_items, n_steps) or
            (n_items, n_steps, 1), where n_items is that of the data as they were given.
        data : TrainingData
            The inputs and targets that these are the weights of.

        Returns
        -------
        dict of {nengo.Probe: np.ndarray}, shape (n_items, 1 or n_steps)
            For all outputs; those without weights have 1.

        Raises
        ------
        ValidationError
            If a Probe is not among the outputs, or an array does not fit.
        """
        dtype = self.endpoints.dtype
        found = {p: np.ones((data.n_items, 1), dtype) for p in self.outputs}
        for probe, values in self.by_output(given).items():
            if values is not None:
                found[probe] = self._weights(probe, values, data)[: data.n_items]
        return found

    def _weights(
        self, probe: nengo.Probe, values: Any, data: TrainingData
    ) -> np.ndarray:
        """Return the weights for one output, shape (n_given, 1 or n_steps)."""
        items = data.n_given
        steps = {1 if probe in self.endpoints.last_only else data.n_steps}
        if probe in data.targets:
            steps.add(data.targets[probe].shape[1])
        expected = " or ".join(
            [f"({items},), one for each item,", *(f"({items}, {n})" for n in steps)]
        )
        what, attr = f"Weights for {probe}", "sample_weight"
        given = numbers(values, self.endpoints.dtype, what, expected, attr)
        array = given[..., 0] if given.ndim == 3 and given.shape[2] == 1 else given
        if array.ndim == 1:
            array = array[:, None]
        if array.ndim == 2 and len(array) == items and array.shape[1] in {1, *steps}:
            return array
        raise ValidationError(
            f"Weights for {probe} have shape {given.shape}; expected {expected}, one "
            "for each item and time step; or a list with such an array for each output",
            attr=attr,
        )

    def by_output(self, weights: Any) -> dict[nengo.Probe, Any]:
        """Return weights of samples by Probe, their values as they were given.

        Raises
        ------
        ValidationError
            If a Probe is not among the outputs.
        """
        side, attr = self.endpoints.outputs, "sample_weight"
        if isinstance(weights, Mapping):
            found = dict(side.pairs(weights, attr))
        elif self._is_for_each(weights, self.outputs):
            found = dict(zip(self.outputs, weights, strict=True))
        elif self._is_for_each(weights, side.objects):
            found = dict(zip(side.objects, weights, strict=True))
        else:
            return dict.fromkeys(self.outputs, weights)
        found = {p: values for p, values in found.items() if values is not None}
        self._check_outputs(found, "weights", attr)
        return found

    @staticmethod
    def _is_for_each(weights: Any, probes: Sequence[nengo.Probe]) -> bool:
        """Return whether weights are a list with an array, or None, for each Probe.

        With one output, arrays that stand in a list are those of its items.
        """
        if not isinstance(weights, list | tuple) or len(weights) != len(probes):
            return False
        arrays = [member for member in weights if member is not None]
        return are_arrays(arrays)

    def _check_outputs(
        self, given: Collection[nengo.Probe], what: str, attr: str
    ) -> None:
        for probe in given:
            if probe not in self.outputs:
                raise ValidationError(
                    f"There are {what} for {probe}, which has neither loss nor metric; "
                    f"those with are {listing(self.outputs, self.endpoints.names)}",
                    attr=attr,
                )
