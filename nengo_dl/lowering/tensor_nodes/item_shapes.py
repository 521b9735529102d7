"""Shapes of items: as users give them, and as layers of Keras need them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from nengo.exceptions import ValidationError

Shape = tuple[int, ...]


def item_shape(name: str, value: Any) -> Shape | None:
    """Return a shape as a tuple, or None for no elements at all.

    Parameters
    ----------
    name : str
        What the shape is called, for messages.
    value : tuple of int, int or None
        The shape of one item. A number is the size of a vector; 0 is no input.

    Raises
    ------
    ValidationError
        If it is anything else, such as a shape with a None for the batch.
    """
    if value is None or (isinstance(value, int | np.integer) and value == 0):
        return None
    single = isinstance(value, int | np.integer) and not isinstance(value, bool)
    members = [value] if single else value
    if (
        not isinstance(members, list | tuple)
        or not members
        or not all(
            isinstance(n, int | np.integer) and not isinstance(n, bool) and n > 0
            for n in members
        )
    ):
        unknown = isinstance(members, list | tuple) and None in members
        advice = (
            ": all axes of one item have to be known, and the batch axis is not among "
            "them"
        )
        raise ValidationError(
            f"Expected a tuple of positive whole numbers, or one; got {value!r}"
            f"{advice if unknown else ''}",
            attr=name,
        )
    return tuple(map(int, members))


@dataclass(frozen=True)
class _Axes:
    """What a layer wants: sizes of axes behind the batch, None where any will do.

    Attributes
    ----------
    sizes : tuple of (int or None)
        One for each axis.
    more : bool
        Whether it takes further axes too.
    channels_first : bool
        Which axis of an image has its channels.
    """

    sizes: tuple[int | None, ...]
    more: bool = False
    channels_first: bool = False

    def takes(self, n_axes: int) -> bool:
        """Return whether an input may have so many axes behind the batch."""
        return n_axes == len(self.sizes) or (self.more and n_axes > len(self.sizes))

    def example(self, size: int) -> Shape | None:
        """Return a shape of so many elements, that of a square image if it can be."""
        sizes = self.sizes[1:] + self.sizes[:1] if self.channels_first else self.sizes
        *space, channels = sizes
        free = space.count(None)
        fixed = math.prod(n for n in space if n is not None)
        for n in (1, 3, *range(2, size + 1)) if channels is None else (channels,):
            side = round((size / (n * fixed)) ** (1 / free)) if free else 1
            if side**free * n * fixed == size:
                found = [side if a is None else a for a in space]
                return (n, *found) if self.channels_first else (*found, n)
        return None


def check_axes(layer: keras.Layer, shape_in: Shape, known: Shape | None = None) -> None:
    """Raise an error if a layer needs another number of axes than its input has.

    Parameters
    ----------
    layer : keras.Layer
        The layer.
    shape_in : tuple of int
        Shape of the input for one item.
    known : tuple of int, optional
        A shape that the input has where it comes from.

    Raises
    ------
    ValidationError
        With the ``shape_in=`` to write.
    """
    axes = _axes(layer)
    if axes is None or axes.takes(len(shape_in)):
        return
    example = axes.example(math.prod(shape_in))
    advice = "expected a `shape_in` of so many"
    if known is not None and axes.takes(len(known)):
        advice = f"write `shape_in={known}`, the shape that it has where it comes from"
    elif example is not None:
        advice = f"write `shape_in={example}`, for example"
    raise ValidationError(
        f"The layer {layer.name!r} takes inputs of {len(axes.sizes)} axes behind the "
        f"batch axis, and this one has the shape {shape_in}; {advice}",
        attr="shape_in",
    )


def _axes(layer: keras.Layer) -> _Axes | None:
    """Return what a layer wants; None if that is not known, or of several inputs."""
    if isinstance(layer, keras.Sequential) and not layer.built:
        return _axes(layer.layers[0]) if layer.layers else None
    if isinstance(layer, keras.Sequential | keras.Model):
        inputs = getattr(layer, "inputs", None) or []
        one = inputs[0] if isinstance(inputs, list) and len(inputs) == 1 else None
        return None if one is None else _Axes(tuple(one.shape[1:]))
    spec = None
    if not isinstance(layer, keras.layers.TimeDistributed):  # it takes more axes
        spec = layer.input_spec
    if isinstance(spec, list | tuple) and len(spec) == 1:
        (spec,) = spec
    if not isinstance(spec, keras.layers.InputSpec):
        in_time = isinstance(layer, keras.layers.RNN | keras.layers.TimeDistributed)
        return _Axes((None, None), more=True) if in_time else None
    if spec.shape is not None:
        return _Axes(tuple(spec.shape[1:]))
    rank = spec.ndim or spec.min_ndim
    if rank is None:
        return None
    sizes: list[int | None] = [None] * (rank - 1)
    for axis, size in (spec.axes or {}).items():
        behind = axis + len(sizes) if axis < 0 else axis - 1
        if behind in range(len(sizes)):
            sizes[behind] = size
    first = getattr(layer, "data_format", None) == "channels_first"
    # convolutions say that they take more axes, and fail when they are called
    more = spec.ndim is None and not hasattr(layer, "kernel_size")
    return _Axes(tuple(sizes), more, first)
