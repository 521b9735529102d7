"""Connections that have their weights together: one parameter for several of them."""

from __future__ import annotations

from typing import Any

import nengo
from nengo.builder import Builder
from nengo.exceptions import ValidationError


class Sharing:
    """What Connections with the same weights have in common; each is told apart."""


class SharedWeights:
    """A transform whose weights are one Signal for all transforms that share them.

    Attributes
    ----------
    sharing : Sharing
        The same object in all of these transforms.
    """

    sharing: Sharing


class SharedDense(SharedWeights, nengo.Dense):
    """A matrix that several Connections have."""


class SharedConvolution(SharedWeights, nengo.Convolution):
    """A convolution whose kernel several Connections have."""


class SharedConvolutionTranspose(SharedWeights, nengo.ConvolutionTranspose):
    """A transposed convolution whose kernel several Connections have."""


_SHARED: dict[type, type] = {
    nengo.Dense: SharedDense,
    nengo.Convolution: SharedConvolution,
    nengo.ConvolutionTranspose: SharedConvolutionTranspose,
}


def tie(first: nengo.Connection, other: nengo.Connection, name: str) -> None:
    """Let two Connections have their weights together.

    Parameters
    ----------
    first, other : nengo.Connection
        Connections with equal weights; their transforms are replaced.
    name : str
        Whose weights these are, for messages.

    Raises
    ------
    ValueError
        If the weights have different shapes.
    """
    shapes = [connection.transform.init.shape for connection in (first, other)]
    if shapes[0] != shapes[1]:
        raise ValidationError(
            f"{name!r} is called more than once, for inputs of different ranks: its "
            f"Connections have weights of the shapes {shapes[0]} and {shapes[1]}, and "
            "cannot share them. split_shared_weights=True gives each call weights of "
            "its own, which are equal at first",
            "model",
        )
    sharing = getattr(first.transform, "sharing", None) or Sharing()
    for connection in (first, other):
        if not isinstance(connection.transform, SharedWeights):
            connection.transform = _shared(connection.transform, sharing)


def _shared(transform: Any, sharing: Sharing) -> Any:
    """Return an equal transform that has its weights together with others."""
    new: Any = object.__new__(_SHARED[type(transform)])
    # in the way of a pickle
    new.__setstate__({**transform.__getstate__(), "sharing": sharing})
    return new


@Builder.register(SharedDense)
@Builder.register(SharedConvolution)
@Builder.register(SharedConvolutionTranspose)
def build_shared(model: Any, transform: Any, *args: Any, **kwargs: Any) -> tuple:
    """Build a transform, with the weights of the first one that shares them.

    Parameters
    ----------
    model : nengo.builder.Model
        The model that it becomes a part of.
    transform : SharedWeights
        The transform.
    *args, **kwargs
        What Nengo gives to the builder of this kind of transform.

    Returns
    -------
    weighted, weights : Signal
        The output, and the weights.
    """
    (plain,) = (kind for kind, shared in _SHARED.items() if type(transform) is shared)
    n_before = len(model.operators)
    weighted, own = Builder.builders[plain](model, transform, *args, **kwargs)
    weights = model.sig[transform.sharing].setdefault("weights", own)
    for op in model.operators[n_before:]:
        op.reads = [weights if signal is own else signal for signal in op.reads]
    return weighted, weights
