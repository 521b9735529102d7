r"""Graphs as certain frameworks need them to run as Nengo does.

They integrate by Euler's method, :math:`v \leftarrow v + \Delta t/\tau\,(\ldots)`. With

.. math:: \tau = \Delta t / (1 - e^{-\Delta t/\tau_{rc}})

that step is Nengo's exact one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nengo_dl.nir.ensemble_writers import Findings
from nengo_dl.nir.written_graph import WrittenGraph, WrittenNode


@dataclass(frozen=True)
class ReaderForm:
    """What a framework makes of a graph.

    Attributes
    ----------
    dt : float or None
        The time step (s) that it always assumes; None if it is told.
    kinds : tuple of str
        The types of nodes that it reads.
    """

    dt: float | None
    kinds: tuple[str, ...]


_ALL = ("Input", "Output", "Linear", "Affine", "LIF", "Flatten")

#: by the names of the frameworks
FORMS = {
    "snntorch": ReaderForm(1e-4, (*_ALL, "CubaLIF", "Conv2d", "AvgPool2d")),
    "norse": ReaderForm(None, (*_ALL, "LI", "Conv1d", "Conv2d")),
    "spyx": ReaderForm(None, (*_ALL, "LI", "CubaLIF", "Conv2d", "Scale", "Delay")),
}


def in_form(graph: WrittenGraph, reader: str, dt: float, found: Findings) -> None:
    """Change a graph so that a framework repeats Nengo's steps.

    Parameters
    ----------
    graph : WrittenGraph
        The graph; it is changed.
    reader : str
        The framework.
    dt : float
        Nengo's time step (s).
    found : Findings
        Where goes what the framework cannot read.
    """
    form = FORMS[reader]
    if "LI" not in form.kinds:
        _fuse_synapses(graph)
    reader_dt = form.dt or dt
    for name, node in graph.nodes.items():
        for field in ("tau", "tau_mem", "tau_syn"):
            if field in node.parameters:
                tau = node.parameters[field]
                node.parameters[field] = reader_dt / -np.expm1(-dt / tau)
        if node.kind == "CubaLIF":
            _as_synaptic(node, reader_dt)
        if node.kind not in form.kinds:
            found.refuse(
                name,
                f"{reader} reads no {node.kind}: a synapse has to be the same for all "
                "that comes to an Ensemble, and to lead to one"
                if node.kind == "LI"
                else f"{reader} reads no {node.kind}",
            )


def _as_synaptic(node: WrittenNode, dt: float) -> None:
    """Scale so that r is tau_mem / dt, which snnTorch insists on."""
    height = node.parameters["tau_mem"] / dt
    for field in ("v_threshold", "v_reset"):
        node.parameters[field] = node.parameters[field] * height
    node.parameters["r"] = node.parameters["r"] * height


def _fuse_synapses(graph: WrittenGraph) -> None:
    """Make a CubaLIF of each LIF in front of which all is filtered alike."""
    for name in [n for n, node in graph.nodes.items() if node.kind == "LIF"]:
        before = graph.predecessors(name)
        weights = None
        if len(before) == 1 and graph.nodes[before[0]].plain:
            weights = before[0]
            before = graph.predecessors(weights)
        filters = [graph.nodes[pre] for pre in before]
        same = (
            bool(filters)
            and all(
                node.kind == "LI"
                and np.all(node.parameters["r"] == 1)
                and node.bias is None
                for node in filters
            )
            and len({float(tau) for n in filters for tau in n.parameters["tau"]}) == 1
            and all(len(graph.successors(pre)) == 1 for pre in before)
        )
        if not same:
            continue
        tau = filters[0].parameters["tau"].flat[0]
        for pre in before:
            graph.remove(pre)
        node = graph.nodes[name]
        given = node.parameters
        shape = given["tau"].shape
        node.kind = "CubaLIF"
        node.parameters = {
            "tau_syn": np.full(shape, tau),
            "tau_mem": given.pop("tau"),
            **given,
            "w_in": np.ones(shape),
        }
