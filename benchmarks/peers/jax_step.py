"""Time a step of optimization written by hand in JAX; prints JSON."""

import argparse
import json
import math
import statistics
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

SIZE_IN, HIDDEN, SIZE_OUT = 784, 128, 10
N_STEPS, MINIBATCH_SIZE, N_MINIBATCHES = 100, 50, 20
#: time constants (s) of the membrane, of silence after a spike, and of the filter
TAU_RC, TAU_REF, TAU_OUT, DT = 0.02, 0.002, 0.1, 0.001
#: time steps that an iteration of the loop over spiking neurons takes; of 1, 2, 4 and
#: 10 the quickest
UNROLL = 1


@jax.custom_jvp
def fire(distance):
    """Return 1 above the threshold, with the derivative of an arctangent."""
    return (distance > 0).astype(distance.dtype)


fire.defjvps(lambda dot, _, distance: dot / (1 + (jnp.pi * distance) ** 2))


def rates(current, _):
    """Return what LIF neurons fire at in the long run (Hz), for all steps at once."""
    above = current - 1
    # what is not chosen must not be infinite: its gradient would not be a number
    safe = jnp.where(above > 0, above, 1)
    return jnp.where(above > 0, 1 / (TAU_REF + TAU_RC * jnp.log1p(1 / safe)), 0)


def spikes(currents, start):
    """Return the spikes of LIF neurons, as Nengo has them.

    Parameters
    ----------
    currents : jax.Array, shape (steps, batch, 128)
        What goes into the neurons.
    start : jax.Array, shape (128,)
        Voltages at the beginning.
    """

    def step(state, current):
        voltage, refractory = state
        refractory = refractory - DT
        left = jnp.clip(DT - refractory, 0, DT)
        voltage = voltage - (current - voltage) * jnp.expm1(-left / TAU_RC)
        fired, above = fire(voltage - 1), voltage > 1
        # when within the step it fired; no gradient passes through that
        beyond = jnp.where(above, (1 - voltage) / jnp.where(above, current - 1, 1), 0)
        silent = TAU_REF + DT + TAU_RC * jnp.log1p(beyond)
        refractory = jax.lax.stop_gradient(jnp.where(above, silent, refractory))
        voltage = jnp.where(above, 0, jnp.maximum(voltage, 0))
        return (voltage, refractory), fired / DT

    start = jnp.broadcast_to(start, currents[0].shape)
    return jax.lax.scan(step, (start, jnp.zeros_like(start)), currents, unroll=UNROLL)[
        1
    ]


def leaky(currents, start):
    """Return the spikes of leaky units, as other libraries have them: no silence."""
    keep = math.exp(-DT / TAU_RC)

    def step(voltage, current):
        reset = jax.lax.stop_gradient((voltage > 1).astype(voltage.dtype))
        voltage = keep * voltage + current - reset
        return voltage, fire(voltage - 1)

    start = jnp.broadcast_to(start, currents[0].shape)
    return jax.lax.scan(step, start, currents, unroll=UNROLL)[1]


FORMS = {"rates": rates, "spikes": spikes, "leaky units": leaky}


def outputs(neurons, parameters, start, x):
    """Return the filtered output, shape (batch, steps, 10)."""
    # products need no loop over time
    currents = x.reshape(-1, SIZE_IN) @ parameters["first"] + parameters["bias"]
    currents = currents.reshape(*x.shape[:2], HIDDEN).swapaxes(0, 1)
    rows = neurons(currents, start) @ parameters["last"]
    keep = math.exp(-DT / TAU_OUT)

    def filtered(before, row):
        # who reads a filter of Nengo's reads its value of the step before
        return keep * before + (1 - keep) * row, before

    return jax.lax.scan(filtered, jnp.zeros_like(rows[0]), rows)[1].swapaxes(0, 1)


def loss(parameters, neurons, start, x, y):
    """Return the mean squared error of all steps."""
    return jnp.mean((outputs(neurons, parameters, start, x) - y) ** 2)


@partial(jax.jit, static_argnames=("neurons", "optimizer"), donate_argnums=(0, 1))
def epoch(parameters, state, start, x, y, order, *, neurons, optimizer):
    """Train with all items; return parameters, optimizer's state and mean loss."""

    def step(carried, chosen):
        parameters, state = carried
        value, gradients = jax.value_and_grad(loss)(
            parameters, neurons, start, x[chosen], y[chosen]
        )
        updates, state = optimizer.update(gradients, state)
        return (optax.apply_updates(parameters, updates), state), value

    chosen = order.reshape(-1, MINIBATCH_SIZE)
    (parameters, state), losses = jax.lax.scan(step, (parameters, state), chosen)
    return parameters, state, losses.mean()


def first_parameters(rng):
    """Return weights as Glorot has them."""

    def weights(*shape):
        limit = math.sqrt(6 / sum(shape))
        return jnp.asarray(rng.uniform(-limit, limit, shape), jnp.float32)

    return {
        "first": weights(SIZE_IN, HIDDEN),
        "bias": jnp.ones(HIDDEN),
        "last": weights(HIDDEN, SIZE_OUT),
    }


def milliseconds(neurons, repetitions):
    """Return the median time of a step over some epochs (ms)."""
    rng = np.random.RandomState(0)
    n_items = MINIBATCH_SIZE * N_MINIBATCHES
    x = jnp.asarray(rng.uniform(size=(n_items, N_STEPS, SIZE_IN)), jnp.float32)
    y = jnp.asarray(rng.uniform(size=(n_items, N_STEPS, SIZE_OUT)), jnp.float32)
    parameters = first_parameters(rng)
    voltages = jnp.asarray(rng.uniform(size=HIDDEN), jnp.float32)
    optimizer = optax.adam(1e-3, eps=1e-7)
    state = optimizer.init(parameters)
    times = []
    for _ in range(repetitions + 1):
        start = time.perf_counter()
        parameters, state, value = epoch(
            parameters,
            state,
            voltages,
            x,
            y,
            rng.permutation(n_items),
            neurons=neurons,
            optimizer=optimizer,
        )
        value.block_until_ready()
        times.append(time.perf_counter() - start)
    # the first one compiles
    return 1e3 * statistics.median(times[1:]) / N_MINIBATCHES


def differences(file):
    """Return by how much loss and gradients of a step differ from those in a file.

    Parameters
    ----------
    file : pathlib.Path
        What ``nengo_dl_step.py --save`` has written.

    Returns
    -------
    dict of {str: float}
        The largest differences, as parts of the largest value there.
    """
    given = dict(np.load(file))
    parameters = {name: given[name] for name in ("first", "bias", "last")}
    data = (given[name] for name in ("voltage", "x", "y"))
    run = jax.jit(jax.value_and_grad(loss), static_argnums=1)
    value, gradients = run(parameters, FORMS[file.stem], *data)
    found = {f"gradient of {name}": values for name, values in gradients.items()}
    return {
        name: float(np.abs(values - given[name]).max() / np.abs(given[name]).max())
        for name, values in {"loss": value, **found}.items()
    }


def main():
    """Print the times of all forms, or compare a step with NengoDL's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--check", type=Path, nargs="*", help="files to compare with")
    options = parser.parse_args()
    if options.check:
        found = {file.stem: differences(file) for file in options.check}
        print(json.dumps({"differences": found}))
        return
    found = {
        form: milliseconds(neurons, options.repetitions)
        for form, neurons in FORMS.items()
    }
    versions = {"jax": jax.__version__, "optax": optax.__version__}
    print(json.dumps({"milliseconds": found, "versions": versions}))


if __name__ == "__main__":
    main()
