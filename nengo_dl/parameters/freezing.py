"""Live parameters as arguments of Nengo's objects, and back into a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import nengo
import numpy as np
from nengo.base import NengoObject
from nengo.builder import Model
from nengo.builder.signal import Signal
from nengo.ensemble import Neurons
from nengo.exceptions import ValidationError
from nengo.rc import rc
from nengo.solvers import NoSolver
from nengo.transforms import SparseMatrix

from nengo_dl.graph.signals import coordinates, initial_elements
from nengo_dl.graph.trained_attributes import logarithms, with_values
from nengo_dl.parameters.signal_names import parameters
from nengo_dl.simulation.store import StateStore
from nengo_dl.validation import NotPossibleError, WrongTypeError, flag

#: transforms whose weights can be replaced: with `init`, all else being equal
_KNOWN = (nengo.Dense, nengo.Sparse, nengo.Convolution, nengo.ConvolutionTranspose)


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
    WrongTypeError
        If one is something else.
    """
    single = isinstance(objs, nengo.Network | nengo.base.NengoObject | Neurons)
    several = isinstance(objs, Iterable) and not hasattr(objs, "__array__")
    if not single and (not several or isinstance(objs, str | bytes)):
        raise _not_frozen(objs)
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
    as_dict = flag(as_dict, "as_dict")
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
            raise _not_frozen(obj)
    return seen


def _not_frozen(given: Any) -> Exception:
    return WrongTypeError(
        f"Cannot freeze {given!r:.100}. Expected an Ensemble, Neurons, a Connection or "
        "a Network, or a list of them",
        "objs",
    )


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


class Frozen:
    """Say with which arguments Nengo would build objects as they are now.

    Parameters
    ----------
    model : nengo.builder.Model
        The built model.
    store : StateStore
        Live values.
    """

    def __init__(self, model: Model, store: StateStore) -> None:
        self._model = model
        self._store = store
        self._values = store.values(parameters(model).values())
        self._probed: dict[nengo.Probe, nengo.Connection] = {
            conn.post_obj: conn
            for conn in model.params
            if isinstance(conn, nengo.Connection)
            and isinstance(conn.post_obj, nengo.Probe)
        }

    def arguments(self, obj: NengoObject | Neurons) -> dict[str, Any]:
        """Return the arguments that make an object as it is now.

        Parameters
        ----------
        obj : nengo.Ensemble, nengo.ensemble.Neurons or nengo.Connection
            One of the network's.

        Returns
        -------
        dict
            By name, in the order in which they can be set.

        Raises
        ------
        ValidationError
            If there are no such arguments: it is not part of the network, or in Direct
            mode, or learned different values in the items of a minibatch.
        NotImplementedError
            If the weights of a Connection are of an unknown kind.
        """
        if isinstance(obj, Neurons):
            obj = obj.ensemble
        if not isinstance(obj, nengo.Ensemble | nengo.Connection):
            raise ValidationError(
                f"{obj!r} has no parameters that Nengo's objects could take. Expected "
                "an Ensemble, Neurons or a Connection",
                attr="objs",
            )
        if obj not in self._model.params:
            raise ValidationError(
                f"{obj} is not part of the simulated network. Expected one of its "
                "Ensembles, Neurons or Connections",
                attr="objs",
            )
        if isinstance(obj, nengo.Ensemble):
            return self._ensemble(obj)
        return self._connection(obj)

    def probes(self, ensemble: nengo.Ensemble) -> dict[nengo.Probe, dict[str, Any]]:
        """Return Probes of what an ensemble represents, and their arguments.

        They have decoders of their own, which Nengo would compute anew.
        """
        return {
            probe: {"solver": NoSolver(self._value(probe, connection).T)}
            for probe, connection in self._probed.items()
            if probe.obj is ensemble
        }

    def _ensemble(self, ensemble: nengo.Ensemble) -> dict[str, Any]:
        if isinstance(ensemble.neuron_type, nengo.Direct):
            raise ValidationError(
                f"{ensemble} is in Direct mode, and so has no encoders and no biases",
                attr="objs",
            )
        built = self._model.params[ensemble]
        scaled = self._current(ensemble, self._model.sig[ensemble]["encoders"])
        bias = self._current(ensemble, self._model.sig[ensemble.neurons]["bias"])
        # the gain stays: connections to neurons are multiplied by it
        scale = (built.gain / ensemble.radius)[:, np.newaxis]
        lost = np.flatnonzero((scale[:, 0] == 0) & np.any(scaled != 0, axis=1))
        if lost.size:
            raise ValidationError(
                f"{ensemble} was built with a gain of 0 for neuron {lost[0]}, whose "
                "encoders have been trained since. Nengo multiplies one by the other, "
                "so no encoders stand for this. Build it with other gains",
                attr="objs",
            )
        changed = self._attributes(ensemble.neurons)
        factors = changed.pop("gain", np.ones(()))
        encoders = np.divide(scaled, scale, out=np.ones_like(scaled), where=scale != 0)
        return {
            "encoders": encoders,
            "normalize_encoders": False,
            # a factor of all currents is one of gains and biases
            "gain": np.array(built.gain) * factors,
            "bias": bias * factors,
            # they follow from gain and bias
            "max_rates": nengo.Ensemble.max_rates.default,
            "intercepts": nengo.Ensemble.intercepts.default,
            **self._argument("neuron_type", ensemble, changed),
        }

    def _argument(
        self, name: str, obj: Any, changed: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return a neuron type or synapse with what trains of it, if anything does."""
        values = {key: value.item() for key, value in changed.items()}
        new = with_values(getattr(obj, name), values, self._model.dt)
        return {name: new} if values else {}

    def _attributes(self, obj: Any) -> dict[str, np.ndarray]:
        """Return the current values of what trains beside weights, by name."""
        return {
            name: signal.value(self._values[signal])
            for name, signal in logarithms(self._model.sig[obj]).items()
        }

    def _connection(self, connection: nengo.Connection) -> dict[str, Any]:
        changed = self._attributes(connection)
        return {
            **self._weights(connection),
            **self._argument("synapse", connection, changed),
        }

    def _weights(self, connection: nengo.Connection) -> dict[str, Any]:
        transform, solver = connection.transform, connection.solver
        if self._model.sig[connection].get("weights") is None:
            return {"transform": None}
        weights = self._value(connection, connection)
        if _is_decoded(connection):
            if solver.weights and isinstance(connection.post_obj, nengo.Ensemble):
                full = NoSolver(weights.T, weights=True)
                # these are all weights; there is nothing left to multiply them with
                full.compositional = False
                return {"solver": full}
            return {
                "function": Zeros(len(weights)),
                "transform": None,
                "solver": NoSolver(weights.T, weights=False),
            }
        if not isinstance(transform, _KNOWN):
            raise NotPossibleError(
                f"{connection} has weights in a {type(transform).__name__}, which "
                "cannot be made with other weights. Take them from `sim.data`"
            )
        if isinstance(transform, nengo.Dense):
            return {"transform": weights}
        if isinstance(transform, nengo.Sparse):
            rows, columns, _ = coordinates(self._model.sig[connection]["weights"])
            indices = np.stack([rows, columns], axis=1)
            weights = SparseMatrix(indices, weights, transform.shape)
        return {"transform": _with_weights(transform, weights)}

    def _value(self, obj: Any, connection: nengo.Connection) -> np.ndarray:
        return self._current(obj, self._model.sig[connection]["weights"])

    def _current(self, obj: Any, signal: Signal) -> np.ndarray:
        """Return the current value of a parameter, in Nengo's precision."""
        value = self._values.get(signal)
        if value is None:  # decoders of a Probe
            value = self._store.value(signal)
        if self._store.batched(signal):
            if not np.array_equal(value, np.broadcast_to(value[:1], value.shape)):
                # without the object in front, `Dense(shape=(1, 1)).weights`
                what = signal.name.rpartition(".")[2]
                raise ValidationError(
                    f"{obj} has learned different {what} in the {len(value)} items of "
                    "the minibatch, and there is room for one. Use a simulator without "
                    "`minibatch_size`; or take what you want from `sim.data`",
                    attr="objs",
                )
            value = value[0]
        initial = initial_elements(signal).reshape(value.shape)
        if np.array_equal(value, initial.astype(value.dtype)):
            value = initial  # all its digits
        return np.array(value, dtype=rc.float_dtype)


class Zeros:
    """A function that returns zeros, for decoders that do not follow from a function.

    Parameters
    ----------
    size : int
        How many.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, x: Any) -> np.ndarray:
        """Return zeros, shape (size,)."""
        return np.zeros(self.size)


def _is_decoded(connection: nengo.Connection) -> bool:
    pre = connection.pre_obj
    return isinstance(pre, nengo.Ensemble) and not isinstance(
        pre.neuron_type, nengo.Direct
    )


def _with_weights(transform: Any, weights: Any) -> Any:
    """Return an equal transform with other weights, in the way of a pickle."""
    state = transform.__getstate__()
    state["init"] = weights
    # what was sampled from the weights before belongs to them
    new = object.__new__(type(transform))
    new.__setstate__(state)
    return new
