"""`from_nir`: NIR graphs and files as networks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.nir.edge_shapes import input_shapes, late_edges
from nengo_dl.nir.graph_records import FlatGraph, flat_graph
from nengo_dl.nir.nir_files import read_nir_file
from nengo_dl.nir.node_reader import (
    BIAS_LABEL,
    Budget,
    NodeReader,
    ReadOptions,
    reader_of,
)
from nengo_dl.nir.node_records import as_text
from nengo_dl.nir.reading_report import NodeReport, ReadingReport
from nengo_dl.user_code import warn_user
from nengo_dl.validation import path_name, positive_int, positive_number, refused


@dataclass(frozen=True)
class _Source:
    """What a framework means by the graphs that it writes; see `ReadOptions`."""

    spike_dt: float | None = None
    whole_spikes: bool = False
    whole_currents: bool = False
    reset: str = "zero"
    late_spikes: bool = False


#: the frameworks
_SOURCES = {
    "snntorch": _Source(1e-4),
    "norse": _Source(1e-3, whole_spikes=True),
    "spyx": _Source(None, True, True, "subtract_late", late_spikes=True),
}
_RESETS = ("zero", "subtract", "subtract_late")
#: time constants above this many seconds are more likely to be milliseconds
_LONG = 0.5


def from_nir(
    graph: Any,
    *,
    source: str | None = None,
    spike_dt: float | None = None,
    discretization: str | None = None,
    reset: str | None = None,
    max_elements: int = 50_000_000,
) -> nengo.Network:
    r"""Make a Nengo network from a NIR graph, or from a file with one.

    NIR describes continuous time; how it becomes time steps is up to each framework,
    and spikes have the area of one of its steps. What a file means therefore depends
    on who wrote it, which it does not say: ``source`` does, or ``spike_dt`` and
    ``discretization``. Files of `to_nir` say it themselves.

    Parameters
    ----------
    graph : nir.NIRGraph, str or os.PathLike
        The graph, or the path of a file. Nothing in it is trusted: sizes are looked at
        before anything is read, and what makes no sense is refused by name.
    source : {"snntorch", "norse", "spyx"}, optional
        The framework that wrote it: sets the arguments below, and what its neurons do
        otherwise: synapses of Norse and Spyx add the whole of a spike at once, Spyx'
        neurons also do so with their input, and fire in the next step.
    spike_dt : float, optional
        The time step of that framework (s), with which its spikes are repeated one by
        one if the simulator has the same. Spikes keep the area of this step in
        simulations with any other. Default: what the file or ``source`` says, else
        0.001 s, with a warning if it matters.
    discretization : {"exact", "euler"}, optional
        Whether differential equations are solved exactly between steps, as Nengo does
        (default), or by Euler's method, as most frameworks do: then time constants are
        :math:`-\Delta t/\ln(1 - \Delta t/\tau)`, with which Nengo's steps are Euler's.
    reset : {"zero", "subtract", "subtract_late"}, optional
        What neurons do when they fire, which files do not say: return to ``v_reset``
        (default), or lose the height of their threshold, in the same step or in the
        next one (snnTorch's and Spyx's defaults).
    max_elements : int
        How many numbers the file, and all signals and kernels of the network, may
        have.

    Returns
    -------
    nengo.Network
        With an object or two for each node, named as the node. Besides,

        - ``net.inputs``: Nodes to feed, by the names of Input nodes;
        - ``net.outputs``: Probes without a synapse, by the names of Output nodes;
        - ``net.senders``: the object that has the output of each node, by name, such as
          the neurons of an ensemble; a node ``b`` in a graph ``a`` is ``"a/b"``;
        - ``net.report``: a table of what became of each node.

    Raises
    ------
    ValidationError
        If the graph is not valid, a file cannot be read, or it is too large.
    ImportError
        If it is a file and the package ``nir`` is not installed.

    Notes
    -----
    Units are seconds, whatever NIR's tables say; all implementations use them. A cycle
    without a delay has one step of it, on the edge that leads back to a node on the
    way from the Inputs. Parameters of neurons whose values differ in one node become
    one ensemble for each time constant.

    Examples
    --------
    >>> import nengo_dl, nir
    >>> import numpy as np
    >>> graph = nir.NIRGraph(
    ...     nodes={
    ...         "input": nir.Input(np.array([1])),
    ...         "weights": nir.Linear(np.array([[2.0], [3.0]])),
    ...         "lif": nir.LIF(
    ...             tau=np.full(2, 0.02),
    ...             r=np.ones(2),
    ...             v_leak=np.zeros(2),
    ...             v_threshold=np.ones(2),
    ...         ),
    ...         "output": nir.Output(np.array([2])),
    ...     },
    ...     edges=[("input", "weights"), ("weights", "lif"), ("lif", "output")],
    ... )
    >>> net = nengo_dl.from_nir(graph, spike_dt=0.001)
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     sim.run_steps(100, data={net.inputs["input"]: np.ones((1, 100, 1))})
    >>> sim.data[net.outputs["output"]].sum(axis=0)
    array([ 7., 11.], dtype=float32)
    """
    max_elements = positive_int(max_elements, "max_elements")
    if isinstance(graph, str | os.PathLike):
        path = path_name(graph, "graph", "a NIRGraph, or the path of a file")
        graph = read_nir_file(path, max_elements)
    elif isinstance(graph, bytes) or graph is None:
        raise refused(graph, "graph", "a NIRGraph, or the path of a file")
    flat = flat_graph(graph)
    options = _options(flat, source, spike_dt, discretization, reset, max_elements)
    return _network(flat, options)


def _options(
    flat: FlatGraph,
    source: Any,
    spike_dt: Any,
    discretization: Any,
    reset: Any,
    max_elements: int,
) -> ReadOptions:
    """Return what arguments, the framework or our own notes say, in this order."""
    if source is not None and (not isinstance(source, str) or source not in _SOURCES):
        raise refused(source, "source", f"one of {', '.join(map(repr, _SOURCES))}")
    if discretization not in (None, "exact", "euler"):
        raise refused(discretization, "discretization", "'exact' or 'euler'")
    if spike_dt is not None:
        spike_dt = positive_number(spike_dt, "spike_dt")
    if reset is not None and reset not in _RESETS:
        raise refused(reset, "reset", f"one of {', '.join(map(repr, _RESETS))}")
    own = source is None and as_text(flat.metadata.get("nengo_format")) is not None
    meant = _SOURCES[source] if source is not None else _Source()
    if source is not None:
        spike_dt = spike_dt or meant.spike_dt
        discretization = discretization or "euler"
        if spike_dt is None:
            raise ValidationError(
                f"A graph of {source} can have any time step, which it does not note: "
                "say it in seconds",
                "spike_dt",
            )
    elif own:
        spike_dt = spike_dt or positive_number(
            _number(flat.metadata.get("nengo_dt")), "graph.metadata['nengo_dt']"
        )
        noted = as_text(flat.metadata.get("nengo_discretization"))
        discretization = discretization or ("euler" if noted == "euler" else "exact")
    elif spike_dt is None:
        spike_dt = 1e-3
        if any(record.kind in _TIMED for record in flat.nodes.values()):
            warn_user(
                "The graph does not say which time step it was made for; 0.001 s is "
                "assumed. Set spike_dt, or source: neurons fire at other rates if it "
                "is another one.",
                UserWarning,
            )
    return ReadOptions(
        spike_dt=spike_dt,
        euler=discretization == "euler",
        own=own,
        whole_spikes=meant.whole_spikes,
        whole_currents=meant.whole_currents,
        reset=reset or meant.reset,
        late_spikes=meant.late_spikes,
        budget=Budget(max_elements),
    )


#: types whose effect depends on how long a spike is, or on whole steps
_TIMED = {"LIF", "CubaLIF", "IF", "Delay"}


def _number(value: Any) -> Any:
    """Return an array of one element as a number, and anything else as it is."""
    array = np.asarray(value) if isinstance(value, np.ndarray | np.generic) else None
    return value if array is None or array.size != 1 else array.item()


def _network(flat: FlatGraph, options: ReadOptions) -> nengo.Network:
    """Make the network, once everything is known to fit together."""
    net = nengo.Network(label="NIR graph", add_to_container=False)
    bias: list[nengo.Node] = []

    def one() -> nengo.Node:
        if not bias:
            with net:
                bias.append(nengo.Node([1.0], label=BIAS_LABEL))
        return bias[0]

    readers = {
        name: reader_of(record, options, one) for name, record in flat.nodes.items()
    }
    shapes = input_shapes(flat, readers)
    late = late_edges(flat, readers)
    if not options.own:
        _warn_of_units(readers)
    within = {"": net}
    ends = {}
    for name, reader in readers.items():
        with _open(name, within):
            ends[name] = reader.build(shapes[name])
    with net:
        for pre, post in flat.edges:
            nengo.Connection(
                ends[pre][1],
                ends[post][0],
                synapse=nengo.Lowpass(0) if (pre, post) in late else None,
                label=f"{pre} to {post}",
            )
        net.outputs = {
            name: nengo.Probe(ends[name][1], synapse=None, label=name)
            for name in flat.outputs
        }
    net.inputs = {name: ends[name][1] for name in flat.inputs}
    net.senders = {name: sender for name, (_, sender) in ends.items()}
    net.report = _report(readers, shapes, late, options)
    return net


def _open(name: str, within: dict[str, nengo.Network]) -> ExitStack:
    """Open the network of the graph that a node is in, which is made if need be."""
    *graphs, _ = name.split("/")
    stack = ExitStack()
    stack.enter_context(within[""])
    path = ""
    for graph in graphs:
        path = f"{path}/{graph}" if path else graph
        if path not in within:
            within[path] = nengo.Network(label=graph)
        stack.enter_context(within[path])
    return stack


def _warn_of_units(readers: Mapping[str, NodeReader]) -> None:
    """Warn if time constants look like milliseconds."""
    fields = ("tau", "tau_mem", "tau_syn")
    taus = [
        reader.values(field).min()
        for reader in readers.values()
        for field in fields
        if field in reader.elementwise
    ]
    if taus and min(taus) > _LONG:
        warn_user(
            f"All time constants are above {_LONG} s, the smallest is {min(taus):g}. "
            "They are read as seconds, as all frameworks write them; divide them by "
            "1000 if they are milliseconds.",
            UserWarning,
        )


def _report(
    readers: Mapping[str, NodeReader],
    shapes: Mapping[str, tuple[int, ...]],
    late: set[tuple[str, str]],
    options: ReadOptions,
) -> ReadingReport:
    rows = tuple(
        NodeReport(
            name,
            reader.record.kind,
            reader.became,
            shapes[name],
            reader.shape_out(shapes[name]),
        )
        for name, reader in readers.items()
    )
    method = "euler" if options.euler else "exact"
    return ReadingReport(rows, tuple(sorted(late)), options.spike_dt, method)
