"""TensorFlow code within a Nengo network: a Node with a function of tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from nengo import Config, Network, Node
from nengo.base import NengoObject
from nengo.builder import Builder, Model
from nengo.builder.operator import Reset
from nengo.builder.signal import Signal
from nengo.exceptions import SimulationError, ValidationError
from nengo.params import BoolParam, Default, Parameter

from nengo_dl import config
from nengo_dl.graph.tensor_operator import SimTensorNode
from nengo_dl.lowering.tensor_nodes.first_weights import begin, beginnings
from nengo_dl.lowering.tensor_nodes.function import (
    TensorFunction,
    infer_shape_out,
    takes_time_unasked,
)
from nengo_dl.lowering.tensor_nodes.item_shapes import item_shape

Shape = tuple[int, ...]


class TensorNode(Node):
    r"""A Node that computes :math:`y = f(t, x)` in TensorFlow.

    Parameters
    ----------
    tensor_func : callable, keras.Layer or subclass of keras.Layer
        The function. Its first argument is the time (s), a tensor of shape () with the
        simulation's dtype, if ``pass_time``. The next is the input, of shape
        ``(minibatch_size, *shape_in)``, if ``shape_in`` is given. It returns a tensor
        of shape ``(minibatch_size, *shape_out)``. It may have an argument ``training``.
        A Keras layer is called with a list ``[t, x]``, or with ``t`` and ``x`` if its
        ``call`` has two arguments. A class is instantiated first.
    shape_in : tuple of int or int, optional
        Shape of the input for one item; None: no input.
    shape_out : tuple of int or int, optional
        Shape of the output for one item; None: the function is called once, without
        data, to find out.
    pass_time : bool, optional
        Whether the function is called with the time. By default it is, unless it is
        one of Keras' own layers or models and takes one tensor.
    label : str, optional
        A name, used in messages and in files of parameters.
    size_in, size_out : int, optional
        Older names of ``shape_in`` and ``shape_out``, for vectors.

    Attributes
    ----------
    tensor_func : callable or keras.Layer
        The function.
    shape_in, shape_out : tuple of int or None
        Shapes for one item.
    pass_time : bool
        Whether the function is called with the time.

    Raises
    ------
    ValidationError
        If the arguments do not fit together, or the function returns another type or
        shape than expected.

    Notes
    -----
    With `nengo.params.Default`, an argument has its value in the network's
    configuration, or else the default given here.

    Variables of layers, and those that a function uses, are parameters of the
    simulation: each Simulator makes a copy with their current values, to which
    ``sim.reset`` returns. They are trained if they are trainable in TensorFlow.

    In training, many time steps may be computed in one batch. The output of the
    function for one item must not depend on other items.

    Examples
    --------
    >>> import nengo, nengo_dl, tensorflow as tf
    >>> with nengo.Network() as net:
    ...     node = nengo_dl.TensorNode(lambda t, x: tf.exp(x), shape_in=(2,))
    >>> node.shape_out
    (2,)
    """

    tensor_func = Parameter("tensor_func", default=None, optional=True)
    shape_in = Parameter("shape_in", default=None, optional=True)
    shape_out = Parameter("shape_out", default=None, optional=True)
    pass_time = BoolParam("pass_time", default=True)

    def __init__(
        self,
        tensor_func: Any,
        shape_in: Any = Default,
        shape_out: Any = Default,
        pass_time: Any = Default,
        label: Any = Default,
        *,
        size_in: Any = None,
        size_out: Any = None,
    ) -> None:
        tensor_func = _configured("tensor_func", tensor_func)
        shape_in = _one_of("shape_in", shape_in, "size_in", size_in)
        shape_out = _one_of("shape_out", shape_out, "size_out", size_out)
        if isinstance(tensor_func, type) and issubclass(tensor_func, keras.Layer):
            tensor_func = tensor_func()
        asked = pass_time is not Default
        pass_time = _configured("pass_time", pass_time)
        if not isinstance(pass_time, bool | np.bool_):
            raise ValidationError(
                f"Expected True or False, got {pass_time!r}", attr="pass_time"
            )
        if not asked and shape_in is not None and not takes_time_unasked(tensor_func):
            pass_time = False
        if not callable(tensor_func):
            raise ValidationError(
                "Expected a function of tensors or a Keras layer, got "
                f"{tensor_func!r}; constants and NumPy functions belong into a "
                "nengo.Node",
                attr="tensor_func",
            )
        if shape_in is None and not pass_time:
            raise ValidationError(
                "The function would get no arguments: expected shape_in, "
                "pass_time=True, or both",
                attr="pass_time",
            )
        # before anything is added to the network: the function may be wrong
        function = TensorFunction(
            tensor_func, shape_in, shape_out, bool(pass_time), _label(label)
        )
        if shape_out is None:
            shape_out = infer_shape_out(function, _dtype())
        NengoObject.__init__(self, label=label, seed=None)
        self.size_in = _size(shape_in)
        self.size_out = _size(shape_out)
        self.output = _elsewhere
        self.tensor_func = tensor_func
        self.shape_in = shape_in
        self.shape_out = shape_out
        self.pass_time = pass_time

    def __getstate__(self) -> dict[str, Any]:
        firsts = beginnings(self.function().variables)
        return {**super().__getstate__(), "beginnings": firsts}

    def __setstate__(self, state: dict[str, Any]) -> None:
        firsts = state.pop("beginnings", {})
        super().__setstate__(state)
        begin(self.function().variables, firsts)

    def function(self) -> TensorFunction:
        """Return the function with what it was declared to be."""
        return TensorFunction(
            self.tensor_func, self.shape_in, self.shape_out, self.pass_time, str(self)
        )


def reshaped(shape_in: Sequence[int]) -> Callable[[Callable], Callable]:
    """Return a decorator that reshapes the input of a function of vectors.

    Parameters
    ----------
    shape_in : tuple of int
        Shape of the input for one item.

    Returns
    -------
    callable
        Takes a function ``f(t, x)`` with x of shape ``(batch, *shape_in)``, returns one
        with x of shape ``(batch, size_in)`` and an output of shape
        ``(batch, size_out)``.

    Examples
    --------
    >>> import nengo_dl, tensorflow as tf
    >>> @nengo_dl.reshaped((2, 3))
    ... def transpose(t, x):
    ...     return tf.transpose(x, (0, 2, 1))
    >>> transpose(0.0, tf.ones((5, 6))).shape
    TensorShape([5, 6])
    """
    import functools

    import tensorflow as tf

    shape = item_shape("shape_in", shape_in)

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def flat(t: Any, x: tf.Tensor) -> tf.Tensor:
            result = function(t, tf.reshape(x, (x.shape[0], *(shape or ()))))
            return tf.reshape(result, (result.shape[0], -1))

        return flat

    return decorate


@Builder.register(TensorNode)
def build_tensor_node(model: Model, node: TensorNode) -> None:
    """Add the operator of a TensorNode, and its signals, to a model."""
    source = None
    if node.size_in > 0:
        source = Signal(shape=node.size_in, name=f"{node}.in")
        model.add_op(Reset(source))
    target = Signal(shape=node.size_out, name=f"{node}.out")
    time = model.time if node.pass_time else None
    model.add_op(SimTensorNode(node.function(), time, source, target, tag=str(node)))
    model.sig[node]["in"] = source
    model.sig[node]["out"] = target
    model.params[node] = None


def _elsewhere(t: float, x: Any = None) -> None:
    """Say what other simulators cannot do: they call the output of Nodes."""
    raise SimulationError("A TensorNode can be run by `nengo_dl.Simulator` only")


def _configured(name: str, value: Any) -> Any:
    """Return a parameter, which is the network's where its default was asked for."""
    return Config.default(TensorNode, name) if value is Default else value


def _one_of(name: str, shape: Any, older: str, size: Any) -> Shape | None:
    """Return a shape that was given by one of two names."""
    if size is None or size is Default:
        return item_shape(name, _configured(name, shape))
    if shape is not None and shape is not Default:
        raise ValidationError(
            f"`{older}` is another name of `{name}`; expected one of them", attr=name
        )
    return item_shape(older, size)


def _size(shape: Shape | None) -> int:
    return 0 if shape is None else int(np.prod(shape))


def _label(label: Any) -> str:
    named = isinstance(label, str)
    return f"<TensorNode {label!r}>" if named else "<TensorNode (unlabeled)>"


def _dtype() -> str:
    """Return the precision that the network in whose context this is will have."""
    outermost = Network.context[0] if len(Network.context) else None
    return config.resolve(outermost).dtype
