"""What an optimizer remembers, by the names of the parameters that it is about."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from nengo.builder.signal import Signal
from nengo.exceptions import ValidationError

from nengo_dl.graph.signals import size
from nengo_dl.plan.layout import Block
from nengo_dl.training.optimizers import remembered


@dataclass(frozen=True)
class Slot:
    """A variable of an optimizer, or the stretch of one that belongs to a parameter.

    Attributes
    ----------
    variable : keras.Variable
        The variable.
    start, stop : int or None
        The stretch; None: all of it.
    shape : tuple of int
        The shape in files.
    """

    variable: Any
    start: int | None
    stop: int | None
    shape: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype:
        """The type of the variable."""
        return np.asarray(self.variable.numpy()).dtype

    def value(self) -> np.ndarray:
        """Return the current value."""
        value = np.asarray(self.variable.numpy())
        return value if self.start is None else value[self.start : self.stop]


def slots(
    optimizer: keras.optimizers.Optimizer,
    blocks: Sequence[Block],
    variables: Sequence[Any],
    names: Mapping[Signal, str],
) -> dict[str, Slot]:
    """Return all that an optimizer remembers, except its learning rate.

    A variable of an optimizer stands for a whole block of parameters. Which parameters
    share one is a matter of planning, so files have a value for each.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        One that was built for the parameters.
    blocks : sequence of Block
        The blocks that it changes.
    variables : sequence of tf.Variable
        Their variables.
    names : mapping of Signal to str
        The names of the parameters.

    Raises
    ------
    ValidationError
        If it remembers something about a block that is not one number per element.
    """
    # Keras puts the name of what a variable is about in front of the variable's
    about = {
        str(variable.name).replace("/", "_").replace(":", "_") + "_": (block, variable)
        for block, variable in zip(blocks, variables, strict=True)
    }
    assert len(about) == len(blocks), "two blocks of parameters have the same name"
    longest_first = sorted(about, key=len, reverse=True)
    found: dict[str, Slot] = {}
    count: Counter[str] = Counter()
    for variable in remembered(optimizer):
        label = variable.path.split("/")[-1]
        prefix = next((p for p in longest_first if label.startswith(p)), None)
        if prefix is None:
            # Keras numbers some of these through all optimizers of the process
            label = re.sub(r"_\d+$", "", label)
            number = count[label]
            count[label] += 1
            name = f"{label}#{number}" if number else label
            found[name] = Slot(variable, None, None, tuple(variable.shape))
            continue
        block, reference = about[prefix]
        if tuple(variable.shape) != tuple(reference.shape):
            raise ValidationError(
                f"The optimizer {optimizer.name!r} keeps {label!r} of shape "
                f"{tuple(variable.shape)} about parameters of shape "
                f"{tuple(reference.shape)}, which does not tell what belongs to which. "
                "Save without `optimizer=`",
                attr="optimizer",
            )
        offset = 0
        for signal in block.signals:
            stop = offset + size(signal)
            name = f"{label.removeprefix(prefix)}/{names[signal]}"
            shape = (size(signal),) if signal.sparse else signal.shape
            found[name] = Slot(variable, offset, stop, shape)
            offset = stop
    return found


def assign(values: Sequence[tuple[Slot, np.ndarray]]) -> None:
    """Let an optimizer remember something else."""
    arrays = {id(slot.variable): np.array(slot.variable.numpy()) for slot, _ in values}
    for slot, value in values:
        array = arrays[id(slot.variable)]
        if slot.start is None:
            array[...] = value
        else:
            array[slot.start : slot.stop] = np.ravel(value)
    for variable in {id(slot.variable): slot.variable for slot, _ in values}.values():
        variable.assign(arrays[id(variable)])
