"""Written graphs as objects of the package ``nir``."""

from __future__ import annotations

from typing import Any

import numpy as np

from nengo_dl.nir.written_graph import WrittenGraph, WrittenNode
from nengo_dl.version import version


def nir_graph(graph: WrittenGraph, dt: float, reader: str | None) -> Any:
    """Return a graph as an object of the package ``nir``.

    Parameters
    ----------
    graph : WrittenGraph
        The graph.
    dt : float
        Time step that spikes were written for (s).
    reader : str or None
        The framework that it is for; then nothing of Nengo's is noted, since time
        constants are those of its steps.
    """
    import nir

    nodes = {name: _nir_node(nir, node) for name, node in graph.nodes.items()}
    metadata: dict[str, Any] = {"time_unit": "s", "threshold_unit": "1"}
    if reader is None:
        metadata |= {
            "nengo_format": f"nengo_dl {version}",
            "nengo_dt": dt,
            "nengo_discretization": "exact",
            "nengo_spikes": "unit",
        }
    arguments: dict[str, Any] = {
        "nodes": nodes,
        "edges": list(graph.edges),
        "metadata": metadata,
    }
    try:
        return nir.NIRGraph(**arguments)
    except (ValueError, NotImplementedError):
        # its own shapes of convolutions are wrong for kernels that are not square
        return nir.NIRGraph(**arguments, type_check=False)


def _nir_node(nir: Any, node: WrittenNode) -> Any:
    given = dict(node.parameters)
    notes = {f"nengo_{key}": value for key, value in node.notes.items()}
    notes = {key: value for key, value in notes.items() if value is not None}
    if node.kind in ("Input", "Output"):
        shape = np.array(given["shape"])
        key = "input" if node.kind == "Input" else "output"
        found = getattr(nir, node.kind)({key: shape})
    elif node.kind == "Flatten":
        found = nir.Flatten({"input": np.array(given["shape_in"])}, 0, -1)
    elif node.kind.startswith("Conv"):
        found = _convolution(nir, node)
    else:
        given.pop("shape_out", None)
        found = getattr(nir, node.kind)(**given)
    found.metadata = notes
    return found


def _convolution(nir: Any, node: WrittenNode) -> Any:
    given = dict(node.parameters)
    _, *places = given.pop("shape_in")
    shape_out = given.pop("shape_out")
    one_axis = node.kind == "Conv1d"
    if one_axis:
        for name in ("stride", "dilation"):
            (given[name],) = given[name]
        if not isinstance(given["padding"], str):
            (given["padding"],) = given["padding"]
    found = getattr(nir, node.kind)(
        input_shape=places[0] if one_axis else tuple(places), **given
    )
    # what it works out itself is wrong for groups and for kernels that are not square
    found.input_type = {"input": np.array(node.parameters["shape_in"])}
    found.output_type = {"output": np.array(shape_out)}
    return found
