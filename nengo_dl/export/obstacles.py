"""What keeps a network from being exported, by object: all that does."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import nengo
import tensorflow as tf
from nengo.builder import Model
from nengo.builder.operator import Operator, SimPyFunc
from nengo.builder.signal import Signal

from nengo_dl.export.portable import Portable
from nengo_dl.graph.inputs import Input, Source
from nengo_dl.graph.signals import describe_with_signals, written
from nengo_dl.lowering.python_call import PythonLowering
from nengo_dl.program.program import Program
from nengo_dl.simulation.store import StateStore
from nengo_dl.validation import NotPossibleError

_FEED = "name it in `inputs` and feed its values"
_RECORD = "give `n_steps`, and the values of so many steps are written into the file"
_FEED_OR_RECORD = f"{_FEED}, or {_RECORD}"

#: by where values come from: what that is, and what can be done
_GENERATED = {
    Source.FUNCTION: ("its output is a Python function of time", _FEED_OR_RECORD),
    Source.PROCESS: ("its output is a Process, run in Python", _FEED_OR_RECORD),
    Source.IN_STEP: ("its output is a Python function of time", _FEED),
    Source.DRAWS: ("it draws random numbers, which Python does", _RECORD),
}


def obstacles(
    model: Model,
    program: Program,
    store: StateStore,
    fed: Collection[nengo.Node],
    probes: Collection[nengo.Probe],
    recorded: bool,
    any_minibatch: bool,
) -> list[str]:
    """Return what prevents an export, each with its object and what can be done.

    Parameters
    ----------
    model : nengo.builder.Model
        The built model.
    program : Program
        What the simulation runs.
    store : StateStore
        Its values.
    fed : collection of Node
        The Nodes that get their values from outside.
    probes : collection of Probe
        What is asked for.
    recorded : bool
        Whether values of functions of time and random numbers are in the file.
    any_minibatch : bool
        Whether the file is for minibatches of any size.
    """
    owners = _owners(model)
    found = [
        *_of_inputs(program, owners, fed, recorded),
        *_of_python(program, owners, fed),
        *_of_probes(program, probes),
    ]
    if any_minibatch:
        found += _of_learning(program, store, owners)
    return list(dict.fromkeys(found))


def _of_inputs(
    program: Program,
    owners: dict[Signal, object],
    fed: Collection[nengo.Node],
    recorded: bool,
) -> Iterator[str]:
    for item in program.inputs:
        if item.node in fed or item.source is Source.CONSTANT:
            continue
        if recorded and item.source is not Source.IN_STEP:
            continue
        what, remedy = _GENERATED[item.source]
        if item.signal is None:
            continue  # a function without output is left out
        if item.source is Source.PROCESS and item.node is None:
            what, remedy = f"noise, {item.op.process}, is drawn in Python", _RECORD
        yield f"{_input_owner(item, owners)}: {what}; {remedy}"


def _input_owner(item: Input, owners: dict[Signal, object]) -> object:
    if item.node is not None:
        return item.node
    return owner(item.op, owners)


def _of_python(
    program: Program, owners: dict[Signal, object], fed: Collection[nengo.Node]
) -> Iterator[str]:
    of_time = {
        item.op: item.node for item in program.inputs if item.source is Source.IN_STEP
    }
    for lowering in program.lowerings:
        if not isinstance(lowering, PythonLowering):
            continue
        for op in lowering.called:
            if of_time.get(op) is not None:
                continue  # fed, or among the inputs
            if isinstance(op, SimPyFunc) and op.output is None:
                continue  # no output depends on it, and it is left out
            if isinstance(op, SimPyFunc):
                what = "it calls a Python function in each step"
                remedy = (
                    "write the function in TensorFlow, as a `nengo_dl.TensorNode`, or "
                    "cut the network there"
                )
            else:
                what = f"{type(op).__name__} runs in Python ({_payload(op)})"
                remedy = "register a lowering for it, `nengo_dl.lowering.register`"
            yield f"{owner(op, owners)}: {what}; {remedy}"


def _payload(op: Operator) -> str:
    for attr in ("neurons", "process"):
        if hasattr(op, attr):
            return str(getattr(op, attr))
    return "its own NumPy code"


def _of_probes(program: Program, probes: Collection[nengo.Probe]) -> Iterator[str]:
    for recording in program.recordings:
        signal = recording.signal
        if recording.probe in probes and signal is not None and signal.sparse:
            yield (
                f"{recording.probe}: it records a sparse matrix; leave it out of "
                "`probes`"
            )


def _of_learning(
    program: Program, store: StateStore, owners: dict[Signal, object]
) -> Iterator[str]:
    blocks = [program.layout.blocks[i] for i in program.layout.carried()]
    for block, online, value in zip(blocks, store.learned, store.state, strict=True):
        values = value.numpy()
        if online and (values != values[:1]).any():
            for signal in block.signals:
                yield (
                    f"{owners.get(signal, signal.name)}: the items of the minibatch "
                    "have learned different weights; give `minibatch_size="
                    f"{program.minibatch_size}`, or learn with one item"
                )


def owner(op: Operator, owners: dict[Signal, object]) -> object:
    """Return the object that an operator belongs to, or what describes it."""
    for signal in (*written(op), *op.reads):
        if signal.base in owners:
            return owners[signal.base]
    return describe_with_signals(op)


def _owners(model: Model) -> dict[Signal, object]:
    """Return the object of the network that each base Signal belongs to."""
    found: dict[Signal, object] = {}
    for obj, signals in model.sig.items():
        if obj == "common" or not isinstance(signals, dict):
            continue
        for signal in signals.values():
            if isinstance(signal, Signal):
                found.setdefault(signal.base, obj)
    return found


#: TensorFlow's operations that call Python of the process that made them
_CALLS_PYTHON = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})


def refuse_python(portable: Portable, layers: Sequence[str]) -> None:
    """Raise an error if TensorFlow code in a network calls Python.

    Parameters
    ----------
    portable : Portable
        The network.
    layers : sequence of str
        Its TensorNodes.

    Raises
    ------
    NotPossibleError
        If there is a ``tf.py_function`` or ``tf.numpy_function``.
    """

    def step(**tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        return portable.step(None, tensors)

    traced = tf.function(step, autograph=False)
    graph = traced.get_concrete_function(**portable.step_specs()).graph.as_graph_def()
    bodies = (graph.node, *(inner.node_def for inner in graph.library.function))
    if any(node.op in _CALLS_PYTHON for body in bodies for node in body):
        raise NotPossibleError(
            "The network cannot be exported: TensorFlow code in it calls Python, by "
            "`tf.py_function` or `tf.numpy_function`. The TensorNodes are "
            f"{', '.join(map(str, layers))}; expected TensorFlow's operations alone"
        )
