"""Checks of shapes: all arrays of a call have as many items and time steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.inputs.arrays import Side

#: which sizes the last axis of targets may have: that of the Probe, because they are
#: compared element by element; that, or 1 for numbers of classes; any, which is up to
#: the loss
TargetSize = Literal["equal", "class", "any"]


@dataclass
class Shape:
    """Numbers of items and time steps that all arrays of one call have to have.

    Attributes
    ----------
    minibatch_size : int or None
        Items that run side by side; None: one, and arrays need no axis for it.
    items, steps : int or None
        Numbers of items and time steps; if None, the first array decides.
    origin : nengo.Node, nengo.Probe or None
        Whose array decided.
    """

    minibatch_size: int | None
    items: int | None = None
    steps: int | None = None
    origin: Any = None

    def words(self, size: int, steps: Any = None) -> str:
        """Return the shape that is expected, with what the axes are."""
        shape = f"({self.items or 'n_items'}, {steps or self.steps or 'n_steps'}, "
        return f"{shape}{size}): items, time steps, size"

    def decide(self, n_steps: int, attr: str) -> None:
        """Set the number of steps, which must not be known as another one."""
        if self.steps not in (None, n_steps):
            raise ValidationError(
                f"Got {n_steps} steps in {attr!r}, and n_steps={self.steps}", attr=attr
            )
        self.steps = n_steps

    def fit(
        self,
        side: Side,
        obj: Any,
        array: np.ndarray,
        attr: str,
        one_step: bool = False,
        any_steps: bool = False,
        held: bool = False,
        size: TargetSize = "equal",
    ) -> np.ndarray:
        """Return an array with three axes, if it fits those before it.

        Where a probe keeps the last step only, one step is wanted; where ``any_steps``,
        the objective decides how many are; where ``held``, one is as good as all. See
        `TargetSize` for ``size``.
        """
        given = array.shape
        if array.ndim == 2 and self.minibatch_size is None:
            array = array[None]
        steps = None if any_steps else 1 if one_step else self.steps
        once = held and array.ndim == 3 and array.shape[1] == 1
        sizes = {side.size(obj)} | ({1} if size == "class" else set())
        if (
            array.ndim != 3
            or min(array.shape[:2]) < 1
            or (size != "any" and array.shape[2] not in sizes)
            or self.items not in (None, array.shape[0])
            or (steps not in (None, array.shape[1]) and not once)
        ):
            words = self.words(side.size(obj), "n_steps" if any_steps else steps)
            words += ", or one step, which is held" if held else ""
            why = "" if self.origin is None else f"; data for {self.origin} decided"
            if one_step and array.ndim == 3 and array.shape[1] != 1:
                why = "; with keep_history=False, only its last time step is compared"
            if 0 in given[:2]:
                why += "; there are no items or no time steps in them"
            why += _hint(given, side.size(obj), size == "class")
            raise ValidationError(
                f"Data for {obj} have shape {given}; expected {words}{why}", attr=attr
            )
        if self.items is None:
            self.items, self.origin = array.shape[0], obj
        if self.steps is None and not (one_step or any_steps):
            self.steps = array.shape[1]
        return array


def _hint(given: tuple[int, ...], size: int, classes: bool) -> str:
    """Return how an array gets three axes, if that can be guessed from its shape."""
    if classes and (len(given) == 1 or given[1:] == (1,)):
        return ". For a class for each item: `array.reshape(-1, 1, 1)`"
    several_axes = len(given) > 3 or (len(given) == 3 and given[2] != size)
    if several_axes and math.prod(given[1:]) == size:
        return ". For one time step for each item: `array.reshape(len(array), 1, -1)`"
    if len(given) != 2:
        return ""
    if given[1] == size:
        return (
            ". For one time step for each row: `array[:, None]`; for one item with a "
            "time step for each row: `array[None]`"
        )
    return ". For values of size 1: `array[..., None]`" if size == 1 else ""
