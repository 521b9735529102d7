"""Decide which Signals an optimizer may change: a table beside the Signals."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import nengo
from nengo.builder import Model
from nengo.builder.signal import Signal
from nengo.ensemble import Neurons
from nengo.exceptions import NengoWarning

#: what each object's parameter is called in ``model.sig``
_KEYS: tuple[tuple[type, str], ...] = (
    (nengo.Connection, "weights"),
    (nengo.Ensemble, "encoders"),
    (Neurons, "bias"),
)


def resolve(model: Model, inference_only: bool = False) -> dict[Signal, bool]:
    """Return ``{parameter Signal: whether it is trainable}`` for a built model.

    Parameters are connection weights (decoders and transforms), scaled encoders and
    neuron biases. The setting nearest to the object wins: on the object itself, on its
    class, on its network; inner networks override outer ones. What a learning rule
    changes while the model runs is not trained unless that was asked for.

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
        warnings.warn(
            NengoWarning(
                "No top-level network in model; assuming no trainable parameters"
            ),
            stacklevel=3,
        )
        return {}
    table: dict[Signal, bool] = {}
    learned = set(_learned(model))
    for obj, key, asked in _parameters(model.toplevel, None):
        signal = model.sig[obj].get(key)
        if signal is None or signal in table:
            continue
        if signal in learned and asked:
            warnings.warn(
                NengoWarning(
                    f"{obj} is changed by a learning rule while the model runs, and "
                    "`trainable` is True for it: both changes will interfere, which is "
                    "likely to produce strange training behaviour."
                ),
                stacklevel=3,
            )
        default = signal not in learned
        table[signal] = not inference_only and (default if asked is None else asked)
    return table


def _parameters(
    network: nengo.Network, inherited: bool | None
) -> Iterator[tuple[Any, str, bool | None]]:
    """Yield ``(object, key in model.sig, what the user asked for)``."""
    config = network.config
    own = _setting(config, network)
    default = inherited if own is None else own
    for ensemble in network.ensembles:
        if isinstance(ensemble.neuron_type, nengo.Direct):
            continue  # its encoders are an identity that stands for no parameter
        asked = _setting(config, ensemble, default)
        yield ensemble, "encoders", asked
        yield ensemble.neurons, "bias", _setting(config, ensemble.neurons, asked)
    for connection in network.connections:
        yield connection, "weights", _setting(config, connection, default)
    for subnetwork in network.networks:
        asked = _setting(config, subnetwork, default)
        yield from _parameters(subnetwork, asked)


def _setting(config: Any, obj: Any, default: bool | None = None) -> bool | None:
    """Return the `trainable` setting of an object or its class in one config."""
    for configured in (obj, type(obj)):
        try:
            params = config[configured]
            value = params.trainable
        except Exception:
            # Nengo's config raises different errors for 'not configured' by kind
            continue
        if value is not None:
            return bool(value)
    return default


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
