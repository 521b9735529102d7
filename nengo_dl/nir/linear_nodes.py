"""Linear, Affine and Scale: weights of Connections."""

from __future__ import annotations

from typing import Any

import nengo
import numpy as np

from nengo_dl.nir.node_reader import NodeReader, register_node
from nengo_dl.nir.node_records import n_elements


@register_node("Linear", "Affine")
class ReadLinear(NodeReader):
    r"""Products with weights, and biases.

    .. math:: y = W x \quad (+\, b)

    Weights with more than two axes are a matrix for each place along the axes in front.
    """

    became = "Connection with weights"
    stateless = True

    def weight(self) -> np.ndarray:
        """Return the weights, shape (..., n_out, n_in)."""
        return self.record.numbers("weight", ndim=(2, 3, 4))

    @property
    def delays(self) -> bool:
        """Whether it is a Connection of ours that passes on the step before."""
        return self.options.own and self.record.noted("role") == "delayed"

    def shape_in(self) -> tuple[int, ...]:
        """Return the shape of its input."""
        *front, _, n_in = self.weight().shape
        return (*front, n_in)

    def shape_out(self, shape_in: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of its output."""
        *front, n_out, _ = self.weight().shape
        return (*front, n_out)

    def build(self, shape_in: tuple[int, ...]) -> tuple[Any, Any]:
        """Make two Nodes, and the Connection between them."""
        weight = self.weight()
        *front, n_out, n_in = weight.shape
        receiver = self.node(shape_in, "input")
        sender = self.node(self.shape_out(shape_in))
        synapse = nengo.Lowpass(0) if self.delays else None
        if front:
            n = n_elements(tuple(front))
            self.options.budget.divide(n, n * max(n_in, n_out), self.record)
        for i, matrix in enumerate(weight.reshape(-1, n_out, n_in)):
            self.connect(
                receiver[i * n_in : (i + 1) * n_in] if front else receiver,
                sender[i * n_out : (i + 1) * n_out] if front else sender,
                matrix,
                synapse=synapse,
            )
        if self.record.kind == "Affine":
            bias = self.record.numbers("bias")
            shape = self.shape_out(shape_in)
            if bias.shape not in ((), shape):
                raise self.record.refused(
                    f"Expected shape {shape}, got {bias.shape}", "bias"
                )
            self.add_bias(np.broadcast_to(bias, shape).reshape(-1), sender)
        return receiver, sender


@register_node("Scale")
class ReadScale(NodeReader):
    r"""A factor for each element.

    .. math:: y = s \odot x
    """

    became = "Connection with factors"
    stateless = True
    elementwise = {"scale": None}  # noqa: RUF012

    def build(self, shape_in: tuple[int, ...]) -> tuple[Any, Any]:
        """Make two Nodes, and the Connection between them."""
        receiver, sender = self.node(shape_in, "input"), self.node(shape_in)
        self.connect(receiver, sender, self.per_element("scale", shape_in))
        return receiver, sender


def channel_bias(
    reader: NodeReader, bias: np.ndarray, shape: tuple[int, ...], post: Any
) -> None:
    """Add one bias for each channel, the first axis, as one parameter each."""
    if not np.any(bias):
        return
    channels = reader.node((shape[0],), "bias")
    reader.add_bias(bias, channels)
    index = np.repeat(np.arange(shape[0]), n_elements(shape[1:]))
    reader.connect(channels[index.tolist()], post)
