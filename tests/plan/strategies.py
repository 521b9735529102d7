"""Random operators with Signals: what planners and layouts have to cope with."""

import nengo
import numpy as np
from hypothesis import strategies as st
from nengo.builder import Model
from nengo.builder.operator import Copy, DotInc, ElementwiseInc, Reset
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError

from nengo_dl.graph.opgraph import dependencies
from nengo_dl.graph.roles import assign
from nengo_dl.plan.merging import merge_keys


@st.composite
def operator_lists(draw, max_operators=25):
    """Lists of operators without cycles, some on views of larger signals.

    Signals are numbered, and operators write signals with larger numbers than those
    they read.
    """
    sizes = draw(st.lists(st.sampled_from([1, 2, 4]), min_size=3, max_size=12))
    signals = [Signal(np.zeros(n), name=f"s{i}") for i, n in enumerate(sizes)]
    was_set = set()
    operators = []
    for _ in range(draw(st.integers(1, max_operators))):
        kind = draw(st.sampled_from(["reset", "copy", "inc", "dot", "scale", "view"]))
        j = draw(st.integers(1, len(signals) - 1))
        target, source = signals[j], signals[draw(st.integers(0, j - 1))]
        if kind == "reset":
            if target not in was_set:
                was_set.add(target)
                operators.append(Reset(target, value=draw(st.sampled_from([0, 1]))))
        elif kind == "dot":
            matrix = Signal(np.ones((target.size, source.size)), name="A")
            operators.append(DotInc(matrix, source, target))
        elif kind == "scale":
            factor = Signal(2.0, name="gain")
            if source.size in (1, target.size):
                operators.append(ElementwiseInc(factor, source, target))
        elif kind == "view":
            operators.append(Copy(source[:1], target[target.size // 2 :][:1], inc=True))
        elif source.size == target.size:
            if kind == "copy" and target not in was_set:
                was_set.add(target)
                operators.append(Copy(source, target))
            else:
                operators.append(Copy(source, target, inc=True))
    try:
        dependencies(operators)
    except BuildError:  # pragma: no cover
        raise AssertionError("this strategy must not make cycles") from None
    return operators


def kind(op):
    """What operators must have in common, simple enough to see through."""
    if isinstance(op, Reset):
        return op.value
    if isinstance(op, Copy):
        return op.inc
    return tuple(signal.shape for signal in op.all_signals)


def planned(operators, planner):
    """Return graph, roles and plan of some operators."""
    graph = dependencies(operators)
    roles = assign(operators)
    keys = merge_keys(operators, roles, (), kind)
    return graph, roles, keys, planner(graph, keys, lambda op: False)


def operators_of_a_network():
    """Return the operators of ensembles that learn, two of them of one size."""
    with nengo.Network(seed=0) as net:
        for n in (5, 5, 8):
            a = nengo.Ensemble(n, 1)
            nengo.Connection(nengo.Node(np.sin), a)
            nengo.Connection(a, a, learning_rule_type=nengo.PES())
            nengo.Probe(a)
    model = Model()
    model.build(net)
    return model.operators
