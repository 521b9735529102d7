"""Run what needs no loop ahead of it: for many steps at once, or once for all."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import tensorflow as tf

from nengo_dl.graph.roles import Role
from nengo_dl.lowering.registry import Lowering
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.layout import SignalLayout, View
from nengo_dl.program.step import TimeStep


class Ahead(enum.Enum):
    """How a call of a program computes what depends on inputs and parameters alone."""

    NEVER = "in each step"
    EACH = "ahead of the loop, for each step of a call"
    ONCE = "once, because the inputs stay the same"

    # that of enumerations is written in Python, and looked at ten times in each call
    __hash__ = object.__hash__


def computed_ahead(
    lowerings: Iterable[Lowering], layout: SignalLayout
) -> tuple[tuple[Lowering, ...], tuple[Lowering, ...]]:
    """Divide the groups of a plan into those ahead of the loop and those in it."""
    ahead: list[Lowering] = []
    loop: list[Lowering] = []
    for lowering in lowerings:
        blocks = {i for view in lowering.views for i in view.blocks}
        roles = {layout.blocks[i].role for i in blocks}
        # a block has one role, and what is known ahead is written by nobody else
        is_ahead = Role.AHEAD in roles and roles <= _KNOWN
        (ahead if is_ahead else loop).append(lowering)
    return tuple(ahead), tuple(loop)


_KNOWN = {Role.PARAM, Role.INPUT, Role.AHEAD}


def handed_over(
    layout: SignalLayout, loop: Iterable[Lowering], probed: Iterable[View]
) -> tuple[int, ...]:
    """Return the blocks that are computed ahead and read in the loop."""
    views = [*(view for lowering in loop for view in lowering.views), *probed]
    read = {i for view in views for i in view.blocks}
    return tuple(i for i in layout.of_role(Role.AHEAD) if i in read)


def compute(
    step: TimeStep,
    values: SignalValues,
    inputs: Mapping[int, tf.Tensor],
    results: Sequence[int],
) -> dict[int, tf.Tensor]:
    """Run groups ahead of the loop.

    Parameters
    ----------
    step : TimeStep
        The time step that they are taken from; only its ``lowerings`` run.
    values : SignalValues
        Parameters.
    inputs : mapping of int to tf.Tensor, shape (rows, batch, size)
        The input blocks, time first: a row for each step, or one for all of them. Time
        is folded into the batch, without a loop: slices of the inputs would be copied,
        which takes as long as half the product.
    results : sequence of int
        The blocks that are wanted.

    Returns
    -------
    dict of {int: tf.Tensor}, shape (rows, batch, size)
        The wanted blocks.
    """
    batch = step.minibatch_size
    assert batch is not None, "simulations know how many items they have"
    rows = max((series.shape[0] for series in inputs.values()), default=1)
    fed = {
        i: tf.reshape(series, (rows * batch, series.shape[-1]))
        for i, series in inputs.items()
    }
    at_once = replace(step, carried=(), minibatch_size=rows * batch)
    now = at_once.begin(values, (), fed)
    at_once.run(now)
    return {i: tf.reshape(now.block(i), (rows, batch, -1)) for i in results}
