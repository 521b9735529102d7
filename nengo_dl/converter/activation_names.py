"""Activations by one name each, however they are written, and their neuron types."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

import keras
import nengo
import numpy as np
from nengo.exceptions import ValidationError
from nengo.neurons import NeuronType

from nengo_dl.converter.keras_graph import Place
from nengo_dl.neurons import LeakyReLU, LimitedReLU
from nengo_dl.validation import WrongTypeError

#: one activation under several names
_SYNONYMS = {"swish": "silu", "re_lu": "relu"}

#: Keras' default slopes
_SLOPES = {"leaky_relu": 0.2}


def default_neurons() -> dict[Hashable, NeuronType | None]:
    """Return which neuron type has which activation, by canonical name."""
    return {
        "linear": None,
        "relu": nengo.RectifiedLinear(),
        "relu6": LimitedReLU(6.0),
        "sigmoid": nengo.Sigmoid(tau_ref=1),
        "tanh": nengo.Tanh(tau_ref=1),
    }


def with_parameter(key: Hashable, dtype: str = "float32") -> NeuronType | None:
    """Return the neuron type of a name with a number, None if it is no such key.

    Parameters
    ----------
    key : hashable
        What `canonical` returns.
    dtype : str
        The precision of the layer.
    """
    if isinstance(key, tuple) and key[1] is not None:
        if key[0] == "leaky_relu":
            slope = key[1]
            if dtype == "float64":
                # TensorFlow's own has single precision there, too
                slope = float(np.float32(slope))
            return LeakyReLU(negative_slope=slope)
        if key[0] == "limited_relu":
            return LimitedReLU(limit=key[1])
    return None


def canonical(activation: Any) -> Hashable:
    """Return one key for all spellings of an activation.

    Parameters
    ----------
    activation : callable, str, keras.Layer, type, NeuronType or None
        As users and layers write it.

    Returns
    -------
    hashable
        A name, ``("leaky_relu", slope)``, ``("limited_relu", limit)``, a neuron type,
        or the function itself.
    """
    if activation is None:
        return "linear"
    if isinstance(activation, str):
        return canonical(_by_name(activation))
    if isinstance(activation, type):
        if issubclass(activation, NeuronType):
            return activation()
        if issubclass(activation, keras.layers.LeakyReLU):
            return ("leaky_relu", None)
        if issubclass(activation, keras.Layer):
            return canonical(activation())
        return activation
    if isinstance(activation, NeuronType):
        return activation
    if isinstance(activation, keras.Layer | keras.Operation):
        return _of_object(activation)
    return _of_function(activation)


def _of_object(layer: Any) -> Hashable:
    """Return the key of a layer or operation that is an activation."""
    if isinstance(layer, keras.layers.Activation):
        return canonical(layer.activation)
    name = type(layer).__name__
    values = vars(layer)
    if name in ("ReLU", "Relu"):
        limit = values.get("max_value")
        slope, threshold = (values.get(k) or 0 for k in ("negative_slope", "threshold"))
        if limit is None and not threshold:
            return ("leaky_relu", float(slope)) if slope else "relu"
        return layer if slope or threshold else _limited(limit, layer)
    if name == "Clip" and np.ndim(values["x_min"]) == 0 and values["x_min"] == 0:
        return _limited(values["x_max"], layer)
    if name in ("LeakyReLU", "LeakyRelu"):
        return ("leaky_relu", float(values["negative_slope"]))
    if name == "Softmax" and values.get("axis", -1) == -1:
        return "softmax"
    return _ACTIVATION_OPERATIONS.get(name, layer)


def _limited(limit: Any, layer: Any) -> Hashable:
    """Return the key of a rectified line up to a limit."""
    if np.ndim(limit) or not 0 < limit < np.inf:
        return layer
    return "relu6" if limit == 6 else ("limited_relu", float(limit))


def _of_function(function: Callable) -> Hashable:
    """Return the key of a function: its name, if Keras or TensorFlow has made it."""
    module = str(getattr(function, "__module__", ""))
    name = str(getattr(function, "__name__", ""))
    if module.split(".")[0] in ("keras", "tensorflow") and name != "<lambda>":
        name = _SYNONYMS.get(name, name)
        return (name, _SLOPES[name]) if name in _SLOPES else name
    qualified = str(getattr(function, "__qualname__", ""))
    if module and qualified and "<" not in qualified:
        # functions that were loaded again are other objects
        return (module, qualified)
    return function


#: operations of ``keras.ops`` that are activations, by the name of their class
_ACTIVATION_OPERATIONS = {"Sigmoid": "sigmoid", "Tanh": "tanh", "Relu6": "relu6"}


def describe(activation: Any) -> str:
    """Return a name for messages."""
    if activation is None:
        return "None"
    if isinstance(activation, NeuronType | str):
        return str(activation)
    return str(
        getattr(activation, "__name__", None)
        or getattr(activation, "name", None)
        or activation
    )


class Swaps(Mapping):
    """What takes the place of which activation.

    Parameters
    ----------
    swaps : mapping or None
        ``{old: new}``, ``{(layer, old): new}`` and ``{layer or name: {old: new}}``.

    Raises
    ------
    TypeError
        If something new is not an activation.
    """

    def __init__(self, swaps: Mapping | None) -> None:
        if swaps is not None and not isinstance(swaps, Mapping):
            raise WrongTypeError(
                "Expected swap_activations={old: new}, such as "
                f"{{tf.nn.relu: nengo.SpikingRectifiedLinear()}}; got {swaps!r:.100}",
                "swap_activations",
            )
        self._swaps = dict(swaps or {})
        self._used: set[int] = set()
        self._rules: list[tuple[Any, Any, Hashable, Any]] = []
        for key, new in self._swaps.items():
            if isinstance(new, Mapping):
                target, pairs = _target(key), dict(new)
            elif isinstance(key, tuple) and len(key) == 2:
                target, pairs = _target(key[0]), {key[1]: new}
            else:
                target, pairs = None, {key: new}
            self._rules += [
                (target, old, _old(old), _new(value)) for old, value in pairs.items()
            ]

    def __getitem__(self, key: Any) -> Any:
        return self._swaps[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._swaps)

    def __len__(self) -> int:
        return len(self._swaps)

    def unused_keys(self) -> set[Any]:
        """Return the keys that no activation of the model has had.

        Returns
        -------
        set
            Keys as they were given; a pair of layer and key where it is for one layer.
        """
        return {
            old if layer is None else (getattr(layer, "name", layer), old)
            for i, (layer, old, _, _) in enumerate(self._rules)
            if i not in self._used
        }

    def apply(self, layer: Any, place: Place, activation: Any) -> Any:
        """Return what takes the place of an activation of a layer.

        Parameters
        ----------
        layer : keras.Layer or keras.Operation
            Whose activation it is.
        place : Place
            The models that the layer is in.
        activation : Any
            The activation.

        Returns
        -------
        Any
            The activation itself if nothing does.
        """
        wanted = canonical(activation)
        best, rank = None, (0, 0)
        for i, (target, old, key, _) in enumerate(self._rules):
            closeness = 0 if target is None else place.closeness(target, layer)
            if target is not None and not closeness:
                continue
            how = 3 if old is activation else 2 if _equal(key, wanted) else 0
            if not how and isinstance(wanted, tuple) and key == (wanted[0], None):
                how = 1
            if how and (how, closeness) > rank:
                best, rank = i, (how, closeness)
        if best is None:
            return activation
        self._used.add(best)
        return self._rules[best][3]


def _by_name(name: str) -> Any:
    """Return the activation that Keras has under a name."""
    try:
        return keras.activations.get(name)
    except ValueError:
        raise ValidationError(
            f"Keras has no activation {name!r}. Expected the name of one, such as "
            "'relu', a function, a layer or a Nengo neuron type",
            "swap_activations",
        ) from None


def _target(key: Any) -> Any:
    """Return the layer, or the name of one, that a rule is for."""
    if isinstance(key, str | keras.Layer | keras.Operation | keras.KerasTensor):
        return key
    raise WrongTypeError(
        f"Expected a layer or its name before an activation, got {key!r:.100}",
        "swap_activations",
    )


def _old(key: Any) -> Hashable:
    """Return the canonical key of an activation that another one takes the place of."""
    known = NeuronType | keras.Layer | keras.Operation
    if key is None or isinstance(key, str | NeuronType):
        return canonical(key)
    if callable(key) and not (isinstance(key, type) and not issubclass(key, known)):
        try:
            return canonical(key)
        except TypeError:
            pass  # a class that cannot be made without arguments
    raise WrongTypeError(
        "Expected an activation as the key: a function, its name, a layer, a neuron "
        f"type or None; got {key!r:.100}",
        "swap_activations",
    )


def _equal(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and bool(one == other))


def _new(value: Any) -> Any:
    """Return a new activation; classes are instantiated."""
    if isinstance(value, type):
        if issubclass(value, NeuronType | keras.Layer):
            return value()
    elif value is None or isinstance(value, NeuronType) or callable(value):
        return value
    elif isinstance(value, str):
        return _by_name(value)
    raise WrongTypeError(
        "Expected a Nengo neuron type, a function of a tensor or "
        f"None as the new activation; got {value!r:.100}",
        "swap_activations",
    )
