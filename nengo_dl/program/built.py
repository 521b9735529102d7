"""The built model with all options of its compilation, as one value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from nengo.builder import Model
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal

from nengo_dl.config import Settings
from nengo_dl.distribution.replicas import Replicas
from nengo_dl.distribution.splitting import joined_items
from nengo_dl.graph.operators import Operators
from nengo_dl.user_code import warn_user


@dataclass(frozen=True, eq=False)
class Built:
    """A model that Nengo has built, and how the user wants it simulated.

    Attributes
    ----------
    model : nengo.builder.Model
        The built model.
    order : Operators
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
    replicas : Replicas or None
        What divides minibatches between devices; None: nothing does.
    any_state : bool
        Whether users hand in the state that it begins with, which may be any numbers.
    products : str or None
        Floating point type of products of matrices; None: that of the simulation.
    """

    model: Model
    order: Operators
    trainable: dict[Signal, bool]
    settings: Settings
    minibatch_size: int = 1
    unroll: int = 1
    device: str | None = None
    replicas: Replicas | None = None
    any_state: bool = False
    products: str | None = None

    @property
    def part(self) -> int:
        """Number of items that are computed in one place."""
        return self.minibatch_size if self.replicas is None else self.replicas.part

    def divided(self, operators: Iterable[Operator], losses: bool = False) -> Built:
        """Return the same for some operators, not divided if these cannot be.

        Parameters
        ----------
        operators : iterable of Operator
            What runs.
        losses : bool
            Whether what layers of TensorNodes add to the loss is asked for.
        """
        if self.replicas is None:
            return self
        reason: str | None = "one replica"
        if self.replicas.count > 1:
            reason = joined_items(operators, losses)
        if reason is None:
            return self
        if self.replicas.count > 1:
            warn_user(
                f"Minibatches cannot be divided between the {self.replicas.count} "
                f"replicas: {reason}. Each process computes whole minibatches, which "
                "gives the same results, and is no faster"
            )
        return replace(self, replicas=None)

    @cached_property
    def trained(self) -> frozenset[Signal]:
        """The parameters that an optimizer may change."""
        return frozenset(signal for signal, is_on in self.trainable.items() if is_on)

    def exact(self) -> Built:
        """Return the same in double precision."""
        return replace(
            self,
            settings=replace(self.settings, dtype="float64", mixed_precision=None),
        )
