"""ConvInc and ConvTransposeInc: ``Y += conv(W, X)`` and its transpose."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from nengo.builder.operator import Operator
from nengo.builder.transforms import ConvInc, ConvTransposeInc
from nengo.transforms import ChannelShape

from nengo_dl.lowering.context import Context
from nengo_dl.lowering.correlation import (
    correlate,
    correlate_transposed,
    transposed_table,
    windows_table,
)
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View


@dataclass(frozen=True)
class _LowerConvolution(Lowering):
    """What a convolution and its transpose have in common.

    Operators of equal geometry run as one, whatever their kernels are. A kernel has a
    batch axis of its own where it changes while the simulation runs.

    Attributes
    ----------
    kernel : View, shape (count, taps, channels, groups, filters)
        The weights; channels and filters are those of one group.
    x : View, shape (count, places, groups, channels)
        The input, with the places behind the channels unless ``channels_last``.
    y : View, shape (count, places, groups, filters)
        The output, in the same order.
    channels_last : bool
        Which order ``x`` and ``y`` have.
    table : np.ndarray
        Which taps belong to which places.
    precision : str or None
        Floating point type of the products; None: that of ``x``.
    """

    kernel: View
    x: View
    y: View
    channels_last: bool
    table: np.ndarray
    precision: str | None = None

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return all shapes, strides and padding, which operators of a group share."""
        conv = op.conv
        return (
            conv.input_shape.shape,
            conv.output_shape.shape,
            conv.kernel_shape,
            conv.strides,
            conv.padding,
            conv.channels_last,
        )

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        ops: Any = group.ops
        conv = ops[0].conv
        *size, channels, filters = conv.kernel_shape
        groups = conv.input_shape.n_channels // channels

        def shape(signal: ChannelShape) -> tuple[int, ...]:
            places = math.prod(signal.spatial_shape)
            split = (groups, signal.n_channels // groups)
            axes = (places, *split) if conv.channels_last else (*split, places)
            return (len(ops), *axes)

        return cls(
            context.view(
                [op.W for op in ops],
                (len(ops), math.prod(size), channels, groups, filters // groups),
            ),
            context.view([op.X for op in ops], shape(conv.input_shape)),
            context.view([op.Y for op in ops], shape(conv.output_shape)),
            conv.channels_last,
            cls._table(conv),
            context.products,
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        x = values.read(self.x)
        if not self.x.batched:
            x = x[None]
        if not self.channels_last:
            x = tf.transpose(x, [0, 1, 4, 2, 3])
        kernel = values.read(self.kernel)
        *outer, channel, group, filter_ = range(kernel.shape.rank)
        kernel = tf.transpose(kernel, [*outer, group, channel, filter_])
        dtype = self.precision or x.dtype
        y = self._apply(tf.cast(x, dtype), tf.cast(kernel, dtype))
        y = tf.cast(y, values.dtype)
        if not self.channels_last:
            y = tf.transpose(y, [0, 1, 3, 4, 2])
        values.inc(self.y, y)

    @classmethod
    def _table(cls, conv: Any) -> np.ndarray:
        raise NotImplementedError

    def _apply(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError


@register(ConvInc)
@dataclass(frozen=True)
class LowerConvInc(_LowerConvolution):
    r"""Add convolutions, with kernels that are not flipped.

    .. math:: y_{p f} \leftarrow y_{p f}
       + \sum_q \sum_c x_{(s p + q - b)\, c}\; w_{q c f}

    for places p of the output, offsets q within the kernel, strides s, channels c and
    filters f of one group. With padding ``"valid"`` b is 0. With ``"same"`` the output
    has :math:`\lceil n / s \rceil` places for n of the input, and
    :math:`b = \lfloor \max(s (\lceil n / s \rceil - 1) + k - n,\ 0) / 2 \rfloor` for a
    kernel of size k; x is zero outside.

    References
    ----------
    The definition is that of ``nengo.Convolution``. Arithmetic of padding and strides:
    V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning",
    arXiv:1603.07285, 2016.
    """

    @classmethod
    def _table(cls, conv: Any) -> np.ndarray:
        return _windows(conv, conv.input_shape, conv.output_shape)

    def _apply(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return correlate(x, kernel, self.table)


@register(ConvTransposeInc)
@dataclass(frozen=True)
class LowerConvTransposeInc(_LowerConvolution):
    r"""Add transposed convolutions.

    .. math:: y_{(s p + q - b) f} \leftarrow y_{(s p + q - b) f}
       + \sum_c x_{p c}\; w_{q c f}

    for places p of the input and offsets q within the kernel; what falls outside of the
    output is dropped. The matrix of this product is the transpose of that of the
    convolution (`LowerConvInc`) from the shape of y to the shape of x, and b is the
    padding of that convolution.

    References
    ----------
    The definition is that of ``nengo.ConvolutionTranspose``. See V. Dumoulin and
    F. Visin, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285,
    2016, chapter 4.
    """

    @classmethod
    def _table(cls, conv: Any) -> np.ndarray:
        windows = _windows(conv, conv.output_shape, conv.input_shape)
        return transposed_table(windows, math.prod(conv.output_shape.spatial_shape))

    def _apply(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return correlate_transposed(x, kernel, self.table)


def _windows(conv: Any, source: ChannelShape, target: ChannelShape) -> np.ndarray:
    """Return which places of ``source`` each place of ``target`` is computed from."""
    lengths, counts = source.spatial_shape, target.spatial_shape
    before = [0] * conv.dimensions
    if conv.padding == "same":
        # half of the zeros that the windows need, rounded down
        before = [
            max((count - 1) * stride + k - length, 0) // 2
            for length, count, k, stride in zip(
                lengths, counts, conv.kernel_size, conv.strides, strict=True
            )
        ]
    return windows_table(lengths, counts, conv.kernel_size, conv.strides, before)
