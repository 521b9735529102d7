"""Networks built layer by layer: functions or neurons, with Connections to them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import keras
import nengo
import numpy as np
from nengo.base import ObjView
from nengo.exceptions import ValidationError
from nengo.neurons import NeuronType
from nengo.params import BoolParam

from nengo_dl.lowering.tensor_nodes.item_shapes import check_axes, item_shape
from nengo_dl.tensor_node import TensorNode
from nengo_dl.validation import flag, refused, synapse_of

#: what a function that is called layer by layer leaves to the TensorNode
_OF_NODE = ("shape_out", "label")
#: what decides how neurons respond to their input
_CURVE = ("max_rates", "intercepts")
_TUNING = ("gain", "bias", *_CURVE)


class Layer:
    """Apply a Keras layer, TensorFlow function or neuron type to an object's output.

    Parameters
    ----------
    layer_func : callable, keras.Layer or nengo.neurons.NeuronType
        A function ``f(x)`` of a tensor of shape ``(minibatch_size, *shape_in)``; a
        layer of Keras, or a class of layers; or a neuron type.

    Raises
    ------
    ValidationError
        If ``layer_func`` is none of these.

    Examples
    --------
    >>> import keras, nengo, nengo_dl
    >>> with nengo.Network() as net:
    ...     image = nengo.Node([0.0] * 64)
    ...     x = nengo_dl.Layer(keras.layers.Conv2D(4, 3))(image, shape_in=(8, 8, 1))
    ...     x = nengo_dl.Layer(nengo.LIF(amplitude=0.01))(x)
    ...     x = nengo_dl.Layer(keras.layers.Dense(10))(x)
    >>> x.shape_out
    (10,)
    """

    def __init__(self, layer_func: Any) -> None:
        is_type = isinstance(layer_func, type)
        if is_type and issubclass(layer_func, NeuronType):
            layer_func = layer_func()
        if not (isinstance(layer_func, NeuronType) or callable(layer_func)):
            raise ValidationError(
                "Expected a function of a tensor, a Keras layer or a Nengo neuron "
                f"type, got {layer_func!r:.100}",
                attr="layer_func",
            )
        self.layer_func = layer_func

    def __call__(
        self,
        input: Any,
        transform: Any = nengo.params.Default,
        shape_in: Any = None,
        synapse: Any = None,
        return_conn: bool = False,
        **layer_args: Any,
    ) -> Any:
        """Apply the layer to the output of an object.

        Parameters
        ----------
        input : nengo.Node, Ensemble, Neurons or a slice of one
            The object whose output is the input of the layer.
        transform : array_like, nengo.transforms.Transform or Distribution, optional
            Transform of the Connection; it is not trained. With a Distribution, the
            layer's input has the shape ``shape_in``.
        shape_in : tuple of int or int, optional
            Shape of the layer's input for one item; None: a flat vector, whatever the
            shape of ``input``.
        synapse : float, nengo.synapses.Synapse or None, optional
            Synapse of the Connection.
        return_conn : bool, optional
            Whether to return the Connection too.
        **layer_args
            For neuron types: arguments of `nengo.Ensemble`. For classes of layers:
            their arguments. For functions: further arguments of the function.
            ``shape_out`` and ``label`` are arguments of the TensorNode.

            By default neurons have a gain of 1 and a bias of 0, so that their input is
            their current. ``gain``, ``bias``, ``max_rates`` or ``intercepts``, given
            here or in the network's configuration, change that.

        Returns
        -------
        TensorNode or nengo.ensemble.Neurons
            The layer; with ``return_conn`` a tuple of it and the Connection.

        Raises
        ------
        ValidationError
            If ``input`` is nothing that a Connection can begin at; if ``shape_in`` has
            another number of elements than the input, or is missing and the Keras layer
            needs more than one axis.
        """
        _check_input(input)
        shape_in = item_shape("shape_in", shape_in)
        synapse = synapse_of(synapse)
        return_conn = flag(return_conn, "return_conn")
        if hasattr(transform, "numpy"):  # a tensor
            transform = np.asarray(transform)
        size_in = _size_in(input, transform, shape_in)
        if isinstance(self.layer_func, NeuronType):
            layer: Any = self._neurons(size_in, layer_args)
        else:
            known = None if shape_in else _shape_before(input, transform)
            layer = self._node(shape_in or (size_in,), known, layer_args)
        connection = nengo.Connection(
            input, layer, transform=transform, synapse=synapse
        )
        _not_trainable(connection)
        return (layer, connection) if return_conn else layer

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.layer_func!r})"

    def _neurons(self, size: int, arguments: dict[str, Any]) -> Any:
        """Return the neurons of an Ensemble whose input is their current."""
        given = {n for n in _TUNING if n in arguments or _configured(n)}
        if given.isdisjoint(_CURVE):
            # Nengo takes a gain and a bias, or neither
            for name, value in (("gain", 1), ("bias", 0)):
                if name not in given:
                    arguments = {name: nengo.dists.Choice([value]), **arguments}
        ensemble = nengo.Ensemble(size, 1, neuron_type=self.layer_func, **arguments)
        return ensemble.neurons

    def _node(
        self,
        shape_in: tuple[int, ...],
        known: tuple[int, ...] | None,
        arguments: dict[str, Any],
    ) -> TensorNode:
        """Return a TensorNode with a function of its input.

        ``known`` is a shape that the input has where it comes from, if no other was
        asked for: the one to write, where a flat vector does not do.
        """
        function = self.layer_func
        own = {name: arguments.pop(name) for name in _OF_NODE if name in arguments}
        if isinstance(function, type) and issubclass(function, keras.Layer):
            function, arguments = function(**arguments), {}
        if arguments:
            if isinstance(function, keras.Layer):
                raise ValidationError(
                    f"The layer {function.name!r} is made already, and takes no "
                    f"arguments; got {', '.join(arguments)}",
                    attr="layer_func",
                )
            function = _Applied(function, arguments)
        if isinstance(function, keras.Layer):
            check_axes(function, shape_in, known)
        try:
            return TensorNode(function, shape_in=shape_in, pass_time=False, **own)
        except ValidationError as error:
            if known is None:
                raise
            problem = str(error).removeprefix("tensor_func: ").rstrip(".")
            raise ValidationError(
                f"{problem}. Without `shape_in` the input is a flat vector; write "
                f"`shape_in={known}` for the shape that it has where it comes from",
                attr="layer_func",
            ) from error


class _Applied:
    """A function of a tensor with further arguments; unlike a closure it pickles."""

    def __init__(self, function: Callable, arguments: dict[str, Any]) -> None:
        self.function = function
        self.arguments = arguments
        self.__name__ = getattr(function, "__name__", type(function).__name__)

    def __call__(self, x: Any) -> Any:
        return self.function(x, **self.arguments)


def tensor_layer(
    input: Any,
    layer_func: Any,
    shape_in: Any = None,
    synapse: Any = None,
    transform: Any = nengo.params.Default,
    return_conn: bool = False,
    **layer_args: Any,
) -> Any:
    """Apply a layer to an object; an older form of `nengo_dl.Layer`.

    Parameters
    ----------
    input : nengo.Node, Ensemble, Neurons or a slice of one
        The object whose output is the input of the layer.
    layer_func : callable, keras.Layer or nengo.neurons.NeuronType
        See `Layer`.
    shape_in, synapse, transform, return_conn, **layer_args
        See `Layer.__call__`.

    Returns
    -------
    TensorNode or nengo.ensemble.Neurons
        The layer; with ``return_conn`` a tuple of it and the Connection.

    Warns
    -----
    DeprecationWarning
        Always: it shows the current form.

    Examples
    --------
    >>> nengo_dl.tensor_layer(a, f, shape_in=(2, 2))  # doctest: +SKIP
    >>> nengo_dl.Layer(f)(a, shape_in=(2, 2))  # doctest: +SKIP
    """
    warnings.warn(
        "`tensor_layer(input, f, ...)` is an older form; the current one is "
        "`nengo_dl.Layer(f)(input, ...)`",
        DeprecationWarning,
        stacklevel=2,
    )
    if transform is None or (np.ndim(transform) == 0 and np.all(transform == 1)):
        transform = nengo.params.Default
    return Layer(layer_func)(
        input, transform, shape_in, synapse, return_conn, **layer_args
    )


def _check_input(input: Any) -> None:
    """Raise an error if no layer can be connected to something."""
    obj = input.obj if isinstance(input, ObjView) else input
    if not isinstance(obj, nengo.Node | nengo.Ensemble | nengo.ensemble.Neurons):
        raise refused(input, "input", "a Node, an Ensemble, Neurons or a slice of one")


def _size_in(input: Any, transform: Any, shape_in: tuple[int, ...] | None) -> int:
    """Return how many numbers the layer gets.

    Raises
    ------
    ValidationError
        If it is known how many arrive, and ``shape_in`` has another number of elements.
    """
    wanted = None if shape_in is None else math.prod(shape_in)
    if isinstance(transform, nengo.dists.Distribution):
        return input.size_out if wanted is None else wanted
    if transform is nengo.params.Default or transform is None:
        size = input.size_out
    elif isinstance(transform, nengo.transforms.Transform):
        size = transform.size_out
    else:
        _check_numbers(transform)
        size = np.shape(transform)[0] if np.ndim(transform) == 2 else input.size_out
    if wanted not in (None, size):
        raise ValidationError(
            f"shape_in={shape_in} has {wanted} elements, and the input {size}",
            attr="shape_in",
        )
    return size


def _check_numbers(transform: Any) -> None:
    """Raise an error if a transform is not a number or an array of numbers."""
    try:
        array = np.asarray(transform)
        good = array.ndim < 3 and array.dtype.kind in "biuf"
        good = good and bool(np.isfinite(array).all())
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValidationError(
            "Expected a nengo Transform, a Distribution, a finite number or an array "
            f"of such numbers, got {transform!r:.100}",
            attr="transform",
        )


def _shape_before(input: Any, transform: Any) -> tuple[int, ...] | None:
    """Return the shape with more than one axis that the input comes from, if any.

    Neurons compute element by element, so the shape of a TensorNode goes through them.
    """
    if not (transform is nengo.params.Default or transform is None):
        return None
    while isinstance(input, nengo.ensemble.Neurons):
        leading = [c for c in _connections() if c.post_obj is input]
        if len(leading) != 1 or leading[0].post is not input:
            return None
        if not isinstance(leading[0].transform, nengo.transforms.NoTransform):
            return None
        input = leading[0].pre
    if not isinstance(input, TensorNode) or len(input.shape_out) < 2:
        return None
    return input.shape_out


def _connections() -> list[nengo.Connection]:
    """Return the Connections of the networks in whose context this is."""
    return nengo.Network.context[0].all_connections if nengo.Network.context else []


def _configured(name: str) -> bool:
    """Return whether the user has set a parameter of all Ensembles here."""
    default = getattr(nengo.Ensemble, name).default
    return nengo.Config.default(nengo.Ensemble, name) is not default


def _not_trainable(connection: nengo.Connection) -> None:
    """Leave all training to the layer itself."""
    network = nengo.Network.context[-1]
    params = network.config[nengo.Connection]
    if "trainable" not in params.extra_params:
        params.set_param(
            "trainable", BoolParam("trainable", default=None, optional=True)
        )
    network.config[connection].trainable = False
