"""The sum that training minimises: users' objectives as its terms."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nengo
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.inputs.arrays import Side
from nengo_dl.inputs.shapes import TargetSize
from nengo_dl.objectives import mse
from nengo_dl.program.traces import warn_of_traced
from nengo_dl.training.item_losses import over_items
from nengo_dl.training.loss_functions import REDUCTIONS, Reduction
from nengo_dl.training.of_probes import OfProbes, of_probes


class _NotGiven:
    """Stands for an argument that was not given, where None means something."""

    def __repr__(self) -> str:
        return "<not given>"


NOT_GIVEN: Any = _NotGiven()


@dataclass(frozen=True)
class Term:
    """One term of the sum that is minimised.

    Attributes
    ----------
    probes : tuple of nengo.Probe
        Whose outputs it depends on.
    function : callable
        ``function(outputs, targets)``, with a list of tensors of shape (batch, n_steps,
        size) each, in the order of the probes; returns a tensor of shape () in the type
        of the outputs.
    uses_targets : bool
        Whether it needs targets; if not, anything may be given for them.
    target_size : {"equal", "class", "any"}
        Which sizes targets may have; see `nengo_dl.inputs.shapes.TargetSize`.
    needs_all : bool
        Whether it becomes NaN if a target is.
    over_items : {"mean", "sum"} or None
        What it is over items, so that a device can compute what its own add to it;
        None: it needs all items.
    """

    probes: tuple[nengo.Probe, ...]
    function: Callable[[Sequence[tf.Tensor], Sequence[tf.Tensor]], tf.Tensor]
    uses_targets: bool
    target_size: TargetSize = "equal"
    needs_all: bool = True
    over_items: Reduction | None = None


def resolve(
    objective: Any,
    targets: Collection[nengo.Probe],
    probes: Sequence[nengo.Probe],
    legacy: bool = False,
    names: Mapping[Any, str] | None = None,
    reduction: Reduction = "mean",
    dt: float = 0.001,
) -> tuple[Term, ...]:
    """Return the terms whose sum is minimised.

    Parameters
    ----------
    objective : callable, str, keras.losses.Loss, dict or None
        ``f(outputs, targets)`` or ``f(outputs)``, which returns a scalar, or an array
        that is reduced, with a warning; ``"mse"``, where targets that are not a number
        count as met; the name of one of Keras' losses; or a loss of Keras or of
        `nengo_dl.losses`. These are applied to each probe that has targets, and summed.
        ``{probe: objective}`` says what applies to
        which; for a key ``(probe, probe)`` the function gets lists. ``{probe: None}``:
        the targets are the derivatives of the loss with respect to the outputs; its
        value is then the sum of outputs times targets. None by itself means this for
        all probes in the older form, and the mean squared error in the current one, as
        does `NOT_GIVEN`.
    targets : collection of nengo.Probe
        The probes that have targets.
    probes : sequence of nengo.Probe
        All probes of the network.
    legacy : bool
        Whether the call was ``train(inputs, targets, ...)``.
    names : dict, optional
        Names of the probes, as `io_names` gives them.
    reduction : {"mean", "sum"}
        What becomes a number of an array that an objective returns.
    dt : float
        Time step of the simulation (s).

    Raises
    ------
    ValidationError
        If an objective is not one of these; if it needs targets of a probe that has
        none, or has no use for those that were given; if a probe is not known.
    """
    side = Side(nengo.Probe, tuple(probes), names, dt=dt)
    if isinstance(objective, Mapping):
        if not objective:
            raise ValidationError(
                "Got an empty dict: nothing would be minimised. Expected {probe: "
                f"objective}}; the Probes are {side.listing}",
                attr="objective",
            )
        given = {
            key: mse if value is NOT_GIVEN else value
            for key, value in objective.items()
        }
    else:
        if objective is NOT_GIVEN or (objective is None and not legacy):
            objective = mse
        if not targets:
            raise ValidationError(
                "There are no targets, so it is not known which outputs the objective "
                "applies to. Add targets to the data, {probe: array}, or give the "
                "objective as {probe: f} with a function f(outputs); the Probes are "
                f"{side.listing}",
                attr="objective",
            )
        given = dict.fromkeys(targets, objective)
    found = [own for _, own in of_probes(given, side, "objective")]
    terms = tuple(_term(own, reduction) for own in found)
    for own, term in zip(found, terms, strict=True):
        if term.uses_targets:
            own.check_targets(targets, "objective")
    used = {probe for term in terms for probe in term.probes}
    for probe in targets:
        if probe not in used:
            raise ValidationError(
                f"The data have targets for {probe}, and no objective uses them. "
                "Expected {..., probe: f} in the objective, or no such targets",
                attr="objective",
            )
    return terms


def _term(own: OfProbes, reduction: Reduction) -> Term:
    """Return the term for one objective."""
    call = own.function
    if call is None:
        return Term(own.probes, _times_targets, uses_targets=True, over_items="sum")
    if own.joint and call.per_output:
        raise ValidationError(
            f"{call.function!r} compares one output with its targets, and cannot be "
            f"used for several Probes together ({own.where}). Give it for each of "
            "them, {p0: f, p1: f}: they are summed",
            attr="objective",
        )
    number = _Number(own, reduction)
    return Term(
        own.probes,
        number,
        call.uses_targets,
        call.target_size,
        call.needs_all,
        over_items(call),
    )


@dataclass(frozen=True)
class _Number:
    """A function of lists of outputs and targets, as a number that can be minimised."""

    own: OfProbes
    reduction: Reduction

    def __call__(self, outputs: Sequence[Any], targets: Sequence[Any]) -> tf.Tensor:
        function = self.own.function
        assert function is not None
        value = function(*self.own.arguments(outputs, targets))
        try:
            values = tf.convert_to_tensor(value)
        except (TypeError, ValueError):
            values = None
        if values is not None and values.dtype == tf.string:
            values = None
        has_complex = values is not None and values.dtype.is_complex
        if values is None or has_complex or values.shape.num_elements() == 0:
            got = f"{value!r:.100}"
            if values is not None:
                kind = "complex numbers" if has_complex else "an array"
                got = f"{kind} of shape {values.shape}"
            raise ValidationError(
                f"The objective {function.function!r} for {self.own.where} returned "
                f"{got}; expected a number, such as `tf.reduce_mean(...)` returns",
                attr="objective",
            )
        values = tf.cast(values, outputs[0].dtype)
        if values.shape.rank == 0:
            return values
        if values.shape.rank is not None:
            warn_of_traced(
                f"The objective {function.function!r} for {self.own.where} returns an "
                f"array of shape {values.shape} for each minibatch, not a number: "
                "`train` follows its sum, `loss` shows its mean. Expected "
                "`tf.reduce_mean(...)` or `tf.reduce_sum(...)` of it, which is the "
                "same for both"
            )
        return REDUCTIONS[self.reduction](values)


def _times_targets(outputs: Sequence[Any], targets: Sequence[Any]) -> tf.Tensor:
    """Return a value whose gradient is the targets, exactly."""
    return tf.add_n(
        [
            tf.reduce_sum(output * tf.stop_gradient(tf.cast(target, output.dtype)))
            for output, target in zip(outputs, targets, strict=True)
        ]
    )
