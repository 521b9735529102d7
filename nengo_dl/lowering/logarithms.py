"""Parameters that are kept as logarithms, as the numbers that they stand for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from nengo_dl.graph.trained_attributes import Logarithm
from nengo_dl.lowering.context import Context
from nengo_dl.plan.layout import DerivedView


@dataclass(frozen=True)
class Exponential:
    r"""The numbers that logarithms stand for, one for each element.

    .. math:: \tau = \tau_0 e^{w - w_0}

    where :math:`w_0 = \ln \tau_0` is rounded as the parameter :math:`w` is. So nothing
    is lost to rounding until the parameter changes.

    Attributes
    ----------
    start, begin : np.ndarray, shape (n,)
        What the numbers are as they were built, and their logarithms.
    sizes : tuple of int
        How many elements each belongs to; () for one each. A single number stays one.
    """

    start: np.ndarray
    begin: np.ndarray
    sizes: tuple[int, ...] = ()

    def __call__(self, logarithms: tf.Tensor) -> tf.Tensor:
        """Return the numbers, shape (n,) or (sum(sizes),)."""
        numbers = self.start * tf.exp(logarithms - self.begin)
        if len(self.sizes) < 2:
            return numbers
        return tf.gather(numbers, np.repeat(np.arange(len(self.sizes)), self.sizes))


def exponential(
    signals: Sequence[Logarithm], context: Context, sizes: Sequence[int] = ()
) -> DerivedView:
    """Return the numbers that some parameters stand for; see `Exponential`."""
    start = np.concatenate([signal.start.ravel() for signal in signals])
    begin = _begin(signals, context)
    return derived(
        signals,
        context,
        Exponential(start.astype(context.dtype), begin, tuple(sizes)),
    )


def changes(signals: Sequence[Logarithm], context: Context) -> Exponential:
    """Return by which factor each number has changed, as a function of logarithms."""
    begin = _begin(signals, context)
    return Exponential(np.ones_like(begin), begin)


def derived(
    signals: Sequence[Logarithm], context: Context, function: Callable[[Any], Any]
) -> DerivedView:
    """Return what a function makes of some parameters, shape (n,) in a row."""
    view = context.view(signals, (sum(signal.size for signal in signals),))
    return DerivedView(view.runs, view.shape, view.batched, function)


def _begin(signals: Sequence[Logarithm], context: Context) -> np.ndarray:
    begin = np.concatenate([signal.initial_value.ravel() for signal in signals])
    return begin.astype(context.dtype)
