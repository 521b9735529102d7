"""One time step as a graph of TensorFlow, to be looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable

import tensorflow as tf

from nengo_dl.graph.roles import Role
from nengo_dl.plan.layout import Block
from nengo_dl.program.program import Program
from nengo_dl.program.step import InGraph


def step_graph(program: Program) -> tf.Graph:
    """Trace the time step of a simulation as a graph, for TensorBoard.

    Parameters
    ----------
    program : Program
        The simulation.

    Returns
    -------
    tf.Graph
        Parameters, inputs and state of the step before are placeholders; the groups of
        the plan are name scopes. Where a minibatch is divided, it is that of one part.
    """
    step, layout = program.step, program.layout

    def given(numbers: Iterable[int], scope: str) -> dict[int, tf.Tensor]:
        with tf.name_scope(scope):
            return {i: _placeholder(layout.blocks[i], program) for i in numbers}

    def trace() -> None:
        params = given(layout.of_role(Role.PARAM), "parameters")
        inputs = given(layout.of_role(Role.INPUT), "inputs")
        state = given(step.carried, "state_before")
        number = tf.compat.v1.placeholder(tf.int32, (), "step")
        with tf.name_scope("parameters/"):
            values = step.open(params)
        now = step.begin(values, list(state.values()), inputs)
        step.run(now, InGraph(number))
        with tf.name_scope("state_after"):
            for i, value in zip(step.carried, step.state(now), strict=True):
                tf.identity(value, _name(layout.blocks[i].key))
        with tf.name_scope("probes"):
            for recording in step.recordings:
                label = recording.probe.label or "probe"
                tf.identity(step.sample(now, recording), _name(label))

    # code of users may hold eager tensors, which a plain `tf.Graph` cannot take
    return tf.function(trace, autograph=False).get_concrete_function().graph


def _placeholder(block: Block, program: Program) -> tf.Tensor:
    dtype = program.dtype if block.kind == "f" else tf.int64
    lead = (program.part,) if block.role.batched else ()
    return tf.compat.v1.placeholder(dtype, (*lead, block.size), _name(block.key))


def _name(text: str) -> str:
    """Return a name that TensorFlow allows."""
    return re.sub(r"[^A-Za-z0-9_.\-]", "_", text).lstrip("_.-") or "block"
