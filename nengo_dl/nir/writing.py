"""`to_nir`: networks and simulators as NIR graphs."""

from __future__ import annotations

import itertools
from typing import Any

import nengo
import numpy as np
from nengo.ensemble import Neurons

from nengo_dl.graph.inputs import ConstantNode
from nengo_dl.nir.connection_writers import (
    Ends,
    instant_filter,
    synapse_nodes,
    weight_nodes,
)
from nengo_dl.nir.ensemble_writers import Findings, Ports, write_ensemble
from nengo_dl.nir.nir_files import require_nir
from nengo_dl.nir.nir_objects import nir_graph
from nengo_dl.nir.node_reader import BIAS_LABEL
from nengo_dl.nir.reader_forms import FORMS, in_form
from nengo_dl.nir.source_model import SourceModel
from nengo_dl.nir.written_graph import (
    WrittenGraph,
    WrittenNode,
    fit_shapes,
    merge_factors,
    place_biases,
)
from nengo_dl.user_code import warn_user
from nengo_dl.validation import NotPossibleError, refused


def to_nir(
    network: Any,
    *,
    dt: float | None = None,
    reader: str | None = None,
    approximate: bool | str = False,
) -> Any:
    r"""Write a network, or a simulator with its trained parameters, as a NIR graph.

    Everything becomes Linear, Affine, convolutions, LI and LIF nodes: encoders and
    biases an Affine in front of the LIF, decoders a Linear behind it, a Lowpass an LI.
    Spikes in NIR have the size 1, so outgoing weights are multiplied by
    ``amplitude / dt``. Save the graph with ``nir.write(path, graph)``.

    Parameters
    ----------
    network : nengo.Network, nengo.Simulator or nengo_dl.Simulator
        What to write. Parameters are those that the simulator has now; a network is
        built for this. Nodes without an input become Inputs, Probes Outputs.
    dt : float, optional
        Time step (s) of a network: the length of a spike. Default 0.001.
    reader : {"snntorch", "norse", "spyx"}, optional
        Write for this framework: as its Euler steps need parameters to be, so that it
        repeats Nengo's steps one by one, with the nodes that it knows (for snnTorch a
        CubaLIF takes the place of LI and LIF, where that can be). By default time
        constants are those of the differential equations.
    approximate : bool or {"drop", "reset"}
        Whether to write what is similar where NIR has nothing that is the same, with a
        warning that says how different it is: neurons without their refractory time
        (True or "drop") or with a reset far below 0 that takes as long ("reset"), IF
        for SpikingRectifiedLinear, LI around LIF for AdaptiveLIF, two LI for Alpha,
        learned connections as they are now.

    Returns
    -------
    nir.NIRGraph
        With what NIR has no words for in ``metadata``, from where `from_nir` takes it.

    Raises
    ------
    NotPossibleError
        If there is anything that NIR cannot say: a ``NengoException`` that lists all
        such objects, with reasons.
    ValidationError
        If an argument is wrong.
    ImportError
        If the package ``nir`` is not installed.

    Notes
    -----
    Nengo's synapses are one step late, NIR's LI are not: other readers run a network
    that is faster by a step for each synapse. `from_nir` makes the synapses again.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> with nengo.Network(seed=0) as net:
    ...     stimulus = nengo.Node([0.5], label="stimulus")
    ...     neuron_type = nengo.LIF(tau_ref=0, min_voltage=-float("inf"))
    ...     ensemble = nengo.Ensemble(20, 1, neuron_type=neuron_type, label="a")
    ...     _ = nengo.Connection(stimulus, ensemble, synapse=None)
    ...     probe = nengo.Probe(ensemble, synapse=0.01, label="decoded")
    >>> graph = nengo_dl.to_nir(net)
    >>> for name, node in graph.nodes.items():
    ...     print(name, type(node).__name__)
    a LIF
    a_encoders Affine
    stimulus Input
    decoded Output
    decoded_weights Linear
    decoded_synapse LI
    """
    if reader is not None and (not isinstance(reader, str) or reader not in FORMS):
        raise refused(reader, "reader", f"one of {', '.join(map(repr, FORMS))}")
    if approximate in (True, False) and isinstance(approximate, bool):
        how = "drop" if approximate else None
    elif approximate in ("drop", "reset"):
        how = str(approximate)
    else:
        raise refused(approximate, "approximate", "True, False, 'drop' or 'reset'")
    require_nir()
    source = SourceModel(network, dt)
    found = Findings(how)
    graph = _Writer(source, found).write()
    if not found.problems:
        _finish(graph, reader, source.dt, found)
    if found.problems:
        raise NotPossibleError(
            "NIR cannot express this network:\n"
            + "\n".join(f"- {text}" for text in found.problems)
        )
    for text in found.warnings:
        warn_user(text, UserWarning)
    return nir_graph(graph, source.dt, reader)


def _finish(
    graph: WrittenGraph, reader: str | None, dt: float, found: Findings
) -> None:
    """Place biases and shapes, and put the graph in the form of a reader."""
    merge_factors(graph)
    if reader is not None:
        in_form(graph, reader, dt, found)
    for name in place_biases(graph):
        found.refuse(name, "a constant current, and nothing else, comes to it")
    fit_shapes(graph)


class _Writer:
    """Writes one model; it knows what each object sends and receives."""

    def __init__(self, source: SourceModel, found: Findings) -> None:
        self._source = source
        self._found = found
        self._graph = WrittenGraph()
        self._net = source.network
        #: Connections to Nodes that pass on what they receive
        self._passed: dict[Any, list[nengo.Connection]] = {}
        self._ports: dict[nengo.Ensemble, Ports | None] = {}
        #: names and constant parts of what objects send
        self._sent: dict[Any, tuple[list[str], Any]] = {}
        #: what the first nodes of Connections receive
        self._received: list[tuple[Any, str]] = []

    def write(self) -> WrittenGraph:
        """Return the graph."""
        connections = self._net.all_connections
        for connection in connections:
            self._passed.setdefault(connection.post_obj, []).append(connection)
        for ensemble in self._net.all_ensembles:
            represents = any(not _joint(c) for c in self._passed.get(ensemble, ()))
            self._ports[ensemble] = write_ensemble(
                self._graph, self._source, ensemble, represents, self._found
            )
        for node in self._net.all_nodes:
            self._add_node(node)
        if self._found.problems:
            self._check_connections(connections)
            return self._graph
        for node in self._in_order():
            self._signal(node)
        for connection in connections:
            if not _passes(connection.post_obj):
                self._deliver(connection)
        for probe in self._net.all_probes:
            self._add_probe(probe)
        for obj, name in self._received:
            names, constant = self._signal(obj)
            self._graph.connect(names, name)
            if constant is not None:
                self._graph.add_bias(name, constant)
        return self._graph

    # -- objects

    def _add_node(self, node: nengo.Node) -> None:
        label = node.label or "node"
        if _passes(node) or node.size_in == node.size_out == 0:
            return
        if node.size_in == 0:
            if _is_constant(node):
                self._sent[node] = [], np.array(node.output, float)
                return
            notes = {}
            if isinstance(node.output, np.ndarray) and np.any(node.output):
                notes["constant"] = np.array(node.output, float)
            shape = {"shape": (node.size_out,)}
            written = WrittenNode("Input", shape, node.size_out, notes)
            self._sent[node] = [self._graph.add(label, written)], None
            return
        if isinstance(node.output, nengo.synapses.Synapse):
            self._add_filter(node)
            return
        self._found.refuse(
            node, "NIR has no Python functions, nor Processes with an input"
        )

    def _add_filter(self, node: nengo.Node) -> None:
        """Add a Node whose Process is a filter: it is no step late."""
        written = instant_filter(node.output, node.size_in)
        if written is None:
            self._found.refuse(node, f"NIR has no {node.output} as a Node")
            return
        name = self._graph.add(node.label or "filter", written)
        self._received.append((("into", node), name))
        self._sent[node] = [name], None

    def _check_connections(self, connections: list[nengo.Connection]) -> None:
        """Find what else cannot be written, so that one message has all of it."""
        for connection in connections:
            self._check_learning(connection)
            self._filters(connection, 1)

    def _filters(
        self, connection: nengo.Connection, size: int
    ) -> list[WrittenNode] | None:
        source = self._source
        synapse = source.synapse(connection)
        return synapse_nodes(synapse, size, source.dt, connection, self._found)

    def _check_learning(self, connection: nengo.Connection) -> bool:
        if connection.learning_rule_type is None:
            return True
        return self._found.stands_for(
            connection,
            "NIR has no learning rules",
            "the weights are written as they are now",
            lambda: "and nothing differs as long as nothing is learned",
        )

    # -- what objects send

    def _in_order(self) -> list[Any]:
        """Return Nodes that pass on their input, those that send to others first."""
        order: list[Any] = []
        waiting = {
            node: {
                c.pre_obj
                for c in self._passed.get(node, ())
                if _passes(c.pre_obj) and c.synapse is None
            }
            for node in self._net.all_nodes
            if _passes(node)
        }
        while waiting:
            ready = [node for node, before in waiting.items() if not before]
            if not ready:  # Nengo refuses such networks when it builds them
                return order
            for node in ready:
                del waiting[node]
            for before in waiting.values():
                before.difference_update(ready)
            order += ready
        return order

    def _signal(self, obj: Any) -> tuple[list[str], Any]:
        """Return the nodes whose sum an object sends, and what is constant of it."""
        if isinstance(obj, tuple):  # what comes to a Node with a Process
            return self._sum_of(obj[1])
        if obj in self._sent:
            return self._sent[obj]
        if isinstance(obj, nengo.Ensemble | Neurons):
            ports = self._ports[getattr(obj, "ensemble", obj)]
            assert ports is not None
            self._sent[obj] = [ports.sender], None
        else:
            self._sent[obj] = self._sum_of(obj)
        return self._sent[obj]

    def _sum_of(self, node: nengo.Node) -> tuple[list[str], Any]:
        names: list[str] = []
        constant = None
        for connection in self._passed.get(node, ()):
            ends, part = self._chain(connection)
            names += ends
            if part is not None:
                constant = part if constant is None else constant + part
        if len(set(names)) < len(names):
            names = self._distinct(names)
        if constant is not None:
            for name in names:
                node_ = self._graph.nodes[name]
                if node_.kind == "Linear" and node_.plain and node_.bias is None:
                    node_.parameters["bias"] = constant
                    node_.kind = "Affine"
                    return names, None
        return names, constant

    def _distinct(self, names: list[str]) -> list[str]:
        found: list[str] = []
        for name in names:
            if name in found:
                size = self._graph.nodes[name].size_out
                again = WrittenNode("Linear", {"weight": np.eye(size)}, size)
                between = self._graph.add(f"{name}_again", again)
                self._graph.connect([name], between)
                name = between
            found.append(name)
        return found

    # -- what leads from one to the other

    def _chain(self, connection: nengo.Connection) -> tuple[list[str], Any]:
        """Write a Connection; return the last nodes, and a constant beside these."""
        if not self._check_learning(connection):
            return [], None
        pre, post = connection.pre_obj, connection.post_obj
        if isinstance(post, nengo.connection.LearningRule):
            return [], None
        if not self._usable(connection):
            return [], None
        joint = _joint(connection)
        ports = self._ports_of(post)
        to_neurons = isinstance(post, Neurons)
        size_out = post.ensemble.n_neurons if to_neurons else post.size_in
        rows = ports.gain if ports is not None and to_neurons else np.ones(size_out)
        where = connection.post_slice
        if joint:
            assert ports is not None
            size_out = len(ports.gain)
            rows, where = np.ones(size_out), slice(None)
        return self._written(
            connection,
            self._source.weights(connection),
            Ends(
                self._size(pre),
                size_out,
                slice(None)
                if isinstance(pre, nengo.Ensemble)
                else connection.pre_slice,
                where,
                np.full(self._size(pre), self._scale(pre)),
                rows,
            ),
            connection.label or f"{_name(pre)} to {_name(post)}",
        )

    def _written(
        self, connection: nengo.Connection, weights: Any, ends: Ends, label: str
    ) -> tuple[list[str], Any]:
        transform = connection.transform
        if isinstance(connection.pre_obj, nengo.Ensemble):
            # of a whole Ensemble, the transform is in the decoders
            transform = None
        nodes = weight_nodes(weights, transform, ends, connection, self._found)
        filters = self._filters(connection, ends.size_out)
        if nodes is None or filters is None:
            return [], None
        if not nodes and not filters:
            return self._signal(connection.pre_obj)
        if nodes and filters and filters[0].kind == nodes[-1].kind == "Linear":
            nodes[-1].notes = filters.pop().notes
        names = [
            self._graph.add(
                f"{label}_{'weights' if each in nodes else 'synapse'}", each
            )
            for each in (*nodes, *filters)
        ]
        for before, after in itertools.pairwise(names):
            self._graph.connect([before], after)
        return self._from_source(connection, names, nodes, filters)

    def _from_source(
        self,
        connection: nengo.Connection,
        names: list[str],
        nodes: list[WrittenNode],
        filters: list[WrittenNode],
    ) -> tuple[list[str], Any]:
        """Let the nodes of a Connection receive what its beginning sends."""
        pre = connection.pre_obj
        if filters or (not _passes(pre) and pre not in self._sent):
            self._received.append((pre, names[0]))
            return [names[-1]], None
        sent, constant = self._signal(pre)
        if not sent and constant is not None and nodes[0].kind == "Linear":
            # nothing but constants: what comes of them is a constant too
            for name in names:
                self._graph.nodes.pop(name)
            self._graph.edges = {
                edge: None for edge in self._graph.edges if edge[1] not in names
            }
            return [], nodes[0].parameters["weight"] @ constant
        self._received.append((pre, names[0]))
        return [names[-1]], None

    def _deliver(self, connection: nengo.Connection) -> None:
        """Write a Connection that ends at neurons or a filter."""
        post = connection.post_obj
        if isinstance(post, nengo.Node):
            return  # by what it has received
        names, constant = self._chain(connection)
        ports = self._ports_of(post)
        if ports is None:
            return
        to_neurons = isinstance(post, Neurons) or _joint(connection)
        port = ports.neurons if to_neurons else ports.represented
        self._graph.connect(names, port)
        if constant is not None:
            self._graph.add_bias(port, constant)

    def _add_probe(self, probe: nengo.Probe) -> None:
        obj = probe.obj
        label = probe.label or f"{_name(obj)} output"
        readable = ("output", "decoded_output")
        if not isinstance(obj, nengo.Ensemble | nengo.Node | Neurons) or (
            probe.attr not in readable
        ):
            self._found.refuse(
                probe, f"NIR has outputs of nodes only, not {probe.attr!r}; remove it"
            )
            return
        if probe.sample_every is not None:
            every = f"sample_every={probe.sample_every:g}"
            text = f"an output of NIR has a value of each time step; without {every}"
            self._found.warn(probe, text)
        notes = {}
        decoded = self._source.probe_connection(probe)
        size = probe.size_in
        scale = self._scale(obj)
        weights: Any = np.array(1.0)
        if isinstance(obj, nengo.Ensemble):
            assert decoded is not None
            weights = self._source.weights(decoded)
        elif scale != 1:
            # Outputs have spikes of size 1, as everywhere in NIR
            notes["scale"] = scale
            scale = 1.0
        output = WrittenNode("Output", {"shape": (size,)}, size, notes)
        name = self._graph.add(label, output)
        whole = isinstance(obj, nengo.Ensemble) or probe.slice is None
        ends = Ends(
            self._size(obj),
            size,
            slice(None) if whole else probe.slice,
            slice(None),
            np.full(self._size(obj), scale),
            np.ones(size),
        )
        stands_for = _ProbeConnection(probe, obj)
        names, constant = self._written(stands_for, weights, ends, label)
        self._graph.connect(names, name)
        if constant is not None:
            self._graph.add_bias(name, constant)

    # -- small questions

    def _usable(self, connection: nengo.Connection) -> bool:
        if (
            isinstance(connection.pre_obj, nengo.Node)
            and connection.function is not None
        ):
            self._found.refuse(connection, "NIR has no Python functions")
            return False
        return True

    def _ports_of(self, obj: Any) -> Ports | None:
        return self._ports.get(getattr(obj, "ensemble", obj))

    def _size(self, obj: Any) -> int:
        ports = self._ports_of(obj)
        return int(obj.size_out) if ports is None else len(ports.gain)

    def _scale(self, obj: Any) -> float:
        ports = self._ports_of(obj)
        return 1.0 if ports is None else ports.scale


class _ProbeConnection:
    """A Probe, as the Connection that it is."""

    def __init__(self, probe: nengo.Probe, obj: Any) -> None:
        self.pre_obj = obj
        self.synapse = probe.synapse
        self.transform = None
        self._probe = probe

    def __str__(self) -> str:
        return str(self._probe)


def _passes(obj: Any) -> bool:
    """Return whether an object is a Node that passes on what it receives."""
    return isinstance(obj, nengo.Node) and obj.size_in > 0 and obj.output is None


def _is_constant(node: nengo.Node) -> bool:
    """Return whether a Node has biases of the model, which nobody is to feed."""
    ours = node.label == BIAS_LABEL and np.array_equal(node.output, [1.0])
    return ours or isinstance(node, ConstantNode)


def _joint(connection: nengo.Connection) -> bool:
    """Return whether decoders and encoders are solved for together, as one matrix."""
    return bool(
        isinstance(connection.pre_obj, nengo.Ensemble)
        and isinstance(connection.post_obj, nengo.Ensemble)
        and connection.solver.weights
    )


def _name(obj: Any) -> str:
    owner = getattr(obj, "ensemble", obj)
    return owner.label or type(owner).__name__.lower()
