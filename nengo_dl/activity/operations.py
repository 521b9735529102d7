"""What a network computes in a time step: operations of spikes, and products."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import nengo
import numpy as np
from nengo.builder import Model
from nengo.connection import LearningRule
from nengo.ensemble import Neurons

from nengo_dl.activity.fan_out import fan_out
from nengo_dl.graph.inputs import ConstantNode

#: beyond so many products, weights that are multiplied out count as all nonzero
_MOST_PRODUCTS = 10**9


@dataclass
class Operations:
    """Operations of a network, apart from how active it is.

    Attributes
    ----------
    synapses : dict of {nengo.Ensemble: np.ndarray}, shape (n_neurons,)
        Weights that a spike of each neuron goes through: to neurons, or to decoded
        values.
    multiplied : dict of {nengo.Ensemble: np.ndarray}, shape (n_neurons,)
        The same if decoders and encoders were multiplied out to weights from neuron to
        neuron.
    analog : int
        Products in each time step whose factors are no spikes: values of Nodes, decoded
        values, outputs of neurons that have none.
    dense : int
        Products of a network of the same shape without spikes, for one input.
    """

    synapses: dict[nengo.Ensemble, np.ndarray] = field(default_factory=dict)
    multiplied: dict[nengo.Ensemble, np.ndarray] = field(default_factory=dict)
    analog: int = 0
    dense: int = 0


def operations(model: Model, data: Mapping[Any, Any]) -> Operations:
    """Return the operations of a built model with its present weights.

    Parameters
    ----------
    model : nengo.builder.Model
        The built model.
    data : mapping
        ``sim.data``: weights and encoders.
    """
    found = Operations()
    built = list(model.params)
    ensembles = [obj for obj in built if isinstance(obj, nengo.Ensemble)]
    for ensemble in ensembles:
        found.synapses[ensemble] = np.zeros(ensemble.n_neurons, int)
        found.multiplied[ensemble] = np.zeros(ensemble.n_neurons, int)
    encoded: set[nengo.Ensemble] = set()
    for connection in built:
        if not isinstance(connection, nengo.Connection):
            continue
        if isinstance(connection.post_obj, LearningRule | nengo.Probe):
            continue
        if isinstance(connection.pre_obj, ConstantNode):
            continue  # biases are no operations of synapses
        _add(found, connection, data)
        post = connection.post_obj
        if isinstance(post, nengo.Ensemble) and not _whole_weights(connection):
            encoded.add(post)
    for ensemble in encoded:
        encoders = data[ensemble].scaled_encoders
        if encoders is not None:
            n = int(np.count_nonzero(encoders))
            found.analog += n
            found.dense += n
    return found


def _add(
    found: Operations, connection: nengo.Connection, data: Mapping[Any, Any]
) -> None:
    """Add the operations of a Connection."""
    pre = connection.pre_obj
    weights = data[connection].weights
    is_decoded = isinstance(pre, nengo.Ensemble)
    if is_decoded and not _is_direct(pre):
        each = fan_out(None, weights, pre.n_neurons)
        ensemble, places = pre, np.arange(pre.n_neurons)
        multiplied = _multiplied(connection, weights, each, data)
    else:
        size = connection.size_mid
        each = multiplied = fan_out(connection.transform, weights, size)
        if weights is None:
            each = multiplied = each * (not _is_node(pre))  # no product at all
        ensemble = pre.ensemble if isinstance(pre, Neurons) else None
        n_pre = 0 if ensemble is None else ensemble.n_neurons
        places = np.arange(n_pre)[connection.pre_slice] if n_pre else np.arange(0)
        if connection.function is not None or _is_direct(ensemble):
            ensemble = None  # a function of spikes gives anything
    total = int(each.sum())
    found.dense += total
    if ensemble is None or not ensemble.neuron_type.spiking:
        found.analog += total
        return
    np.add.at(found.synapses[ensemble], places, each)
    np.add.at(found.multiplied[ensemble], places, multiplied)


def _multiplied(
    connection: nengo.Connection,
    decoders: np.ndarray,
    each: np.ndarray,
    data: Mapping[Any, Any],
) -> np.ndarray:
    """Return weights other than 0 of each neuron, from neuron to neuron."""
    post = connection.post_obj
    if not isinstance(post, nengo.Ensemble) or _whole_weights(connection):
        return each
    encoders = data[post].scaled_encoders
    if encoders is None:
        return each
    encoders = encoders.reshape(-1, *encoders.shape[-2:])[0][:, connection.post_slice]
    weights = decoders.reshape(-1, *decoders.shape[-2:])[0]
    if encoders.shape[0] * weights.size > _MOST_PRODUCTS:
        return np.where(each > 0, encoders.shape[0], 0)
    return np.count_nonzero(encoders @ weights, axis=0)


def _whole_weights(connection: nengo.Connection) -> bool:
    """Return whether the solver has found weights from neuron to neuron."""
    is_decoded = isinstance(connection.pre_obj, nengo.Ensemble)
    return is_decoded and bool(getattr(connection.solver, "weights", False))


def _is_direct(ensemble: Any) -> bool:
    return ensemble is not None and isinstance(ensemble.neuron_type, nengo.Direct)


def _is_node(obj: Any) -> bool:
    return isinstance(obj, nengo.Node)
