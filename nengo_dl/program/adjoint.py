"""Back-propagation through time, with rematerialisation of each time step.

A loop over a fixed number of steps, `scan`, and the way back through it: from the last
step to the first, the gradient with respect to the state goes from each step to the one
before, and contributions to parameters are added up [1]_. TensorFlow can differentiate
`tf.while_loop`, and keeps every intermediate result of every step for that. Here only
the state of each step is kept, and the way back computes a step again from it, which is
rematerialisation or gradient checkpointing [2]_ [3]_: memory grows with what the model
remembers, not with what it computes.

References
----------
.. [1] P. J. Werbos (1990). Backpropagation through time: what it does and how to do
   it. Proceedings of the IEEE 78(10).
.. [2] T. Chen, B. Xu, C. Zhang, C. Guestrin (2016). Training deep nets with sublinear
   memory cost. arXiv:1604.06174.
.. [1] P. J. Werbos (1990). Backpropagation through time: what it does and how to do it.
   backpropagation through time. NeurIPS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

Tensors = Sequence[tf.Tensor]

#: ``impure(compute, count)`` gives the ``count`` tensors that ``compute()`` returned on
#: the way forward
Impure = Callable[[Callable[[], Tensors], int], Tensors]

#: ``step(constants, state, row, impure) -> (state, outputs)``
Step = Callable[[Tensors, Tensors, Tensors, Impure], tuple[Tensors, Tensors]]


def directly(compute: Callable[[], Tensors], count: int) -> Tensors:
    """Call ``compute()``: the `Impure` of steps that are not computed a second time."""
    return compute()


def scan(
    step: Step,
    constants: Tensors,
    state: Tensors,
    series: Tensors,
    n_steps: int,
) -> tuple[Tensors, Tensors]:
    """Run a step again and again, differentiable by back-propagation through time.

    Parameters
    ----------
    step : callable
        ``step(constants, state, row, impure)`` returns the next state, of the same
        shapes and types, and the outputs of the step. What must not be computed a
        second time on the way back, because it calls Python, has to be wrapped:
        ``impure(lambda: [tf.numpy_function(...)], 1)``.
    constants : sequence of tf.Tensor
        What is the same in each step.
    state : sequence of tf.Tensor
        Where it starts.
    series : sequence of tf.Tensor, shape (n_steps, ...)
        What changes from step to step.
    n_steps : int
        How many steps; fixed when this is traced.

    Returns
    -------
    state : list of tf.Tensor
        Where it ends.
    outputs : list of tf.Tensor, shape (n_steps, ...)
        The outputs of all steps.
    """
    n_constants, n_state = len(constants), len(state)

    @tf.custom_gradient
    def run(*flat: tf.Tensor) -> tuple[tuple, Callable]:
        fixed = flat[:n_constants]
        start = flat[n_constants : n_constants + n_state]
        rows = flat[n_constants + n_state :]
        final, history, outputs, kept = _forward(step, fixed, start, rows, n_steps)

        def backward(*upstream: tf.Tensor) -> Tensors:
            return _backward(
                step,
                fixed,
                history,
                rows,
                kept,
                upstream[:n_state],
                upstream[n_state:],
                n_steps,
            )

        return (*final, *outputs), backward

    results = run(*constants, *state, *series)
    results = results if isinstance(results, tuple | list) else (results,)
    return list(results[:n_state]), list(results[n_state:])


def in_line(
    step: Step,
    constants: Tensors,
    state: Tensors,
    series: Tensors,
    n_steps: int,
) -> tuple[Tensors, Tensors]:
    """Run a step again and again without a loop, in one graph; see `scan`."""
    rows: list[Tensors] = []
    for i in range(n_steps):
        row = [values[i] for values in series]
        state, outputs = step(constants, state, row, directly)
        rows.append(outputs)
    return list(state), [tf.stack(values) for values in zip(*rows, strict=True)]


def _forward(
    step: Step, constants: Tensors, state: Tensors, series: Tensors, n_steps: int
) -> tuple[Tensors, Tensors, Tensors, Tensors]:
    """Run all steps; return the last state, all states, outputs, impure values."""
    specs = _specs(step, constants, state, series)

    def body(i: tf.Tensor, now: tuple, *arrays: tuple) -> tuple:
        kept: list[tf.Tensor] = []

        def record(compute: Callable[[], Tensors], count: int) -> Tensors:
            computed = compute()
            kept.extend(computed)
            return computed

        row = [tf.gather(values, i) for values in series]
        new, outputs = step(constants, now, row, record)
        written = (
            tuple(a.write(i, v) for a, v in zip(own, values, strict=True))
            for own, values in zip(arrays, (now, outputs, kept), strict=True)
        )
        return i + 1, tuple(new), *written

    start = (
        tf.constant(0),
        tuple(state),
        *(tuple(_array(v, n_steps) for v in own) for own in (state, *specs)),
    )
    _, final, *arrays = tf.while_loop(
        lambda i, *_: i < n_steps, body, start, maximum_iterations=n_steps
    )
    past, outputs, kept = ([a.stack() for a in own] for own in arrays)
    return final, past, outputs, kept


def _backward(
    step: Step,
    constants: Tensors,
    history: Tensors,
    series: Tensors,
    kept: Tensors,
    from_state: Tensors,
    from_outputs: Tensors,
    n_steps: int,
) -> Tensors:
    """Go back through all steps; return gradients of constants, first state, series."""
    differentiable = [
        [t.dtype.is_floating for t in group] for group in (constants, history, series)
    ]

    def chosen(values: Tensors, group: int) -> list:
        pairs = zip(values, differentiable[group], strict=True)
        return [value for value, keep in pairs if keep]

    def body(k: tf.Tensor, to_state: tuple, to_constants: tuple, rows: tuple) -> tuple:
        i = n_steps - 1 - k
        now = [tf.gather(values, i) for values in history]
        row = [tf.gather(values, i) for values in series]
        sources = (chosen(constants, 0), chosen(now, 1), chosen(row, 2))
        recorded = iter([tf.gather(values, i) for values in kept])

        def replay(compute: Callable[[], Tensors], count: int) -> Tensors:
            return [next(recorded) for _ in range(count)]

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(sources)
            new, outputs = step(constants, now, row, replay)
        floats = [v for v in outputs if v.dtype.is_floating]
        upstream = [
            tf.gather(values, i)
            for values, v in zip(from_outputs, outputs, strict=True)
            if v.dtype.is_floating
        ]
        gradients = tape.gradient(
            [*chosen(new, 1), *floats],
            sources,
            [*to_state, *upstream],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        to_constants = tuple(map(tf.add, to_constants, gradients[0]))
        rows = tuple(
            a.write(i, value) for a, value in zip(rows, gradients[2], strict=True)
        )
        return k + 1, tuple(gradients[1]), to_constants, rows

    start = (
        tf.constant(0),
        tuple(chosen(from_state, 1)),
        tuple(tf.zeros_like(value) for value in chosen(constants, 0)),
        tuple(_array(values[0], n_steps) for values in chosen(series, 2)),
    )
    _, to_state, to_constants, rows = tf.while_loop(
        lambda k, *_: k < n_steps, body, start, maximum_iterations=n_steps
    )
    found = iter((*to_constants, *to_state, *(a.stack() for a in rows)))
    return [next(found) if keep else None for group in differentiable for keep in group]


def _specs(
    step: Step, constants: Tensors, state: Tensors, series: Tensors
) -> tuple[Tensors, Tensors]:
    """Return shapes and types of outputs and impure values, by tracing a step."""
    impure: list[tf.Tensor] = []

    def record(compute: Callable[[], Tensors], count: int) -> Tensors:
        computed = compute()
        impure.extend(computed)
        return computed

    with tf.Graph().as_default():
        fixed = [tf.zeros(t.shape, t.dtype) for t in constants]
        start = [tf.zeros(t.shape, t.dtype) for t in state]
        row = [tf.zeros(t.shape[1:], t.dtype) for t in series]
        _, outputs = step(fixed, start, row, record)
        return [_spec(t) for t in outputs], [_spec(t) for t in impure]


def _spec(tensor: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec(tensor.shape, tensor.dtype)


def _array(like: tf.Tensor, n_steps: int) -> tf.TensorArray:
    return tf.TensorArray(like.dtype, n_steps, element_shape=like.shape)
