"""Single filter operators: for shapes that no network has, and for derivatives."""

import numpy as np
import tensorflow as tf
from nengo.builder.operator import Copy, Reset
from nengo.builder.processes import SimProcess
from nengo.builder.signal import Signal

from nengo_dl.graph.roles import Role
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.presented import Presented
from nengo_dl.lowering.registry import lower
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.claims import arrange
from nengo_dl.plan.groups import OpGroup
from tests.operators import assert_operators_match, random_signal


def filter_operator(synapse, signal, mode="update", dt=0.001):
    """Return an operator that filters a signal, and its output."""
    shape = signal.shape
    output = Signal(np.zeros(shape), name="output")
    values = synapse.make_state(shape, shape, dt, dtype=np.float64)
    state = {name: Signal(value, name=name) for name, value in values.items()}
    time = Signal(0.0, name="time")
    return SimProcess(synapse, signal, output, time, mode, state), output


def assert_filters_any_signal(synapses, shape, mode="update"):
    """Compare filters of signals of some shape with Nengo's; those alike merge."""
    rng = np.random.RandomState(0)
    operators, outputs = [], []
    for synapse in synapses:
        signal = random_signal(rng, *shape, name="signal")
        # grows in each step
        operators.append(Copy(random_signal(rng, *shape), signal, inc=True))
        op, output = filter_operator(synapse, signal, mode)
        operators.append(op)
        if mode == "inc":
            operators.append(Reset(output, value=0.5))
        outputs.append(output)
    assert_operators_match(operators, outputs, steps=6)


def assert_derivatives_match(synapse, shape, count=2, steps=5, items=2, jit=True):
    """Compare derivatives of all outputs with respect to all inputs with differences.

    Filters are linear, so that differences are exact but for rounding.
    """
    rng = np.random.RandomState(0)
    signals = [random_signal(rng, *shape) for _ in range(count)]
    operators, outputs = zip(
        *(filter_operator(synapse, signal) for signal in signals), strict=True
    )
    bases = {signal for op in operators for signal in op.all_signals}
    constant = {signal for op in operators for signal in op.reads} - set(signals)
    roles = {s: Role.PARAM if s in constant else Role.STATE for s in bases}
    (group,), layout = arrange((OpGroup(operators),), roles)
    time = operators[0].t
    context = Context(
        layout, 0.001, np.dtype("float64"), items, time, time, Presented()
    )
    lowering = lower(group, context)
    given, results = layout.view(signals), layout.view(outputs)
    initial = {
        i: np.tile(block.initial_values(), (items, 1) if block.role.batched else 1)
        for i, block in enumerate(layout.blocks)
    }
    weights = tf.constant(rng.uniform(-1, 1, (steps, items, count, *shape)))

    @tf.function(jit_compile=jit, autograph=False)
    def weighed(series):
        """Return the sum of all outputs in all steps, each with a weight."""
        now = {i: tf.constant(value) for i, value in initial.items()}
        total = 0.0
        for i in range(steps):
            values = SignalValues(layout, now, items, tf.float64)
            values.set(given, series[i])
            lowering.build_step(values)
            total += tf.reduce_sum(weights[i] * values.read(results))
            now.update({i: values.block(i) for i in layout.carried()})
        return total

    @tf.function(jit_compile=jit, autograph=False)
    def derivatives(series):
        with tf.GradientTape() as tape:
            tape.watch(series)
            result = weighed(series)
        return tape.gradient(result, series)

    series = rng.uniform(-1, 1, (steps, items, count, *shape))
    analytic = derivatives(tf.constant(series)).numpy()
    assert np.all(np.isfinite(analytic)) and np.any(analytic)
    for index in np.ndindex(series.shape):
        ends = []
        for sign in (1, -1):
            moved = series.copy()
            moved[index] += sign
            ends.append(weighed(tf.constant(moved)).numpy())
        numeric = (ends[0] - ends[1]) / 2
        assert abs(analytic[index] - numeric) < 1e-9, (index, analytic[index], numeric)
