"""The built model with all options of its compilation, as one value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from nengo.builder import Model
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal

from nengo_dl.config import Settings


@dataclass(frozen=True, eq=False)
class Built:
    """A model that Nengo has built, and how the user wants it simulated.

    Attributes
    ----------
    model : nengo.builder.Model
        The built model.
    order : tuple of Operator
        Its operators in the order in which Nengo steps them.
    trainable : dict of {Signal: bool}
        The parameters, and which of them an optimizer may change.
    settings : Settings
        What the user configured.
    minibatch_size : int
        Number of items in the batch.
    unroll : int
        Steps in one iteration of the loop.
    device : str or None
        TensorFlow's name of the device.
    any_state : bool
        Whether users hand in the state that it begins with, which may be any numbers.
    """

    model: Model
    order: tuple[Operator, ...]
    trainable: dict[Signal, bool]
    settings: Settings
    minibatch_size: int = 1
    unroll: int = 1
    device: str | None = None
    any_state: bool = False

    @cached_property
    def trained(self) -> frozenset[Signal]:
        """The parameters that an optimizer may change."""
        return frozenset(signal for signal, is_on in self.trainable.items() if is_on)

    def exact(self) -> Built:
        """Return the same in double precision."""
        return replace(self, settings=replace(self.settings, dtype="float64"))
