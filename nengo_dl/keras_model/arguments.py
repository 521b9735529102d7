"""Losses, metrics and their weights, as users give them to ``compile``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import nengo
from nengo.exceptions import ValidationError

from nengo_dl.inputs.arrays import Side
from nengo_dl.inputs.shapes import TargetSize
from nengo_dl.losses.firing import OfSpikes, of_probe
from nengo_dl.training.loss_functions import (
    LossFunction,
    OutputLoss,
    loss_function,
    target_size,
)
from nengo_dl.training.of_probes import by_probe
from nengo_dl.validation import finite_number

#: Keras chooses one of its losses by the shapes of outputs and targets
CHOSEN_BY_SHAPE = ("ce", "crossentropy")


def _is_chosen_by_shape(loss: Any) -> bool:
    return isinstance(loss, str) and loss in CHOSEN_BY_SHAPE


@dataclass(frozen=True)
class Compilation:
    """Losses, their weights and metrics, by Probe: what `compile` has chosen.

    Attributes
    ----------
    losses : dict of {nengo.Probe: str, callable or keras.losses.Loss}
        What is minimised.
    weights : dict of {nengo.Probe: float}
        Factors of the losses.
    metrics, weighted_metrics : dict of {nengo.Probe: list}
        What is measured, without and with the weights of samples.
    for_all : bool
        Whether one loss was given for all Probes: those without targets have none.
    """

    losses: Mapping[nengo.Probe, Any]
    weights: Mapping[nengo.Probe, float] = field(default_factory=dict)
    metrics: Mapping[nengo.Probe, list] = field(default_factory=dict)
    weighted_metrics: Mapping[nengo.Probe, list] = field(default_factory=dict)
    for_all: bool = False

    @property
    def measured(self) -> set[nengo.Probe]:
        """The Probes that have metrics."""
        return {*self.metrics, *self.weighted_metrics}

    def uses_targets(self, probe: nengo.Probe) -> bool:
        """Return whether targets make a difference for a Probe."""
        loss = self.losses.get(probe)
        if probe in self.measured or loss is None:
            return True
        return _function(loss).uses_targets

    def with_targets(self, probes: Sequence[nengo.Probe]) -> list[nengo.Probe]:
        """Return those of some Probes for which targets make a difference."""
        return [probe for probe in probes if self.uses_targets(probe)]

    def counts_spikes(self, probe: nengo.Probe) -> bool:
        """Return whether the loss of a Probe is about its spikes in all time steps."""
        return isinstance(self.losses.get(probe), OfSpikes)

    def target_size(self, probe: nengo.Probe) -> TargetSize:
        """Return which sizes targets may have: loss and metrics decide."""
        measures = (*self.metrics.get(probe, ()), *self.weighted_metrics.get(probe, ()))
        if "equal" in map(_metric_size, measures):
            return "equal"
        loss = self.losses.get(probe)
        return "any" if loss is None else _function(loss).target_size

    def needs_all(self, probe: nengo.Probe) -> bool:
        """Return whether loss or metrics of Keras become NaN if a target is."""
        measures = (*self.metrics.get(probe, ()), *self.weighted_metrics.get(probe, ()))
        loss = self.losses.get(probe)
        return "equal" in map(_metric_size, measures) or (
            loss is not None and _function(loss).needs_all
        )

    def arguments(
        self,
        probes: Sequence[nengo.Probe],
        names: Mapping[Any, str],
        dtype: str,
    ) -> dict[str, Any]:
        """Return arguments for ``compile`` of a Keras model with some outputs.

        Parameters
        ----------
        probes : sequence of Probe
            The outputs.
        names : dict of {Probe: str}
            What they are called.
        dtype : str
            Floating point type of losses.
        """
        return {
            "loss": {
                names[p]: loss
                if _is_chosen_by_shape(loss)
                else OutputLoss(loss, str(p), dtype)
                for p, loss in self.losses.items()
                if p in probes
            },
            "loss_weights": {
                names[p]: self.weights.get(p, 1.0) for p in self.losses if p in probes
            },
            "metrics": {names[p]: m for p, m in self.metrics.items() if p in probes},
            "weighted_metrics": {
                names[p]: m for p, m in self.weighted_metrics.items() if p in probes
            },
        }


def resolve(
    side: Side,
    loss: Any = None,
    loss_weights: Any = None,
    metrics: Any = None,
    weighted_metrics: Any = None,
) -> Compilation:
    """Return losses, weights and metrics by Probe.

    Parameters
    ----------
    side : Side
        The Probes of the network.
    loss : str, callable, keras.losses.Loss, dict or list
        For all Probes, by Probe or name, or in the order of the network; None where
        nothing is minimised.
    loss_weights : float, dict or list
        Factors of the losses, in the same forms.
    metrics, weighted_metrics : str, callable, keras.metrics.Metric, dict or list
        In the same forms, where lists of metrics may stand for single ones. A list of
        single metrics that has not one for each Probe applies to all of them.

    Raises
    ------
    ValidationError
        If something cannot be called, a Probe is not known, or a list has not one
        entry for each.
    """
    losses = {
        probe: of_probe(value, probe, side.dt)
        for probe, value in by_probe(loss, side, "loss").items()
        if value is not None
    }
    for probe, value in losses.items():
        if not _is_chosen_by_shape(value):
            loss_function(value, str(probe), targets_first=True, attr="loss")
    weights = {
        probe: finite_number(weight, "loss_weights")
        for probe, weight in by_probe(loss_weights, side, "loss_weights").items()
        if weight is not None
    }
    for probe in weights:
        if probe not in losses and isinstance(loss_weights, Mapping):
            raise ValidationError(
                f"Got a weight for {probe}, which has no loss", attr="loss_weights"
            )
    return Compilation(
        losses,
        weights,
        _metrics(side, metrics, "metrics"),
        _metrics(side, weighted_metrics, "weighted_metrics"),
        for_all=not isinstance(loss, Mapping | list | tuple),
    )


def _metrics(side: Side, given: Any, attr: str) -> dict[nengo.Probe, list]:
    """Return lists of metrics by Probe; no metric is in two of them."""
    if isinstance(given, list | tuple):
        single = not any(isinstance(m, list | tuple) or m is None for m in given)
        if single and (len(side.objects) == 1 or len(given) != len(side.objects)):
            given = {probe: list(given) for probe in side.objects}
    found: dict[nengo.Probe, list] = {}
    taken: set[int] = set()
    for probe, metrics in by_probe(given, side, attr).items():
        if metrics is None:
            continue
        members = list(metrics) if isinstance(metrics, list | tuple) else [metrics]
        found[probe] = [_metric(m, probe, attr, taken) for m in members]
    return {probe: members for probe, members in found.items() if members}


def _metric(metric: Any, probe: nengo.Probe, attr: str, taken: set[int]) -> Any:
    """Return a metric as Keras wants it, a copy if another Probe has it already."""
    if isinstance(metric, keras.metrics.Metric):
        if id(metric) in taken:
            # it counts for one output only
            return type(metric).from_config(metric.get_config())
        taken.add(id(metric))
        return metric
    if isinstance(metric, str):
        try:
            keras.metrics.get(metric)
        except ValueError:
            if metric.lower() not in ("acc", *CHOSEN_BY_SHAPE):
                raise ValidationError(
                    f"Got {metric!r} for {probe}: Keras has no metric of this name. "
                    "Expected one that it has, such as 'mae'; an instance such as "
                    "`keras.metrics.MeanSquaredError()`; or a function f(y_true, "
                    "y_pred)",
                    attr=attr,
                ) from None
        return metric
    call = loss_function(metric, str(probe), targets_first=True, attr=attr)

    def measure(y_true: Any, y_pred: Any) -> Any:
        return call.of_known_rank(y_pred, y_true)

    name = getattr(metric, "__name__", type(metric).__name__)
    measure.__name__ = re.sub(r"\W", "_", name).strip("_")
    return measure


def _metric_size(metric: Any) -> TargetSize:
    """Return which sizes targets may have for a metric.

    Some of Keras' losses are metrics of the same name, and compare element by element.
    """
    if isinstance(metric, str):
        if metric.lower() in ("acc", "accuracy", *CHOSEN_BY_SHAPE):
            return "any"
        metric = keras.metrics.get(metric)
    function = getattr(metric, "_fn", metric)
    of_loss = ".losses" in str(getattr(function, "__module__", ""))
    return target_size(function) if of_loss else "any"


def _function(loss: Any) -> LossFunction:
    if _is_chosen_by_shape(loss):
        function = keras.losses.categorical_crossentropy
        return LossFunction(
            function, targets_first=True, target_size="class", needs_all=True
        )
    if isinstance(loss, str):
        # "mse" is Keras' own here
        loss = keras.losses.get(loss)
    return loss_function(loss, "", targets_first=True)
