"""Back-propagation through time, with rematerialisation of each time step.

A loop over a fixed number of steps, `scan`, and the way back through it: from the last
step to the first, the gradient with respect to the state goes from each step to the one
before, and contributions to parameters are added up [1]_. TensorFlow can differentiate
`tf.while_loop`, and keeps every intermediate result of every step for that. Here only
the state of each step is kept, and the way back computes a step again from it, which is
rematerialisation or gradient checkpointing [2]_ [3]_: memory grows with what the model
remembers, not with what it computes. Where that is too much, one loop runs within
another, `scan_in_segments`, and keeps the states between stretches of time only.

References
----------
.. [1] P. J. Werbos (1990). Backpropagation through time: what it does and how to do
   it. Proceedings of the IEEE 78(10).
.. [2] T. Chen, B. Xu, C. Zhang, C. Guestrin (2016). Training deep nets with sublinear
   memory cost. arXiv:1604.06174.
.. [3] A. Gruslys, R. Munos, I. Danihelka, M. Lanctot, A. Graves (2016).
   Memory-efficient backpropagation through time. NeurIPS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import tensorflow as tf

Tensors = Sequence[tf.Tensor]


class Recorded:
    """What steps compute that must not be computed a second time on the way back.

    Python code, for example, which may have changed since. Called with a function, it
    records the tensors that this returns, or gives those that were recorded.

    Parameters
    ----------
    given : sequence of tf.Tensor, optional
        What was recorded on the way forward; None: this is the way forward.
    """

    def __init__(self, given: Tensors | None = None) -> None:
        self.again = given is not None
        self.values: list[tf.Tensor] = list(given or ())
        self._taken = 0

    def __call__(self, compute: Callable[[], Tensors], count: int) -> Tensors:
        """Return the ``count`` tensors of ``compute()``, called or recorded."""
        if self.again:
            return self.take(count)
        computed = compute()
        self.values.extend(computed)
        return computed

    def take(self, count: int) -> list[tf.Tensor]:
        """Return the next of the recorded tensors."""
        start, self._taken = self._taken, self._taken + count
        return self.values[start : self._taken]


#: ``step(constants, state, row, recorded) -> (state, outputs)``
Step = Callable[[Tensors, Tensors, Tensors, Recorded], tuple[Tensors, Tensors]]

#: shapes and types of the outputs of a step, and of what it records
Specs = tuple[Sequence[tf.TensorSpec], Sequence[tf.TensorSpec]]


def scan(
    step: Step,
    constants: Tensors,
    state: Tensors,
    series: Tensors,
    n_steps: int,
    around: Recorded | None = None,
    specs: Specs | None = None,
) -> tuple[Tensors, Tensors]:
    """Run a step again and again, differentiable by back-propagation through time.

    Parameters
    ----------
    step : callable
        ``step(constants, state, row, recorded)`` returns the next state, of the same
        shapes and types, and the outputs of the step. What must not be computed a
        second time on the way back, because it calls Python, has to be wrapped:
        ``recorded(lambda: [tf.numpy_function(...)], 1)``.
    constants : sequence of tf.Tensor
        What is the same in each step.
    state : sequence of tf.Tensor
        Where it starts.
    series : sequence of tf.Tensor, shape (n_steps, ...)
        What changes from step to step.
    n_steps : int
        How many steps; fixed when this is traced.
    around : Recorded, optional
        What the step of a loop around this one was given: that step is a stretch of
        time, which is computed once without a way back, and again to be differentiated.
    specs : pair of sequences of tf.TensorSpec, optional
        What `specs_of` returns; otherwise the step is traced once more for it.

    Returns
    -------
    state : list of tf.Tensor
        Where it ends.
    outputs : list of tf.Tensor, shape (n_steps, ...)
        The outputs of all steps.
    """
    n_constants, n_state = len(constants), len(state)
    specs = specs_of(step, constants, state, series) if specs is None else specs
    forward = partial(_forward, step, n_steps=n_steps, specs=specs)
    if around is not None and not around.again:
        final, _, outputs, kept = forward(constants, state, series, keep_states=False)
        around.values.extend(kept)
        return list(final), list(outputs)
    recorded = None if around is None else around.take(len(specs[1]))

    @tf.custom_gradient
    def run(*flat: tf.Tensor) -> tuple[tuple, Callable]:
        fixed = flat[:n_constants]
        start = flat[n_constants : n_constants + n_state]
        rows = flat[n_constants + n_state :]
        final, history, outputs, kept = forward(fixed, start, rows, recorded=recorded)

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


def scan_in_segments(
    segment: Callable[[int, Tensors, Tensors, Tensors, Recorded], tuple],
    constants: Tensors,
    state: Tensors,
    series: Tensors,
    n_steps: int,
    length: int,
    specs: Callable[[int], Specs | None],
) -> tuple[Tensors, list[Tensors]]:
    """Run stretches of time one after the other, and keep the states between them only.

    On the way back each stretch is computed again from its first state, and then
    differentiated: the memory is that of one stretch and of one state for each.

    Parameters
    ----------
    segment : callable
        ``segment(n_steps, constants, state, rows, recorded)`` runs some steps; see
        `scan`, which it has to call, with ``around=recorded``, for whatever calls
        Python. It returns the next state, and outputs of any shapes.
    constants, state, series, n_steps
        As for `scan`.
    length : int
        Steps of a stretch; those that remain make a shorter one.
    specs : callable
        ``specs(n_steps)`` returns shapes and types of what a stretch of so many steps
        gives and records, or None if they are not known.

    Returns
    -------
    state : list of tf.Tensor
        Where it ends.
    outputs : list of list of tf.Tensor, shape (n_stretches, ...)
        Outputs of the stretches of full length, then those of the shorter one, if any.
    """
    whole, rest = divmod(n_steps, length)
    rows = [
        tf.reshape(v[: whole * length], (whole, length, *v.shape[1:])) for v in series
    ]
    state, outputs = scan(
        partial(segment, length), constants, state, rows, whole, specs=specs(length)
    )
    parts = [outputs]
    if rest:
        rows = [
            tf.reshape(v[whole * length :], (1, rest, *v.shape[1:])) for v in series
        ]
        state, outputs = scan(
            partial(segment, rest), constants, state, rows, 1, specs=specs(rest)
        )
        parts.append(outputs)
    return state, parts


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
        state, outputs = step(constants, state, row, Recorded())
        rows.append(outputs)
    return list(state), [tf.stack(values) for values in zip(*rows, strict=True)]


def _forward(
    step: Step,
    constants: Tensors,
    state: Tensors,
    series: Tensors,
    n_steps: int,
    specs: Specs,
    recorded: Tensors | None = None,
    keep_states: bool = True,
) -> tuple[Tensors, Tensors, Tensors, Tensors]:
    """Run all steps; return the last state, all states, outputs, recorded values."""
    given = recorded or ()

    def body(i: tf.Tensor, now: tuple, *arrays: tuple) -> tuple:
        row = [tf.gather(values, i) for values in series]
        calls = Recorded(recorded and [tf.gather(values, i) for values in given])
        new, outputs = step(constants, now, row, calls)
        kept = (
            now if keep_states else (),
            outputs,
            () if calls.again else calls.values,
        )
        written = (
            _written(own, i, values) for own, values in zip(arrays, kept, strict=True)
        )
        return i + 1, tuple(new), *written

    kept = (state if keep_states else (), specs[0], () if recorded else specs[1])
    start = (
        tf.constant(0),
        tuple(state),
        *(tuple(_array(v, n_steps) for v in own) for own in kept),
    )
    _, final, *arrays = tf.while_loop(
        lambda i, *_: i < n_steps, body, start, maximum_iterations=n_steps
    )
    past, outputs, made = ([a.stack() for a in own] for own in arrays)
    return final, past, outputs, recorded or made


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
        recorded = Recorded([tf.gather(values, i) for values in kept])
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(sources)
            new, outputs = step(constants, now, row, recorded)
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
        rows = _written(rows, i, gradients[2])
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


def specs_of(step: Step, constants: Tensors, state: Tensors, series: Tensors) -> Specs:
    """Return shapes and types of outputs and recorded values, by tracing a step."""
    calls = Recorded()
    found: list[Sequence[tf.TensorSpec]] = []

    def trace() -> None:
        fixed = [tf.zeros(t.shape, t.dtype) for t in constants]
        start = [tf.zeros(t.shape, t.dtype) for t in state]
        row = [tf.zeros(t.shape[1:], t.dtype) for t in series]
        _, outputs = step(fixed, start, row, calls)
        found.extend([list(map(_spec, outputs)), list(map(_spec, calls.values))])

    # code of users may hold eager tensors, which a plain `tf.Graph` cannot take
    tf.function(trace, autograph=False).get_concrete_function()
    return found[0], found[1]


def _spec(tensor: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec(tensor.shape, tensor.dtype)


def _array(like: tf.Tensor, n_steps: int) -> tf.TensorArray:
    return tf.TensorArray(like.dtype, n_steps, element_shape=like.shape)


def _written(
    arrays: Sequence[tf.TensorArray], i: tf.Tensor, values: Sequence[tf.Tensor]
) -> tuple[tf.TensorArray, ...]:
    """Return arrays in which a row is written."""
    found = tuple(a.write(i, v) for a, v in zip(arrays, values, strict=True))
    for array in found:
        # in eager execution TensorFlow logs an error for each array that nobody has
        # looked at, as nobody does if the next step fails
        _ = array.dtype
    return found
