"""What layers of Keras in TensorNodes ask of training: losses of theirs, constraints.

Keras keeps both with the layers, and applies them where it trains a model. Here the
weights of layers are Signals, in blocks that optimizers see as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal
from nengo.exceptions import ValidationError

from nengo_dl.graph.roles import Role
from nengo_dl.graph.tensor_operator import SimTensorNode, tensor_nodes
from nengo_dl.lowering.tensor_nodes.precision import floatx
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.layout import SignalLayout

#: takes the values of a weight
OfWeight = Callable[[tf.Tensor], tf.Tensor]


@dataclass(frozen=True, eq=False)
class LayerRules:
    """The regularizers and constraints of weights, and losses that layers add.

    Attributes
    ----------
    regularizers : dict of {Signal: callable}
        What of a trained weight is added to the loss.
    constraints : dict of {Signal: callable}
        What a trained weight becomes after each update.
    added : tuple of Signal
        What calls of layers add to the loss.
    """

    regularizers: Mapping[Signal, OfWeight]
    constraints: Mapping[Signal, OfWeight]
    added: tuple[Signal, ...]

    @property
    def has_losses(self) -> bool:
        """Whether something is added to the loss."""
        return bool(self.regularizers or self.added)

    def __bool__(self) -> bool:
        return self.has_losses or bool(self.constraints)

    def loss(
        self,
        layout: SignalLayout,
        live: SignalValues,
        outputs: Mapping[Any, tf.Tensor],
    ) -> tf.Tensor:
        """Return the sum of all that is added to the loss, shape ().

        A weight counts once, however many layers and time steps use it; what calls of
        layers add counts in each time step, as calls of a layer do in Keras.

        Parameters
        ----------
        layout : SignalLayout
            Where parameters live in the simulation.
        live : SignalValues
            Their values.
        outputs : mapping of Signal to tf.Tensor, shape (batch, n_steps, 1)
            Values of ``added``, the same for all items.
        """
        dtype = live.dtype
        with floatx(dtype.name):
            losses = [
                _applied(regularizer, "regularizer", signal, (), layout, live)
                for signal, regularizer in self.regularizers.items()
            ]
        for signal in self.added:
            losses.append(tf.reduce_sum(tf.reduce_mean(outputs[signal], axis=0)))
        return tf.add_n(losses) if losses else tf.zeros((), dtype)

    def constrain(
        self,
        layout: SignalLayout,
        params: Sequence[tf.Variable],
        trained: Collection[int],
    ) -> None:
        """Apply all constraints, each to a weight as a whole.

        Parameters
        ----------
        layout : SignalLayout
            Where parameters live in the simulation.
        params : sequence of tf.Variable, shape (size,)
            The parameter blocks, in the order of the layout.
        trained : collection of int
            Identities of those that are trained.
        """
        for i, variable in zip(layout.of_role(Role.PARAM), params, strict=True):
            block = layout.blocks[i]
            own = self.constraints.keys() & set(block.signals)
            if not own or id(variable) not in trained:
                continue
            values = SignalValues(layout, {i: variable.value()}, 1, variable.dtype)
            with floatx(variable.dtype.name):
                for signal in block.signals:
                    if signal in own:
                        rule, shape = self.constraints[signal], signal.shape
                        new = _applied(
                            rule, "constraint", signal, shape, layout, values
                        )
                        values.set(layout.view([signal], shape), new)
            variable.assign(values.read(layout.view(block.signals, (block.size,))))


def rules_of(operators: Iterable[Operator], trained: Collection[Signal]) -> LayerRules:
    """Return what the layers of all TensorNodes ask of training.

    Parameters
    ----------
    operators : iterable of Operator
        Those of the network.
    trained : collection of Signal
        The parameters that an optimizer may change.
    """
    found: dict[str, dict[Signal, OfWeight]] = {"regularizer": {}, "constraint": {}}
    added: list[Signal] = []
    for op in tensor_nodes(operators):
        if op.added is not None:
            added.append(op.added)
        pairs = zip(op.weights.values(), op.bound.weights, strict=True)
        for signal, variable in pairs:
            for name, of_all in found.items():
                rule = getattr(variable, name, None)
                if rule is not None and signal in trained:
                    of_all[signal] = rule
    return LayerRules(found["regularizer"], found["constraint"], tuple(added))


def assigned_weights(op: SimTensorNode) -> list[str]:
    """Return the names of trainable variables that a function assigns to in training.

    They count as averages, which no optimizer changes: that of `keras.layers.
    SpectralNormalization`, for example.
    """
    names = list(op.weights)
    return [names[k] for k in op.bound.adapted if op.bound.weights[k].trainable]


def _applied(
    rule: OfWeight,
    what: str,
    signal: Signal,
    shape: tuple[int, ...],
    layout: SignalLayout,
    values: SignalValues,
) -> tf.Tensor:
    """Return what a regularizer or a constraint makes of a weight.

    Parameters
    ----------
    rule : callable
        The regularizer or constraint.
    what : str
        Which of them it is, for messages.
    signal : Signal
        The weight.
    shape : tuple of int
        Shape of the result; for () the sum of what is returned is taken.
    layout, values : SignalLayout, SignalValues
        Where the values of weights are.

    Raises
    ------
    ValidationError
        If it fails, or returns something else.
    """
    weight = values.read(layout.view([signal], signal.shape))
    try:
        found = tf.convert_to_tensor(rule(weight))
    except Exception as error:
        raise ValidationError(
            f"The {what} of {signal.name}, called with a tensor of shape "
            f"{tuple(weight.shape)}, raised {type(error).__name__}: {error}",
            attr=what,
        ) from error
    if not shape:
        found = tf.reduce_sum(found)
    if tuple(found.shape) != tuple(shape):
        raise ValidationError(
            f"The {what} of {signal.name} returned a tensor of shape {found.shape}. "
            f"Expected {shape}, that of the weight",
            attr=what,
        )
    return tf.cast(found, values.dtype)
