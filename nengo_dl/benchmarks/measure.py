"""Measure a network in both simulators, in turn, in one process."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import nengo
import numpy as np

from nengo_dl.benchmarks.floors import Work, work_of
from nengo_dl.benchmarks.machine import peak_memory
from nengo_dl.simulator import Simulator


@dataclass(frozen=True)
class Measurement:
    """The times and the memory that one network took, here and in Nengo.

    Attributes
    ----------
    name : str
        The network.
    n_steps : int
        Time steps of a run.
    items : int
        Items that are simulated side by side; Nengo's simulator runs one.
    nengo_build, build : float
        Making the simulator (s), in Nengo and here.
    nengo_first, first : float
        The first run (s); here with everything that is traced and compiled for it.
    nengo_run, run : float
        Median of a run in steady state (s).
    stages : mapping of str to float
        Parts of the time until the first step, here (s): what Nengo's builder takes,
        the plan, tracing, compiling.
    memory : float
        The most memory that the process had resident after the first run here (MB).
    floor : float
        What the hardware needs for a run at least (s), as ``floors.py`` counts it.

    Examples
    --------
    >>> from nengo_dl.benchmarks import Measurement
    >>> found = Measurement(
    ...     "net", 1000, 1, nengo_build=0.1, build=0.2, nengo_first=1.1, first=0.7,
    ...     nengo_run=1.0, run=0.25,
    ... )
    >>> found.ratio
    4.0
    >>> round(found.start_ratio, 2)
    0.75
    """

    name: str
    n_steps: int
    items: int
    nengo_build: float
    build: float
    nengo_first: float
    first: float
    nengo_run: float
    run: float
    stages: Mapping[str, float] = field(default_factory=dict)
    memory: float = float("nan")
    floor: float = float("nan")

    @property
    def ratio(self) -> float:
        """How many times faster than Nengo an item runs in steady state."""
        return self.nengo_run * self.items / self.run

    @property
    def nengo_start(self) -> float:
        """Nengo's time until all items have had their first run (s)."""
        return self.nengo_build + self.items * self.nengo_first

    @property
    def start(self) -> float:
        """Time until the end of the first run here (s)."""
        return self.build + self.first

    @property
    def start_ratio(self) -> float:
        """How much longer than in Nengo the way to the end of the first run takes."""
        return self.start / self.nengo_start

    @property
    def above_floor(self) -> float:
        """How many times longer than the hardware needs a run takes."""
        return self.run / self.floor


def measure(
    name: str,
    network: nengo.Network,
    n_steps: int = 1000,
    repetitions: int = 5,
    nengo_merges: bool = True,
    changing: bool = False,
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
    nengo_merges : bool
        Whether Nengo's simulator merges operators, as it does by default. That makes
        its runs several times faster, but takes hours for very large networks.
    changing : bool
        Whether these values are others in each step.
    **options
        For `nengo_dl.Simulator`. With a ``minibatch_size``, every constant Node is
        presented other random values for each item, the same in all steps.

    Returns
    -------
    Measurement
        The times, the memory and the floor.

    Examples
    --------
    >>> from nengo_dl.benchmarks import NETWORKS, measure
    >>> network = NETWORKS["two_ensembles"]()
    >>> found = measure("example", network, n_steps=50, repetitions=1)
    >>> bool(found.run > 0)
    True
    """
    quiet: Any = {"progress_bar": False}
    with _decoder_cache():
        if _solves(network):
            # the first of two builds would fill the decoder cache for the second
            nengo.Simulator(network, **quiet).close()
        items = options.get("minibatch_size") or 1
        data = _presented(network, options.get("minibatch_size"), n_steps, changing)
        build, ours = _timed(lambda: Simulator(network, **quiet, **options))
        with ours:
            work = work_of(ours, held=not changing)
            first, _ = _timed(lambda: ours.run_steps(n_steps, data=data))
            memory = peak_memory()
            stages = {key: float(s) for key, s in ours.times.items()}
            nengo_build, reference = _timed(
                lambda: nengo.Simulator(network, optimize=nengo_merges, **quiet)
            )
            with reference:
                nengo_first, _ = _timed(lambda: reference.run_steps(n_steps, **quiet))
                times = [
                    (
                        _timed(lambda: reference.run_steps(n_steps, **quiet))[0],
                        _timed(lambda: ours.run_steps(n_steps, data=data))[0],
                    )
                    for _ in range(repetitions)
                ]
    nengo_run, run = np.median(np.array(times), axis=0)
    return Measurement(
        name,
        n_steps,
        items,
        nengo_build,
        build,
        nengo_first,
        first,
        float(nengo_run),
        float(run),
        stages,
        memory,
        n_steps * _seconds(work, options),
    )


@contextmanager
def _decoder_cache() -> Iterator[None]:
    """Let Nengo's decoder cache begin empty, in a folder of its own.

    A user's cache may have thousands of files, and each build reads and writes their
    index several times.
    """
    with tempfile.TemporaryDirectory() as folder:
        before = nengo.rc.get("decoder_cache", "path")
        nengo.rc.set("decoder_cache", "path", folder)
        try:
            yield
        finally:
            nengo.rc.set("decoder_cache", "path", before)


def _seconds(work: Work, options: Mapping[str, Any]) -> float:
    """Return the floor of a time step (s)."""
    return work.seconds(options.get("dtype") or "float32", options.get("device"))


def _timed(action: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def _solves(network: nengo.Network) -> bool:
    """Return whether Nengo's builder solves for any decoders."""
    return any(
        isinstance(connection.pre_obj, nengo.Ensemble)
        and not isinstance(connection.solver, nengo.solvers.NoSolver)
        for connection in network.all_connections
    )


def _presented(
    network: nengo.Network, minibatch_size: int | None, n_steps: int, changing: bool
) -> dict[nengo.Node, np.ndarray] | None:
    """Return data for the constant Nodes, other numbers for each item."""
    if minibatch_size is None:
        return None
    rng = np.random.default_rng(0)
    rows = n_steps if changing else 1
    return {
        node: np.tile(
            rng.random((minibatch_size, rows, node.size_out), np.float32),
            (1, n_steps // rows, 1),
        )
        for node in network.all_nodes
        if isinstance(node.output, np.ndarray)
    }
