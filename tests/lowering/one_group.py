"""One group of operators as a function of tensors, without a simulator around it.

Building and compiling a simulator takes a second; this takes milliseconds, so that
hundreds of shapes can be tried, and derivatives taken.
"""

import numpy as np
import tensorflow as tf
from nengo.builder.signal import Signal, SignalDict

from nengo_dl.graph.roles import Role
from nengo_dl.graph.signals import size
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.presented import Presented
from nengo_dl.lowering.registry import lower, merge_kind
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.claims import arrange
from nengo_dl.plan.groups import OpGroup


def bases(operators):
    """Return every base Signal that the operators touch, each once."""
    return list(dict.fromkeys(s.base for op in operators for s in op.all_signals))


def shape_of(signal):
    """Return the shape of a signal's values; of a sparse one, those that are stored."""
    return (size(signal),) if signal.sparse else signal.shape


def lowered(operators, per_item=(), items=1, dtype="float64"):
    """Return a group as a Lowering, and where its signals live; see `as_function`."""
    assert len({merge_kind(op) for op in operators}) == 1, "they cannot merge"
    signals = bases(operators)
    written = {s.base for op in operators for s in (*op.sets, *op.incs, *op.updates)}
    roles = {
        s: Role.STATE if s in written or s in per_item else Role.PARAM for s in signals
    }
    (group,), layout = arrange((OpGroup(tuple(operators)),), roles)
    unused = Signal(0.0, name="unused")
    time = next((s for s in signals if s.name == "time"), unused)
    context = Context(layout, 0.001, np.dtype(dtype), items, unused, time, Presented())
    return lower(group, context), layout


def as_function(operators, per_item=(), items=1, dtype="float64"):
    """Return what a group does as a function of the values of its base Signals.

    Parameters
    ----------
    operators : list of Operator
        They must be of one kind, and run as one.
    per_item : collection of Signal
        Bases that are not written, but of which each item has a copy.
    items : int
        Size of the minibatch.
    dtype : str
        Floating point type.

    Returns
    -------
    callable
        Takes and returns a tensor for each of `bases`, of shape (items, *signal.shape),
        or (*signal.shape) for a parameter.
    """
    lowering, layout = lowered(operators, per_item, items, dtype)
    signals = bases(operators)

    def function(*tensors):
        given = dict(zip(signals, tensors, strict=True))
        blocks = {
            i: tf.concat(
                [
                    tf.reshape(given[s], (items, -1) if block.role.batched else (-1,))
                    for s in block.signals
                ],
                axis=-1,
            )
            for i, block in enumerate(layout.blocks)
        }
        values = SignalValues(layout, blocks, items, tf.as_dtype(dtype))
        lowering.build_step(values)
        return [values.read(layout.view([signal], signal.shape)) for signal in signals]

    return function


def call_python(lowering, values):
    """Take the step of a group that calls Python; XLA cannot compile this."""

    def host(*arguments):
        for item in (item for row in getattr(lowering, "stepped", ()) for item in row):
            item.reset(np.random.RandomState(0))
        dtype = values.dtype.as_numpy_dtype
        results = [np.zeros(shape, dtype) for shape in lowering.shapes]
        lowering.bind([np.array(a) for a in arguments], results)(1)
        return results

    shapes = lowering.shapes
    results = tf.numpy_function(
        host, lowering.arguments(values), [values.dtype] * len(shapes)
    )
    if shapes:
        for result, shape in zip(results, shapes, strict=True):
            result.set_shape(shape)
        lowering.store(values, results)


def random_values(operators, per_item=(), items=1, dtype="float64", seed=0):
    """Return values for `as_function`, as tensors."""
    rng = np.random.RandomState(seed)
    written = {s.base for op in operators for s in (*op.sets, *op.incs, *op.updates)}
    return [
        tf.constant(
            rng.uniform(
                -1, 1, (items, *s.shape) if s in written or s in per_item else s.shape
            ).astype(dtype)
        )
        for s in bases(operators)
    ]


def in_nengo(operators, values, items=1, prepare=lambda op, memory: None):
    """Return what Nengo's operators make of the values that `as_function` takes.

    ``prepare(op, memory)`` is called for each operator, whose step is made then.
    """
    signals = bases(operators)
    results = []
    for item in range(items):
        memory = SignalDict()
        for op in operators:
            for signal in op.all_signals:
                if signal.base not in memory:
                    memory.init(signal.base)
                if signal not in memory:
                    memory.init(signal)
        for signal, value in zip(signals, values, strict=True):
            batched = len(value.shape) > len(shape_of(signal))
            own = np.asarray(value[item % len(value)] if batched else value)
            if signal.sparse:
                matrix = memory[signal].copy()
                matrix.data[...] = own
                dict.__setitem__(memory, signal, matrix)
            else:
                memory[signal] = own
        for op in operators:
            prepare(op, memory)
            op.make_step(memory, 0.001, np.random)()
        results.append(
            [np.array(memory[s].data if s.sparse else memory[s]) for s in signals]
        )
    return [np.stack(column) for column in zip(*results, strict=True)]


def assert_group_matches(operators, per_item=(), items=1, dtype="float64", rtol=1e-12):
    """Compare a group with Nengo's operators, on random values."""
    values = random_values(operators, per_item, items, dtype)
    results = as_function(operators, per_item, items, dtype)(*values)
    expected = in_nengo(operators, values, items)
    for signal, before, value, truth in zip(
        bases(operators), values, results, expected, strict=True
    ):
        value = value.numpy()
        assert value.dtype == dtype
        if value.ndim == signal.ndim:  # a parameter
            np.testing.assert_array_equal(value, before)
            continue
        assert value.shape == truth.shape
        scale = np.abs(truth).max(initial=1e-300)
        assert np.abs(value - truth).max(initial=0) <= rtol * scale, signal


def assert_gradients_match(operators, per_item=(), items=1, jit=True, rtol=1e-6):
    """Compare derivatives with central differences, along random directions.

    Products of parameters and signals are polynomials of second degree, of which
    central differences are exact but for rounding.
    """
    values = random_values(operators, per_item, items)
    function = as_function(operators, per_item, items)
    weights = random_values(operators, per_item, items, seed=1)

    @tf.function(jit_compile=jit, autograph=False)
    def loss(*values):
        results = function(*values)
        return tf.add_n(
            [
                tf.reduce_sum(w * tf.cast(r, tf.float64))
                for w, r in zip(weights, results, strict=True)
                if r.shape == w.shape
            ]
        )

    @tf.function(jit_compile=jit, autograph=False)
    def gradients(*values):
        with tf.GradientTape() as tape:
            tape.watch(values)
            result = loss(*values)
        return tape.gradient(result, values)

    rng = np.random.RandomState(2)
    for i, gradient in enumerate(gradients(*values)):
        assert np.all(np.isfinite(gradient))
        for _ in range(3):
            direction = rng.uniform(-1, 1, values[i].shape)
            step = 1e-3
            ends = [
                loss(*values[:i], values[i] + sign * step * direction, *values[i + 1 :])
                for sign in (1, -1)
            ]
            numeric = float(ends[0] - ends[1]) / (2 * step)
            analytic = float(np.sum(gradient * direction))
            scale = float(np.sum(np.abs(gradient * direction)))
            assert abs(analytic - numeric) <= rtol * max(scale, 1e-12), (i, analytic)
