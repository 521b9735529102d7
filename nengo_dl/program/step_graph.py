"""One time step as a graph of TensorFlow, to be looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable

import tensorflow as tf

from nengo_dl.graph.roles import Role
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.layout import Block
from nengo_dl.program.loop import sample
from nengo_dl.program.program import Program
from nengo_dl.program.python_in_graph import call_python
from nengo_dl.program.stages import cut


def step_graph(program: Program) -> tf.Graph:
    """Return what a simulation does in each time step.

    Parameters
    ----------
    program : Program
        The simulation.

    Returns
    -------
    tf.Graph
        Parameters, inputs and state of the step before are placeholders; the groups of
        the plan are name scopes.
    """
    layout, batch = program.layout, program.minibatch_size

    def given(numbers: Iterable[int], scope: str) -> dict[int, tf.Tensor]:
        with tf.name_scope(scope):
            return {i: _placeholder(layout.blocks[i], program) for i in numbers}

    carried = layout.carried()
    with tf.Graph().as_default() as graph:
        params = given(layout.of_role(Role.PARAM), "parameters")
        inputs = given(layout.of_role(Role.INPUT), "inputs")
        state = given(carried, "state_before")
        number = tf.compat.v1.placeholder(tf.int32, (), "step")
        values = SignalValues(layout, params, batch, program.dtype)
        with tf.name_scope("parameters/"):
            values.hoist(view for low in program.lowerings for view in low.views)
        now = values.begin_step(state, inputs)
        for stage in cut(program.lowerings):
            stage.trace(now)
            if stage.calls is not None:
                with tf.name_scope("Python"):
                    stage.calls.store(now, call_python(stage.calls, now, number))
        with tf.name_scope("state_after"):
            for i in carried:
                tf.identity(now.block(i), _name(layout.blocks[i].key))
        with tf.name_scope("probes"):
            for recording in program.recordings:
                label = recording.probe.label or "probe"
                tf.identity(sample(now, recording), _name(label))
    return graph


def _placeholder(block: Block, program: Program) -> tf.Tensor:
    dtype = program.dtype if block.kind == "f" else tf.int64
    lead = (program.minibatch_size,) if block.role.batched else ()
    return tf.compat.v1.placeholder(dtype, (*lead, block.size), _name(block.key))


def _name(text: str) -> str:
    """Return a name that TensorFlow allows."""
    return re.sub(r"[^A-Za-z0-9_.\-]", "_", text).lstrip("_.-") or "block"
