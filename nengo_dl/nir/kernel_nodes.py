"""Conv1d, Conv2d, SumPool2d and AvgPool2d: convolutions of Nengo, channels first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import nengo
import numpy as np

from nengo_dl.graph.kernels import dilated
from nengo_dl.nir.linear_nodes import channel_bias
from nengo_dl.nir.node_reader import NodeReader, register_node
from nengo_dl.nir.node_records import n_elements

#: zeros before and after, for each axis
Padding = Sequence[tuple[int, int]]


class ReadKernel(NodeReader):
    """Convolutions in general, after what is in ``self.record``."""

    stateless = True

    def geometry(
        self, shape_in: tuple[int, ...]
    ) -> tuple[tuple[int, ...], tuple[int, ...], Padding]:
        """Return kernel sizes with dilation, strides and padding, by axis."""
        raise NotImplementedError

    def n_channels(self, shape_in: tuple[int, ...]) -> int:
        """Return the number of channels of the output."""
        return shape_in[0]

    def check_input(self, shape: tuple[int, ...]) -> None:
        """Raise an error for an input of a wrong shape."""
        raise NotImplementedError

    def shape_out(self, shape_in: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of its output."""
        self.check_input(shape_in)
        kernel, strides, padding = self.geometry(shape_in)
        sizes = []
        for n, k, stride, (low, high) in zip(
            shape_in[1:], kernel, strides, padding, strict=True
        ):
            sizes.append((n + low + high - k) // stride + 1)
            if n + low + high < k:
                raise self.record.refused(
                    f"Expected a kernel no larger than its input and padding, got "
                    f"{kernel} for {shape_in[1:]}"
                )
        return (self.n_channels(shape_in), *sizes)

    def convolve(
        self, shape_in: tuple[int, ...], kernel: np.ndarray, groups: int
    ) -> tuple[Any, Any]:
        """Make two Nodes, and a convolution between them.

        Parameters
        ----------
        shape_in : tuple of int
            Channels, and places by axis.
        kernel : np.ndarray, shape (*sizes, n_in / groups, n_out)
            The weights, those between which dilation leaves space included.
        groups : int
            In how many groups channels are.
        """
        sizes, strides, padding = self.geometry(shape_in)
        receiver = self.node(shape_in, "input")
        sender = self.node(self.shape_out(shape_in))
        as_same = [((k - 1) // 2, k - 1 - (k - 1) // 2) for k in sizes]
        pre, shape, name = receiver, shape_in, "valid"
        if set(strides) == {1} and list(padding) == as_same:
            name = "same"
        elif np.any(padding):
            pre, shape = self._padded(receiver, shape_in, padding)
        transform = nengo.Convolution(
            kernel.shape[-1],
            shape,
            kernel_size=sizes,
            strides=strides,
            padding=name,
            channels_last=False,
            groups=groups,
            init=kernel,
        )
        self.connect(pre, sender, transform)
        return receiver, sender

    def _padded(
        self, pre: Any, shape: tuple[int, ...], padding: Padding
    ) -> tuple[nengo.Node, tuple[int, ...]]:
        """Return a Node with zeros around what an object has, and its shape."""
        padded = (
            shape[0],
            *(n + sum(p) for n, p in zip(shape[1:], padding, strict=True)),
        )
        self.check_size(padded)
        node = self.node(padded, "padded")
        inner = tuple(
            slice(low, low + n) for n, (low, _) in zip(shape[1:], padding, strict=True)
        )
        every = (slice(None), *inner)
        index = np.arange(n_elements(padded)).reshape(padded)[every]
        self.connect(pre, node[index.reshape(-1).tolist()])
        return node, padded


@register_node("Conv1d", "Conv2d")
class ReadConvolution(ReadKernel):
    r"""Convolutions, which are correlations as in PyTorch.

    .. math:: y_o = b_o + \sum_i W_{oi} \star x_i
    """

    became = "Convolution"

    @property
    def n_axes(self) -> int:
        """How many axes there are beside that of the channels."""
        return int(self.record.kind[4])

    def weight(self) -> np.ndarray:
        """Return the kernel, shape (n_out, n_in / groups, *sizes)."""
        return self.record.numbers("weight", ndim=self.n_axes + 2)

    def groups(self) -> int:
        """Return in how many groups channels are."""
        (groups,) = self.record.whole_numbers("groups", 1, default=1, least=1)
        if self.weight().shape[0] % groups:
            raise self.record.refused(
                f"Expected a divisor of the {self.weight().shape[0]} channels of the "
                f"output, got {groups}",
                "groups",
            )
        return groups

    def shape_in(self) -> tuple[int, ...] | None:
        """Return the shape of its input, if the node says it."""
        places = self.record.shape("input_shape")
        if places is None:
            return None
        # of objects whose shapes were inferred, channels included
        places = places[-self.n_axes :]
        if len(places) != self.n_axes:
            raise self.record.refused(
                f"Expected {self.n_axes} axes, got {places}", "input_shape"
            )
        return (self.weight().shape[1] * self.groups(), *places)

    def check_input(self, shape: tuple[int, ...]) -> None:
        """Raise an error for an input of a wrong shape."""
        expected = self.weight().shape[1] * self.groups()
        if len(shape) != self.n_axes + 1 or shape[0] != expected:
            raise self.record.refused(
                f"Expected an input of {expected} channels and {self.n_axes} axes, "
                f"got shape {shape}"
            )

    def n_channels(self, shape_in: tuple[int, ...]) -> int:
        """Return the number of channels of the output."""
        return int(self.weight().shape[0])

    def geometry(
        self, shape_in: tuple[int, ...]
    ) -> tuple[tuple[int, ...], tuple[int, ...], Padding]:
        """Return kernel sizes with dilation, strides and padding, by axis."""
        dilation = self.record.whole_numbers("dilation", self.n_axes, 1, least=1)
        strides = self.record.whole_numbers("stride", self.n_axes, 1, least=1)
        sizes = tuple(
            (k - 1) * d + 1
            for k, d in zip(self.weight().shape[2:], dilation, strict=True)
        )
        word = self.record.word("padding")
        if word == "valid":
            return sizes, strides, [(0, 0)] * self.n_axes
        if word == "same":
            if set(strides) != {1}:
                raise self.record.refused(
                    f"'same' has a meaning for strides of 1 only, got {strides}",
                    "padding",
                )
            # PyTorch puts the odd one after
            return sizes, strides, [((k - 1) // 2, k // 2) for k in sizes]
        if word is not None:
            raise self.record.refused(
                f"Expected 'same', 'valid' or numbers, got {word!r:.50}", "padding"
            )
        padding = self.record.whole_numbers("padding", self.n_axes, 0)
        return sizes, strides, [(n, n) for n in padding]

    def build(self, shape_in: tuple[int, ...]) -> tuple[Any, Any]:
        """Make two Nodes, a convolution between them, and biases of channels."""
        weight = self.weight()
        sizes, _, _ = self.geometry(shape_in)
        # (n_out, n_in, *sizes) -> (*sizes, n_in, n_out)
        kernel = np.moveaxis(weight, (1, 0), (-2, -1))
        dilation = self.record.whole_numbers("dilation", self.n_axes, 1, least=1)
        if set(dilation) != {1}:
            self.check_size((*sizes, *weight.shape[:2]))
            kernel = dilated(kernel, dilation)
        receiver, sender = self.convolve(shape_in, kernel, self.groups())
        bias = self.record.numbers("bias", 0.0, ndim=(0, 1))
        if bias.size not in (1, weight.shape[0]):
            raise self.record.refused(
                f"Expected one for each of {weight.shape[0]} channels, got {bias.size}",
                "bias",
            )
        channel_bias(
            self,
            np.broadcast_to(bias, weight.shape[0]),
            self.shape_out(shape_in),
            sender,
        )
        return receiver, sender


@register_node("SumPool2d", "AvgPool2d")
class ReadPool(ReadKernel):
    r"""Sums or means of windows; zeros of the padding count in means.

    .. math:: y = \frac{1}{n} \sum_{i \in \text{window}} x_i

    with :math:`n = 1` for sums.
    """

    became = "Convolution of each channel"

    def check_input(self, shape: tuple[int, ...]) -> None:
        """Raise an error for an input of a wrong shape."""
        if len(shape) != 3:
            raise self.record.refused(
                f"Expected an input of channels and 2 axes, got shape {shape}"
            )

    def geometry(
        self, shape_in: tuple[int, ...]
    ) -> tuple[tuple[int, ...], tuple[int, ...], Padding]:
        """Return sizes of the window, strides and padding, by axis."""
        sizes = self.record.whole_numbers("kernel_size", 2, least=1)
        strides = (
            self.record.whole_numbers("stride", 2, least=1)
            if self.record.has("stride")
            else sizes
        )
        padding = self.record.whole_numbers("padding", 2, default=0)
        return sizes, strides, [(n, n) for n in padding]

    def build(self, shape_in: tuple[int, ...]) -> tuple[Any, Any]:
        """Make two Nodes, and a convolution between them."""
        sizes, _, _ = self.geometry(shape_in)
        self.check_size((*sizes, 1, shape_in[0]))
        kernel = np.ones((*sizes, 1, shape_in[0]))
        if self.record.kind == "AvgPool2d":
            kernel /= n_elements(sizes)
        return self.convolve(shape_in, kernel, groups=shape_in[0])
