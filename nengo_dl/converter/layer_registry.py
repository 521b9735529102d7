"""Which `LayerConverter` is responsible for which kind of layer or operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras

from nengo_dl.user_code import warn_user

if TYPE_CHECKING:
    from nengo_dl.converter.layer_converter import LayerConverter

#: the converter of each kind of layer or operation
CONVERTERS: dict[type, type[LayerConverter] | None] = {}


def register_layer(
    *layer_types: type,
) -> Callable[[type[LayerConverter]], type[LayerConverter]]:
    """Return a decorator that makes a `LayerConverter` responsible for layers.

    Parameters
    ----------
    *layer_types : type
        Classes of layers or operations; subclasses of them need an entry of their own.

    Returns
    -------
    callable
        Takes a subclass of `LayerConverter` and returns it.
    """

    def add(converter: type[LayerConverter]) -> type[LayerConverter]:
        for layer_type in layer_types:
            if CONVERTERS.get(layer_type) not in (None, converter):
                warn_user(
                    f"{converter.__name__} replaces "
                    f"{getattr(CONVERTERS[layer_type], '__name__', None)} as the "
                    f"converter of {layer_type.__name__}",
                    UserWarning,
                )
            CONVERTERS[layer_type] = converter
        return converter

    return add


def operation_type(function: Callable, *args: Any, **kwargs: Any) -> type:
    """Return the class of the operation that a function of ``keras.ops`` stands for.

    Parameters
    ----------
    function : callable
        The function.
    *args, **kwargs
        Arguments of a call; some are tensors without data.

    Returns
    -------
    type
        A subclass of `keras.Operation`; Keras does not export these classes.
    """
    first = keras.tree.flatten(function(*args, **kwargs))[0]
    return type(first._keras_history.operation)


def responsible(layer: Any) -> type[LayerConverter] | None:
    """Return the class that converts a kind of layer, or None."""
    if isinstance(layer, keras.Model):
        return CONVERTERS.get(type(layer), CONVERTERS.get(keras.Model))
    return CONVERTERS.get(type(layer))
