"""What parameters and state are called in files: names that equal networks share.

Nengo's own names of Signals are not unique, and where an object has no label they hold
its address in memory. The names here are made of where an object stands in its network:

- networks, ensembles, nodes and connections are called by their labels; one without a
  label is called by its kind and its number among those without, ``Ensemble[0]``, a
  connection by what it connects, ``a->b``;
- where several of a kind in one network would have the same name, the second is
  ``a#1``, and so on;
- the networks around an object stand in front, ``inner/a``, and the parameter behind:
  ``inner/a.encoders``, ``inner/a.bias``, ``a->b.weights``, and ``a.log_tau_rc`` for
  the natural logarithm of a time constant that trains;
- characters of labels that have a meaning here, or none in ASCII, are written as in
  URLs: ``a/b`` is ``a%2Fb``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import nengo
from nengo.base import ObjView
from nengo.builder import Model
from nengo.builder.signal import Signal
from nengo.connection import LearningRule
from nengo.ensemble import Neurons

from nengo_dl.graph.roles import Role
from nengo_dl.graph.simplify.factor_pes import Factor
from nengo_dl.graph.trained_attributes import PREFIX, logarithms
from nengo_dl.plan.layout import SignalLayout

#: characters of labels that stay as they are, beside letters and digits
_PLAIN = " _-.,:;+*=~!"


class Names:
    """The names of the objects of a network.

    Parameters
    ----------
    network : nengo.Network
        The whole network.
    """

    def __init__(self, network: nengo.Network) -> None:
        self._local: dict[Any, str] = {}
        self._paths: dict[Any, str] = {}
        # connections are called by their ends, which may be in any network
        for inner, path in self._networks(network, ""):
            self._name(inner.ensembles, path)
            self._name(inner.nodes, path)
        for inner, path in self._networks(network, ""):
            self._name(inner.connections, path)

    def __getitem__(self, obj: Any) -> str:
        return self._paths[obj]

    def _networks(
        self, network: nengo.Network, path: str
    ) -> Iterator[tuple[nengo.Network, str]]:
        yield network, path
        self._name(network.networks, path)
        for inner in network.networks:
            yield from self._networks(inner, f"{self._paths[inner]}/")

    def _name(self, objects: list, path: str) -> None:
        """Name objects of one kind in one network."""
        taken: Counter[str] = Counter()
        unlabelled: Counter[str] = Counter()
        for obj in objects:
            if obj.label:
                name = quote(str(obj.label), safe=_PLAIN)
            elif isinstance(obj, nengo.Connection):
                name = self._ends(obj)
            else:
                kind = type(obj).__name__
                name = f"{kind}[{unlabelled[kind]}]"
                unlabelled[kind] += 1
            number = taken[name]
            taken[name] += 1
            self._local[obj] = name if number == 0 else f"{name}#{number}"
            self._paths[obj] = path + self._local[obj]

    def _ends(self, connection: nengo.Connection) -> str:
        return f"{self._end(connection.pre)}->{self._end(connection.post)}"

    def _end(self, obj: Any) -> str:
        if isinstance(obj, ObjView):
            return self._end(obj.obj)
        if isinstance(obj, Neurons):
            return f"{self._end(obj.ensemble)}.neurons"
        if isinstance(obj, LearningRule):
            return f"({self._ends(obj.connection)}).learning_rule"
        return self._local.get(obj, type(obj).__name__)


def parameters(model: Model) -> dict[str, Signal]:
    """Return all parameters of a model: encoders, biases, weights, variables.

    Parameters
    ----------
    model : nengo.builder.Model
        The built model; without a top-level network it has no parameters.

    Returns
    -------
    dict of {str: Signal}
        Base Signals by name, whether an optimizer may change them or not, in the order
        of the network.
    """
    if model.toplevel is None:
        return {}
    names = Names(model.toplevel)
    found: dict[str, Signal] = {}
    for ensemble in model.toplevel.all_ensembles:
        if not isinstance(ensemble.neuron_type, nengo.Direct):
            found[f"{names[ensemble]}.encoders"] = model.sig[ensemble]["encoders"]
            found[f"{names[ensemble]}.bias"] = model.sig[ensemble.neurons]["bias"]
            _add_attributes(found, names[ensemble], model.sig[ensemble.neurons])
    for connection in model.toplevel.all_connections:
        weights = model.sig[connection].get("weights")
        if weights is not None:
            found[f"{names[connection]}.weights"] = weights
        _add_attributes(found, names[connection], model.sig[connection])
    for node in model.toplevel.all_nodes:
        for key, signal in model.sig[node].items():
            if key not in ("in", "out"):  # variables of TensorFlow code
                found[f"{names[node]}.{key}"] = signal
    return found


def _add_attributes(
    found: dict[str, Signal], name: str, signals: Mapping[str, Signal]
) -> None:
    """Add the attributes of an object that train: ``a.log_tau_rc``."""
    for attribute, signal in logarithms(signals).items():
        found[f"{name}.{PREFIX}{attribute}"] = signal


def states(model: Model, layout: SignalLayout) -> dict[str, Signal]:
    """Return all that is carried from one time step to the next, except parameters.

    Parameters
    ----------
    model : nengo.builder.Model
        The built model.
    layout : SignalLayout
        Where its Signals live.

    Returns
    -------
    dict of {str: Signal}
        Base Signals by name: neurons' by their ensemble, ``a.voltage``, all others by
        the operator that they belong to: its type, its number among those of the type
        in the order in which Nengo builds them, and the number of the Signal; behind
        it the part, where only a part of the Signal is carried.
    """
    carried = {
        signal
        for signal, (block, _) in layout.places.items()
        if layout.blocks[block].role is Role.STATE
    }
    factors: defaultdict[Signal, list[Factor]] = defaultdict(list)
    for signal in carried:
        if isinstance(signal, Factor):
            factors[signal.product].append(signal)
    named: dict[Signal, str] = {}
    if model.toplevel is not None:
        names = Names(model.toplevel)
        for ensemble in model.toplevel.all_ensembles:
            for key, signal in model.sig[ensemble.neurons].items():
                if signal is not None and signal in carried:
                    named.setdefault(signal, f"{names[ensemble]}.{key}")
    count: defaultdict[str, int] = defaultdict(int)
    for op in model.operators:
        kind = type(op).__name__
        for i, signal in enumerate(op.all_signals):
            if signal.base in carried:
                named.setdefault(signal.base, f"{kind}[{count[kind]}].{i}")
            for factor in sorted(factors.pop(signal, ()), key=lambda f: f.part):
                named[factor] = f"{kind}[{count[kind]}].{i}.{factor.part}"
        count[kind] += 1
    return {name: signal for signal, name in named.items()}
