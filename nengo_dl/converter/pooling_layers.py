"""Pooling: averages are convolutions with a fixed kernel for each channel."""

from __future__ import annotations

import itertools
import math
from typing import Any

import keras
import nengo
import numpy as np

from nengo_dl.converter.convolution_layers import channels_last
from nengo_dl.converter.layer_converter import LayerConverter
from nengo_dl.converter.layer_registry import register_layer


class InsteadOfMaximum(LayerConverter):
    """What averages take the place of, if that was asked for."""

    @classmethod
    def convertible(cls, layer: Any, converter: Any) -> tuple[bool, str | None]:
        """Return whether averages may take the place of maxima."""
        if not converter.max_to_avg_pool:
            return False, (
                "Nengo has no maximum pooling; with max_to_avg_pool=True it becomes "
                "average pooling, after which the model has to be trained again"
            )
        return super().convertible(layer, converter)


@register_layer(
    keras.layers.AveragePooling1D,
    keras.layers.AveragePooling2D,
    keras.layers.AveragePooling3D,
)
class ConvertAveragePooling(LayerConverter):
    """A passthrough Node behind a convolution, or a sparse matrix at padded edges."""

    stepwise = False

    def convert(self, node_id: int) -> Any:
        """Add the Node, and the Connection to it."""
        layer = self.layer
        shape_in, shape_out = self.input_shape(node_id), self.output_shape(node_id)
        window = (layer.pool_size, layer.strides, channels_last(layer))
        transform: Any
        if layer.padding == "valid":
            transform = mean_of_windows(shape_in, *window)
        else:
            transform = mean_of_real_places(shape_in, shape_out, *window)
        obj = self.add_nengo_obj(node_id)
        self.add_connection(node_id, obj, transform=transform)
        return obj


@register_layer(
    keras.layers.MaxPooling1D, keras.layers.MaxPooling2D, keras.layers.MaxPooling3D
)
class ConvertMaxPooling(InsteadOfMaximum, ConvertAveragePooling):
    """Average pooling in the place of maxima, if that was asked for."""


@register_layer(
    keras.layers.GlobalAveragePooling1D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalAveragePooling3D,
)
class ConvertGlobalAverage(LayerConverter):
    """A passthrough Node with the mean of each channel."""

    stepwise = False

    def convert(self, node_id: int) -> Any:
        """Add the Node, and the Connection to it."""
        shape, last = self.input_shape(node_id), channels_last(self.layer)
        places = shape[:-1] if last else shape[1:]
        obj = self.add_nengo_obj(node_id)
        transform = mean_of_windows(shape, places, places, last)
        self.add_connection(node_id, obj, transform=transform)
        return obj


@register_layer(
    keras.layers.GlobalMaxPooling1D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.GlobalMaxPooling3D,
)
class ConvertGlobalMaximum(InsteadOfMaximum, ConvertGlobalAverage):
    """The mean of each channel in the place of its maximum, if that was asked for."""


def mean_of_windows(
    shape: tuple[int, ...], size: tuple[int, ...], strides: tuple[int, ...], last: bool
) -> nengo.Convolution:
    """Return the mean of each window and channel."""
    channels = shape[-1] if last else shape[0]
    return nengo.Convolution(
        channels,
        shape,
        kernel_size=tuple(size),
        strides=tuple(strides),
        padding="valid",
        channels_last=last,
        groups=channels,
        init=np.full((*size, 1, channels), 1 / math.prod(size)),
    )


def mean_of_real_places(
    shape_in: tuple[int, ...],
    shape_out: tuple[int, ...],
    size: tuple[int, ...],
    strides: tuple[int, ...],
    last: bool,
) -> nengo.Sparse:
    """Return the mean of what lies within each window; at edges that is less."""
    places_in = shape_in[:-1] if last else shape_in[1:]
    places_out = shape_out[:-1] if last else shape_out[1:]
    windows = []
    for n_in, n_out, length, stride in zip(
        places_in, places_out, size, strides, strict=True
    ):
        before = max((n_out - 1) * stride + length - n_in, 0) // 2
        starts = np.arange(n_out) * stride - before
        windows.append(
            [range(max(s, 0), min(s + length, n_in)) for s in starts.tolist()]
        )
    rows, columns, values = [], [], []
    for row, ranges in enumerate(itertools.product(*windows)):
        cells = [np.array(place) for place in itertools.product(*ranges)]
        flat = np.ravel_multi_index(tuple(np.array(cells).T), places_in)
        rows.append(np.full(len(flat), row))
        columns.append(flat)
        values.append(np.full(len(flat), 1 / len(flat)))
    row_of, column_of = np.concatenate(rows), np.concatenate(columns)
    channels = shape_in[-1] if last else shape_in[0]
    n_in, n_out = math.prod(places_in), math.prod(places_out)
    each = np.arange(channels)
    if last:
        pairs = (
            row_of[:, None] * channels + each,
            column_of[:, None] * channels + each,
        )
    else:
        pairs = (row_of[:, None] + each * n_out, column_of[:, None] + each * n_in)
    return nengo.Sparse(
        (n_out * channels, n_in * channels),
        indices=np.stack([pair.ravel() for pair in pairs], axis=1),
        init=np.repeat(np.concatenate(values), channels),
    )
