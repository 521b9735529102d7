"""Write live parameters back into a network, so that any simulator can build it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import nengo
from nengo.builder import Model
from nengo.ensemble import Neurons
from nengo.exceptions import ValidationError

from nengo_dl.parameters.frozen import Frozen
from nengo_dl.simulation.store import StateStore


def freeze(model: Model, store: StateStore, objs: Any) -> None:
    """Give objects the parameters that they have now; all of them, or none.

    Parameters
    ----------
    model : nengo.builder.Model
        The built model.
    store : StateStore
        Live values.
    objs : nengo object or iterable of them
        Ensembles, Neurons, Connections, Networks.

    Raises
    ------
    ValidationError
        If one cannot be frozen, or is not part of the network.
    TypeError
        If one is something else.
    """
    single = isinstance(objs, nengo.Network | nengo.base.NengoObject | Neurons)
    frozen = Frozen(model, store)
    changes: dict[Any, Mapping[str, Any]] = {}
    for obj in _members(model, [objs] if single else objs):
        changes[obj] = frozen.arguments(obj)
        if isinstance(obj, nengo.Ensemble):
            changes.update(frozen.probes(obj))
    _apply(changes)


def params(
    model: Model, store: StateStore, objs: Any, as_dict: bool
) -> dict[Any, Any] | list[dict[str, Any]]:
    """Return the arguments that make objects as they are now.

    Parameters
    ----------
    model, store
        As for `freeze`.
    objs : nengo object or iterable of them
        Ensembles, Neurons, Connections.
    as_dict : bool
        Whether they are wanted by label.

    Raises
    ------
    ValidationError
        If there are no such arguments, or two objects have one label.
    """
    single = not isinstance(objs, list | tuple)
    frozen = Frozen(model, store)
    objs = [objs] if single else objs
    found = [_short(obj, frozen.arguments(obj)) for obj in objs]
    if not as_dict:
        return found[0] if single else found
    by_label: dict[Any, Any] = {}
    for obj, arguments in zip(objs, found, strict=True):
        label = obj.ensemble.label if isinstance(obj, Neurons) else obj.label
        if label in by_label:
            raise ValidationError(
                f"Several objects have the label {label!r}. Expected different labels; "
                "or use as_dict=False",
                attr="as_dict",
            )
        by_label[label] = arguments
    return by_label


def _short(obj: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return arguments in the form that suits objects of other sizes too, if any."""
    weights = arguments.get("transform")
    if getattr(weights, "size", 0) == 1 and obj.learning_rule_type is None:
        return {**arguments, "transform": weights.item()}  # type: ignore[union-attr]
    return arguments


def _members(model: Model, objs: Iterable[Any]) -> Iterable[Any]:
    """Yield Ensembles and Connections, those in Networks too, each once."""
    seen: dict[Any, None] = {}
    for obj in objs:
        if isinstance(obj, nengo.Network):
            if model.toplevel is not obj and (
                model.toplevel is None or obj not in model.toplevel.all_networks
            ):
                raise ValidationError(
                    f"{obj} is not part of the simulated network", attr="objs"
                )
            _check_nodes(model, obj)
            # what is in Direct mode has nothing that could have changed
            seen.update(
                (ensemble, None)
                for ensemble in obj.all_ensembles
                if not isinstance(ensemble.neuron_type, nengo.Direct)
            )
            seen.update(dict.fromkeys(obj.all_connections))
        elif isinstance(obj, nengo.Ensemble | Neurons | nengo.Connection):
            seen[obj.ensemble if isinstance(obj, Neurons) else obj] = None
        else:
            raise TypeError(
                f"Cannot freeze {obj!r}. Expected an Ensemble, Neurons, a Connection "
                "or a Network, or a list of them"
            )
    return seen


def _check_nodes(model: Model, network: nengo.Network) -> None:
    """Raise an error if Nodes have parameters, which Nengo has no place for."""
    for node in network.all_nodes:
        if set(model.sig[node]) - {"in", "out"}:
            raise ValidationError(
                f"{node} has variables of TensorFlow, which Nengo's objects cannot "
                "hold. Freeze the other objects by themselves, `freeze_params([...])`; "
                "or use `save_params`",
                attr="objs",
            )


def _apply(changes: Mapping[Any, Mapping[str, Any]]) -> None:
    """Set attributes of objects; if one refuses, all are as before."""
    before = [
        (obj, name, getattr(obj, name)) for obj, new in changes.items() for name in new
    ]
    try:
        for obj, new in changes.items():
            for name, value in new.items():
                setattr(obj, name, value)
    except BaseException:
        for obj, name, value in before:
            setattr(obj, name, value)
        raise
