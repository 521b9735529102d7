"""Input, Output and Flatten: what goes in and out, and in which shape."""

from __future__ import annotations

from typing import Any

import nengo
import numpy as np

from nengo_dl.nir.node_reader import NodeReader, register_node
from nengo_dl.nir.node_records import n_elements


@register_node("Input")
class ReadInput(NodeReader):
    """What comes from outside, or from the graph that this one is in."""

    @property
    def became(self) -> str:  # type: ignore[override]
        """What it is, in words."""
        return "Node of a subnetwork" if self.inner else "Node to be fed"

    @property
    def inner(self) -> bool:
        """Whether it belongs to a graph within a graph."""
        return "/" in self.record.name

    def shape_in(self) -> tuple[int, ...] | None:
        """Return its shape."""
        shape = self.record.shape("shape") or self.record.shape("input_type")
        if shape is None and not self.inner:
            raise self.record.refused("Expected a shape, it is missing", "shape")
        return shape

    def build(self, shape_in: tuple[int, ...]) -> tuple[Any, Any]:
        """Make a Node."""
        if self.inner:
            node = self.node(shape_in)
        else:
            node = nengo.Node(self._constant(shape_in), label=self.record.name)
        return node, node

    def _constant(self, shape: tuple[int, ...]) -> np.ndarray:
        noted = None
        if self.options.own:
            noted = self.record.noted_numbers("constant", n_elements(shape))
        if noted is None or not np.isfinite(noted).all():
            return np.zeros(n_elements(shape))
        return np.array(noted)


@register_node("Output")
class ReadOutput(NodeReader):
    """What goes outside, or to the graph that this one is in."""

    became = "Node with a Probe"

    def shape_in(self) -> tuple[int, ...] | None:
        """Return its shape, if the node says it."""
        return self.record.shape("shape") or self.record.shape("output_type")

    def build(self, shape_in: tuple[int, ...]) -> tuple[Any, Any]:
        """Make a Node, or two if our own writer took a factor away."""
        receiver = sender = self.node(shape_in)
        scale = self.record.noted_numbers("scale", 1) if self.options.own else None
        if scale is not None and np.isfinite(scale).all() and scale[0] != 1:
            receiver = self.node(shape_in, "input")
            self.connect(receiver, sender, np.full(receiver.size_out, scale[0]))
        return receiver, sender


@register_node("Flatten")
class ReadFlatten(NodeReader):
    """Another shape of the same elements, which are flat in Nengo anyway."""

    stateless = True

    became = "Node"

    def shape_in(self) -> tuple[int, ...] | None:
        """Return the shape of its input, if the node says it."""
        return self.record.shape("input_type")

    def shape_out(self, shape_in: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape with several axes as one."""
        first, last = self._axis("start_dim", 0), self._axis("end_dim", -1)
        axes = range(len(shape_in))
        try:
            first, last = axes[first], axes[last]
        except IndexError:
            raise self.record.refused(
                f"Expected axes of the shape {shape_in}, got {first} to {last}"
            ) from None
        if first > last:
            return shape_in
        middle = n_elements(shape_in[first : last + 1])
        return (*shape_in[:first], middle, *shape_in[last + 1 :])

    def _axis(self, field: str, default: int) -> int:
        value = self.record.numbers(field, default, ndim=(0, 1)).reshape(-1)
        if value.size != 1 or value[0] != np.round(value[0]) or abs(value[0]) > 16:
            raise self.record.refused(
                f"Expected the number of an axis, got {value.tolist()[:9]}", field
            )
        return int(value[0])

    def build(self, shape_in: tuple[int, ...]) -> tuple[Any, Any]:
        """Make a Node."""
        node = self.node(shape_in)
        return node, node
