"""Looking into the functions of TensorNodes: which variables, and what they are for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from nengo.builder import Model
from nengo.builder.signal import Signal

from nengo_dl.graph.tensor_operator import SimTensorNode, tensor_nodes
from nengo_dl.lowering.tensor_nodes.first_weights import draw_again
from nengo_dl.lowering.tensor_nodes.function import TensorFunction
from nengo_dl.lowering.tensor_nodes.random_functions import seed_state
from nengo_dl.lowering.tensor_nodes.variables import (
    StandIns,
    Variable,
    is_seed,
    storage,
    unique_names,
    value_type,
)

#: operations of TensorFlow that draw random numbers from a state of its own
_DRAWS = re.compile("(Stateful)?Random|(Parameterized)?Truncated|Multinomial")


@dataclass(frozen=True, eq=False)
class Bound:
    """The function of a TensorNode, with its variables and what it does with them.

    Attributes
    ----------
    weights : tuple of keras.Variable or tf.Variable
        Variables that it reads, and changes in training only or not at all.
    adapted : tuple of int
        Which of the weights it changes in training: averages over minibatches.
    memory : tuple of keras.Variable or tf.Variable
        Variables that it changes whenever it is called.
    seeds : tuple of keras.Variable
        States of random generators.
    draws : dict of {bool: bool}
        Whether it draws random numbers, in training (True) and otherwise (False).
    tells_steps : bool
        Whether it draws numbers that several time steps in one call would share.
    seed : int
        Seed of these.
    compiles : bool
        Whether XLA can compile it.
    adds_loss : bool
        Whether layers in it add something to the loss when they are called.
    """

    weights: tuple[Variable, ...]
    adapted: tuple[int, ...]
    memory: tuple[Variable, ...]
    seeds: tuple[Variable, ...]
    draws: dict[bool, bool]
    tells_steps: bool
    seed: int
    compiles: bool
    adds_loss: bool = False

    @property
    def variables(self) -> list[Variable]:
        """All variables, in the order in which values are given for them."""
        return [*self.weights, *self.memory, *self.seeds]


@dataclass
class _Look:
    """What one trace of a function shows: the variables in use, those assigned."""

    training: bool
    changed: list[int] = field(default_factory=list)
    uses_time: bool = True
    found: list[tf.Variable] = field(default_factory=list)
    drawn: set[str] = field(default_factory=set)
    compiles: bool = True
    adds_loss: bool = False


def bind(
    model: Model, dtype: str, minibatch_size: int, jit_compile: bool, seed: int
) -> Iterator[str]:
    """Find the variables of all TensorNodes of a model, and make them Signals.

    Parameters
    ----------
    model : nengo.builder.Model
        The built model.
    dtype : str
        Floating point type of the simulation.
    minibatch_size : int
        Number of items in the batch.
    jit_compile : bool
        Whether XLA shall compile the simulation.
    seed : int
        The seed of the simulator. Weights that nobody has given values begin with what
        it decides.

    Yields
    ------
    str
        What users should know about a function.

    Raises
    ------
    ValidationError
        If a function fails, or does not return what it was declared to.
    """
    nodes = {
        model.sig[node].get("out"): node for node in model.params if node in model.sig
    }
    refused = []
    #: layers that several nodes have in common have one set of weights
    known: dict[int, Signal] = {}
    for number, op in enumerate(tensor_nodes(model.operators)):
        node = nodes.get(op.output)
        # Nengo draws one where the user has given none, another each time
        given = node is not None and model.seeded.get(node)
        of_node = model.seeds[node] if given else number
        first = (seed, number)
        looks = _bind(op, dtype, minibatch_size, jit_compile, of_node, first, known)
        if node is not None:
            model.sig[node].update(op.weights)
        if not op.bound.compiles:
            refused.append(op.function.label)
        drawn = sorted(set().union(*(look.drawn for look in looks)))
        if drawn:
            yield (
                f"The function of {op.function.label} draws random numbers with "
                f"{', '.join(drawn)} of TensorFlow within a `tf.while_loop` or a "
                "`tf.function`. They do not follow the seed of the simulation, and on "
                "their way back through time gradients would meet other numbers. Draw "
                "them outside of it"
            )
    if refused:
        yield (
            f"XLA cannot compile the function of {', '.join(refused)}. It runs as a "
            "plain TensorFlow graph, and what is compiled is cut there, which is slower"
        )


def post_build(op: SimTensorNode, rng: np.random.RandomState) -> dict[Signal, Any]:
    """Have a function give its variables values, if it has a method for that.

    Parameters
    ----------
    op : SimTensorNode
        The operator of a TensorNode.
    rng : np.random.RandomState
        Random numbers for it.

    Returns
    -------
    dict of {Signal: np.ndarray}
        The values, for the simulation.
    """
    if not op.function.post_build(rng):
        return {}
    kept = zip(op.state.values(), op.bound.variables, strict=False)
    return {signal: storage(variable).numpy() for signal, variable in kept}


def _bind(
    op: SimTensorNode,
    dtype: str,
    minibatch_size: int,
    jit: bool,
    seed: int,
    first: tuple[int, ...],
    known: dict[int, Signal],
) -> list[_Look]:
    """Look into one function; return what was seen.

    What it draws follows ``seed``, and the first values of its weights ``first``.
    Signals of variables, by the identity of their storage, are taken from ``known``, or
    else added to it.
    """
    function: TensorFunction = op.function
    function.build()
    function.pre_build(minibatch_size)
    if function.random is None:
        function.random = seed_state()
    variables: list[Variable] = [*function.variables, function.random]
    looks = _looks(function, variables, dtype, minibatch_size, jit)
    if looks[0].found:
        # now they are known, nothing in the trace may refer to them
        variables[-1:] = [*looks[0].found, function.random]
        looks = _looks(function, variables, dtype, minibatch_size, jit)
    drawn = any(len(variables) - 1 in look.changed for look in looks)
    if not drawn:
        variables.pop()

    seeds = [i for i, v in enumerate(variables) if is_seed(v)]
    plain, trained = looks[0], looks[-1]
    memory = [i for i in plain.changed if i not in seeds]
    weights = [i for i in range(len(variables)) if i not in (*memory, *seeds)]
    bound = Bound(
        tuple(variables[i] for i in weights),
        tuple(k for k, i in enumerate(weights) if i in trained.changed),
        tuple(variables[i] for i in memory),
        tuple(variables[i] for i in seeds),
        {
            look.training: any(i in look.changed for i in seeds)
            for look in (_Look(True, trained.changed), _Look(False, plain.changed))
        },
        drawn,
        seed,
        plain.compiles,
        any(look.adds_loss for look in looks),
    )
    if not op.state:  # a model that is simulated again has its weights
        of_others = (v for v in variables if id(storage(v)) not in known)
        draw_again(list(of_others), first)
    signals = _signals(op, (*bound.weights, *bound.memory), known)
    free = dict(list(signals.items())[: len(weights)])
    op.bind(
        bound,
        free,
        dict(list(signals.items())[len(weights) :]),
        {
            signal: bool(variable.trainable) and k not in bound.adapted
            for k, (signal, variable) in enumerate(
                zip(free.values(), bound.weights, strict=True)
            )
        },
        any(look.uses_time for look in looks),
        bound.adds_loss,
    )
    return looks


def _signals(
    op: SimTensorNode, variables: Sequence[Variable], known: dict[int, Signal]
) -> dict[str, Signal]:
    """Return the Signals of a function's variables by name; see `_bind`."""
    function: TensorFunction = op.function
    owner = function.function.name if function.is_layer else ""
    signals: dict[str, Signal] = {}
    for name, variable in zip(unique_names(variables, owner), variables, strict=True):
        identity = id(storage(variable))
        if identity not in known:
            # a model that is simulated again has some
            former = op.state.get(name)
            made = _signal(variable, f"{function.label}.{name}")
            known[identity] = made if former is None else former
        signals[name] = known[identity]
    return signals


def _signal(variable: Variable, name: str) -> Signal:
    value = np.asarray(storage(variable).numpy())
    whole = value.dtype.kind in "iub"
    return Signal(value.astype(np.int64 if whole else np.float64), name=name)


def _looks(
    function: TensorFunction,
    variables: Sequence[Variable],
    dtype: str,
    minibatch_size: int,
    jit: bool,
) -> list[_Look]:
    """Trace a function as it runs in simulations, and as in training if that differs.

    Only if there is something that training may change can it differ in what is of
    interest here, or if the user's own code may draw random numbers then.
    """
    looks = [_look(function, variables, dtype, minibatch_size, False, jit)]
    fixed = function.is_keras_code and all(v.trainable for v in variables[:-1])
    if function.takes_training and not fixed:
        looks.append(_look(function, variables, dtype, minibatch_size, True, False))
    return looks


def _look(
    function: TensorFunction,
    variables: Sequence[Variable],
    dtype: str,
    minibatch_size: int,
    training: bool,
    jit: bool,
) -> _Look:
    """Trace a function once."""
    look = _Look(training)
    specs = [tf.TensorSpec((), dtype)]
    if function.shape_in is not None:
        specs.append(tf.TensorSpec((minibatch_size, *function.shape_in), dtype))
    first = len(specs)
    specs += [
        tf.TensorSpec(v.shape, value_type(v, tf.as_dtype(dtype))) for v in variables
    ]

    def call(*tensors: tf.Tensor) -> tf.Tensor:
        t, x = tensors[0], tensors[1] if first > 1 else None
        stand_ins = StandIns(variables, tensors[first:], function.has_built_layers)
        with stand_ins():
            result = function(t, x, training)
        look.changed = stand_ins.changed
        look.adds_loss = bool(stand_ins.losses)
        return result

    traced = tf.function(call, autograph=False, jit_compile=jit)
    graph = traced.get_concrete_function(*specs).graph
    look.uses_time = function.pass_time and bool(graph.inputs[0].consumers())
    look.drawn = {name for name in _operations(graph) if _DRAWS.match(name)}
    known = {id(storage(v)) for v in variables}
    look.found = [v for v in graph.variables if id(v) not in known]
    if jit:
        try:
            traced.experimental_get_compiler_ir(*specs)(stage="hlo")
        except Exception:
            # which error depends on the operation and on the release of TensorFlow
            look.compiles = False
    return look


def _operations(graph: tf.Graph) -> set[str]:
    """Return the types of all operations, those in loops and functions too."""
    found = {op.type for op in graph.get_operations()}
    if any("Call" in name or "While" in name or name.endswith("If") for name in found):
        functions = graph.as_graph_def().library.function
        found |= {node.op for function in functions for node in function.node_def}
    return found
