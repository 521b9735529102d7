"""LI, CubaLI, I and Delay: what filters, and fires no spikes.

A synapse of Nengo's delays by one time step, NIR's nodes do not. A Node with the same
filter as its Process does not either, so graphs of others become such Nodes. What
`nengo_dl.to_nir` has written is read back as synapses.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nengo
import numpy as np
from nengo.synapses import Synapse

from nengo_dl.nir.node_reader import NodeReader, register_node
from nengo_dl.synapses import Delay

#: of each element, so many values are kept
_MAX_DELAY_STEPS = 1000


def by_value(
    reader: NodeReader, values: np.ndarray
) -> Iterator[tuple[float, list[int] | slice]]:
    """Yield each value of a vector, and the indices of the elements that have it.

    Raises
    ------
    ValidationError
        If there are too many values, each of which becomes an object of its own.
    """
    order = np.argsort(values, kind="stable")
    found, starts = np.unique(values[order], return_index=True)
    if len(found) == 1:
        yield float(found[0]), slice(None)
        return
    reader.options.budget.divide(len(found), len(values), reader.record)
    for value, index in zip(found, np.split(order, starts[1:]), strict=True):
        yield float(value), index.tolist()


def lowpass(
    reader: NodeReader, pre: Any, post: Any, taus: np.ndarray, field: str, late: bool
) -> None:
    """Filter what one object sends to another, each element by its time constant.

    Parameters
    ----------
    reader : NodeReader
        Whose filter it is.
    pre, post : object
        The objects, of one size.
    taus : np.ndarray, shape (size,)
        Time constants (s).
    field : str
        What the node calls them.
    late : bool
        Whether it is a synapse, one step late.
    """
    for tau, index in by_value(reader, taus):
        tau = reader.options.time_constant(tau, reader.record, field)
        filtered(reader, nengo.Lowpass(tau), pre[index], post[index], late)


def filtered(
    reader: NodeReader, synapse: Synapse, pre: Any, post: Any, late: bool
) -> None:
    """Filter what one object sends to another; as a synapse it is one step late."""
    if late:
        reader.connect(pre, post, synapse=synapse)
        return
    label = f"{reader.record.name}.filter"
    node = nengo.Node(synapse, size_in=pre.size_out, size_out=pre.size_out, label=label)
    reader.connect(pre, node)
    reader.connect(node, post)


@register_node("LI")
class ReadLI(NodeReader):
    r"""Leaky integrators.

    .. math:: \tau v' = v_{leak} - v + r I
    """

    elementwise = {"tau": None, "r": 1.0, "v_leak": 0.0}  # noqa: RUF012

    @property
    def delays(self) -> bool:
        """Whether it is a synapse of ours."""
        return self.options.own and self.record.noted("role") in ("synapse", "filter")

    @property
    def _role(self) -> Any:
        return self.record.noted("role") if self.options.own else None

    def _noted_filter(self) -> nengo.LinearFilter:
        """Return the filter of which our own writer made several LI."""
        noted = [self.record.metadata.get(f"nengo_{key}") for key in ("num", "den")]
        try:
            num, den = (np.array(values, float) for values in noted)
            fine = num.ndim == den.ndim == 1 and 0 < num.size <= den.size <= 20
        except (TypeError, ValueError):
            fine = False
        if not fine or not np.isfinite(np.append(num, den)).all() or den[0] == 0:
            raise self.record.refused("Expected coefficients", "metadata.nengo_den")
        return nengo.LinearFilter(num, den)

    @property
    def became(self) -> str:  # type: ignore[override]
        """What it is, in words."""
        role = self._role
        if role == "identity":
            return "part of the synapse before it"
        if role == "filter":
            return "LinearFilter synapse"
        return "Lowpass synapse" if self.delays else "Node with Lowpass"

    def build(self, shape_in: tuple[int, ...]) -> tuple[Any, Any]:
        """Make two Nodes, and the filter between them."""
        receiver, sender = self.node(shape_in, "input"), self.node(shape_in)
        taus = self.positive("tau", shape_in)
        r, leak = self.per_element("r", shape_in), self.per_element("v_leak", shape_in)
        if self._role == "identity":
            self.connect(receiver, sender)
        elif self._role == "filter":
            if np.any((r == 0) & (leak != 0)):
                raise self.record.refused("Expected factors other than 0", "r")
            self.add_bias(leak / np.where(r == 0, 1, r), receiver)
            self.connect(receiver, sender, synapse=self._noted_filter())
        else:
            driven = receiver
            if np.any(r != 1):
                driven = self.node(shape_in, "current")
                self.connect(receiver, driven, r)
            self.add_bias(leak, driven)
            lowpass(self, driven, sender, taus, "tau", late=self.delays)
        return receiver, sender


@register_node("CubaLI")
class ReadCubaLI(NodeReader):
    r"""Leaky integrators behind a synapse.

    .. math:: \tau_{syn} I' = -I + w_{in} S, \quad
              \tau_{mem} v' = v_{leak} - v + r I
    """

    became = "two Nodes with Lowpass"
    elementwise = {  # noqa: RUF012
        "tau_syn": None,
        "tau_mem": None,
        "r": 1.0,
        "v_leak": 0.0,
        "w_in": 1.0,
    }

    def build(self, shape_in: tuple[int, ...]) -> tuple[Any, Any]:
        """Make the synapse, and the membrane behind it."""
        receiver, current = current_of(self, shape_in)
        driven, sender = self.node(shape_in, "current"), self.node(shape_in)
        self.connect(current, driven, self.per_element("r", shape_in))
        self.add_bias(self.per_element("v_leak", shape_in), driven)
        taus = self.positive("tau_mem", shape_in)
        lowpass(self, driven, sender, taus, "tau_mem", late=False)
        return receiver, sender


def current_of(reader: NodeReader, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Make the synapse in front of a membrane.

    Returns
    -------
    receiver, sender : nengo.Node
        Its input and its output.
    """
    receiver, current = reader.node(shape, "input"), reader.node(shape, "synapse")
    weighted = reader.node(shape, "weighted")
    weights = reader.per_element("w_in", shape)
    taus = reader.positive("tau_syn", shape)
    if reader.options.whole_spikes:
        # Lowpass lets a spike in over its time constant
        weights = weights * taus / reader.options.spike_dt
    reader.connect(receiver, weighted, weights)
    lowpass(reader, weighted, current, taus, "tau_syn", late=False)
    return receiver, current


@register_node("I")
class ReadIntegrator(NodeReader):
    r"""Integrators.

    .. math:: v' = r I
    """

    became = "Node with LinearFilter"
    elementwise = {"r": None}  # noqa: RUF012

    def build(self, shape_in: tuple[int, ...]) -> tuple[Any, Any]:
        """Make two Nodes, and the filter between them."""
        receiver, sender = self.node(shape_in, "input"), self.node(shape_in)
        driven = self.node(shape_in, "current")
        self.connect(receiver, driven, self.per_element("r", shape_in))
        filtered(self, nengo.LinearFilter([1], [1, 0]), driven, sender, late=False)
        return receiver, sender


@register_node("Delay")
class ReadDelay(NodeReader):
    r"""Delays, in whole steps of the framework that the graph is from.

    .. math:: y(t) = x(t - \tau)
    """

    became = "Connection with a Delay"
    elementwise = {"delay": None}  # noqa: RUF012

    @property
    def delays(self) -> bool:
        """Whether all elements are delayed by a step at least."""
        return bool((self._steps(self.values("delay")) >= 1).all())

    def _steps(self, delays: np.ndarray) -> np.ndarray:
        if (delays < 0).any():
            raise self.record.refused("Expected at least 0", "delay")
        steps = np.round(delays / self.options.spike_dt)
        if (steps > _MAX_DELAY_STEPS).any():
            raise self.record.refused(
                f"{delays.max():g} s are {steps.max():g} steps of "
                f"{self.options.spike_dt:g} s. Expected at most {_MAX_DELAY_STEPS} "
                "steps; set spike_dt if they are longer ones",
                "delay",
            )
        return steps

    def build(self, shape_in: tuple[int, ...]) -> tuple[Any, Any]:
        """Make two Nodes, and the Connections between them."""
        receiver, sender = self.node(shape_in, "input"), self.node(shape_in)
        delays = self._steps(self.per_element("delay", shape_in))
        for steps, index in by_value(self, delays):
            synapse = Delay(int(steps)) if steps else None
            self.connect(receiver[index], sender[index], synapse=synapse)
        return receiver, sender
