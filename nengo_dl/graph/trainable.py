"""Decide which Signals an optimizer may change: a table beside the Signals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.builder import Model
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Operator
from nengo.builder.processes import SimProcess
from nengo.builder.signal import Signal
from nengo.ensemble import Neurons
from nengo.exceptions import ValidationError

from nengo_dl.graph.signals import payload_of
from nengo_dl.graph.tensor_operator import tensor_nodes
from nengo_dl.graph.trained_attributes import PREFIX, Logarithm
from nengo_dl.user_code import warn_user

#: all that a setting can name
NAMES = (
    "weights",
    "encoders",
    "bias",
    "gain",
    "tau_rc",
    "tau_ref",
    "tau_n",
    "inc_n",
    "tau",
    "delay",
)

#: ``attributes_of(op, dt)``: the attributes of neurons or a synapse that a setting can
#: name: the value of each, or why it cannot be trained
AttributesOf = Callable[[Operator, float], Mapping[str, float | str]]

#: what each object's parameter is called in ``model.sig``
_KEYS: tuple[tuple[type, str], ...] = (
    (nengo.Connection, "weights"),
    (nengo.Ensemble, "encoders"),
    (Neurons, "bias"),
)


def resolve(
    model: Model,
    inference_only: bool = False,
    attributes_of: AttributesOf = lambda op, dt: {},
) -> dict[Signal, bool]:
    """Return ``{parameter Signal: whether it is trainable}`` for a built model.

    Parameters are connection weights (decoders and transforms), scaled encoders and
    neuron biases. The setting of the object itself wins, then the nearest one of its
    class or its network: inner networks override outer ones. What a learning rule
    changes while the model runs is not trained unless that was asked for. Variables of
    TensorNodes are trainable if they are so in TensorFlow.

    Where a setting names attributes, gains or time constants for example, these become
    parameters too: `Logarithm` Signals, which are added to ``model.sig``.

    Parameters
    ----------
    model : nengo.builder.Model
        The built model; without a top-level network it has no trainable parameters.
    inference_only : bool
        Whether nothing at all shall be trainable.
    attributes_of : callable
        ``attributes_of(op, dt)`` returns the attributes of neurons or of a synapse that
        a setting can name: the value of each, or why it cannot be trained, in words.

    Returns
    -------
    dict
        Every parameter Signal of the network's own objects.

    Raises
    ------
    ValidationError
        If an attribute is asked for that cannot be trained, or that the object of the
        setting has not.
    """
    if model.toplevel is None:
        warn_user("No top-level network in model; assuming no trainable parameters")
        return {}
    table: dict[Signal, bool] = {}
    learned = set(_learned(model))
    for obj, key, setting in _parameters(model.toplevel, ()):
        signal = model.sig[obj].get(key)
        if signal is None or signal in table:
            continue
        asked = setting.of(key)
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
    for signal in _attributes(model, attributes_of):
        table[signal] = not inference_only
    return table


@dataclass(frozen=True)
class Setting:
    """What a user asked for an object.

    Attributes
    ----------
    value : bool, tuple of str or None
        Whether it trains, or what of it; None if nothing was said.
    own : bool
        Whether it was said of the very object, rather than of its class or network.
    """

    value: bool | tuple[str, ...] | None = None
    own: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of what trains, if it was said by names."""
        return self.value if isinstance(self.value, tuple) else ()

    def of(self, key: str) -> bool | None:
        """Return whether weights, encoders or biases train; None: not said."""
        if not isinstance(self.value, tuple):
            return self.value
        return key in self.value or (key == "encoders" and "weights" in self.value)


def _parameters(
    network: nengo.Network, outer: tuple[nengo.Network, ...]
) -> Iterator[tuple[Any, str, Setting]]:
    """Yield ``(object, key in model.sig, what the user asked for)``."""
    chain = (network, *outer)
    scope = _Scope(chain)
    for ensemble in network.ensembles:
        if isinstance(ensemble.neuron_type, nengo.Direct):
            continue  # its encoders are an identity that stands for no parameter
        yield ensemble, "encoders", scope.asked(ensemble)
        # without a setting of their own, neurons follow their ensemble
        yield ensemble.neurons, "bias", scope.asked(ensemble.neurons, ensemble)
    for connection in network.connections:
        yield connection, "weights", scope.asked(connection)
    for subnetwork in network.networks:
        yield from _parameters(subnetwork, chain)


def _attributes(model: Model, attributes_of: AttributesOf) -> Iterator[Logarithm]:
    """Yield the Signals of the attributes that the settings name."""
    owners: dict[Signal, Operator] = {}
    for setting, obj, signal, keys in _owners(model, model.toplevel, ()):
        if not setting.names:
            continue
        owners = owners or {
            op.output: op
            for op in model.operators
            if isinstance(op, SimNeurons | SimProcess)
        }
        op = owners.get(signal)
        payload = payload_of(op)
        can = {} if op is None else attributes_of(op, model.dt)
        if setting.own:
            _check_has(obj, setting.names, (*keys, *can), payload)
        for name in setting.names:
            if name == "gain" and isinstance(obj, Neurons):
                yield _gain(model, obj, op)
            elif name in can:
                yield _logarithm(model, obj, name, can[name], op)


def _owners(
    model: Model, network: nengo.Network, outer: tuple[nengo.Network, ...]
) -> Iterator[tuple[Setting, Any, Signal | None, tuple[str, ...]]]:
    """Yield what may have attributes: settings, object, its output, other names."""
    chain = (network, *outer)
    scope = _Scope(chain)
    for ensemble in network.ensembles:
        of_ensemble = scope.asked(ensemble)
        neurons = ensemble.neurons
        keys: tuple[str, ...] = ("weights", "encoders", "bias", "gain")
        if isinstance(ensemble.neuron_type, nengo.Direct):
            if of_ensemble.own:
                _check_has(ensemble, of_ensemble.names, (), ensemble.neuron_type)
            continue
        setting = scope.asked(neurons, ensemble)
        if of_ensemble.own and setting != of_ensemble:
            # what its neurons have been told counts, but not every name is theirs
            others = {name for name in NAMES if hasattr(ensemble.neuron_type, name)}
            _check_has(
                ensemble, of_ensemble.names, (*keys, *others), ensemble.neuron_type
            )
        yield setting, neurons, model.sig[neurons]["out"], keys
    for connection in network.connections:
        signals = model.sig[connection]
        keys = ("weights",) if signals.get("weights") is not None else ()
        yield scope.asked(connection), connection, signals.get("weighted"), keys
    for subnetwork in network.networks:
        yield from _owners(model, subnetwork, chain)


def _check_has(
    obj: Any, names: tuple[str, ...], known: tuple[str, ...], payload: Any
) -> None:
    """Raise an error if a setting of an object's own names what it has not."""
    for name in names:
        if name not in known:
            of = "" if payload is None else f", of {payload}"
            raise ValidationError(
                f"{obj} has no {name!r} that could be trained{of}. Expected names "
                f"among {', '.join(map(repr, dict.fromkeys(known))) or 'none'}",
                attr="trainable",
            )


def _logarithm(
    model: Model, obj: Any, name: str, value: float | str, op: Operator
) -> Logarithm:
    """Return the Signal of an attribute, which is made once for each model."""
    if isinstance(value, str) or not value > 0:
        number = f"it is {value:g}" if not isinstance(value, str) else ""
        reason = f"{number}. Expected a number above 0" if number else value
        raise ValidationError(
            f"{name!r} of {obj} ({payload_of(op)}) cannot be trained: {reason}. "
            "Or name what else trains of this object: "
            '`net.config[obj].trainable = ["weights"]`',
            attr="trainable",
        )
    key = f"{PREFIX}{name}"
    signals = model.sig[obj]
    if key not in signals:
        signals[key] = Logarithm(name, value, op.output, f"{obj}.{key}")
    return signals[key]


def _gain(model: Model, neurons: Neurons, op: Operator | None) -> Logarithm:
    """Return the Signal of the factors by which gains have changed."""
    ensemble = neurons.ensemble
    reason = None
    if op is None:
        reason = "the model was built for another simulator"
    elif ensemble.noise is not None:
        reason = "noise is added to its currents, which Nengo does not multiply by it"
    elif model.params[ensemble].gain is None:
        reason = "its neurons have none"
    if reason:
        raise ValidationError(
            f"'gain' of {ensemble} cannot be trained: {reason}. Leave it out: "
            '`net.config[ensemble].trainable = ["encoders", "bias"]`',
            attr="trainable",
        )
    key, signals = f"{PREFIX}gain", model.sig[neurons]
    if key not in signals:
        ones = np.ones(ensemble.n_neurons)
        signals[key] = Logarithm("gain", ones, signals["in"], f"{ensemble}.{key}")
    return signals[key]


class _Scope:
    """What the user asked for within a network.

    Parameters
    ----------
    chain : tuple of nengo.Network
        The network and those around it, the innermost first.
    """

    def __init__(self, chain: tuple[nengo.Network, ...]) -> None:
        self._chain = chain
        self._inherited: dict[tuple[type, ...], Setting] = {}

    def asked(self, *objects: Any) -> Setting:
        """Return what the user asked for an object, or for the one behind it.

        Parameters
        ----------
        objects : nengo object
            What is looked up, the most specific first.

        Returns
        -------
        Setting
            The setting of the object itself, wherever it was made; else the one that is
            nearest, going outwards: of its class, then of the network.
        """
        for obj in objects:
            for network in self._chain:
                value = _instance(network, obj)
                if value is not None:
                    return Setting(value, own=True)
        # the same for thousands of objects
        classes = tuple(map(type, objects))
        if classes not in self._inherited:
            self._inherited[classes] = self._of_classes(classes)
        return self._inherited[classes]

    def _of_classes(self, classes: tuple[type, ...]) -> Setting:
        """Return the setting of objects that have none of their own."""
        for i, network in enumerate(self._chain):
            for cls in classes:
                value = _class(network, cls)
                if value is not None:
                    return Setting(value)
            for around in self._chain[i:]:
                value = _instance(around, network)
                if value is not None:
                    return Setting(value)
            value = _class(network, nengo.Network)
            if value is not None:
                return Setting(value)
        return Setting()


def _instance(network: nengo.Network, obj: Any) -> bool | tuple[str, ...] | None:
    """Return the setting of one object in the configuration of a network."""
    params = network.config.params.get(obj)  # asking the configuration would add one
    try:
        # the attribute alone would be the one of the class
        is_set = params is not None and "trainable" in params
    except AttributeError:
        return None  # a network without this setting
    return params.trainable if is_set else None


def _class(network: nengo.Network, cls: type) -> bool | tuple[str, ...] | None:
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
