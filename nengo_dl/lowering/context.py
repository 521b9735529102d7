"""What lowerings are made with: the layout, the length of a step, the precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from nengo.builder.signal import Signal

from nengo_dl.graph.roles import Role
from nengo_dl.lowering.presented import Presented
from nengo_dl.plan.layout import SignalLayout, View


@dataclass(frozen=True)
class Context:
    """The surroundings of a group of operators.

    Attributes
    ----------
    layout : SignalLayout
        Where each Signal lives.
    dt : float
        Length of a time step (s).
    dtype : np.dtype
        Floating point type of the simulation.
    minibatch_size : int
        Number of items in the batch.
    step, time : Signal
        Nengo's counter of steps and its time (s).
    presented : Presented
        Data that stand in for functions called in the loop.
    any_state : bool
        Whether it may begin in any state, not only in those that steps lead to.
    products : str or None
        Floating point type of products of matrices; None: ``dtype``.
    differentiable : bool
        Whether somebody may ask for gradients, which a branch that is not taken spoils
        unless it is finite.

    Examples
    --------
    `Lowering.build_pre` gets one:

    >>> import nengo, nengo_dl
    >>> from nengo.builder.operator import Reset
    >>> from nengo_dl.lowering import Lowering
    >>> class LowerMine(Lowering):
    ...     @classmethod
    ...     def build_pre(cls, group, context):
    ...         target = context.view([op.sets[0] for op in group.ops])
    ...         factor = context.dtype.type(context.dt)
    ...         return cls(target, factor)
    """

    layout: SignalLayout
    dt: float
    dtype: np.dtype
    minibatch_size: int
    step: Signal
    time: Signal
    presented: Presented
    any_state: bool = False
    products: str | None = None
    differentiable: bool = True

    def view(
        self, signals: Sequence[Signal], shape: tuple[int, ...] | None = None
    ) -> View:
        """Return where the signals live; see `SignalLayout.view`."""
        return self.layout.view(signals, shape)

    def role(self, signal: Signal) -> Role:
        """Return the role of a Signal."""
        return self.layout.blocks[self.layout.places[signal.base][0]].role
