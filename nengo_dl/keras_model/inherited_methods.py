"""Arguments of methods that the Keras model of a simulator has from Keras, checked."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from nengo.exceptions import NengoException, ValidationError

from nengo_dl.inputs.arrays import not_dense
from nengo_dl.inputs.checks import check_eager, real_tensor, real_type
from nengo_dl.inputs.streams import is_stream
from nengo_dl.keras_model.arguments import CHOSEN_BY_SHAPE
from nengo_dl.keras_model.loop_options import HELD_OUT_PARTS, KNOWN, check_options
from nengo_dl.validation import NotPossibleError, flag, path_name, refused, within

_SHAPE = "(n_items, n_steps, size)"


class Refusals:
    """What Keras' models can, and that of a simulator cannot: each says what can."""

    def quantize(self, *args: Any, **kwargs: Any) -> None:
        """Refuse: what Keras quantizes are layers, and there are none."""
        raise NotPossibleError(
            "The Keras model of a simulator cannot be quantized: it has no layers of "
            "Keras. `sim.freeze_params(net)` gives a network of Nengo, whose "
            "parameters can be rounded"
        )

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Refuse, as `get_config` does."""
        self.get_config()

    def get_config(self) -> dict[str, Any]:
        """Refuse: a simulator is more than a model of Keras."""
        raise NotPossibleError(
            "A simulator cannot be saved or copied as a model of Keras. Save its "
            "parameters with `sim.save_params(path)` or `sim.keras_model.save_weights("
            "path)`, or pickle the simulator; `sim.export(path)` writes files that run "
            "without Nengo"
        )

    def export(self, *args: Any, **kwargs: Any) -> None:
        """Refuse: what comes out of it depends on the state of the simulation."""
        raise NotPossibleError(
            "The Keras model of a simulator cannot be exported: its state is not among "
            "its variables. `sim.export(path)` writes the network with its state as a "
            "SavedModel, or for LiteRT or ONNX: `sim.export(path, format='litert')`"
        )


class ReadAsArrays(keras.Model):
    """What reads variables as arrays, which no variable has within a `tf.function`."""

    def get_weights(self) -> list[np.ndarray]:
        """Return the parameters of the simulation."""
        check_eager("Cannot read weights as arrays")
        return super().get_weights()

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, Any]:
        """Return all variables by name; see `keras.Model.get_state_tree`."""
        if value_format == "numpy_array":
            check_eager("Cannot read variables as arrays")
        return super().get_state_tree(value_format)


def loop_arguments(
    method: str, positional: Sequence[Any], named: Mapping[str, Any]
) -> dict[str, Any]:
    """Return arguments of Keras' ``fit``, ``evaluate`` or ``predict`` by name.

    Parameters
    ----------
    method : {"fit", "evaluate", "predict"}
        The method of `keras.Model`.
    positional, named : sequence and mapping
        What was given.

    Raises
    ------
    TypeError
        If an argument is not known, or given twice.
    ValidationError
        If one has a wrong value.
    """
    signature = inspect.signature(getattr(keras.Model, method))
    given = dict(signature.bind(None, *positional, **named).arguments)
    del given["self"]
    given.update(given.pop("kwargs", {}))
    own = KNOWN[method] - {"return_dict", "class_weight", "sample_weight"}
    check_options({name: v for name, v in given.items() if name in own}, method)
    if given.get("x") is None:
        raise _no_data(None, "x")
    _check_items(given)
    held_out = given.get("validation_data")
    if held_out is not None and not is_stream(held_out):
        # Keras would look at them after an epoch
        with within("validation_data", HELD_OUT_PARTS):
            parts = keras.utils.unpack_x_y_sample_weight(held_out)
            _check_items(dict(zip(HELD_OUT_PARTS, parts, strict=True)))
    return given


def _check_items(given: Mapping[str, Any]) -> None:
    """Refuse inputs, targets and weights that are no arrays of as many items each."""
    counts: dict[str, int] = {}
    for name in HELD_OUT_PARTS:
        found = count_items(given.get(name), name)
        if found is not None:
            counts[name] = found
    if "x" not in counts and not is_stream(given["x"]):
        raise _no_data(given["x"], "x")
    if len(set(counts.values())) > 1:
        words = ", ".join(f"{count} in {name}" for name, count in counts.items())
        raise ValidationError(
            f"Expected as many items in all of them, got {words}", attr="x"
        )


def count_items(data: Any, name: str) -> int | None:
    """Return the number of items of some arrays; None if there are none, or a stream.

    Raises
    ------
    ValidationError
        If these are no arrays of real numbers.
    """
    if data is None or is_stream(data):
        return None
    counts = set()
    for leaf in keras.tree.flatten(data):
        if leaf is None:
            continue
        if not_dense(leaf):
            real_type(leaf, f"Data in `{name}`", _SHAPE, name)
        if not hasattr(leaf, "__array__") or np.ndim(leaf) < 1:
            raise _no_data(data, name)
        array = leaf if hasattr(leaf, "dtype") else np.asarray(leaf)
        real_type(array, f"Data in `{name}`", _SHAPE, name)
        counts.add(len(leaf))
    if 0 in counts:
        raise ValidationError("Got arrays without items; expected some", attr=name)
    if len(counts) > 1:
        raise ValidationError(
            f"Expected arrays of as many items each, got {sorted(counts)}", attr=name
        )
    return counts.pop() if counts else None


def targets_by_name(y: Any, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return targets of one minibatch by name of the output.

    Parameters
    ----------
    y : dict, list of an array, or array
        What was given.
    names : sequence of str
        Those of all outputs with a loss or a metric.

    Raises
    ------
    ValidationError
        If an output has none, or these are no arrays.
    """
    count_items(y, "y")
    if isinstance(y, list | tuple) and len(y) == 1:
        y = y[0]
    if y is not None and not isinstance(y, Mapping | list | tuple):
        y = {names[0]: y}
    found = y if isinstance(y, Mapping) else {}
    if any(found.get(name) is None for name in names):
        expected = ", ".join(f"{name!r}: array" for name in names)
        raise refused(y, "y", f"targets for all outputs with a loss, {{{expected}}}")
    return {name: np.asarray(values) for name, values in found.items()}


def _no_data(given: Any, name: str) -> ValidationError:
    return refused(
        given,
        name,
        f"arrays of shape {_SHAPE}, by name of the Node or Probe or in a list, or a "
        "dataset",
    )


def check_call(inputs: Mapping[str, Any], training: Any, dtype: tf.DType) -> None:
    """Refuse data for one minibatch that are no tensors, and other modes than two.

    Raises
    ------
    ValidationError
        If the data are none, or beyond the precision of the simulation, or ``training``
        is neither True, False nor None.
    """
    for name, values in inputs.items():
        what = f"Data for {name!r}"
        real_type(values, what, _SHAPE, "inputs")
        if not isinstance(values, keras.KerasTensor):
            real_tensor(values, dtype, what, _SHAPE, "inputs")
    if tf.is_tensor(training) and training.dtype.is_bool and not training.shape.rank:
        return
    if training is not None:
        flag(training, "training", "True, False or None")


def check_losses(loss: Any) -> None:
    """Refuse what is no loss of Keras; it would notice when it trains.

    Raises
    ------
    ValidationError
        If something is neither a function, a loss, the name of one, nor None.
    """
    for leaf in keras.tree.flatten(loss):
        if leaf is None or callable(leaf):
            continue
        if isinstance(leaf, str):
            if leaf in CHOSEN_BY_SHAPE:
                continue
            with refused_by_keras("keras_model.compile"):
                keras.losses.get(leaf)
        else:
            expected = "a loss of Keras, its name or a function f(y_true, y_pred)"
            raise refused(leaf, "loss", expected)


def check_weights(weights: Any, shapes: Sequence[tuple[int, ...]]) -> None:
    """Refuse anything but a list of arrays of these shapes.

    Raises
    ------
    ValidationError
        If it is anything else.
    SimulationError
        Within a `tf.function`.
    """
    check_eager("Cannot set weights")
    expected = "a list of arrays, as `get_weights()` returns it"
    if not isinstance(weights, list | tuple):
        raise refused(weights, "weights", expected)
    given = []
    for values in weights:
        if not hasattr(values, "__array__"):
            raise refused(weights, "weights", expected)
        real_type(values, "Weights", "(size,)", "weights")
        given.append(tuple(np.shape(values)))
    if given != list(shapes):
        raise ValidationError(
            f"Got arrays of shapes {given}; expected {list(shapes)}, as "
            "`get_weights()` returns them",
            attr="weights",
        )


def check_file(path: Any, exists: bool = False) -> None:
    """Refuse what is not the name of a file for ``save_weights`` and ``load_weights``.

    Raises
    ------
    ValidationError
        If it is none, or the file does not exist that has to.
    SimulationError
        Within a `tf.function`.
    """
    check_eager(f"Cannot {'load' if exists else 'save'} weights")
    expected = "the name of a file that ends in '.weights.h5'"
    name = path_name(path, "filepath", expected)
    if exists and not os.path.exists(name):
        raise ValidationError(
            f"There is no file {name!r}. Expected {expected}, which "
            "`sim.keras_model.save_weights` has written",
            attr="filepath",
        )


@contextmanager
def refused_by_keras(method: str) -> Iterator[None]:
    """Tell errors with which Keras refuses arguments in one form.

    Parameters
    ----------
    method : str
        The method, which calls no code of users.
    """
    try:
        yield
    except NengoException:
        raise
    except (TypeError, ValueError, KeyError) as error:
        words = str(error) or type(error).__name__
        raise ValidationError(
            f"Keras refuses the arguments of `{method}`: {words}", attr=method
        ) from error
