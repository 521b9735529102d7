"""Tensors that stand in for the variables of somebody else's code.

A simulation keeps the weights of TensorFlow code among its own parameters. While the
code is traced, they take the place of the variables that it was written with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import tensorflow as tf

Variable = Any  # a keras.Variable or a tf.Variable


class StandIns:
    """The values that variables have while code is traced.

    Parameters
    ----------
    variables : sequence of keras.Variable or tf.Variable
        The variables.
    values : sequence of tf.Tensor
        Their values at the beginning.
    layers : bool
        Whether the code calls layers, which are built: what they add to the loss is
        taken from them even if none of the variables is theirs.

    Attributes
    ----------
    losses : list of tf.Tensor
        What layers have added to the loss, with ``add_loss`` or because they have an
        activity regularizer.
    """

    def __init__(
        self,
        variables: Sequence[Variable],
        values: Sequence[tf.Tensor],
        layers: bool = False,
    ) -> None:
        self.variables = list(variables)
        self.losses: list[tf.Tensor] = []
        self._first = list(values)
        self._last = list(values)
        self._layers = layers
        self._scope: Any = None

    @property
    def values(self) -> list[tf.Tensor]:
        """The values that the variables have now."""
        return list(self._last)

    @property
    def changed(self) -> list[int]:
        """Numbers of the variables that the code has changed."""
        pairs = zip(self._first, self._last, strict=True)
        return [i for i, (first, last) in enumerate(pairs) if first is not last]

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Let the values stand in for the variables, as long as the context is open."""
        own = [i for i, v in enumerate(self.variables) if isinstance(v, keras.Variable)]
        with ExitStack() as stack:
            for i, variable in enumerate(self.variables):
                # older releases of Keras let TensorFlow read the storage directly
                stack.enter_context(self._patched(i, storage(variable)))
            # variables that are made within such a scope get no values at once, so
            # there is none without need
            scope: Any = _Collecting(self.losses) if own or self._layers else None
            if scope is not None:
                stack.enter_context(scope)
            self._scope = scope
            # given to the constructor, they would be cast to the variables' precision
            for i in own:
                scope.state_mapping[id(self.variables[i])] = self._last[i]
                stack.enter_context(_typed(self.variables[i], self._last[i].dtype))
            yield
            self._collect()

    def _collect(self) -> None:
        """Take note of what Keras has assigned so far."""
        if self._scope is None:
            return
        for i, variable in enumerate(self.variables):
            if isinstance(variable, keras.Variable):
                self._last[i] = self._scope.get_current_value(variable)

    @contextmanager
    def _patched(self, i: int, variable: tf.Variable) -> Iterator[None]:
        """Let one variable of TensorFlow be read and assigned here."""

        def read(no_copy: bool = False) -> tf.Tensor:
            self._collect()
            return self._last[i]

        def assign(value: Any, *args: Any, **kwargs: Any) -> tf.Tensor:
            value = tf.convert_to_tensor(value)
            self._last[i] = tf.cast(value, self._first[i].dtype)
            return self._last[i]

        methods = {
            "_read_variable_op": read,
            "sparse_read": lambda indices, name=None: tf.gather(read(), indices),
            "gather_nd": lambda indices, name=None: tf.gather_nd(read(), indices),
            "assign": assign,
            "assign_add": lambda delta, *_, **__: assign(read() + delta),
            "assign_sub": lambda delta, *_, **__: assign(read() - delta),
        }
        before = {n: variable.__dict__[n] for n in methods if n in variable.__dict__}
        variable.__dict__.update(methods)
        try:
            yield
        finally:
            for name in methods:
                del variable.__dict__[name]
            variable.__dict__.update(before)


class _Collecting(keras.StatelessScope):
    """Takes what layers add to the loss, which they forget when they are called again.

    Parameters
    ----------
    losses : list
        Filled with it.
    """

    def __init__(self, losses: list[tf.Tensor]) -> None:
        super().__init__(collect_losses=True)
        self._added = losses

    def add_loss(self, loss: tf.Tensor) -> None:
        """Take a loss that a layer adds."""
        self._added.append(loss)
        super().add_loss(loss)


@contextmanager
def _typed(variable: keras.Variable, dtype: tf.DType) -> Iterator[None]:
    """Let what is assigned to a variable keep the precision of its stand-in."""
    before = variable._dtype
    variable._dtype = dtype.name
    try:
        yield
    finally:
        variable._dtype = before


def is_seed(variable: Variable) -> bool:
    """Return whether a variable is the state of a random generator of Keras."""
    return tuple(variable.shape) == (2,) and "seed_generator_state" in variable.name


def storage(variable: Variable) -> tf.Variable:
    """Return a tf.Variable, which a keras.Variable may be around."""
    return variable if isinstance(variable, tf.Variable) else variable.value


def unique_names(variables: Sequence[Variable], owner: str = "") -> list[str]:
    """Return names that are the same in each process.

    Keras numbers the layers of a process, so that the second of two equal networks has
    a ``dense_1``: trailing numbers are left out, and added where a name comes again.

    Parameters
    ----------
    variables : sequence of keras.Variable or tf.Variable
        What the names are for.
    owner : str
        Name of the layer that all belong to, which their names do without.
    """
    taken = {"in", "out"}  # what a TensorNode's other signals are called
    names: list[str] = []
    for variable in variables:
        path = getattr(variable, "path", None) or variable.name.split(":")[0]
        parts = path.split("/")
        if len(parts) > 1 and parts[0] == owner:
            parts = parts[1:]
        base = "/".join(re.sub(r"_\d+$", "", part) for part in parts)
        name, number = base, 0
        while name in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name)
        names.append(name)
    return names


def value_type(variable: Variable, dtype: tf.DType) -> tf.DType:
    """Return the type of what stands in for a variable.

    Floating point variables have the precision of the simulation, whatever theirs.
    """
    own = storage(variable).dtype
    return dtype if own.is_floating else own
