"""Functions of what Probes see, as users give them: which function of which Probes.

Objectives of ``train`` and ``loss``, outputs of ``run_batch``, losses and metrics of
``compile``: all are found here, and all mistakes in them are told in the same words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nengo
from nengo.exceptions import ValidationError

from nengo_dl.inputs.arrays import Side
from nengo_dl.inputs.names import listing
from nengo_dl.inputs.shapes import TargetSize
from nengo_dl.losses.firing import of_probe
from nengo_dl.training.loss_functions import LossFunction, loss_function


@dataclass(frozen=True)
class OfProbes:
    """A function of what some Probes see, and of the targets for them.

    Equal ones stand for the same computation.

    Attributes
    ----------
    probes : tuple of nengo.Probe
        The Probes.
    joint : bool
        Whether the function takes lists, with an entry for each Probe.
    function : LossFunction or None
        The function; None if there is none, which callers give a meaning.
    """

    probes: tuple[nengo.Probe, ...]
    joint: bool
    function: LossFunction | None

    @property
    def target_size(self) -> TargetSize:
        """Which sizes targets may have."""
        return "any" if self.function is None else self.function.target_size

    @property
    def where(self) -> str:
        """The Probes in words."""
        return ", ".join(map(str, self.probes))

    def arguments(self, outputs: Sequence[Any], targets: Sequence[Any]) -> tuple:
        """Return the function's arguments, from lists with an entry for each Probe."""
        if self.joint:
            return list(outputs), list(targets)
        return outputs[0], targets[0]

    def check_targets(self, targets: Collection[nengo.Probe], attr: str) -> None:
        """Refuse to go on without targets for one of the Probes.

        Raises
        ------
        ValidationError
            If there are none.
        """
        missing = [probe for probe in self.probes if probe not in targets]
        if missing:
            raise ValidationError(
                f"What was given for {self.where} needs targets, and the data have "
                f"none for {listing(missing)}. Expected {{..., probe: array}} in the "
                "data, or a function of one argument, f(outputs)",
                attr=attr,
            )


def of_probes(
    given: Mapping[Any, Any], side: Side, attr: str
) -> Iterator[tuple[Any, OfProbes]]:
    """Yield keys as they were given, and the functions for them.

    Parameters
    ----------
    given : mapping of Probe, str or tuple to callable, str, keras.losses.Loss or None
        ``{probe: f}`` with a Probe, its label or its name; for ``{(probe, probe): f}``
        the function takes lists. See `loss_function` for what may stand for ``f``.
    side : Side
        The Probes of the network.
    attr : str
        What the caller calls the mapping, for errors.

    Raises
    ------
    ValidationError
        If a Probe is not known, or a function cannot be called.
    """
    for key, value in given.items():
        joint = isinstance(key, tuple)
        members = key if joint else (key,)
        found = OfProbes(
            tuple(side.find(member, attr) for member in members), joint, None
        )
        if not members:
            raise ValidationError(
                "Got an empty tuple as a key; expected (probe, probe)", attr=attr
            )
        if value is not None:
            if not joint:
                value = of_probe(value, found.probes[0], side.dt)
            function = loss_function(value, found.where, attr=attr)
            found = OfProbes(found.probes, joint, function)
        yield key, found


def by_probe(given: Any, side: Side, attr: str) -> dict[nengo.Probe, Any]:
    """Return values by Probe, where users may give one for each, or one for all.

    Parameters
    ----------
    given : mapping, list, or anything else
        By Probe, label or name; in the order of the network; or the same for all.
    side : Side
        The Probes of the network.
    attr : str
        What the caller calls it, for errors.

    Raises
    ------
    ValidationError
        If a Probe is not known, or a list has not one entry for each.
    """
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return {_single(key, side, attr): value for key, value in given.items()}
    if isinstance(given, list | tuple):
        if len(given) != len(side.objects):
            raise ValidationError(
                f"Got a list of {len(given)} for {len(side.objects)} Probes: "
                f"{side.listing}. Expected one entry for each (None for those that are "
                "left out), or a dict {probe: ...}",
                attr=attr,
            )
        return dict(zip(side.objects, given, strict=True))
    return dict.fromkeys(side.objects, given)


def _single(key: Any, side: Side, attr: str) -> nengo.Probe:
    if isinstance(key, tuple):
        raise ValidationError(
            f"Got a tuple as a key, {key!r}, and Keras compares one output with its "
            "targets. Expected {probe: f, probe: f}: their sum is minimised; "
            "`sim.train` takes functions of several Probes",
            attr=attr,
        )
    return side.find(key, attr)
