"""Operators planned, laid out and lowered: one part of a computation."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal

from nengo_dl.graph.operators import Operators
from nengo_dl.graph.opgraph import dependencies, in_sequence
from nengo_dl.graph.roles import Role
from nengo_dl.graph.signals import size
from nengo_dl.lowering import registry
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.presented import Presented
from nengo_dl.lowering.registry import Lowering
from nengo_dl.plan.claims import arrange
from nengo_dl.plan.groups import Plan, check_plan
from nengo_dl.plan.layout import SignalLayout
from nengo_dl.plan.merging import merge_keys
from nengo_dl.program.built import Built

#: elements of a trained parameter that may be stacked with fixed ones. They live in two
#: blocks, and are put together in each call: 64 kB take about 5 us, a kernel that is
#: left out saves about 10 ms of compilation, and up to 1 us of each step
MAX_STACKED = 2**14


@dataclass(frozen=True)
class Segment:
    """Some operators as groups, lowered, and the layout of their Signals.

    Attributes
    ----------
    plan : tuple of OpGroup
        The groups in their order of execution.
    layout : SignalLayout
        Where their signals live.
    lowerings : tuple of Lowering
        One for each group.
    presented : Presented
        Data that stand in for functions of Nodes.
    """

    plan: Plan
    layout: SignalLayout
    lowerings: tuple[Lowering, ...]
    presented: Presented


def compile_segment(
    built: Built,
    operators: Iterable[Operator],
    roles: Mapping[Signal, Role],
    apart: Collection[Signal] | None = None,
    differentiable: bool = True,
) -> Segment:
    """Decide in which order operators run and what runs together, and lower it.

    Parameters
    ----------
    built : Built
        What is compiled.
    operators : iterable of Operator
        What the segment consists of.
    roles : mapping of Signal to Role
        The role of each base.
    apart : collection of Signal, optional
        Trained bases that may not run together with fixed ones. By default those that
        change in the loop, and large ones: see `MAX_STACKED`.
    differentiable : bool
        Whether somebody may ask for gradients.
    """
    operators = Operators.of(operators)
    if apart is None:
        apart = [
            base
            for base in built.trained
            if roles.get(base) is not Role.PARAM or size(base) > MAX_STACKED
        ]

    # in which order, and what together
    graph = dependencies(operators)
    graph = in_sequence(graph, [op for op in operators if registry.runs_user_code(op)])
    keys = merge_keys(operators, roles, frozenset(apart), registry.merge_kind)
    plan = built.settings.planner(graph, keys, registry.runs_python)
    check_plan(plan, graph, keys)

    # where everything lives, and what is computed from it
    plan, layout = arrange(plan, roles, built.trained, operators.numbers)
    context = Context(
        layout,
        built.model.dt,
        np.dtype(built.settings.dtype),
        built.part,
        built.model.step,
        built.model.time,
        Presented(),
        built.any_state,
        built.products,
        differentiable,
    )
    lowerings = tuple(registry.lower(group, context) for group in plan)
    return Segment(plan, layout, lowerings, context.presented)
