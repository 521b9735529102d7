"""Measure a network in both simulators, in turn, in one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np

from nengo_dl.simulator import Simulator


@dataclass(frozen=True)
class Measurement:
    """Seconds that one network took.

    Attributes
    ----------
    name : str
        The network.
    nengo_build, build : float
        Making the simulator (s), in Nengo and here.
    compile : float
        Tracing and compiling (s).
    nengo_run, run : float
        Median of a run in steady state (s).
    n_steps : int
        Time steps of a run.

    Examples
    --------
    >>> from nengo_dl.benchmarks import Measurement
    >>> Measurement("net", 0.1, 0.2, 0.5, nengo_run=1.0, run=0.25, n_steps=1000).ratio
    4.0
    """

    name: str
    nengo_build: float
    build: float
    compile: float
    nengo_run: float
    run: float
    n_steps: int

    @property
    def ratio(self) -> float:
        """How many times faster than Nengo a run is in steady state."""
        return self.nengo_run / self.run


def _timed(action: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def measure(
    name: str,
    network: nengo.Network,
    n_steps: int = 1000,
    repetitions: int = 5,
    **options: Any,
) -> Measurement:
    """Run a network in `nengo.Simulator` and in `nengo_dl.Simulator`, in turn.

    Parameters
    ----------
    name : str
        What to call the result.
    network : nengo.Network
        What to run.
    n_steps : int
        Time steps of a run.
    repetitions : int
        Runs of each; the median counts, since machines are noisy.
    **options
        For `nengo_dl.Simulator`.

    Returns
    -------
    Measurement
        The times.

    Examples
    --------
    >>> from nengo_dl.benchmarks import NETWORKS, measure
    >>> network = NETWORKS["two_ensembles"]()
    >>> found = measure("example", network, n_steps=50, repetitions=1)
    >>> bool(found.run > 0)
    True
    """
    quiet: Any = {"progress_bar": False}
    # the first of two builds would fill the decoder cache for the second
    nengo.Simulator(network, **quiet).close()
    nengo_build, reference = _timed(lambda: nengo.Simulator(network, **quiet))
    build, ours = _timed(lambda: Simulator(network, **quiet, **options))
    compile_time, _ = _timed(lambda: ours.run_steps(1))
    with reference, ours:
        reference.run_steps(n_steps, **quiet)
        ours.run_steps(n_steps)
        times = [
            (
                _timed(lambda: reference.run_steps(n_steps, **quiet))[0],
                _timed(lambda: ours.run_steps(n_steps))[0],
            )
            for _ in range(repetitions)
        ]
    nengo_run, run = np.median(np.array(times), axis=0)
    return Measurement(
        name, nengo_build, build, compile_time, float(nengo_run), float(run), n_steps
    )
