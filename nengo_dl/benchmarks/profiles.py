"""How long a run of a network takes, or a step of training it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import nengo
import numpy as np

from nengo_dl.simulator import Simulator


def run_profile(
    net: nengo.Network,
    train: bool = False,
    n_steps: int = 150,
    do_profile: bool = True,
    reps: int = 1,
    dtype: Any = "float32",
    **options: Any,
) -> float:
    """Run or train a network, and return the shortest time that it took.

    Parameters
    ----------
    net : nengo.Network
        The network.
    train : bool
        Whether to train it with one minibatch, so that every probe becomes 0, by
        gradient descent; otherwise it is run.
    n_steps : int
        Time steps of a run, or of each item in training.
    do_profile : bool
        Whether to write a profile of another run into the folder ``nengo_dl_profile``,
        where ``tensorboard --logdir nengo_dl_profile`` finds it.
    reps : int
        How often; there is one time more before these, in which code is compiled.
    dtype : str or tf.DType
        Type of floating point numbers.
    **options
        For `nengo_dl.Simulator`.

    Returns
    -------
    float
        Time of the fastest repetition (s).

    Examples
    --------
    >>> from nengo_dl.benchmarks import integrator, run_profile
    >>> net = integrator(dimensions=2, neurons_per_d=10)
    >>> run_profile(net, n_steps=5, do_profile=False, minibatch_size=3) > 0
    True
    """
    options = {"progress_bar": False, **options}
    with Simulator(net, dtype=dtype, **options) as sim:
        if train:
            action = _training(sim, net, n_steps)
        else:

            def action(profile: bool) -> None:
                sim.run_steps(n_steps, profile=profile)

        action(profile=False)
        times = []
        for _ in range(reps):
            start = time.perf_counter()
            action(profile=False)
            times.append(time.perf_counter() - start)
        if do_profile:
            action(profile=True)
    return min(times)


def _training(sim: Simulator, net: nengo.Network, n_steps: int) -> Callable[..., None]:
    """Return a function that makes one step of optimization."""
    import keras

    shape = (sim.minibatch_size or 1, n_steps)
    optimizer = keras.optimizers.SGD(1e-3)
    targets = {probe: np.zeros((*shape, probe.size_in)) for probe in net.all_probes}

    def action(profile: Any) -> None:
        sim.train(targets, optimizer, profile=profile)

    return action
