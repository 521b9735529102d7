"""What an optimizer does with gradients, as a graph whose numbers are inputs.

Keras' optimizers hold momentum, decays and thresholds as numbers of Python. These would
become constants of what is compiled, so that each combination is compiled anew. So the
step is traced by itself, its constants are taken out, and what is compiled reads them
from a variable. No formula of Keras' is known here.

Without XLA updates are the same to the last bit. With XLA they are so for all
optimizers of Keras as far as it was tried, but for `Adam` with ``weight_decay`` and
``clipnorm`` at once: code that has a number built in may be rounded otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from nengo_dl.program.python_errors import in_own_words
from nengo_dl.program.traces import Traces
from nengo_dl.program.value_keys import known_by_value
from nengo_dl.training.optimizers import optimizer_key, optimizer_variables

#: operations that XLA computes alike whether a number is constant or not; it has other
#: ways for division by a constant, and for powers with a constant exponent
_ALIKE = {"Add", "AddV2", "Sub", "Mul", "Maximum", "Minimum"}


@dataclass(frozen=True)
class _Graph:
    """The step of an optimizer, equal for all optimizers that take equal steps.

    Attributes
    ----------
    definition : tf.compat.v1.GraphDef
        Its operations, without those that stand for its inputs.
    inputs : tuple of str
        Names of gradients and of captured variables.
    captured : tuple of int
        The numbers of these variables among those of the optimizer.
    names : tuple of (str, tf.DType)
        Names and types of the constants that are inputs.
    numbers : tf.Variable, shape (n_numbers,)
        Their values, which nobody changes.
    key : str
        Equal for graphs that differ in these numbers alone.
    """

    definition: Any
    inputs: tuple[str, ...]
    captured: tuple[int, ...]
    names: tuple[tuple[str, tf.DType], ...]
    numbers: tf.Variable
    key: str


#: graphs by the configuration of the optimizer; None where numbers stay constants
_graphs = Traces()


class OptimizerStep:
    """What an optimizer does with gradients, ready to become part of a larger step.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        Built for the variables.
    trained : sequence of tf.Variable
        What it changes.
    constrain : callable, optional
        ``constrain(identities of variables)`` is called after each update, with those
        that are trained.

    Attributes
    ----------
    variables : list of tf.Variable
        All that a step reads and changes besides ``trained``.
    key : Hashable
        Equal steps of equal optimizers have equal ones, whatever their numbers are.
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer,
        trained: Sequence[tf.Variable],
        constrain: Callable[[Collection[int]], None] | None = None,
    ) -> None:
        self._optimizer, self._trained = optimizer, list(trained)
        self._constrain = constrain
        self.variables = optimizer_variables(optimizer)
        self.key: Hashable = optimizer_key(optimizer)
        self._held = [*self.variables, *self._trained]
        self._graph: _Graph | None = None
        if trained and optimizer.built and known_by_value(self.key):
            types = tuple(
                (v.shape, v.dtype.name, v.name, v.device) for v in self._trained
            )
            (self._graph,) = _graphs.get(
                (self.key, types), lambda: (_traced(optimizer, trained, self._held),)
            )
        if self._graph is not None:
            # the loss is scaled outside of the graph
            self.key = (self._graph.key, optimizer.loss_scale_factor)
            self.variables.append(self._graph.numbers)

    def __call__(self, gradients: Sequence[tf.Tensor], *_: Any) -> None:
        """Change the variables.

        Parameters
        ----------
        gradients : sequence of tf.Tensor, shape variable.shape
            Of what is minimized, in the order of the variables.
        """
        self._update(gradients)
        if self._constrain is not None:
            self._constrain({id(variable) for variable in self._trained})

    def _update(self, gradients: Sequence[tf.Tensor]) -> None:
        graph = self._graph
        if graph is None or tf.executing_eagerly():
            apply = type(self._optimizer).apply  # whatever is in its place
            apply(self._optimizer, gradients, self._trained)
            return
        capture = tf.compat.v1.get_default_graph().capture
        handles = [capture(self._held[i].handle) for i in graph.captured]
        inputs = dict(zip(graph.inputs, (*gradients, *handles), strict=True))
        for i, (name, dtype) in enumerate(graph.names):
            inputs[name] = tf.cast(graph.numbers[i], dtype)
        tf.graph_util.import_graph_def(graph.definition, inputs, name="update")

    def scaled(self, loss: tf.Tensor) -> tf.Tensor:
        """Return the loss to differentiate, of which a step expects the gradients.

        Scaled by `keras.optimizers.LossScaleOptimizer`, or by ``loss_scale_factor``.
        """
        scaled = self._optimizer.scale_loss(tf.cast(loss, tf.float32))
        return tf.cast(scaled, loss.dtype)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let whoever calls ``optimizer.apply`` take this step."""
        if self._graph is None and self._constrain is None:
            yield
            return
        vars(self._optimizer)["apply"] = self
        try:
            yield
        finally:
            del vars(self._optimizer)["apply"]


def _traced(
    optimizer: keras.optimizers.Optimizer,
    trained: Sequence[tf.Variable],
    held: Sequence[tf.Variable],
) -> _Graph | None:
    """Return the step as a graph; None if nothing can be taken out of it."""

    def step(*gradients: tf.Tensor) -> None:
        optimizer.apply(list(gradients), list(trained))

    specs = [tf.TensorSpec(v.shape, v.dtype) for v in trained]
    with in_own_words():
        concrete = tf.function(step, autograph=False).get_concrete_function(*specs)
    operations = concrete.graph.get_operations()
    numbers = list(filter(_is_number, operations))
    places = {id(variable.handle): i for i, variable in enumerate(held)}
    captured = tuple(places.get(id(t), -1) for t in concrete.captured_inputs)
    if not numbers or -1 in captured or any(map(_has_functions, operations)):
        return None
    inputs = concrete.graph.inputs
    given = {op.name for op in numbers} | {tensor.op.name for tensor in inputs}
    full = concrete.graph.as_graph_def()
    definition = tf.compat.v1.GraphDef(versions=full.versions)
    definition.node.extend(node for node in full.node if node.name not in given)
    with tf.device(trained[0].device):
        values = tf.Variable(list(map(_value, numbers)), False, dtype="float64")
    return _Graph(
        definition,
        tuple(tensor.name for tensor in inputs),
        captured,
        tuple((op.outputs[0].name, op.outputs[0].dtype) for op in numbers),
        values,
        _digest(operations, numbers, captured),
    )


def _value(constant: tf.Operation) -> float:
    return float(tf.make_ndarray(constant.get_attr("value")))


def _is_number(op: tf.Operation) -> bool:
    """Return whether an operation is a constant that may be an input as well.

    0 and 1 are not: XLA leaves out what does nothing.
    """
    if op.type != "Const" or not op.outputs[0].dtype.is_floating:
        return False
    out = op.outputs[0]
    return (
        out.shape.rank == 0
        and _value(op) not in (0.0, 1.0)
        and all(
            other.type in _ALIKE or (other.type == "Pow" and other.inputs[1] is not out)
            for other in out.consumers()
        )
    )


def _has_functions(op: tf.Operation) -> bool:
    """Return whether an operation calls functions, whose names differ every time."""
    attributes = op.node_def.attr.values()
    return any(value.HasField("func") or value.list.func for value in attributes)


def _digest(
    operations: Sequence[tf.Operation],
    numbers: Sequence[tf.Operation],
    captured: Sequence[int],
) -> str:
    """Return what graphs have in common that differ in names and numbers alone."""
    order = {op: i for i, op in enumerate(operations)}
    taken = set(numbers)
    found = [
        (
            op.type,
            [(order[tensor.op], tensor.value_index) for tensor in op.inputs],
            sorted(order[other] for other in op.control_inputs),
            [
                (name, value.SerializeToString(deterministic=True))
                for name, value in sorted(op.node_def.attr.items())
                if not name.startswith("_") and not (op in taken and name == "value")
            ],
        )
        for op in operations
    ]
    text = repr((found, [order[op] for op in numbers], list(captured)))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
