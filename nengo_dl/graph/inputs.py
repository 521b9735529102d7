"""Lift out of the loop what can be known before the run.

Nodes without inputs are the model's inputs. Constants, Processes and presented data are
always known ahead. A Python function of time is known ahead too, but only if no other
Python code runs inside the loop: two functions may share state (an environment and its
sensors), and then they have to see each other in Nengo's order. Random numbers that an
operator draws in the same quantity in each step are known ahead as well.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import nengo
from nengo.builder import Model
from nengo.builder.operator import Copy, Operator, SimPyFunc
from nengo.builder.processes import SimProcess
from nengo.builder.signal import Signal

from nengo_dl.graph.draws import DrawnNeurons, Draws, FedNeurons
from nengo_dl.graph.tensor_operator import SimTensorNode, tensor_nodes


class ConstantNode(nengo.Node):
    """A Node whose constant output belongs to the model: no input of the simulation.

    Users present no data for it, and its values count as known from the beginning.

    Parameters
    ----------
    output : array_like, shape (size_out,)
        The values.
    label : str, optional
        A name for it.
    """

    def __init__(self, output: Any, label: str | None = None) -> None:
        super().__init__(output, label=label)


class Source(enum.Enum):
    """Where the values of an input come from when the user presents none."""

    CONSTANT = "the Node's constant output"
    FUNCTION = "a Python function of time"
    PROCESS = "a Nengo Process"
    DRAWS = "random numbers that neurons draw"
    IN_STEP = "a Python function that is called inside the loop"


@dataclass(frozen=True)
class Input:
    """One source of values that reaches the loop from outside.

    Attributes
    ----------
    source : Source
        How its values arise.
    signal : Signal or None
        What the values are written to; None for a function without output, which is
        called for its side effects.
    node : nengo.Node or None
        The Node that users present data for; None for noise and random numbers.
    op : Operator or None
        The operator that was lifted out of the loop, or stays in it (``IN_STEP``), or
        draws the random numbers.
    draws : Draws or None
        What is drawn (``DRAWS``).
    """

    source: Source
    signal: Any  # Nengo is not typed, and every caller knows from the source
    node: nengo.Node | None = None
    op: Any = None
    draws: Draws | None = None

    @property
    def lifted(self) -> bool:
        """Whether the values are fed to the loop."""
        return self.source is not Source.IN_STEP


def input_nodes(model: Model) -> tuple[nengo.Node, ...]:
    """Return the Nodes of the model that users may present data for.

    TensorNodes are part of what is computed from data, even those without an input; so
    are constants of the model itself.
    """
    if model.toplevel is None:
        return ()
    computed = {op.output for op in tensor_nodes(model.operators)}
    return tuple(
        node
        for node in model.toplevel.all_nodes
        if node.size_in == 0
        and not isinstance(node, ConstantNode)
        and model.sig[node].get("out") is not None
        and model.sig[node]["out"] not in computed
    )


def lift(
    model: Model,
    operators: Sequence[Operator],
    runs_python: Callable[[Operator], bool],
    draws: Callable[[Operator], Draws | None] = lambda op: None,
) -> tuple[list[Operator], tuple[Input, ...]]:
    """Separate the inputs of a model from the operators of its loop.

    Parameters
    ----------
    model : nengo.builder.Model
        The built model.
    operators : sequence of Operator
        Its operators in Nengo's order.
    runs_python : callable
        Tells whether an operator calls code of the user in each step.
    draws : callable
        Tells which random numbers neurons can be fed, or None.

    Returns
    -------
    operators : list of Operator
        What stays in the loop. Noise that increments a signal leaves a Copy behind,
        and neurons whose random numbers are fed become `DrawnNeurons`; those that take
        the place of others in training stay what they are.
    inputs : tuple of Input
        In Nengo's order of execution, constants last.
    """
    nodes = {model.sig[node]["out"]: node for node in input_nodes(model)}
    # what is fed does not run its own code
    drawn = {op: found for op in operators if (found := draws(op)) is not None}
    functions_ahead = not any(
        runs_python(op)
        for op in operators
        if op not in drawn and not _is_ahead_of_time(op)
    )
    kept: list[Operator] = []
    inputs: list[Input] = []
    seen: set[Signal] = set()
    for op in operators:
        if isinstance(op, SimPyFunc) and _is_ahead_of_time(op):
            source = Source.FUNCTION if functions_ahead else Source.IN_STEP
            inputs.append(Input(source, op.output, nodes.get(op.output), op))
            seen.add(op.output)
            if not functions_ahead:
                kept.append(op)
        elif isinstance(op, SimProcess) and _is_ahead_of_time(op):
            target = op.output
            if op.mode == "set":
                signal = target
            else:
                signal = Signal(shape=target.shape, name=f"{target.name}.{op.process}")
                kept.append(Copy(signal, target, inc=True, tag=op.tag))
            inputs.append(Input(Source.PROCESS, signal, nodes.get(signal), op))
            seen.add(signal)
        elif op in drawn:
            signal = Signal(shape=drawn[op].shape, name=f"{op.output.name}.draws")
            fed = isinstance(op, SimTensorNode | FedNeurons)
            kept.append(op.fed(signal) if fed else DrawnNeurons(op, signal))
            inputs.append(Input(Source.DRAWS, signal, op=op, draws=drawn[op]))
        else:
            kept.append(op)
    for signal, node in nodes.items():
        if signal is not None and signal not in seen:
            inputs.append(Input(Source.CONSTANT, signal, node))
    return kept, tuple(inputs)


def _is_ahead_of_time(op: Operator) -> bool:
    """Whether the operator reads nothing but the time."""
    if isinstance(op, SimPyFunc):
        return op.x is None and op.t is not None
    return isinstance(op, SimProcess) and op.input is None and op.mode != "update"
