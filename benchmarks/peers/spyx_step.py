"""Time a step of optimization in Spyx, a library of JAX modules; prints JSON."""

import argparse
import json
import math
import statistics
import time
from functools import partial
from importlib.metadata import version

import jax
import jax.numpy as jnp
import numpy as np
import optax
import spyx
from flax import nnx

SIZE_IN, HIDDEN, SIZE_OUT = 784, 128, 10
N_STEPS, MINIBATCH_SIZE, N_MINIBATCHES = 100, 50, 20
#: time constants (s) of the membrane and of the filter on the output
TAU_RC, TAU_OUT, DT = 0.02, 0.1, 0.001


class Classifier(nnx.Module):
    """Layers of 784, 128 and 10 units, with spikes in the middle.

    Parameters
    ----------
    at_once : bool
        Whether the first layer, which has no memory, sees all time steps at once.
    """

    def __init__(self, at_once):
        rngs = nnx.Rngs(0)
        keep, keep_output = (math.exp(-DT / tau) for tau in (TAU_RC, TAU_OUT))
        first = nnx.Linear(SIZE_IN, HIDDEN, rngs=rngs)
        layers = [
            spyx.nn.LIF((HIDDEN,), keep, activation=spyx.axn.arctan(), rngs=rngs),
            nnx.Linear(HIDDEN, SIZE_OUT, use_bias=False, rngs=rngs),
            spyx.nn.LI((SIZE_OUT,), keep_output, rngs=rngs),
        ]
        self.first = first if at_once else None
        self.others = spyx.nn.Sequential(*([] if at_once else [first]), *layers)

    def __call__(self, x):
        """Return the filtered output, shape (batch, steps, 10)."""
        x = x if self.first is None else self.first(x)
        found, _ = spyx.nn.run(self.others, x, batch_major=True)
        return (1 - math.exp(-DT / TAU_OUT)) * found


@partial(jax.jit, static_argnames=("classifier", "optimizer"), donate_argnums=(0, 1))
def epoch(parameters, state, x, y, order, *, classifier, optimizer):
    """Train with all items; return parameters, optimizer's state and mean loss."""

    def loss(parameters, chosen):
        found = nnx.merge(classifier, parameters)(x[chosen])
        return jnp.mean((found - y[chosen]) ** 2)

    def step(carried, chosen):
        parameters, state = carried
        value, gradients = jax.value_and_grad(loss)(parameters, chosen)
        updates, state = optimizer.update(gradients, state)
        return (optax.apply_updates(parameters, updates), state), value

    chosen = order.reshape(-1, MINIBATCH_SIZE)
    (parameters, state), losses = jax.lax.scan(step, (parameters, state), chosen)
    return parameters, state, losses.mean()


def milliseconds(at_once, repetitions):
    """Return the median time of a step over some epochs (ms)."""
    rng = np.random.RandomState(0)
    n_items = MINIBATCH_SIZE * N_MINIBATCHES
    x = jnp.asarray(rng.uniform(size=(n_items, N_STEPS, SIZE_IN)), jnp.float32)
    y = jnp.asarray(rng.uniform(size=(n_items, N_STEPS, SIZE_OUT)), jnp.float32)
    classifier, parameters = nnx.split(Classifier(at_once), nnx.Param)
    optimizer = optax.adam(1e-3, eps=1e-7)
    state = optimizer.init(parameters)
    times = []
    for _ in range(repetitions + 1):
        start = time.perf_counter()
        order = rng.permutation(n_items)
        parameters, state, value = epoch(
            parameters, state, x, y, order, classifier=classifier, optimizer=optimizer
        )
        value.block_until_ready()
        times.append(time.perf_counter() - start)
    # the first one compiles
    return 1e3 * statistics.median(times[1:]) / N_MINIBATCHES


def main():
    """Print the times of both forms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    repetitions = parser.parse_args().repetitions
    found = {
        "all steps at once": milliseconds(True, repetitions),
        "step by step": milliseconds(False, repetitions),
    }
    versions = {"spyx": version("spyx"), "jax": jax.__version__}
    print(json.dumps({"milliseconds": found, "versions": versions}))


if __name__ == "__main__":
    main()
