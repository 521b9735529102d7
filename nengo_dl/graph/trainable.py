"""Decide which Signals an optimizer may change: a table beside the Signals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nengo
from nengo.builder import Model
from nengo.builder.signal import Signal
from nengo.ensemble import Neurons

from nengo_dl.graph.tensor_operator import tensor_nodes
from nengo_dl.user_code import warn_user

#: what each object's parameter is called in ``model.sig``
_KEYS: tuple[tuple[type, str], ...] = (
    (nengo.Connection, "weights"),
    (nengo.Ensemble, "encoders"),
    (Neurons, "bias"),
)


def resolve(model: Model, inference_only: bool = False) -> dict[Signal, bool]:
    """Return ``{parameter Signal: whether it is trainable}`` for a built model.

    Parameters are connection weights (decoders and transforms), scaled encoders and
    neuron biases. The setting of the object itself wins, then the nearest one of its
    class or its network: inner networks override outer ones. What a learning rule
    changes while the model runs is not trained unless that was asked for. Variables of
    TensorNodes are trainable if they are so in TensorFlow.

    Parameters
    ----------
    model : nengo.builder.Model
        The built model; without a top-level network it has no trainable parameters.
    inference_only : bool
        Whether nothing at all shall be trainable.

    Returns
    -------
    dict
        Every parameter Signal of the network's own objects.
    """
    if model.toplevel is None:
        warn_user("No top-level network in model; assuming no trainable parameters")
        return {}
    table: dict[Signal, bool] = {}
    learned = set(_learned(model))
    for obj, key, asked in _parameters(model.toplevel, ()):
        signal = model.sig[obj].get(key)
        if signal is None or signal in table:
            continue
        if signal in learned and asked:
            warn_user(
                f"{obj} is changed by a learning rule while the model runs, and "
                "`trainable` is True for it: both changes will interfere, which is "
                "likely to produce strange training behaviour."
            )
        default = signal not in learned
        table[signal] = not inference_only and (default if asked is None else asked)
    for op in tensor_nodes(model.operators):
        for signal, is_on in op.trainable.items():
            table[signal] = not inference_only and is_on
    return table


def _parameters(
    network: nengo.Network, outer: tuple[nengo.Network, ...]
) -> Iterator[tuple[Any, str, bool | None]]:
    """Yield ``(object, key in model.sig, what the user asked for)``."""
    chain = (network, *outer)
    for ensemble in network.ensembles:
        if isinstance(ensemble.neuron_type, nengo.Direct):
            continue  # its encoders are an identity that stands for no parameter
        yield ensemble, "encoders", _asked(chain, ensemble)
        # without a setting of their own, neurons follow their ensemble
        yield ensemble.neurons, "bias", _asked(chain, ensemble.neurons, ensemble)
    for connection in network.connections:
        yield connection, "weights", _asked(chain, connection)
    for subnetwork in network.networks:
        yield from _parameters(subnetwork, chain)


def _asked(chain: tuple[nengo.Network, ...], *objects: Any) -> bool | None:
    """Return what the user asked for an object, or for the one behind it.

    Parameters
    ----------
    chain : tuple of nengo.Network
        The networks around the object, the innermost first.
    objects : nengo object
        What is looked up, the most specific first.

    Returns
    -------
    bool or None
        The setting of the object itself, wherever it was made; else the one that is
        nearest, going outwards: of its class, then of the network.
    """
    for obj in objects:
        for network in chain:
            value = _instance(network, obj)
            if value is not None:
                return value
    for i, network in enumerate(chain):
        for obj in objects:
            value = _class(network, type(obj))
            if value is not None:
                return value
        for around in chain[i:]:
            value = _instance(around, network)
            if value is not None:
                return value
        value = _class(network, nengo.Network)
        if value is not None:
            return value
    return None


def _instance(network: nengo.Network, obj: Any) -> bool | None:
    """Return the setting of one object in the configuration of a network."""
    params = network.config.params.get(obj)  # asking the configuration would add one
    try:
        # the attribute alone would be the one of the class
        is_set = params is not None and "trainable" in params
    except AttributeError:
        return None  # a network without this setting
    return params.trainable if is_set else None


def _class(network: nengo.Network, cls: type) -> bool | None:
    """Return the setting of a class, or of the next one above it that has one."""
    for base in cls.__mro__:
        params = network.config.params.get(base)
        if params is not None and "trainable" in params.extra_params:
            return params.trainable
    return None


def _learned(model: Model) -> Iterator[Signal]:
    """Yield the parameter Signals that online learning rules change."""
    for connection in model.toplevel.all_connections:
        rules = connection.learning_rule
        if rules is None:
            continue
        if isinstance(rules, dict):
            rules = list(rules.values())
        for rule in rules if isinstance(rules, list | tuple) else [rules]:
            modifies = rule.learning_rule_type.modifies
            if modifies == "encoders":
                yield model.sig[connection.post_obj]["encoders"]
            else:
                yield model.sig[connection]["weights"]
